-- execution_renew: keeps a lease, or gives it back. One row at a time, so that no two of these wait for each other
-- in turn with the append.
-- Takes   execution: uuid, token: bigint, holder: uuid, lease_ms: int, from now on; 0 gives it back
-- Returns execution_id: uuid; no row when another has it
update execution_leases
   set expires_at = clock_timestamp() + $4::int * interval '1 millisecond'
 where execution_id = $1 and token = $2 and holder = $3 and expires_at > clock_timestamp()
returning execution_id;
