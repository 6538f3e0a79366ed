-- roles_all: every role that somebody made and nobody deleted, by name, and the position they are true as of.
-- Returns epoch, seq, state: json; at least one row, without state when there is none
select h.epoch, h.seq, r.state from log_head h left join roles r on not r.deleted order by r.name;
