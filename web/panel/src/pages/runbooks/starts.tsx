import { Until } from '../../widgets/time.tsx';
import type { Definition } from './query.ts';

/** What starts a runbook besides somebody's hand. */
export function Starts({ definition, nextAt }: { definition: Definition; nextAt?: string | null | undefined }) {
  const { schedule, on_event } = definition;
  if (!schedule && !on_event) return <span className="soft">by hand</span>;
  return (
    <span className="starts">
      {schedule && (
        <span title={`${schedule.cron} (${schedule.time_zone})`}>
          <span className="mono">{schedule.cron}</span>
          {nextAt && (
            <span className="soft">
              {' '}
              in <Until at={nextAt} />
            </span>
          )}
        </span>
      )}
      {on_event && (
        <span title={on_event.condition || undefined}>
          <span className="soft">on</span> <span className="mono">{on_event.types.join(', ')}</span>
        </span>
      )}
    </span>
  );
}
