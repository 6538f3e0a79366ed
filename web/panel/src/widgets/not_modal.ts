import { Fragment } from 'react';

// What Radix needs for modal menus only, which the page's policy forbids: the build puts this in the place of
// `react-remove-scroll` and `aria-hidden`.
export { Fragment as RemoveScroll };
export const hideOthers = () => () => {};
