-- append: the only way an event enters the log.
-- Takes   columns, one array each, of three tables that belong together:
--         w_*  one entry per (command, stream): expected is null when any version will do
--         e_*  one entry per event, in the order they shall get their seq; nth counts within its stream from 1;
--              permissions are separated by commas; envelope_hash is 32 bytes (openapi/proofs.md)
--         k_*  one entry per command that carries an idempotency key; last is the place (from 1) of its last event in e_*
--         s_*  one entry per current state to store; state_<kind>(json[]) stores it
--         `command` numbers the batch's commands from 0. A stream and a key appear in at most one command.
-- Returns first a row with outcome 'head': seq before this batch, and its recorded_at;
--         then a row per refused command: 'duplicate' (the key was used: reply, seq, body_hash of the first)
--         or 'conflict' (stream and the version it is at). All others were appended whole, in order, without a gap.
-- Locks   log_head until commit, so that seq becomes visible in order.
-- Wakes   channel `events`, once, at commit, by the trigger events_notify.
-- Plans   look-ups by index for each row: the planner takes every unnest for 1,000 rows and would hash whole tables.
create or replace function append(
  w_command int[], w_stream text[], w_expected bigint[], w_events int[],
  e_command int[], e_stream text[], e_nth int[], e_id uuid[], e_type text[], e_data text[],
  e_actor text[], e_actor_name text[], e_permissions text[], e_session_id text[],
  e_correlation_id uuid[], e_causation_id uuid[], e_trace_id text[], e_occurred_at timestamptz[], e_envelope_hash bytea[],
  k_command int[], k_id uuid[], k_body_hash bytea[], k_reply text[], k_last int[],
  s_command int[], s_kind text[], s_state text[]
) returns table (command int, outcome text, seq bigint, recorded_at timestamptz, stream text, version bigint, body_hash bytea, reply json)
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set jit = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  head    bigint;
  at      timestamptz;
  micros  bytea;
  refused int[];
  added   bigint;
  touched text; -- kind of state
begin
  select h.seq, greatest(clock_timestamp(), h.recorded_at) into head, at from log_head h for update;
  micros := int8send((extract(epoch from at) * 1000000)::bigint);

  select coalesce(array_agg(r.command), '{}') into refused from (
    -- A scalar look-up: PostgreSQL would turn an exists() into a join that reads the whole table.
    select k.command from unnest(k_command, k_id) k (command, id)
     where (select true from idempotency i where i.id = k.id)
    union
    select w.command from unnest(w_command, w_stream, w_expected) w (command, stream, expected)
     where w.expected <> coalesce((select s.version from streams s where s.stream = w.stream), 0)
  ) r;

  return query select null::int, 'head', head, at, null::text, null::bigint, null::bytea, null::json;
  if refused <> '{}' then
    return query
      select k.command, 'duplicate', i.seq, null::timestamptz, null::text, null::bigint, i.body_hash, i.reply
        from unnest(k_command, k_id) k (command, id) join idempotency i on i.id = k.id
       where k.command = any (refused);
    return query
      select distinct on (w.command) w.command, 'conflict', null::bigint, null::timestamptz, w.stream, coalesce(s.version, 0), null::bytea, null::json
        from unnest(w_command, w_stream, w_expected) w (command, stream, expected)
        left join streams s on s.stream = w.stream
       where w.command = any (refused) and w.expected <> coalesce(s.version, 0)
       order by w.command;
  end if;

  insert into events
  select p.seq, p.id, p.stream, p.version, p.type, p.data, p.actor, p.actor_name, p.permissions, p.session_id,
         p.correlation_id, p.causation_id, p.trace_id, p.occurred_at, at,
         sha256('\x00'::bytea || int8send(p.seq) || int8send(p.version) || micros || p.envelope_hash)
    from (
      select head + row_number() over (order by e.place) as seq, e.id, e.stream,
             coalesce((select s.version from streams s where s.stream = e.stream), 0) + e.nth as version,
             e.type, e.data::json, e.actor, e.actor_name, string_to_array(e.permissions, ',') as permissions, e.session_id,
             e.correlation_id, e.causation_id, e.trace_id, e.occurred_at, e.envelope_hash
        from unnest(e_command, e_stream, e_nth, e_id, e_type, e_data, e_actor, e_actor_name, e_permissions, e_session_id,
                    e_correlation_id, e_causation_id, e_trace_id, e_occurred_at, e_envelope_hash) with ordinality
             e (command, stream, nth, id, type, data, actor, actor_name, permissions, session_id,
                correlation_id, causation_id, trace_id, occurred_at, envelope_hash, place)
       where e.command <> all (refused)
    ) p;
  get diagnostics added = row_count;
  if added = 0 then
    return;
  end if;

  insert into streams as s
  select w.stream, w.events
    from unnest(w_command, w_stream, w_events) w (command, stream, events)
   where w.command <> all (refused)
  on conflict (stream) do update set version = s.version + excluded.version;

  insert into idempotency
  select k.id, k.body_hash, k.reply::json,
         head + k.last - case when refused = '{}' then 0 else
           (select count(*) from unnest(e_command) with ordinality e (command, place)
             where e.place <= k.last and e.command = any (refused)) end,
         at
    from unnest(k_command, k_id, k_body_hash, k_reply, k_last) k (command, id, body_hash, reply, last)
   where k.command <> all (refused);

  for touched in select distinct s.kind from unnest(s_kind) s (kind) loop
    execute format('select %I($1)', 'state_' || touched) using
      (select array_agg(s.state::json) from unnest(s_command, s_kind, s_state) s (command, kind, state)
        where s.kind = touched and s.command <> all (refused));
  end loop;

  update log_head set seq = head + added, recorded_at = at;
end $$;
