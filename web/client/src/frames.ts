/** Longest frame in characters. The server's largest event has 256 KiB of data. */
const MOST_CHARS = 4_194_304;

/** One frame of the stream. */
export interface Frame {
  /** Its own `id`, if that is a position. */
  id: number | undefined;
  /** Its `event`; empty for none. */
  event: string;
  data: string;
}

/** Told in the order of the bytes. */
export interface FrameHandlers {
  frame(frame: Frame): void;
  /** An `id` without data: everything up to there was told or is not for this reader. */
  bookmark(id: number): void;
  /** How long the server asks to wait before the next attempt. */
  retry(ms: number): void;
}

/**
 * Takes bytes in pieces of any size and tells frames (WHATWG HTML, 9.2.6).
 *
 * A frame that the end of the bytes cuts off is not told. Ids that are no positions leave the cursor where it is,
 * also the empty one: losing the place because of it would lose events.
 *
 * Throws when a frame is too long to be one of ours.
 */
export function frameReader(handlers: FrameHandlers): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder(); // which takes away the byte order mark, once
  /** The line whose end has not come yet. */
  let rest = '';
  /** The last line ended with CR: an LF that comes next is of the same end. */
  let endedWithCr = false;
  let id: number | undefined;
  let event = '';
  let data: string | undefined;
  const take = (line: string) => {
    if (line === '') return end();
    const [, field, value = ''] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    if (field === 'id' && !value.includes('\0')) id = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
    if (field === 'retry' && /^\d+$/.test(value)) handlers.retry(Number(value));
  };
  const end = () => {
    if (data !== undefined) handlers.frame({ id, event, data });
    else if (id !== undefined) handlers.bookmark(id);
    id = data = undefined;
    event = '';
  };
  return (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    if (text === '') return; // a part of a character
    const lines = (rest + (endedWithCr ? text.replace(/^\n/, '') : text)).split(/\r\n|\r|\n/);
    endedWithCr = text.endsWith('\r');
    rest = lines.pop() ?? '';
    lines.forEach(take);
    if (rest.length + (data?.length ?? 0) > MOST_CHARS) throw new Error('a frame is longer than any of Signalbox');
  };
}
