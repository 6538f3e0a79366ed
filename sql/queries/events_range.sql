-- events_range: between which places a search has to look.
-- Takes   stream: text (null: along the log); first and last seq: bigint; recorded since, before: timestamptz
--         (each null: any)
-- Returns epoch, head: where the log ends; above, upto: the stretch of places, as sql/functions/events_search.sql has it
select h.epoch, h.seq as head,
       greatest(case when $2::bigint is null then 0 else events_place($1::text, l.last, null, $2 - 1) end,
                case when $4::timestamptz is null then 0 else events_place($1, l.last, $4, null) end) as above,
       events_place($1, l.last, $5::timestamptz, least($3::bigint, h.seq)) as upto
  from log_head h,
       lateral (select case when $1::text is null then h.seq
                            else coalesce((select s.version from streams s where s.stream = $1), 0) end) l (last);
