-- server_probed: keeps what a test on demand measured.
-- Takes   server: uuid; answered: boolean; connect_us, handshake_us: int
insert into server_probes (server_id, at, answered, connect_us, handshake_us) values ($1, now(), $2, $3, $4)
on conflict do nothing;
