import { createParser } from 'eventsource-parser';

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
  // The parser takes away the byte order mark; were the decoder to do it too, two of them would be.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let tooLong = false;
  // The parser tells an id before it tells, or does not tell, the data that came with it.
  let alone: number | undefined;
  const flush = () => {
    const id = alone;
    alone = undefined;
    if (id !== undefined) handlers.bookmark(id);
  };
  const parser = createParser({
    maxBufferSize: MOST_CHARS,
    onEvent: ({ id, event = '', data }) => {
      if (id === undefined) flush();
      else alone = undefined;
      handlers.frame({ id: position(id), event, data });
    },
    onId: (id) => {
      flush();
      alone = position(id);
    },
    onRetry: (ms) => handlers.retry(ms),
    onError: (error) => {
      tooLong ||= error.type === 'max-buffer-size-exceeded';
    },
  });
  return (bytes) => {
    parser.feed(decoder.decode(bytes, { stream: true }));
    flush();
    if (tooLong) throw new Error('a frame is longer than any of Signalbox');
  };
}

function position(id: string | undefined): number | undefined {
  return id !== undefined && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}
