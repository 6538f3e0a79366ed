import { ShownOnce } from '../../widgets/once.tsx';
import type { Channel } from './query.ts';

/** The secret that the answer to a command brought, if it did. */
export function SecretOf({ channel: { name, secret }, onClose }: { channel: Channel; onClose: () => void }) {
  return secret ? (
    <ShownOnce
      title={`The secret of ${name}`}
      label="Secret"
      secret={secret}
      hint="It signs each request, as Standard Webhooks says. Give it to the receiver now."
      onClose={onClose}
    />
  ) : null;
}
