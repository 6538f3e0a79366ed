import { useEffect, useState } from 'react';

/** What is shown of a list that has been loaded anew: rows where they were, and how many come and go. */
export interface Settled<Row> {
  rows: Row[];
  come: number;
  /** Ids of rows that are shown and are of the list no more. */
  gone: ReadonlySet<string>;
}

/** Rows that are shown stay where they are, as they are now; older ones, of further pages, come behind them. */
export function settle<Row extends { id: string }>(shown: readonly Row[], loaded: readonly Row[]): Settled<Row> {
  const now = new Map(loaded.map((row) => [row.id, row]));
  const known = new Set(shown.map(({ id }) => id));
  // Behind the last one that is shown already, everything is of further pages.
  const none = shown.length > 0 ? loaded.length - 1 : -1;
  const end = loaded.reduce((last, { id }, at) => (known.has(id) ? at : last), none);
  return {
    rows: [...shown.map((row) => now.get(row.id) ?? row), ...loaded.slice(end + 1)],
    come: loaded.slice(0, end + 1).filter(({ id }) => !known.has(id)).length,
    gone: new Set(shown.flatMap(({ id }) => (now.has(id) ? [] : [id]))),
  };
}

/** A list of which rows change in place; what comes and goes waits until nobody's hand is on it, or for `admit`. */
export function useSteady<Row extends { id: string }>(loaded: readonly Row[], key: string, isCalm: () => boolean) {
  const [shown, setShown] = useState({ key, rows: loaded });
  const settled = settle(shown.key === key ? shown.rows : loaded, loaded);
  const admit = () => setShown({ key, rows: loaded });
  useEffect(() => {
    const waits = settled.come + settled.gone.size > 0;
    setShown({ key, rows: waits && !isCalm() ? settled.rows : loaded });
    // Only what was loaded changes what is shown.
  }, [loaded, key]);
  return { ...settled, admit, calm: () => isCalm() && admit() };
}
