import * as Radix from '@radix-ui/react-dropdown-menu';
import type { ReactNode } from 'react';

import { Icon } from './icon.tsx';

/** A button that opens a menu. Not modal: the modal one writes style elements, which the page's policy forbids. */
export function Menu(props: { label: ReactNode; name?: string; active?: boolean; children: ReactNode }) {
  const { label, name, active, children } = props;
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger className="button" data-look="plain" data-active={active || undefined} aria-label={name}>
        {label}
        <Icon name="chevron" />
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content className="menu" align="start" sideOffset={4} collisionPadding={8}>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** Does something. */
export function MenuItem({ onSelect, children }: { onSelect: () => void; children: ReactNode }) {
  return (
    <Radix.Item className="menu-item" onSelect={onSelect}>
      {children}
    </Radix.Item>
  );
}

/** Is on or off; the menu stays open, so that several can be set. */
export function MenuCheck(props: { checked: boolean; onChange: (checked: boolean) => void; children: ReactNode }) {
  return (
    <Radix.CheckboxItem
      className="menu-item"
      checked={props.checked}
      onCheckedChange={(checked) => props.onChange(checked === true)}
      onSelect={(event) => event.preventDefault()}
    >
      <span className="menu-check">
        <Radix.ItemIndicator>
          <Icon name="check" />
        </Radix.ItemIndicator>
      </span>
      {props.children}
    </Radix.CheckboxItem>
  );
}

/** Several of a few, such as the statuses of a list. None chosen means what `none` says. */
export function MultiChoice<Value extends string>(props: {
  name: string;
  none: string;
  of: readonly Value[];
  chosen: readonly Value[] | undefined;
  onChange: (chosen: Value[] | undefined) => void;
}) {
  const { name, none, of, chosen = [], onChange } = props;
  const words = chosen.length === 0 ? none : chosen.length > 2 ? `${chosen.length} chosen` : chosen.join(', ');
  const toggle = (value: Value, on: boolean) => {
    const next = of.filter((each) => (each === value ? on : chosen.includes(each)));
    onChange(next.length > 0 ? next : undefined);
  };
  return (
    <Menu label={<MenuLabel name={name} value={words} />} active={chosen.length > 0}>
      {of.map((value) => (
        <MenuCheck key={value} checked={chosen.includes(value)} onChange={(on) => toggle(value, on)}>
          {value}
        </MenuCheck>
      ))}
      <Radix.Separator className="menu-line" />
      <MenuItem onSelect={() => onChange(undefined)}>{none}</MenuItem>
    </Menu>
  );
}

/** A filter's name and what it is set to. */
export function MenuLabel({ name, value }: { name: string; value: string }) {
  return (
    <span>
      <span className="soft">{name}</span> {value}
    </span>
  );
}
