import type { ButtonHTMLAttributes } from 'react';

import { Icon, type IconName } from './icon.tsx';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: 'plain' | 'primary' | 'danger' | 'bare';
  icon?: IconName;
  /** A key that does the same. */
  shortcut?: string | undefined;
}

/** A button. With an icon alone it needs `aria-label`, which is also shown on hover. */
export function Button({ look = 'plain', icon, shortcut, children, className = '', ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      title={rest['aria-label']}
      {...rest}
      className={`button ${className}`}
      data-look={look}
      data-square={children ? undefined : ''}
    >
      {icon && <Icon name={icon} />}
      {children}
      {shortcut && <kbd aria-hidden="true">{shortcut}</kbd>}
    </button>
  );
}
