import type { Schemas } from '../../api.ts';
import { oneOf, several, text } from '../../shell/search.ts';

export type RunStatus = Schemas['ExecutionStatus'];
export type RunTrigger = Schemas['TriggerKind'];

/** Those that need somebody first. */
export const RUN_STATUSES: readonly RunStatus[] = [
  'waiting_approval',
  'running',
  'queued',
  'failed',
  'timed_out',
  'cancelled',
  'succeeded',
];

/** What started a run, in words. */
export const TRIGGERS: Record<RunTrigger, string> = {
  manual: 'by hand',
  schedule: 'by schedule',
  event: 'by an event',
};

/** What the address says to list. */
export interface RunFilter {
  status?: RunStatus[];
  /** Its id. */
  runbook?: string;
  trigger?: RunTrigger;
  /** Of one story: what shares its correlation. */
  correlation?: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads the address. What it does not know, it leaves out. */
export function readRunFilter(search: Record<string, unknown>): RunFilter {
  const { runbook, correlation } = { ...text('runbook', search), ...text('correlation', search) };
  return {
    ...several('status', search, RUN_STATUSES),
    ...oneOf('trigger', search, Object.keys(TRIGGERS) as RunTrigger[]),
    ...(runbook && UUID.test(runbook) ? { runbook } : {}),
    ...(correlation && UUID.test(correlation) ? { correlation } : {}),
  };
}

/** A status as people say it. */
export function statusWords(status: string): string {
  return status === 'waiting_approval' ? 'needs approval' : status.replaceAll('_', ' ');
}
