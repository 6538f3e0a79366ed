-- runbooks_triggered: runbooks that events can start.
-- Returns state: json
select state from runbooks where triggered;
