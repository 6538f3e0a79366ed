import type { Role } from './query.ts';

/** Whether somebody may give a role: nobody gives what they lack. */
export function mayGive(role: Role, may: readonly string[]): boolean {
  return role.permissions.every((permission) => may.includes(permission));
}

/** Roles to be chosen. */
export function RoleChoice({ roles, may }: { roles: readonly Role[]; may: readonly string[] }) {
  return (
    <fieldset className="choices">
      <legend>Roles</legend>
      {roles.map((role) => (
        <label key={role.name} data-off={mayGive(role, may) ? undefined : ''}>
          <input type="checkbox" name="roles" value={role.name} disabled={!mayGive(role, may)} />
          <span>
            {role.name} <small>{mayGive(role, may) ? role.description : 'allows what you may not do'}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
