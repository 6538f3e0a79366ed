-- notification_replay: sql/functions/notification_replay.sql
-- Takes   effects as text[]: the driver's arrays of json are of values it parses
select notification_replay($1, $2, $3, $4, $5::text[]::json[]);
