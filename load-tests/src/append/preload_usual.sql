-- preload: fills the usual design's tables with what its writers would have written.
-- Takes   the seq of the first and of the last event to write
-- Writes  ten events to a stream, a current state per stream, a key per event
create function pg_temp.preload(first bigint, last bigint) returns void language sql as $$
  insert into events
  select first + n, gen_random_uuid(), 'incident/' || md5(first || '-' || n / 10)::uuid, n % 10 + 1,
         case n % 10 when 0 then 'incident.created' else 'incident.commented' end,
         json_build_object('number', 1::bigint << 41 | first + n / 10, 'severity', 'P2', 'text', repeat('preloaded ', 16)),
         'user:0198f000-0000-7000-8000-000000000001', 'Load', '{incidents.read}', gen_random_uuid(), now(), now()
    from generate_series(0, last - first) n;
  select setval('events_seq_seq', last);

  insert into incidents
    (id, number, title, status, severity, priority, urgency, affected_servers, labels, created_at, updated_at, version, state)
  select md5(first || '-' || s)::uuid, 1::bigint << 41 | first + s, 'Preloaded', 'closed', 'P2', 'normal', 2, '{}', '{}',
         now(), now(), least(10, last - first + 1 - 10 * s), json_build_object('description', repeat('preloaded ', 40))
    from generate_series(0, (last - first) / 10) s;

  insert into idempotency
  select 'user:0198f000-0000-7000-8000-000000000001', gen_random_uuid()::text, sha256(int8send(first + n)),
         json_build_object('id', gen_random_uuid(), 'version', n % 10 + 1), now()
    from generate_series(0, last - first) n;
$$;
