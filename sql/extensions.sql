-- extensions: what makes something fast and nothing possible. Run at every migrate, as the user who migrates.
-- pg_trgm finds words in log lines of past days; it comes with PostgreSQL and any owner of a database may
-- install it. Without it, words are looked for line by line.
do $$
begin
  if not exists (select from pg_extension where extname = 'pg_trgm') then
    create extension pg_trgm with schema public;
  end if;
exception
  when insufficient_privilege or undefined_file or feature_not_supported or undefined_object then
    raise notice 'pg_trgm is not installed, so searches for words in log lines are slower: %', sqlerrm;
end $$;
