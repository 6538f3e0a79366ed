-- Who may do what, beyond the users themselves: roles that somebody made, API tokens, invitations, and who
-- users are elsewhere.

alter table users
  add column kind     text   not null default 'person',
  add column name     text   not null default '',
  add column roles    text[] not null default '{}',
  add column email    text,
  add column identity text; -- issuer and subject, a line each
update users set name = state ->> 'name', roles = array(select json_array_elements_text(state -> 'roles'));
create unique index users_identity on users (identity) where identity is not null;

-- Deleted ones stay: a rebuild finds them in the log.
create table roles (
  id      uuid    primary key,
  name    text    not null,
  deleted boolean not null,
  version bigint  not null,
  state   json    not null
);
create unique index roles_name on roles (name) where not deleted;

-- One per user: a new one replaces it, setting the password uses it up.
create table invitations (
  user_id    uuid        primary key,
  hash       bytea       not null unique, -- SHA-256
  expires_at timestamptz not null
);

create table api_tokens (
  id           uuid        primary key,
  user_id      uuid        not null,
  name         text        not null,
  hash         bytea       not null, -- SHA-256 of the secret
  permissions  text[]      not null,
  created_at   timestamptz not null,
  expires_at   timestamptz not null,
  last_used_at timestamptz,          -- to the minute; the one thing here that is no event
  revoked_at   timestamptz
);
create index api_tokens_user on api_tokens (user_id);
