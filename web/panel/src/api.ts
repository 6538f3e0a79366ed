import { type components, createApi } from '@signalbox/client/api';
import { CommandRefused } from '@signalbox/client/react';

/** What the server sends and takes, by its own document. */
export type Schemas = components['schemas'];

/** Every operation, typed; signed in by the cookie, which is renewed when it expires. */
export const api = createApi();

/** What went wrong, for people: what it was and, where we know, what to do. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof CommandRefused)) {
    return 'The server cannot be reached. Try again when the connection is back.';
  }
  const { status, detail, allowed, errors } = error.problem;
  if (status === 412) return 'Somebody else was faster: this is the newest now. Try again if it is still wanted.';
  // Each says where: a phrase that follows the field's name.
  if (errors?.length) return errors.map(({ pointer, message }) => sentence(`${field(pointer)} ${message}`)).join(' ');
  return allowed?.length ? `${sentence(detail)} Possible now: ${allowed.join(', ')}.` : sentence(detail);
}

/** What is wrong with which part of the input, by its JSON Pointer. */
export function faultsOf(error: unknown): Record<string, string> {
  const errors = error instanceof CommandRefused ? error.problem.errors : undefined;
  return Object.fromEntries(errors?.map(({ pointer, message }) => [pointer, message]) ?? []);
}

/** A refusal that will be the same next time. */
export function isFinal(error: unknown): boolean {
  return error instanceof CommandRefused && error.problem.status < 500 && error.problem.status !== 429;
}

/** The name of a field, from where it stands in the body. */
function field(pointer: string): string {
  return pointer.replace(/^\//, '').replace(/[/_]/g, ' ');
}

function sentence(text: string): string {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}
