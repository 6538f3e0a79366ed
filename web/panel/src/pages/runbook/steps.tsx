import { duration } from '../../widgets/time.tsx';
import type { Step } from '../runbooks/query.ts';

/** What a step does, in its kind and a few words. */
export function whatStepDoes(step: Step): { kind: string; words: string } {
  const { http, wait, server_test, notification, incident, approval, command } = step;
  if (http) return { kind: 'http', words: `${http.method} ${http.url}` };
  if (wait) return { kind: 'wait', words: duration(wait.seconds) };
  if (server_test) return { kind: 'server test', words: server_test.server };
  if (notification) return { kind: 'notification', words: notification.subject };
  if (incident) {
    const { open, status, assignee, comment } = incident;
    const which = open ? `opens ${open.severity} “${open.title}”` : incident.incident;
    const changes = [status && `to ${status}`, assignee && `to ${assignee}`, comment && `“${comment}”`].filter(Boolean);
    return { kind: 'incident', words: [which, changes.join(', ')].filter(Boolean).join(' ') };
  }
  if (approval)
    return { kind: 'approval', words: approval.prompt + (approval.by_another ? ' (by somebody else)' : '') };
  return { kind: 'command', words: command ? [command.name, ...(command.arguments ?? [])].join(' ') : '' };
}

/** The steps of a runbook in their order. */
export function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className="steps">
      {steps.map((step, at) => {
        const { kind, words } = whatStepDoes(step);
        return (
          <li key={step.name} className="step">
            <span className="step-number" aria-hidden="true">
              {at + 1}
            </span>
            <div className="step-body">
              <div className="step-line">
                <strong>{step.name}</strong> <span className="soft">{kind}</span>
              </div>
              <div className="step-words mono">{words}</div>
              <div className="soft step-limits">{limitsOf(step)}</div>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function limitsOf({ timeout_s, retry, continue_on_failure, repeatable }: Step): string {
  return [
    timeout_s && `at most ${duration(timeout_s)}`,
    retry && `${retry.attempts} attempts, ${duration(retry.pause_s)} and more between`,
    continue_on_failure && 'goes on when it fails',
    repeatable && 'may be begun again',
  ]
    .filter(Boolean)
    .join(' · ');
}
