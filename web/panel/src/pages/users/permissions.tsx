/** Permissions of one module: `incidents` with `read`, `write`. */
export interface Module {
  name: string;
  actions: string[];
}

/** What reads stands first, then what writes, then the others as they come. */
const ORDER = ['read', 'write'];
const place = (action: string) => (ORDER.indexOf(action) + ORDER.length + 1) % (ORDER.length + 1);

/** Permissions by module, in their order. */
export function modules(permissions: readonly string[]): Module[] {
  const found = new Map<string, string[]>();
  for (const permission of permissions) {
    const [name = '', action = ''] = permission.split('.');
    found.set(name, [...(found.get(name) ?? []), action]);
  }
  return [...found].map(([name, actions]) => ({ name, actions: actions.sort((a, b) => place(a) - place(b)) }));
}

/** Some of them to be chosen, by module. Those that `may` lacks cannot be: nobody gives what they lack. */
export function PermissionChoice(props: {
  label: string;
  of: readonly string[];
  may: readonly string[];
  chosen: readonly string[];
}) {
  const { label, of, may, chosen } = props;
  const lacks = of.some((permission) => !may.includes(permission));
  return (
    <fieldset className="permissions">
      <legend>{label}</legend>
      {modules(of).map(({ name, actions }) => (
        <div key={name} role="group" aria-label={name}>
          <span>{name}</span>
          <div>
            {actions.map((action) => {
              const permission = `${name}.${action}`;
              return (
                <label key={action} data-off={may.includes(permission) ? undefined : ''}>
                  <input
                    type="checkbox"
                    name="permissions"
                    value={permission}
                    defaultChecked={chosen.includes(permission)}
                    disabled={!may.includes(permission)}
                  />
                  {action}
                </label>
              );
            })}
          </div>
        </div>
      ))}
      {lacks && <small>What you may not do yourself you cannot give.</small>}
    </fieldset>
  );
}

/** What somebody may do, by module. */
export function PermissionList({ permissions }: { permissions: readonly string[] }) {
  if (permissions.length === 0) return <p className="soft">Nothing. A role allows something.</p>;
  return (
    <dl className="pairs">
      {modules(permissions).map(({ name, actions }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{actions.join(', ')}</dd>
        </div>
      ))}
    </dl>
  );
}
