import type { Priority, Severity, Status } from './incident.ts';

/** A status in a word and a shape: never by colour alone. */
export function StatusChip({ status }: { status: Status }) {
  return (
    <span className="chip" data-status={status}>
      <span className="chip-mark" aria-hidden="true" />
      {status}
    </span>
  );
}

export function SeverityChip({ severity }: { severity: Severity }) {
  return (
    <span className="severity" data-severity={severity} title={`Severity ${severity}`}>
      {severity}
    </span>
  );
}

/** Bars that fill up, and the word for who cannot see them. */
export function PriorityMark({ priority, words = false }: { priority: Priority; words?: boolean }) {
  return (
    <span className="priority" data-priority={priority} title={`Priority ${priority}`}>
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d="M3 13v-3" />
        <path d="M6.3 13V8" />
        <path d="M9.7 13V5.5" />
        <path d="M13 13V3" />
      </svg>
      <span className={words ? undefined : 'visually-hidden'}>{priority}</span>
    </span>
  );
}
