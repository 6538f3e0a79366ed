import type { KeyboardEvent, Ref } from 'react';

import { useMay } from '../../session/session.tsx';
import { Button } from '../../widgets/button.tsx';
import type { useFound } from './find.ts';
import { useEffect, useState } from 'react';

/** Typing is over when no key came for so long. In ms. */
const TYPED_MS = 250;

/** Searches the lines, says how many there are, and how they are shown. */
export function Toolbar(props: {
  ref: Ref<HTMLInputElement>;
  id: string;
  total: number;
  words: string;
  onWords: (words: string) => void;
  found: ReturnType<typeof useFound>;
  at: number | undefined;
  find: (by: 1 | -1) => void;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
}) {
  const { ref, id, total, words, onWords, found, at, find, wrap, onWrap } = props;
  const mayLogs = useMay('logs.read');
  const [typed, setTyped] = useState(words);
  useEffect(() => {
    if (typed === words) return;
    const timer = setTimeout(() => onWords(typed), TYPED_MS);
    return () => clearTimeout(timer);
  });
  const press = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      if (typed === words) find(event.shiftKey ? -1 : 1);
      else onWords(typed);
    } else if (event.key === 'Escape') {
      setTyped('');
      onWords('');
      event.currentTarget.blur();
    }
  };
  return (
    <div className="output-bar" role="search" aria-label="Search the output">
      <h2>Output</h2>
      <input
        ref={ref}
        className="input filter-words"
        type="search"
        placeholder="Search (s)"
        aria-label="Search the output"
        maxLength={200}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={press}
      />
      {words && (
        <>
          <span className="soft output-found" role="status">
            {placeWords(found, at)}
          </span>
          <Button look="bare" aria-label="The one before (N)" disabled={!found.numbers.length} onClick={() => find(-1)}>
            ↑
          </Button>
          <Button look="bare" aria-label="The next one (n)" disabled={!found.numbers.length} onClick={() => find(1)}>
            ↓
          </Button>
        </>
      )}
      <span className="grow" />
      <span className="soft only-wide">
        {total.toLocaleString()} {total === 1 ? 'line' : 'lines'}
      </span>
      <Button look="bare" aria-pressed={wrap} data-active={wrap || undefined} onClick={() => onWrap(!wrap)}>
        Wrap
      </Button>
      {mayLogs && total > 0 && (
        <a
          className="button"
          data-look="bare"
          href={`/api/v1/logs/download?execution=${id}&format=text`}
          download={`run-${id}.txt`}
        >
          Download
        </a>
      )}
    </div>
  );
}

function placeWords({ isError, isPending, numbers, hasNextPage }: ReturnType<typeof useFound>, at: number | undefined) {
  if (isError) return 'The search failed';
  if (isPending) return 'Searching …';
  if (numbers.length === 0) return 'Nothing found';
  const all = numbers.length.toLocaleString() + (hasNextPage ? '+' : '');
  return at === undefined ? all : `${(numbers.indexOf(at) + 1).toLocaleString()} of ${all}`;
}
