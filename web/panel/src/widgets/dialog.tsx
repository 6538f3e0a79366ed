import { type FormEvent, type ReactNode, useEffect, useId, useRef } from 'react';

import { Button } from './button.tsx';

/**
 * A dialog over the page. The browser's own: it keeps the focus inside, ends with Escape, gives the focus back, and
 * needs no style elements, which the page's policy forbids.
 */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  look?: 'side' | 'palette' | 'wide';
  /** A click beside it does not close it. */
  stays?: boolean;
}) {
  const { title, onClose, children, look, stays } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    // Where there is something to fill in, one wants to begin there and not at the button that closes.
    element?.querySelector<HTMLElement>('input:not([hidden]), textarea, select')?.focus();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="dialog"
      data-look={look}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === dialog.current && !stays) onClose();
      }}
    >
      <div className="dialog-body">
        <header className={look === 'palette' ? 'visually-hidden' : 'dialog-head'}>
          <h2 id={titleId}>{title}</h2>
          {look !== 'palette' && <Button look="bare" icon="close" aria-label="Close" onClick={onClose} />}
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** A dialog that asks for something and sends it. Stays open, and says why, when that is refused. */
export function FormDialog(props: {
  title: string;
  submit: string;
  look?: 'primary' | 'danger';
  busy: boolean;
  wrong?: string | undefined;
  onSubmit: (form: FormData) => void;
  onClose: () => void;
  children: ReactNode;
}) {
  const { title, submit, look = 'primary', busy, wrong, onSubmit, onClose, children } = props;
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onSubmit(new FormData(event.currentTarget));
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="form" onSubmit={send}>
        {children}
        {wrong && (
          <p className="wrong" role="alert">
            {wrong}
          </p>
        )}
        <footer className="form-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look={look} disabled={busy}>
            {busy ? 'Sending …' : submit}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
