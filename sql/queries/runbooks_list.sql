-- runbooks_list: a page of runbooks that fit all the given filters, those changed last first, and the position it
-- is true as of.
-- Takes   words in the name: text; archived: boolean (each null: any);
--         updated_at: timestamptz and id: uuid of the last row of the page before (null: the first page); most rows: bigint
-- Returns epoch, seq, and per row state: json, updated_at, and last: json, the state of its newest execution; at least
--         one row, without state when nothing fits
select h.epoch, h.seq, r.state, r.updated_at,
       (select e.state from executions e where e.runbook_id = r.id order by e.queued_at desc, e.id desc limit 1) as last
  from log_head h
  left join lateral (
    select state, updated_at, id
      from runbooks
     where ($1::text is null or position(lower($1) in lower(name)) > 0)
       and ($2::boolean is null or archived = $2)
       and ($3::timestamptz is null or (updated_at, id) < ($3, $4::uuid))
     order by updated_at desc, id desc
     limit $5
  ) r on true;
