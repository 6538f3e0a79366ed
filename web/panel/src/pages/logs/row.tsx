import { Link } from '@tanstack/react-router';
import { memo } from 'react';

import { useGlow } from '../../widgets/glow.ts';
import { Ago } from '../../widgets/time.tsx';
import type { LogsSearch } from './filter.ts';
import type { Line } from './lines.ts';
import { clock, wholly } from './times.ts';

interface RowProps {
  line: Line;
  index: number;
  start_px: number;
  search: LogsSearch;
  fresh: boolean;
}

/** One line of the list. */
export const Row = memo(function Row({ line, index, start_px, search, fresh }: RowProps) {
  const { id, at, level, source, server, message } = line;
  const row = useGlow<HTMLDivElement>(id, fresh);
  return (
    <div
      ref={row}
      className="row"
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      data-line={id}
      data-level={level}
      style={{ transform: `translateY(${start_px}px)` }}
    >
      <span role="cell" className="cell-at mono">
        {search.times === 'ago' ? (
          <Ago at={at} suffix=" ago" />
        ) : (
          <time dateTime={at} title={wholly(at)}>
            {clock(at)}
          </time>
        )}
      </span>
      <span role="cell" className="cell-level">
        <LevelMark level={level} />
      </span>
      <span role="cell" className="cell-source mono" title={source}>
        {source}
      </span>
      <span role="cell" className="cell-server mono" title={server ?? undefined}>
        {server}
      </span>
      <span role="cell" className="cell-message mono">
        <Link to="/logs" search={{ ...search, line: id } as never} className="row-link" resetScroll={false}>
          {message.trim() ? message : '(empty)'}
        </Link>
      </span>
    </div>
  );
});

/** How bad a line is, as a word; the colour only underlines it. */
export function LevelMark({ level }: { level: string }) {
  return (
    <span className="level" data-level={level}>
      {level}
    </span>
  );
}
