import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Navigate,
  type AnyRoute,
} from '@tanstack/react-router';

import { type Page, pages } from '../pages/index.ts';
import { useMay } from '../session/session.tsx';
import { Empty } from '../widgets/states.tsx';
import { Broken } from './broken.tsx';
import { Denied } from './denied.tsx';
import { parseSearch, stringifySearch } from './search.ts';
import { Shell } from './shell.tsx';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Empty title="There is no such page">Choose one on the left, or press ⌘K or Ctrl K.</Empty>,
  errorComponent: Broken,
});

/** A page, for those who may see it. Its address says what they lack to the others. */
function component({ load, needs }: Page) {
  const Shown = lazyRouteComponent(load);
  if (!needs) return Shown;
  return Object.assign(() => (useMay(needs) ? <Shown /> : <Denied permission={needs} />), {
    preload: () => Shown.preload?.(),
  });
}

const routes: AnyRoute[] = pages.map((page) =>
  createRoute({
    getParentRoute: () => root,
    path: page.path,
    component: component(page),
    errorComponent: Broken,
  }),
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
