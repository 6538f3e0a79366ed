import type { FunctionComponent } from 'react';

import type { IconName } from '../widgets/icon.tsx';

/** A page: a folder with what it shows. Loaded when it is first visited. */
export interface Page {
  path: string;
  load: () => Promise<{ default: FunctionComponent }>;
  /** In the navigation, if it has a place there. */
  nav?: {
    label: string;
    icon: IconName;
    /** Behind `g`. */
    key: string;
    /** Not among the pages, but in the menu of whoever is signed in. */
    own?: true;
  };
  /** Without this permission it is not offered. */
  needs?: string;
}

/** Of several pages that are loaded together, one. */
function one<Name extends string>(load: () => Promise<Record<Name, FunctionComponent>>, name: Name): Page['load'] {
  return async () => ({ default: (await load())[name] });
}

const incidents = () => import('./incidents/pages.ts');
const servers = () => import('./servers/pages.ts');
const users = () => import('./users/pages.ts');

/** All pages, in the order of the navigation. */
export const pages: readonly Page[] = [
  { path: '/', load: () => import('./dashboard/page.tsx'), nav: { label: 'Dashboard', icon: 'dashboard', key: 'd' } },
  {
    path: '/incidents',
    load: one(incidents, 'Incidents'),
    nav: { label: 'Incidents', icon: 'incidents', key: 'i' },
    needs: 'incidents.read',
  },
  { path: '/incidents/$incident', load: one(incidents, 'Incident'), needs: 'incidents.read' },
  {
    path: '/servers',
    load: one(servers, 'Servers'),
    nav: { label: 'Servers', icon: 'servers', key: 'v' },
    needs: 'servers.read',
  },
  { path: '/servers/$server', load: one(servers, 'Server'), needs: 'servers.read' },
  {
    path: '/runbooks',
    load: () => import('./runbooks/page.tsx'),
    nav: { label: 'Runbooks', icon: 'runbooks', key: 'b' },
    needs: 'automations.read',
  },
  { path: '/runbooks/new', load: () => import('./runbook_edit/page.tsx'), needs: 'automations.write' },
  { path: '/runbooks/$runbook', load: () => import('./runbook/page.tsx'), needs: 'automations.read' },
  { path: '/runbooks/$runbook/edit', load: () => import('./runbook_edit/page.tsx'), needs: 'automations.write' },
  {
    path: '/runs',
    load: () => import('./runs/page.tsx'),
    nav: { label: 'Runs', icon: 'runs', key: 'r' },
    needs: 'automations.read',
  },
  { path: '/runs/$run', load: () => import('./run/page.tsx'), needs: 'automations.read' },
  {
    path: '/logs',
    load: () => import('./logs/page.tsx'),
    nav: { label: 'Logs', icon: 'logs', key: 't' },
    needs: 'logs.read',
  },
  {
    path: '/notifications',
    load: () => import('./notifications/page.tsx'),
    nav: { label: 'Notifications', icon: 'bell', key: 'n' },
    needs: 'notifications.read',
  },
  { path: '/notifications/$channel', load: () => import('./channel/page.tsx'), needs: 'notifications.read' },
  { path: '/events', load: () => import('./log/page.tsx'), nav: { label: 'Event log', icon: 'events', key: 'l' } },
  {
    path: '/users',
    load: one(users, 'Users'),
    nav: { label: 'Users', icon: 'users', key: 'u' },
    needs: 'users.read',
  },
  { path: '/users/$user', load: one(users, 'User'), needs: 'users.read' },
  {
    path: '/roles',
    load: one(users, 'Roles'),
    nav: { label: 'Roles', icon: 'roles', key: 'o' },
    needs: 'users.read',
  },
  {
    path: '/account',
    load: one(users, 'Account'),
    nav: { label: 'Your account', icon: 'person', key: 'a', own: true },
  },
  {
    path: '/system',
    load: () => import('./system/page.tsx'),
    nav: { label: 'System', icon: 'system', key: 's' },
    needs: 'system.read',
  },
];
