-- logs_histogram: log lines by time and level, and the position this is true as of.
-- Takes   the parameters of log_histogram
-- Returns epoch, head, beginning, level, lines; at least one row, with nulls when nothing fits
select h.epoch, h.seq as head, b.*
  from log_head h left join log_histogram($1, $2, $3, $4, $5, $6, $7, $8, $9) b on true;
