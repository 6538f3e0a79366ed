import { useRef, useState } from 'react';

import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';

/** A secret that is shown now and never again. A click beside the dialog does not take it away. */
export function ShownOnce(props: { title: string; label: string; secret: string; hint: string; onClose: () => void }) {
  const { title, label, secret, hint, onClose } = props;
  const field = useRef<HTMLInputElement>(null);
  const [said, setSaid] = useState('');
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(secret);
      setSaid('Copied.');
    } catch {
      setSaid('It is selected: press Ctrl C or ⌘C.'); // as on pages without HTTPS
    }
  };
  return (
    <Dialog title={title} stays onClose={onClose}>
      <div className="form">
        <p>{hint}</p>
        <div className="field">
          <span>{label}</span>
          <div className="once">
            <input
              ref={field}
              className="input mono"
              readOnly
              aria-label={label}
              value={secret}
              onFocus={({ target }) => target.select()}
            />
            <Button look="primary" onClick={() => void copy()}>
              Copy
            </Button>
          </div>
          <small role="status">{said || 'This is the only time that it is shown.'}</small>
        </div>
        <footer className="form-foot">
          <Button onClick={onClose}>Done</Button>
        </footer>
      </div>
    </Dialog>
  );
}
