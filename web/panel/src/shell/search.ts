/** Reads and writes the address's query as people would type it: `?status=triggered&status=mitigated`. */
export function parseSearch(query: string): Record<string, string | string[]> {
  const search: Record<string, string | string[]> = {};
  const parameters = new URLSearchParams(query);
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name);
    search[name] = values.length === 1 ? values[0]! : values;
  }
  return search;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (value === undefined || value === null) continue;
    for (const each of Array.isArray(value) ? value : [value]) parameters.append(name, String(each));
  }
  const query = parameters.toString();
  return query && `?${query}`;
}

type Search = Record<string, unknown>;

/** Those values of a parameter that are known; nothing if there are none. */
export function several<Name extends string, Value extends string>(
  name: Name,
  search: Search,
  known: readonly Value[],
) {
  const asked = [search[name]].flat();
  const values = known.filter((value) => asked.includes(value));
  return (values.length ? { [name]: values } : {}) as { [key in Name]?: Value[] };
}

/** A parameter's value, if it is known. */
export function oneOf<Name extends string, Value extends string>(name: Name, search: Search, known: readonly Value[]) {
  const value = known.find((each) => each === search[name]);
  return (value === undefined ? {} : { [name]: value }) as { [key in Name]?: Value };
}

/** A parameter's text. */
export function text<Name extends string>(name: Name, search: Search, { empty = false } = {}) {
  const value = search[name];
  const there = typeof value === 'string' && (empty || value !== '');
  return (there ? { [name]: value } : {}) as { [key in Name]?: string };
}

/** A parameter's whole number from 0 on. */
export function whole<Name extends string>(name: Name, search: Search) {
  const value = search[name];
  const there = typeof value === 'string' && /^\d{1,15}$/.test(value);
  return (there ? { [name]: Number(value) } : typeof value === 'number' ? { [name]: value } : {}) as {
    [key in Name]?: number;
  };
}
