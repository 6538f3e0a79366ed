-- Channels and rules as they stand, derived from the log in the transaction of each append.

create table notification_channels (
  id            uuid    primary key,
  name          text    not null,
  disabled      boolean not null,
  deleted       boolean not null,
  version       bigint  not null,
  state         json    not null,
  failing_since timestamptz -- since when every attempt has failed; not derived
);
create unique index notification_channels_name on notification_channels (name) where not deleted;

create table notification_rules (
  id         uuid    primary key,
  channel_id uuid    not null,
  deleted    boolean not null,
  version    bigint  not null,
  state      json    not null
);

-- What signs a webhook's requests; may never stand in the log.
create table notification_secrets (
  channel_id     uuid  primary key,
  secret         bytea not null,
  previous       bytea,       -- signs as well until previous_until
  previous_until timestamptz
);

-- The queue: a channel's pending deliveries leave it one after the other, by place.
create table notification_deliveries (
  id              uuid        primary key,
  place           bigint      generated always as identity,
  channel_id      uuid        not null,
  rule_id         uuid,                 -- null in a test
  seq             bigint,               -- of the event; null in a test
  cause           text        not null check (cause in ('rule', 'replay', 'test')),
  status          text        not null check (status in ('pending', 'sent', 'failed', 'skipped')),
  reason          text,                 -- why it was not sent, or not yet
  attempts        int         not null default 0,
  next_attempt_at timestamptz,          -- null when there is none
  created_at      timestamptz not null default now(),
  ended_at        timestamptz
);
create index notification_deliveries_pending on notification_deliveries (channel_id, place) where status = 'pending';
create index notification_deliveries_skipped on notification_deliveries (channel_id) where status = 'skipped';
create index notification_deliveries_channel on notification_deliveries (channel_id, place);
create index notification_deliveries_ended on notification_deliveries using brin (ended_at);
-- One event goes to one channel once, whatever its rules, until somebody asks for it again.
create unique index notification_deliveries_once on notification_deliveries (channel_id, seq) where cause = 'rule';

create table notification_attempts (
  delivery_id uuid        not null,
  attempt     int         not null, -- from 1
  at          timestamptz not null,
  outcome     text        not null check (outcome in ('sent', 'failed')),
  reason      text,                 -- a stable word; null when it was sent
  detail      text        not null, -- for people: the status, or what went wrong
  response    text,                 -- the beginning of what the receiver answered
  latency_ms  int         not null,
  primary key (delivery_id, attempt)
);

-- Replays that are not through: each is a consumer of a part of the log, for one channel.
create table notification_replays (
  id         uuid   primary key,
  channel_id uuid   not null,
  seq        bigint not null, -- last event that was looked at
  until      bigint not null  -- the last event to look at
);
