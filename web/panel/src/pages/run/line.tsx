import { memo, type CSSProperties } from 'react';

import { exactly } from '../../widgets/time.tsx';
import { marked, pieces } from './ansi.ts';
import type { Line } from './lines.ts';

/** One line of output: its number, which is a link to it, and its text, in which nothing can be more than text. */
export const LineRow = memo(function LineRow(props: {
  number: number;
  line: Line | undefined;
  start_px: number;
  words: string;
  /** It is the one in the address. */
  linked: boolean;
  /** It is the one that the search is at. */
  found: boolean;
  /** Takes the height that it has. */
  measure?: ((element: HTMLElement | null) => void) | undefined;
  onLink: (number: number) => void;
}) {
  const { number, line, start_px, words, linked, found, measure, onLink } = props;
  return (
    <div
      ref={measure}
      className="line"
      data-index={number - 1}
      data-stream={line?.stream}
      data-linked={linked || undefined}
      data-found={found || undefined}
      style={{ transform: `translateY(${start_px}px)` }}
    >
      <a
        className="line-number"
        href={`#L${number}`}
        title={line && `${exactly(line.at)}, ${line.stream}, step ${line.step + 1}, attempt ${line.attempt}`}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          onLink(number);
        }}
      >
        {number}
      </a>
      <span className="line-text">{line ? <Text text={line.text} words={words} /> : ' '}</span>
    </div>
  );
});

function Text({ text, words }: { text: string; words: string }) {
  return marked(pieces(text), words).map(({ text, look, colour, ground, found }, at) => {
    const style = { ...(colour && { '--colour': colour }), ...(ground && { '--on': ground }) } as CSSProperties;
    const Tag = found ? 'mark' : 'span';
    return look || found ? (
      <Tag key={at} className={look || undefined} style={style}>
        {text}
      </Tag>
    ) : (
      text
    );
  });
}
