import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';

import { faultsOf, isFinal, wordsOf } from '../../api.ts';

/** What a command is sent with: pressed twice, it is carried out once. */
export interface Headers {
  'Idempotency-Key': string;
  'If-Match'?: string;
}

/**
 * A command that a form sends. `version` is that of what was seen: on something newer, it is refused.
 *
 * What is wrong stands at its field where the form has all of them (`fields`, JSON Pointers), else above its buttons.
 */
export function useFormCommand<Result>(of: {
  version?: number | undefined;
  send: (form: FormData, header: Headers) => Promise<Result>;
  done: (result: Result) => void;
  fields?: readonly string[];
}) {
  const { version, send, done, fields = [] } = of;
  const queries = useQueryClient();
  const key = useRef(crypto.randomUUID());
  const command = useMutation({
    networkMode: 'always',
    mutationFn: (form: FormData) =>
      send(form, { 'Idempotency-Key': key.current, ...(version && { 'If-Match': `"${version}"` }) }),
    onSuccess: (result) => {
      void queries.invalidateQueries({ queryKey: ['notifications'] });
      done(result);
    },
    // What is corrected, or meant for the newest state, is another command.
    onError: (error) => {
      if (isFinal(error)) key.current = crypto.randomUUID();
      void queries.invalidateQueries({ queryKey: ['notifications'] });
    },
  });
  const faults = faultsOf(command.error);
  const pointers = Object.keys(faults);
  const isAtFields = pointers.length > 0 && pointers.every((each) => fields.includes(`/${each.split('/')[1]}`));
  return {
    /** What is wrong with a field, or with the first of its parts. */
    fault: (pointer: string) =>
      Object.entries(faults).find(([each]) => each === pointer || each.startsWith(`${pointer}/`))?.[1],
    dialog: {
      busy: command.isPending,
      wrong: command.error && !isAtFields ? wordsOf(command.error) : undefined,
      onSubmit: (form: FormData) => command.mutate(form),
    },
  };
}

/** A text of a form without spaces around it. */
export function textOf(form: FormData, name: string): string {
  return String(form.get(name) ?? '').trim();
}
