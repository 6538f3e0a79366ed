-- users_list: a page of users that fit all the given filters, by user name, and the position it is true as of.
-- Takes   words in user name, name or address: text; role: text; kind: text; disabled: boolean (each null: any);
--         user name of the last row of the page before: text (null: the first page); most rows: bigint
-- Returns epoch, seq, and per row state: json and signed_in_at: timestamptz (null: never); at least one row, without
--         state when nothing fits
select h.epoch, h.seq, u.state, (select max(s.created_at) from sessions s where s.user_id = u.id) as signed_in_at
  from log_head h
  left join lateral (
    select id, state, username
      from users
     where ($1::text is null or position(lower($1) in lower(username || E'\n' || name || E'\n' || coalesce(email, ''))) > 0)
       and ($2::text is null or $2 = any (roles))
       and ($3::text is null or kind = $3)
       and ($4::boolean is null or disabled = $4)
       and ($5::text is null or username > $5)
     order by username
     limit $6
  ) u on true
 order by u.username;
