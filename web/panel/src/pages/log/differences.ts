/** A field that an event changed, as people read it. */
export interface Difference {
  field: string;
  old: string;
  now: string;
}

/** Which fields of a state are not what they were. Its version says nothing that the event does not. */
export function differences(before: unknown, after: unknown): Difference[] {
  const [old, now] = [fields(before), fields(after)];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((name) => name !== 'version');
  const all = names.map((field) => ({ field, old: words(old[field]), now: words(now[field]) }));
  return all.filter(({ old, now }) => old !== now);
}

function fields(state: unknown): Record<string, unknown> {
  return typeof state === 'object' && state !== null ? (state as Record<string, unknown>) : {};
}

/** Nothing, an empty text and an empty list are all nothing to read. */
function words(value: unknown): string {
  if (value === undefined || value === null || value === '') return '–';
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(', ') || '–';
  if (typeof value === 'object' && Object.keys(value).length === 0) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
