-- notification_counts: how many channels and rules there are, for their limits.
-- Returns channels: bigint, rules: bigint
select (select count(*) from notification_channels where not deleted) as channels,
       (select count(*) from notification_rules where not deleted) as rules;
