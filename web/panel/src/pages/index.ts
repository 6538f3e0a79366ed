import type { FunctionComponent } from 'react';

import type { IconName } from '../widgets/icon.tsx';

/** A page: a folder with what it shows. Loaded when it is first visited. */
export interface Page {
  path: string;
  load: () => Promise<{ default: FunctionComponent }>;
  /** In the navigation, if it has a place there. */
  nav?: { label: string; icon: IconName; /** Behind `g`. */ key: string };
  /** Without this permission it is not offered. */
  needs?: string;
}

/** All pages, in the order of the navigation. */
export const pages: readonly Page[] = [
  { path: '/', load: () => import('./dashboard/page.tsx'), nav: { label: 'Dashboard', icon: 'dashboard', key: 'd' } },
  {
    path: '/incidents',
    load: () => import('./incidents/page.tsx'),
    nav: { label: 'Incidents', icon: 'incidents', key: 'i' },
    needs: 'incidents.read',
  },
  { path: '/incidents/$incident', load: () => import('./incident/page.tsx'), needs: 'incidents.read' },
  {
    path: '/servers',
    load: () => import('./servers/page.tsx'),
    nav: { label: 'Servers', icon: 'servers', key: 'v' },
    needs: 'servers.read',
  },
  { path: '/servers/$server', load: () => import('./server/page.tsx'), needs: 'servers.read' },
  { path: '/events', load: () => import('./log/page.tsx'), nav: { label: 'Event log', icon: 'events', key: 'l' } },
  {
    path: '/system',
    load: () => import('./system/page.tsx'),
    nav: { label: 'System', icon: 'system', key: 's' },
    needs: 'system.read',
  },
];
