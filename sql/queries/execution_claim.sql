-- execution_claim: takes a lease; sql/functions/execution_claim.sql says how.
-- Takes   holder: uuid, lease_ms: int
-- Returns execution_id: uuid, token: bigint
select execution_id, token from execution_claim($1, $2);
