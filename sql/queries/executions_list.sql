-- executions_list: a page of executions that fit all the given filters, the newest first, and the position it is
-- true as of.
-- Takes   statuses: text[]; runbook: uuid; trigger: text; correlation: uuid (each null: any);
--         queued_at: timestamptz and id: uuid of the last row of the page before (null: the first page); most rows: bigint
-- Returns epoch, seq, and per row state: json, queued_at; at least one row, without state when nothing fits
select h.epoch, h.seq, e.state, e.queued_at
  from log_head h
  left join lateral (
    select state, queued_at, id
      from executions
     where ($1::text[] is null or status = any ($1))
       and ($2::uuid is null or runbook_id = $2)
       and ($3::text is null or trigger = $3)
       and ($4::uuid is null or correlation_id = $4)
       and ($5::timestamptz is null or (queued_at, id) < ($5, $6::uuid))
     order by queued_at desc, id desc
     limit $7
  ) e on true;
