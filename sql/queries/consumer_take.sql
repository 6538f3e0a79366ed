-- consumer_take: sql/functions/consumer_take.sql
select fence, epoch, seq from consumer_take($1, $2, $3, $4);
