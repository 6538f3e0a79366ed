import type { RefObject } from 'react';

import { useMay, useMe } from '../../session/session.tsx';
import { useKeys } from '../../shell/keys.ts';
import { say } from '../../widgets/toasts.tsx';
import { MOVES, useQuickCommand } from './commands.ts';
import type { Action, Incident } from './incident.ts';
import type { useIncidentList } from './list.ts';
import type { TableHandle } from './table.tsx';

/** The list by keyboard. The focus is the selection: Enter opens because the row is a link. */
export function useListKeys(of: {
  list: ReturnType<typeof useIncidentList>;
  table: RefObject<TableHandle | null>;
  chosen: ReadonlySet<string>;
  choose: (id: string, chosen: boolean) => void;
  chooseNone: () => void;
  report: () => void;
}): void {
  const { list, table, chosen, choose, chooseNone, report } = of;
  const command = useQuickCommand();
  const { username } = useMe();
  const mayWrite = useMay('incidents.write');
  const step = (by: number) => {
    const at = table.current?.at() ?? -1;
    const next = Math.max(0, Math.min(list.ids.length - 1, at + by));
    if (list.ids.length > 0) table.current?.focus(next);
  };
  const here = () => list.ids[table.current?.at() ?? -1];
  const act = (action: Action, run: (incident: Incident) => void) => {
    const id = here();
    const incident = id ? list.find(id) : undefined;
    if (!incident) return say('Choose an incident with j and k first.', 'good');
    if (!mayWrite || !incident.allowed_actions.includes(action)) {
      return say(`${incident.key} is ${incident.status}: ${action} is not possible.`, 'good');
    }
    run(incident);
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    e: () => act('acknowledge', (one) => command(one, { do: 'move', to: MOVES.acknowledge!.to })),
    a: () => act('assign', (one) => command(one, { do: 'assign', assignee: username })),
    x: () => {
      const id = here();
      if (id) choose(id, !chosen.has(id));
    },
    Escape: () => {
      chooseNone();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    },
    '.': () => {
      list.admit();
      table.current?.toTop();
    },
    ...(mayWrite ? { c: report } : {}),
  });
}
