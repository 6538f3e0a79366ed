import { ShownOnce } from '../../widgets/once.tsx';

/**
 * Where an invitation is accepted. The secret stands behind `#`: browsers send that to no server, so that it is in
 * nobody's log.
 */
export function invitationLink(origin: string, username: string, invitation: string): string {
  return `${origin}/invitation?${new URLSearchParams({ user: username })}#${invitation}`;
}

/** Who is invited, and by what. */
export interface Invitation {
  username: string;
  invitation: string;
}

/** The link for somebody who was invited. */
export function InvitationLink({ of, onClose }: { of: Invitation; onClose: () => void }) {
  return (
    <ShownOnce
      title={`Invitation for ${of.username}`}
      label="Link"
      secret={invitationLink(location.origin, of.username, of.invitation)}
      hint="Send it to them by a way that you trust. Whoever has it sets the password, once, within seven days. An earlier link is worth nothing any more."
      onClose={onClose}
    />
  );
}
