-- consumer_renew: sql/functions/consumer_renew.sql
select consumer_renew($1, $2, $3);
