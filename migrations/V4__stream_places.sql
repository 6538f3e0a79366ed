-- Streams that each process has open, by user: how processes tell each other, and nothing that must survive.
-- Unlogged: after a crash of PostgreSQL it is empty, and every process writes its own count anew.

create unlogged table stream_places (
  user_id uuid not null,
  process int  not null, -- a process's number; it lives while a session holds the advisory lock of that number
  open    int  not null check (open > 0),
  primary key (user_id, process)
);
