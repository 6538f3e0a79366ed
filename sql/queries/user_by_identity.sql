-- user_by_identity: who somebody from elsewhere is here.
-- Takes   issuer and subject, a line each: text; an address that the issuer has verified: text, or null
-- Returns state: json, linked: boolean; the user who is linked, else the one person with this address who is
--         linked to nobody; no row when there is none, or when several have the address
select state, true as linked from users where identity = $1::text
union all
select min(state::text)::json, false from users
 where lower(email) = lower($2::text) and kind = 'person' and not disabled and identity is null
   and not exists (select from users where identity = $1::text)
having count(*) = 1;
