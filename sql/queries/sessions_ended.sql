-- sessions_ended: sign-ins that are over while an access token of theirs may still live.
-- Returns id: uuid
select id from sessions where ended_at > now() - interval '1 day';
