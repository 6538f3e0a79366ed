import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Navigate,
  type AnyRoute,
} from '@tanstack/react-router';

import { pages } from '../pages/index.ts';
import { Empty } from '../widgets/states.tsx';
import { Broken } from './broken.tsx';
import { parseSearch, stringifySearch } from './search.ts';
import { Shell } from './shell.tsx';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Empty title="There is no such page">Choose one on the left, or press ⌘K or Ctrl K.</Empty>,
  errorComponent: Broken,
});

const routes: AnyRoute[] = pages.map(({ path, load }) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load), errorComponent: Broken }),
);
if (!pages.some(({ path }) => path === '/')) {
  const first = pages.find(({ nav }) => nav)!.path;
  routes.push(createRoute({ getParentRoute: () => root, path: '/', component: () => <Navigate to={first} replace /> }));
}

/** Filters live in the address, so that what somebody sees can be sent to somebody else. */
export const router = createRouter({
  routeTree: root.addChildren(routes),
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  scrollRestoration: true,
});
