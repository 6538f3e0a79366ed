-- idempotency_forget: drops replies past their 24 hours, some at a time.
-- Returns one row per reply dropped
delete from idempotency where ctid = any (array(
  select ctid from idempotency where created_at < now() - interval '24 hours' limit 5000
)) returning seq;
