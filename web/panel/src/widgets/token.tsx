import { Button } from './button.tsx';

/** A filter that is set, to be taken away. */
export function Token({ words, onRemove }: { words: string; onRemove: () => void }) {
  return (
    <span className="token">
      <span>{words}</span>
      <Button look="bare" icon="close" aria-label={`Without ${words}`} onClick={onRemove} />
    </span>
  );
}
