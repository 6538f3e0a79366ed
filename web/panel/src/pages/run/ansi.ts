/** Text of one look. */
export interface Piece {
  text: string;
  /** Classes of the style sheet. */
  look: string;
  /** Colours that are not of the sixteen, as CSS has them. */
  colour?: string | undefined;
  ground?: string | undefined;
}

interface Look {
  flags: Set<string>;
  colour?: string | undefined;
  ground?: string | undefined;
}

const ESCAPE = '\u001b';
/**
 * What programs write for terminals: SGR (colours and such), other control sequences, commands to the terminal such as
 * its title, single escapes, and control characters but the tab. Each alternative begins with another character.
 */
const CONTROL = new RegExp(
  [
    `${ESCAPE}\\[([0-9;:]*)m`,
    `${ESCAPE}\\[[0-?]*[ -/]*[@-~]?`,
    `${ESCAPE}[\\]P^_X][^\\u0007${ESCAPE}]*(?:\\u0007|${ESCAPE}\\\\)?`,
    `${ESCAPE}[ -/]*[0-~]?`,
    '[\\u0000-\\u0008\\u000a-\\u001a\\u001c-\\u001f\\u007f-\\u009f]',
  ].join('|'),
  'g',
);

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const FLAGS: Record<number, string> = { 1: 'bold', 2: 'faint', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'struck' };
/** What switches which off. */
const OFF: Record<number, string[]> = {
  22: ['bold', 'faint'],
  23: ['italic'],
  24: ['underline'],
  27: ['inverse'],
  29: ['struck'],
};

/**
 * A line as a terminal would have coloured it, as pieces of plain text. Nothing in it can be more than text: what is not
 * known is left out. Colours do not go on into the next line, because lines are read from anywhere.
 */
export function pieces(line: string): Piece[] {
  const text = overwritten(line);
  const found: Piece[] = [];
  let look: Look = { flags: new Set() };
  let from = 0;
  const add = (to: number) => {
    if (to > from) found.push(piece(text.slice(from, to), look));
  };
  for (const match of text.matchAll(CONTROL)) {
    add(match.index);
    from = match.index + match[0].length;
    if (match[1] !== undefined) look = after(look, match[1]);
  }
  add(text.length);
  return found;
}

/** What a terminal shows of a line that returns to its beginning, as bars of progress do: what was written last. */
function overwritten(line: string): string {
  if (!line.includes('\r')) return line;
  return line.split('\r').filter(Boolean).pop() ?? '';
}

function piece(text: string, { flags, colour, ground }: Look): Piece {
  const isName = (value: string | undefined) => value !== undefined && !value.startsWith('rgb');
  const look = [...flags].map((flag) => `ansi-${flag}`);
  if (isName(colour)) look.push(`ansi-${colour}`);
  else if (colour) look.push('ansi-colour');
  if (isName(ground)) look.push(`ansi-on-${ground}`);
  else if (ground) look.push('ansi-ground');
  return {
    text,
    look: look.join(' '),
    ...(isName(colour) ? {} : { colour }),
    ...(isName(ground) ? {} : { ground }),
  };
}

function after(before: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map(Number);
  const look: Look = { ...before, flags: new Set(before.flags) };
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at]!;
    if (code === 0) {
      look.flags.clear();
      look.colour = look.ground = undefined;
    } else if (FLAGS[code]) look.flags.add(FLAGS[code]);
    else if (OFF[code]) OFF[code].forEach((flag) => look.flags.delete(flag));
    else if (code === 38 || code === 48) {
      const { value, taken } = extended(codes.slice(at + 1));
      at += taken;
      look[code === 38 ? 'colour' : 'ground'] = value;
    } else if (code === 39) look.colour = undefined;
    else if (code === 49) look.ground = undefined;
    else if (code >= 30 && code <= 37) look.colour = NAMES[code - 30];
    else if (code >= 90 && code <= 97) look.colour = NAMES[code - 90];
    else if (code >= 40 && code <= 47) look.ground = NAMES[code - 40];
    else if (code >= 100 && code <= 107) look.ground = NAMES[code - 100];
  }
  return look;
}

/** A colour of 256 (`5;n`) or of all (`2;r;g;b`), and how many codes said so. */
function extended(codes: number[]): { value: string | undefined; taken: number } {
  const [kind, ...rest] = codes;
  if (kind === 5) return { value: of256(rest[0]), taken: 2 };
  const [red = NaN, green = NaN, blue = NaN] = rest;
  if (kind === 2) return { value: rgb(red, green, blue), taken: 4 };
  return { value: undefined, taken: codes.length };
}

function of256(code = NaN): string | undefined {
  if (code < 16) return NAMES[code % 8];
  if (code >= 232) return rgb(8 + 10 * (code - 232), 8 + 10 * (code - 232), 8 + 10 * (code - 232));
  const level = (of: number) => (of === 0 ? 0 : 55 + 40 * of);
  const cube = code - 16;
  return rgb(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function rgb(...values: [number, number, number]): string | undefined {
  return values.every((value) => Number.isInteger(value) && value >= 0 && value <= 255)
    ? `rgb(${values.join(' ')})`
    : undefined;
}

/** A piece that a search found, or not. */
export interface Marked extends Piece {
  found: boolean;
}

/** The same pieces, cut where a text that is searched for begins and ends, in any case and across looks. */
export function marked(all: Piece[], words: string): Marked[] {
  if (!words) return all.map((each) => ({ ...each, found: false }));
  const whole = all.map(({ text }) => text).join('');
  const pattern = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'giu');
  const cuts = [...whole.matchAll(pattern)].map(({ index, 0: { length } }) => [index, index + length] as const);
  const result: Marked[] = [];
  let start = 0;
  for (const each of all) {
    const end = start + each.text.length;
    let at = start;
    for (const [from, to] of cuts) {
      const [begin, stop] = [Math.max(from, at), Math.min(to, end)];
      if (begin >= stop) continue;
      if (begin > at) result.push({ ...each, text: whole.slice(at, begin), found: false });
      result.push({ ...each, text: whole.slice(begin, stop), found: true });
      at = stop;
    }
    if (at < end) result.push({ ...each, text: whole.slice(at, end), found: false });
    start = end;
  }
  return result;
}
