-- Users as the log tells them, and beside them what may never stand in a log: secrets.

create table users (
  id       uuid    primary key,
  username text    not null unique,
  disabled boolean not null,
  version  bigint  not null,
  state    json    not null -- the whole state as the rules see it
);

create table credentials (
  user_id       uuid primary key,
  password_hash text not null -- argon2id, PHC string
);

-- One row per sign-in. A refresh token is used once; showing a used one ends the session.
create table sessions (
  id           uuid        primary key,
  user_id      uuid        not null,
  refresh_hash bytea       not null, -- SHA-256 of the newest refresh token
  used_hash    bytea,                -- of the one before: whoever shows it has stolen it, or was stolen from
  created_at   timestamptz not null default now(),
  refreshed_at timestamptz not null default now(),
  expires_at   timestamptz not null,
  ended_at     timestamptz
);
create index sessions_user on sessions (user_id);

-- One-time ids for readers that can send no header: redeemed by deleting the row.
create table stream_tickets (
  id_hash    bytea       primary key,
  user_id    uuid        not null,
  session_id uuid        not null,
  token_exp  timestamptz not null,
  expires_at timestamptz not null
);

-- Keys that every process must share, such as the one that signs access tokens.
create table secrets (
  name  text  primary key,
  value bytea not null
);
