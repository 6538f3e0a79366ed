/** A list and what it leads to, loaded together: whoever sees a row opens it. */
export { default as Incident } from '../incident/page.tsx';
export { default as Incidents } from './page.tsx';
