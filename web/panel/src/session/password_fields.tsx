import { TextField } from '../widgets/field.tsx';

/** The server's own limit. */
export const FEWEST_CHARS = 12;

/** A new password, twice. */
export function PasswordFields() {
  const field = { type: 'password', autoComplete: 'new-password', minLength: FEWEST_CHARS, required: true } as const;
  return (
    <>
      <TextField label="New password" name="password" hint={`At least ${FEWEST_CHARS} characters`} {...field} />
      <TextField label="The same again" name="again" {...field} />
    </>
  );
}
