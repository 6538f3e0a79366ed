-- All that follows from one first command. An id that is made for a command stands near its neighbours in time, so that
-- a few values describe a block of the log, without the write per event that a B-tree would cost. With seq, so that
-- where clients make their own ids, which have no order, a search can still go a part of the log at a time.
create index events_correlation on events using brin (seq, correlation_id uuid_minmax_multi_ops) with (autosummarize = on);
