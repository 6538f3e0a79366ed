import type { InputHTMLAttributes, ReactNode, SelectHTMLAttributes, TextareaHTMLAttributes } from 'react';

interface Labelled {
  label: string;
  hint?: ReactNode;
}

/** One line of text with its label. */
export function TextField({ label, hint, ...rest }: Labelled & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className="field">
      <span>{label}</span>
      <input className="input" autoComplete="off" {...rest} />
      {hint && <small>{hint}</small>}
    </label>
  );
}

/** Lines of text with their label. */
export function TextArea({ label, hint, ...rest }: Labelled & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <label className="field">
      <span>{label}</span>
      <textarea className="input" rows={4} {...rest} />
      {hint && <small>{hint}</small>}
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
