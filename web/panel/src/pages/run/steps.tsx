import { Until } from '../../widgets/time.tsx';
import { whatStepDoes } from '../runbook/steps.tsx';
import type { Run } from '../runbooks/query.ts';
import { statusWords } from '../runs/filter.ts';
import { Took } from '../runs/took.tsx';

/** How far a run is: each step with its state, its attempts and how long it took. */
export function RunSteps({ run }: { run: Run }) {
  return (
    <ol className="steps" aria-label="Steps">
      {run.steps.map((step, at) => {
        const definition = run.definition.steps[at]!;
        const status = step.status === 'running' && run.status === 'waiting_approval' ? run.status : step.status;
        const attempts = definition.retry?.attempts ?? 1;
        return (
          <li
            key={step.name}
            className="step"
            data-status={status}
            aria-current={isCurrent(run, at) ? 'step' : undefined}
          >
            <span className="chip" data-status={status}>
              <span className="chip-mark" aria-hidden="true" />
              <span className="visually-hidden">{statusWords(status)}</span>
            </span>
            <div className="step-body">
              <div className="step-line">
                <strong>{step.name}</strong>
                <span className="soft">{whatStepDoes(definition).kind}</span>
                <span className="grow" />
                <span className="soft">
                  <Took from={step.started_at} to={step.finished_at} />
                </span>
              </div>
              {(step.attempt > 1 || (attempts > 1 && step.attempt > 0)) && (
                <div className="soft">
                  Attempt {step.attempt} {step.attempt <= attempts && `of ${attempts}`}
                </div>
              )}
              {step.reason && <div className="step-reason">{step.reason}</div>}
              {step.status === 'pending' && step.due_at && (
                <div className="soft">
                  again in <Until at={step.due_at} />
                </div>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function isCurrent(run: Run, at: number): boolean {
  return at === run.step && !run.ended_at;
}
