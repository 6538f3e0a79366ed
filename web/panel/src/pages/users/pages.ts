/** Pages that share much, loaded together: apart they are a third larger, and whoever sees one sees the others. */
export { default as Account } from '../account/page.tsx';
export { default as Roles } from '../roles/page.tsx';
export { default as User } from '../user/page.tsx';
export { default as Users } from './page.tsx';
