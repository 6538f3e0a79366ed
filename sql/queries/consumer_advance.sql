-- consumer_advance: sql/functions/consumer_advance.sql
-- Takes   effects as text[]: the driver's arrays of json are of values it parses
select consumer_advance($1, $2, $3, $4, $5::text[]::json[]);
