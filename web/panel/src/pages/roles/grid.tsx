import { Button } from '../../widgets/button.tsx';
import { Icon } from '../../widgets/icon.tsx';
import { Scroll } from '../../widgets/scroll.tsx';
import { modules } from '../users/permissions.tsx';
import type { Role } from '../users/query.ts';

/** Roles down, permissions across, by module. */
export function Grid(props: {
  items: Role[];
  permissions: string[];
  mayChange: (role: Role) => boolean;
  onEdit: (role: Role) => void;
  onDelete: (role: Role) => void;
}) {
  const { items, permissions, mayChange, onEdit, onDelete } = props;
  const groups = modules(permissions);
  const columns = groups.flatMap(({ name, actions }) =>
    actions.map((action, at) => ({ action, permission: `${name}.${action}`, first: at === 0 ? '' : undefined })),
  );
  return (
    <Scroll label="Roles and what they allow">
      <table className="plain padded grid">
        <thead>
          <tr>
            <th scope="col" rowSpan={2} className="grid-name">
              Role
            </th>
            {groups.map(({ name, actions }) => (
              <th key={name} scope="colgroup" colSpan={actions.length} data-first="">
                {name}
              </th>
            ))}
            <th scope="col" rowSpan={2} data-first="">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
          <tr>
            {columns.map(({ action, permission, first }) => (
              <th key={permission} scope="col" data-first={first}>
                {action}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((role) => (
            <tr key={role.name}>
              <th scope="row" className="grid-name" title={role.description}>
                {role.name}
                <small>{role.description}</small>
              </th>
              {columns.map(({ permission, first }) => (
                <td key={permission} data-first={first} title={permission}>
                  <Mark allowed={role.permissions.includes(permission)} />
                </td>
              ))}
              <td data-first="" className="soft">
                {role.built_in && 'built in'}
                {mayChange(role) && (
                  <span className="row-actions">
                    <Button look="bare" icon="edit" aria-label={`Edit ${role.name}`} onClick={() => onEdit(role)} />
                    <Button
                      look="bare"
                      icon="close"
                      aria-label={`Delete ${role.name}`}
                      onClick={() => onDelete(role)}
                    />
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Mark({ allowed }: { allowed: boolean }) {
  return (
    <span className="mark" data-allowed={allowed || undefined}>
      {allowed ? <Icon name="check" /> : '·'}
      <span className="visually-hidden">{allowed ? 'yes' : 'no'}</span>
    </span>
  );
}
