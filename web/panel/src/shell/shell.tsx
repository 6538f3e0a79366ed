import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router';
import { useEffect, useState } from 'react';

import { ConnectionBadge } from '../live/badge.tsx';
import { pages } from '../pages/index.ts';
import { useLosses } from '../session/rights.ts';
import { useMe, useSignOut } from '../session/session.tsx';
import { Button } from '../widgets/button.tsx';
import { Dialog } from '../widgets/dialog.tsx';
import { Icon } from '../widgets/icon.tsx';
import { Menu, MenuItem } from '../widgets/menu.tsx';
import { ShortcutHelp } from './help.tsx';
import { useShortcuts } from './keys.ts';
import { Palette } from './palette.tsx';
import { nextTheme, themeWords } from './theme.ts';

/** What is around every page. */
export function Shell() {
  const [open, setOpen] = useState<'palette' | 'help' | 'menu'>();
  const losses = useLosses(useMe().permissions);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const close = () => setOpen(undefined);
  useEffect(close, [path]);
  useShortcuts({ openPalette: () => setOpen('palette'), openHelp: () => setOpen('help') });
  return (
    <div className="shell">
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <aside className="side">
        <Brand />
        <Navigation />
      </aside>
      <header className="top">
        <Button className="only-narrow" look="bare" icon="menu" aria-label="Menu" onClick={() => setOpen('menu')} />
        <Button className="top-search" icon="search" shortcut="Ctrl K" onClick={() => setOpen('palette')}>
          <span>Search or go to</span>
        </Button>
        <span className="grow" />
        <ConnectionBadge />
        <UserMenu onHelp={() => setOpen('help')} />
      </header>
      <main className="page" id="page" tabIndex={-1}>
        <Outlet key={losses} />
      </main>
      {open === 'palette' && <Palette onClose={close} onHelp={() => setOpen('help')} />}
      {open === 'help' && <ShortcutHelp onClose={close} />}
      {open === 'menu' && (
        <Dialog title="Signalbox" look="side" onClose={close}>
          <Navigation />
        </Dialog>
      )}
    </div>
  );
}

function Brand() {
  return (
    <Link to="/" className="brand">
      <img src="/signalbox.svg" alt="" width="22" height="22" />
      <span>Signalbox</span>
    </Link>
  );
}

function Navigation() {
  const { permissions } = useMe();
  const shown = pages.filter(({ nav, needs }) => nav && !nav.own && (!needs || permissions.includes(needs)));
  return (
    <nav className="nav" aria-label="Pages">
      {shown.map(({ path, nav }) => (
        <Link key={path} to={path} className="nav-link" activeOptions={{ exact: path === '/', includeSearch: false }}>
          <Icon name={nav!.icon} />
          {nav!.label}
        </Link>
      ))}
      <a className="nav-link" href="/docs">
        <Icon name="link" />
        API
      </a>
    </nav>
  );
}

function UserMenu({ onHelp }: { onHelp: () => void }) {
  const me = useMe();
  const signOut = useSignOut();
  const navigate = useNavigate();
  const [theme, setTheme] = useState(themeWords);
  return (
    <Menu
      name={`Account of ${me.name}`}
      label={
        <>
          <Icon name="person" />
          <span className="only-wide">{me.name}</span>
        </>
      }
    >
      <div className="menu-note">
        {me.username}
        <br />
        {me.roles.join(', ')}
      </div>
      {pages
        .filter(({ nav }) => nav?.own)
        .map(({ path, nav }) => (
          <MenuItem key={path} onSelect={() => void navigate({ to: path })}>
            {nav!.label}
          </MenuItem>
        ))}
      <MenuItem onSelect={() => setTheme(nextTheme())}>Theme: {theme}</MenuItem>
      <MenuItem onSelect={onHelp}>Keyboard</MenuItem>
      <MenuItem onSelect={() => void signOut()}>Sign out</MenuItem>
    </Menu>
  );
}
