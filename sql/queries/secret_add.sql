-- secret_add: keeps a key that all processes share, unless there is one.
-- Takes   name: text; value: bytea
insert into secrets (name, value) values ($1, $2) on conflict do nothing;
