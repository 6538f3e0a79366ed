import type { Schemas } from '../../api.ts';

export type Input = Schemas['RunbookInput'];

/** What a form says, as the inputs want it. What is left empty is left out, so that the server's default holds. */
export function valuesOf(inputs: readonly Input[], form: FormData): Record<string, unknown> {
  const given = inputs.map(({ name, kind, default: preset }) => {
    const text = String(form.get(name) ?? '');
    // Emptied by hand, a text that would have been something else is meant to be empty.
    if (text === '') return [name, kind === 'text' && preset != null ? '' : undefined] as const;
    if (kind === 'integer') return [name, Number(text)] as const;
    if (kind === 'boolean') return [name, text === 'true'] as const;
    return [name, text] as const;
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** What the server has against each field, by its name, of problems below `/inputs` or `/secrets`; and against the rest. */
export function wrongOf(errors: readonly Schemas['FieldError'][] | null | undefined, below: string) {
  const fields: Record<string, string> = {};
  const rest: string[] = [];
  for (const { pointer, message } of errors ?? []) {
    const name = pointer.startsWith(`${below}/`) ? pointer.slice(below.length + 1) : undefined;
    if (name === undefined) rest.push(`${pointer.slice(1)} ${message}`);
    else fields[name.replaceAll('~1', '/').replaceAll('~0', '~')] = message;
  }
  return { fields, rest };
}

/** A text of a step with the values that it was run with. */
export function filled(text: string, inputs: Readonly<Record<string, unknown>>): string {
  return text.replace(/\{\{\s*inputs\.([a-z0-9_]+)\s*\}\}/g, (whole, name: string) =>
    Object.hasOwn(inputs, name) ? String(inputs[name]) : whole,
  );
}
