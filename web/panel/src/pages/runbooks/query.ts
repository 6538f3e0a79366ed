import { accepted, rule } from '@signalbox/client/react';

import { api, type Schemas } from '../../api.ts';

export type Runbook = Schemas['Runbook'];
export type Definition = Schemas['RunbookDefinition'];
export type Step = Schemas['RunbookStep'];
export type Run = Schemas['Execution'];

export const runbookKey = (id: string) => ['runbook', id] as const;
export const runKey = (id: string) => ['run', id] as const;

export function runbookQuery(id: string) {
  return {
    queryKey: runbookKey(id),
    queryFn: async ({ signal }: { signal: AbortSignal }) =>
      accepted(await api.GET('/api/v1/runbooks/{runbook}', { params: { path: { runbook: id } }, signal })),
  };
}

export function runQuery(id: string) {
  return {
    queryKey: runKey(id),
    queryFn: async ({ signal }: { signal: AbortSignal }) =>
      accepted(await api.GET('/api/v1/executions/{execution}', { params: { path: { execution: id } }, signal })),
  };
}

/** Runs and runbooks change a few times a minute: what changed is loaded again. A step concerns its run's page only. */
export const runbookRules = [
  rule('automation.*', {
    invalidate: ({ type, stream }) => {
      const [kind, id] = stream.split('/') as [string, string];
      if (kind === 'runbook') return [['runbooks'], runbookKey(id)];
      if (type.startsWith('automation.step.')) return [runKey(id)];
      return [['runbooks'], ['runs'], runKey(id)];
    },
  }),
];
