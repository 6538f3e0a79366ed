import { Button } from '../widgets/button.tsx';

/** Instead of a page that failed. The others go on. */
export function Broken({ error }: { error: unknown }) {
  return (
    <div className="state" role="alert">
      <strong>This page failed</strong>
      <div className="state-text">
        {error instanceof Error ? error.message : String(error)}. After an update of the server, reloading brings the
        panel that fits to it.
      </div>
      <Button onClick={() => location.reload()}>Reload</Button>
    </div>
  );
}
