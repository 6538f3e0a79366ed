import { accepted, useConnection, useSSE } from '@signalbox/client/react';
import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { api } from '../../api.ts';
import { compare, type Filter, isListed, statusesOf } from './filter.ts';
import { created, idOf, type Incident, type IncidentEvent } from './incident.ts';
import { incidentKey, incidentQuery, keep, offered } from './live.ts';

/** Rows of a page. */
const PAGE_ROWS = 100;
/** What is new waits so long for more of it. In ms. */
const GATHER_MS = 150;

interface PageOfIds {
  ids: string[];
  next: string | undefined;
}

/** The ids of a list, page by page; the incidents themselves lie in the cache, one by one. */
function useIds(filter: Filter) {
  const queries = useQueryClient();
  const connection = useConnection();
  return useInfiniteQuery({
    queryKey: ['incidents', filter],
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: PageOfIds) => page.next,
    queryFn: async ({ pageParam, signal }): Promise<PageOfIds> => {
      // At least as new as what was told already: anything later is an event that changes this answer.
      const min_seq = connection.cursor.after;
      const query = {
        ...filter,
        status: [...statusesOf(filter)],
        order: filter.order ?? '-number',
        limit: PAGE_ROWS,
        ...(pageParam ? { cursor: pageParam } : {}),
        ...(min_seq ? { min_seq } : {}),
      };
      const answer = await api.GET('/api/v1/incidents', { params: { query }, signal });
      const { items, next } = accepted(answer);
      keep(queries, items, answer.response);
      return { ids: items.map(({ id }) => id), next: next ?? undefined };
    },
  });
}

/**
 * A list that is live and never jumps: rows change where they are; what comes and goes waits until `admit`, which is
 * called by itself while nobody's hand is on the list (`isCalm`).
 */
export function useIncidentList(filter: Filter, isCalm: () => boolean) {
  const queries = useQueryClient();
  const loaded = useIds(filter);
  const order = filter.order ?? '-number';
  const ids = useMemo(() => [...new Set(loaded.data?.pages.flatMap((page) => page.ids) ?? [])], [loaded.data]);
  const arrived = useRef(new Set<string>());
  const [waiting, setWaiting] = useState({ come: 0, gone: 0 });
  const find = useCallback((id: string) => queries.getQueryData<Incident>(incidentKey(id)), [queries]);

  /** Whether an incident that is not in the list belongs between its loaded rows. */
  const belongs = (incident: Incident) => {
    const last = ids.length > 0 ? find(ids[ids.length - 1]!) : undefined;
    const isBeyond = loaded.hasNextPage && last && compare(incident, last, order) > 0;
    return isListed(incident, filter) && !isBeyond;
  };

  const count = () => {
    const listed = new Set(ids);
    const come = [...arrived.current].map(find).filter((one) => one && !listed.has(one.id) && isListed(one, filter));
    const gone = ids.map(find).filter((one) => one && !isListed(one, filter));
    setWaiting((before) =>
      before.come === come.length && before.gone === gone.length ? before : { come: come.length, gone: gone.length },
    );
    return come.length + gone.length > 0;
  };

  const admit = useCallback(() => {
    const all = new Set([...arrived.current, ...ids]);
    const rows = [...all].map(find).filter((one) => one !== undefined);
    const shown = rows.filter((one) => isListed(one, filter)).sort((a, b) => compare(a, b, order));
    arrived.current.clear();
    setWaiting({ come: 0, gone: 0 });
    queries.setQueryData<InfiniteData<PageOfIds>>(['incidents', filter], (data) => {
      if (!data) return data;
      const pages = data.pages.map((page, at) => ({ ...page, ids: at === 0 ? shown.map(({ id }) => id) : [] }));
      return { ...data, pages };
    });
  }, [ids, filter, order, queries, find]);

  const gathering = useRef<ReturnType<typeof setTimeout>>(undefined);
  const settle = useRef(() => {});
  settle.current = () => {
    if (count() && isCalm()) admit();
  };
  const gather = () => {
    gathering.current ??= setTimeout(() => {
      gathering.current = undefined;
      settle.current();
    }, GATHER_MS);
  };
  useEffect(() => () => clearTimeout(gathering.current), []);
  useEffect(() => arrived.current.clear(), [filter]);

  useSSE('incident.*', async (event: IncidentEvent) => {
    const id = idOf(event);
    if (event.type === 'incident.created') {
      const incident = find(id) ?? offered(created(event));
      queries.setQueryData<Incident>(incidentKey(id), (known) => known ?? incident);
      if (incident.allowed_actions.length === 0) void queries.invalidateQueries({ queryKey: incidentKey(id) });
      if (belongs(incident)) arrived.current.add(id);
    } else if (!ids.includes(id) && couldEnter(event, filter)) {
      const incident = await queries.ensureQueryData(incidentQuery(id, queries));
      if (belongs(incident)) arrived.current.add(id);
    }
    gather();
  });

  return { ...loaded, ids, find, waiting, admit, calm: gather };
}

/** Whether an event can bring an incident into a list that it was not in. */
function couldEnter(event: IncidentEvent, filter: Filter): boolean {
  switch (event.type) {
    case 'incident.status.changed':
      return statusesOf(filter).includes(event.data.new) && !statusesOf(filter).includes(event.data.old);
    case 'incident.assigned':
      return filter.assignee !== undefined && (event.data.new ?? '') === filter.assignee;
    case 'incident.updated':
      return Boolean(filter.severity ?? filter.priority ?? filter.q ?? filter.server);
    default:
      return false;
  }
}
