-- log_words_index: an index of words for one partition of log lines, if any needs one.
-- Returns indexed: text, the partition; null: none
select log_words_index() as indexed;
