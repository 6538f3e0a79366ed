import type { InputHTMLAttributes, ReactNode, SelectHTMLAttributes, TextareaHTMLAttributes } from 'react';

interface Labelled {
  label: string;
  hint?: ReactNode;
  /** What the server says is wrong with it. */
  fault?: ReactNode;
}

/** What is below a field: what is wrong with it, else what it is for. */
function Below({ hint, fault }: Pick<Labelled, 'hint' | 'fault'>) {
  return fault ? (
    <small className="fault" role="alert">
      {fault}
    </small>
  ) : (
    hint && <small>{hint}</small>
  );
}

/** One line of text with its label. */
export function TextField({ label, hint, fault, ...rest }: Labelled & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className="field">
      <span>{label}</span>
      <input className="input" autoComplete="off" aria-invalid={fault ? true : undefined} {...rest} />
      <Below hint={hint} fault={fault} />
    </label>
  );
}

/** Lines of text with their label. */
export function TextArea({ label, hint, fault, ...rest }: Labelled & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <label className="field">
      <span>{label}</span>
      <textarea className="input" rows={4} aria-invalid={fault ? true : undefined} {...rest} />
      <Below hint={hint} fault={fault} />
    </label>
  );
}

/** One of a few. */
export function Choice(props: Labelled & { of: readonly string[] } & SelectHTMLAttributes<HTMLSelectElement>) {
  const { label, hint, of, ...rest } = props;
  return (
    <label className="field">
      <span>{label}</span>
      <select className="input" {...rest}>
        {of.map((value) => (
          <option key={value} value={value}>
            {value}
          </option>
        ))}
      </select>
      {hint && <small>{hint}</small>}
    </label>
  );
}
