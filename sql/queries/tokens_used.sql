-- tokens_used: notes when API tokens were used last.
-- Takes   ids: uuid[]; times in Unix seconds: bigint[]
update api_tokens t set last_used_at = greatest(t.last_used_at, to_timestamp(u.at))
  from unnest($1::uuid[], $2::bigint[]) u (id, at) where t.id = u.id;
