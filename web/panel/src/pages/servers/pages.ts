/** A list and what it leads to, loaded together: whoever sees a row opens it. */
export { default as Server } from '../server/page.tsx';
export { default as Servers } from './page.tsx';
