-- servers_list: a page of servers that fit all the given filters, by name, and the position it is true as of.
-- Takes   statuses: text[]; labels: jsonb; words in name, host or description: text (each null: any);
--         deleted: boolean, list those instead; name and id of the last row of the page before: text, uuid
--         (null: the first page); most rows: bigint
-- Returns epoch, seq, and per row state: json; at least one row, without state when nothing fits
select h.epoch, h.seq, s.state
  from log_head h
  left join lateral (
    select state, name, id
      from servers
     where ($1::text[] is null or status = any ($1))
       and ($2::jsonb is null or labels @> $2)
       and ($3::text is null or position(lower($3) in lower(name || ' ' || host || ' ' || description)) > 0)
       and deleted = $4
       and ($5::text is null or (name, id) > ($5, $6::uuid))
     order by name, id
     limit $7
  ) s on true
 order by s.name, s.id;
