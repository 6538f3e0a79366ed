import { statusWords } from './filter.ts';

/** How a run or a step is, in words and a shape. */
export function RunChip({ status }: { status: string }) {
  return (
    <span className="chip" data-status={status}>
      <span className="chip-mark" aria-hidden="true" />
      {statusWords(status)}
    </span>
  );
}
