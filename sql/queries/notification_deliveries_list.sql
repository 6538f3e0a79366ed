-- notification_deliveries_list: a page of a channel's deliveries, the newest first.
-- Takes   channel: uuid; status: text, or null; before: bigint, the place of the page before's last row, or null; most: bigint
-- Returns epoch: uuid, seq: bigint, and per row the delivery and its attempts: json; at least one row
select h.epoch, h.seq, d.*
  from log_head h
  left join lateral (
    select d.id, d.place, d.seq as event_seq, d.rule_id, d.cause, d.status, d.reason, d.attempts, d.next_attempt_at, d.created_at, d.ended_at,
           (select json_agg(json_build_object('attempt', a.attempt, 'at', a.at, 'outcome', a.outcome, 'reason', a.reason,
                            'detail', a.detail, 'response', a.response, 'latency_ms', a.latency_ms) order by a.attempt)
              from notification_attempts a where a.delivery_id = d.id) as log
      from notification_deliveries d
     where d.channel_id = $1 and ($2::text is null or d.status = $2) and ($3::bigint is null or d.place < $3)
     order by d.place desc
     limit $4
  ) d on true;
