-- logs_list: a page of log lines, and the position it is true as of.
-- Takes   the parameters of log_search
-- Returns epoch, head, and whole lines; at least one row, with nulls for a line when nothing fits
select h.epoch, h.seq as head, l.*
  from log_head h left join log_search($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) l on true;
