-- notification_rules_all: the rules that are applied, in the order of their creation.
-- Returns state: json
select state from notification_rules where not deleted order by id;
