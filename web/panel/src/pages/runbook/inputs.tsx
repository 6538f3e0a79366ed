import { useId } from 'react';

import type { Input } from './values.ts';

/** Characters of a value, the most that the server takes. */
const VALUE_CHARS = 8192;

/** A field for each input, as its kind wants it, with what the server has against it. A secret is not shown or kept. */
export function InputFields({ inputs, wrong }: { inputs: readonly Input[]; wrong: Readonly<Record<string, string>> }) {
  return inputs.map((input) => <InputField key={input.name} input={input} wrong={wrong[input.name]} />);
}

function InputField({ input, wrong }: { input: Input; wrong: string | undefined }) {
  const { name, description, required } = input;
  const id = useId();
  const said = [description && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ');
  const common = {
    id,
    name,
    className: 'input',
    required: required && input.default == null,
    autoComplete: 'off',
    'aria-invalid': wrong ? true : undefined,
    'aria-describedby': said || undefined,
  };
  return (
    <div className="field">
      <label htmlFor={id}>
        <span className="mono">{name}</span>
        {required ? '' : <span className="soft"> optional</span>}
      </label>
      <Control input={input} common={common} />
      {wrong && (
        <small id={`${id}-wrong`} className="field-wrong" role="alert">
          {wrong}
        </small>
      )}
      {description && <small id={`${id}-hint`}>{description}</small>}
    </div>
  );
}

function Control({ input, common }: { input: Input; common: object }) {
  const { kind, secret, choices = [], default: preset } = input;
  const value = preset == null ? '' : String(preset);
  if (secret) {
    // A new one for the browser: it neither fills in the user's own password nor offers to keep this one.
    return <input {...common} type="password" autoComplete="new-password" maxLength={VALUE_CHARS} />;
  }
  if (kind === 'integer') return <input {...common} type="number" step={1} defaultValue={value} />;
  if (kind === 'boolean' || kind === 'choice') {
    return (
      <select {...common} defaultValue={value}>
        {value === '' && <option value="">–</option>}
        {(kind === 'boolean' ? ['true', 'false'] : choices).map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  return <input {...common} type="text" maxLength={VALUE_CHARS} defaultValue={value} />;
}
