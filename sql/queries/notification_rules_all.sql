-- notification_rules_all: the rules that are applied, in the order of their creation.
-- Returns state: json
select r.state
  from notification_rules r
  join notification_channels c on c.id = r.channel_id and not c.deleted
 where not r.deleted
 order by r.id;
