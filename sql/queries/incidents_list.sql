-- incidents_list: a page of incidents that fit all the given filters, and the position it is true as of.
-- Takes   statuses, severities, priorities: text[]; assignee: text ('' means nobody); server: text; labels: jsonb;
--         words in the title: text; created from and before: timestamptz (each filter null: any);
--         key of the last row of the page before: text, and its id: uuid (null: the first page); most rows: bigint
-- Returns epoch, seq, and per row state: json and key: text; at least one row, without state when nothing fits
-- {key}, {type}, {order} and {beyond} come from the closed list of orders in http/incidents/list.rs
select h.epoch, h.seq, i.state, i.key
  from log_head h
  left join lateral (
    select state, ({key})::text as key
      from incidents
     where ($1::text[] is null or status = any ($1))
       and ($2::text[] is null or severity = any ($2))
       and ($3::text[] is null or priority = any ($3))
       and ($4::text is null or coalesce(assignee, '') = $4)
       and ($5::text is null or affected_servers @> array[$5])
       and ($6::jsonb is null or labels @> $6)
       and ($7::text is null or position(lower($7) in lower(title)) > 0)
       and ($8::timestamptz is null or created_at >= $8)
       and ($9::timestamptz is null or created_at < $9)
       and ($10::text is null or ({key}, id) {beyond} ($10::text::{type}, $11::uuid))
     order by {key} {order}, id {order}
     limit $12
  ) i on true;
