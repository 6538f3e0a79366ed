const TOKEN = /\n|"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

interface Open {
  pointer: string;
  /** The next key or index. */
  name: string | number;
  isValue: boolean;
}

/** On which line, from 0, everything in a JSON text begins, by its JSON pointer (RFC 6901). */
export function placesIn(json: string): Map<string, number> {
  const places = new Map([['', 0]]);
  const open: Open[] = [];
  let line = 0;
  for (const [token] of json.matchAll(TOKEN)) {
    const inside = open[open.length - 1];
    if (token === '\n') line += 1;
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') inside!.isValue = true;
    else if (token === ',') {
      if (typeof inside?.name === 'number') inside.name += 1;
      else if (inside) inside.isValue = false;
    } else if (inside && typeof inside.name === 'string' && !inside.isValue) {
      inside.name = keyOf(token);
      places.set(pointerOf(inside), line);
    } else {
      const pointer = inside ? pointerOf(inside) : '';
      // A value on a line below its key: the key is where one looks.
      if (!places.has(pointer)) places.set(pointer, line);
      if (token === '{') open.push({ pointer, name: '', isValue: false });
      else if (token === '[') open.push({ pointer, name: 0, isValue: true });
    }
  }
  return places;
}

/** The line of what a pointer names; of what is not there, the line of what would hold it. */
export function lineOf(places: ReadonlyMap<string, number>, pointer: string): number {
  for (let at = pointer; at; at = at.slice(0, at.lastIndexOf('/'))) {
    const line = places.get(at);
    if (line !== undefined) return line;
  }
  return 0;
}

/** The line, from 0, that a parser's error names. */
export function lineOfError(message: string, json: string): number {
  const named = /line (\d+)/.exec(message)?.[1];
  if (named) return Number(named) - 1;
  const position = /position (\d+)/.exec(message)?.[1];
  // Without a position the text ended too early.
  return json.slice(0, position === undefined ? undefined : Number(position)).split('\n').length - 1;
}

function pointerOf({ pointer, name }: Open): string {
  return `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function keyOf(token: string): string {
  try {
    return String(JSON.parse(token));
  } catch {
    return token;
  }
}
