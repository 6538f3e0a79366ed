-- Consumers of the log: who works, and how far each has come.

create table consumers (
  name    text        primary key,
  holder  uuid,                              -- the process that works; null: nobody has yet
  fence   bigint      not null default 0,    -- grows with each holder; what an earlier one writes is refused
  until   timestamptz not null default '-infinity', -- by the database's clock; then anybody may take over
  epoch   uuid        not null,              -- the history that seq belongs to
  seq     bigint      not null               -- last event whose effect is in the database
) with (fillfactor = 10); -- room on the page, so that every update stays a heap-only tuple
