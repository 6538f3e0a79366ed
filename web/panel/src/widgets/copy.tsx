import { useState } from 'react';

import { Button } from './button.tsx';
import { say } from './toasts.tsx';

/** So long the button says that it did. In ms. */
const SAYS_MS = 1500;

/** Puts a text on the clipboard, and says so. */
export function Copy({ what, text }: { what: string; text: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), SAYS_MS);
    } catch {
      // There is no clipboard for pages that came over HTTP, nor where the user forbids it.
      say('The browser does not let this page copy. Select the text and copy it by hand.', 'bad');
    }
  };
  return (
    <Button icon={done ? 'check' : 'copy'} aria-live="polite" onClick={() => void copy()}>
      {done ? 'Copied' : `Copy ${what}`}
    </Button>
  );
}
