//! Log lines over HTTP: sent, found, counted, shown among their neighbours.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signalbox::domain::user::Role;
use uuid::Uuid;

use super::{LOGS, send_raw, sent};
use crate::harness::{Client, PASSWORD, execute, world};

/// Messages of all pages of a search, in its order.
async fn messages(client: &Client, query: &str) -> Vec<String> {
    let (mut messages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{LOGS}?{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let items = page.json["items"].as_array().unwrap();
        messages.extend(items.iter().map(|line| line["message"].as_str().unwrap().to_owned()));
        match page.json["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return messages,
        }
    }
}

#[tokio::test]
async fn what_is_sent_is_found_by_each_of_its_facts() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let run = Uuid::now_v7();
    let line = |at: &str, level: &str, message: &str| json!({ "at": at, "level": level, "message": message });
    let ssh = [
        line("2005-06-14T15:16:01Z", "warn", "authentication failure; rhost=218.188.2.4"),
        line("2005-06-14T15:16:02Z", "info", "check pass; user unknown"),
    ];
    sent(&admin, json!({ "source": "sshd", "server": "combo", "lines": ssh })).await;
    let api = [
        line("2017-05-16T00:00:00.008Z", "error", "100% of GET /v2/54fa_b41 failed: it's \\broken\\"),
        line("2017-05-16T00:00:00.272Z", "fatal", "GET /v2/54fadb41 failed"),
    ];
    let seq = sent(&admin, json!({ "source": "nova-api", "execution": run, "lines": api })).await;

    for (query, expected) in [
        ("since=2010-01-01T00:00:00Z".to_owned(), vec![2, 3]),
        ("before=2017-05-16T00:00:00.008Z".to_owned(), vec![0, 1]),
        ("since=2005-06-14T15:16:02Z&before=2005-06-14T15:16:03Z".to_owned(), vec![1]),
        ("level=error".to_owned(), vec![2, 3]),
        ("level=warn&source=sshd".to_owned(), vec![0]),
        ("server=combo".to_owned(), vec![0, 1]),
        (format!("execution={run}"), vec![2, 3]),
        (format!("seq={seq}"), vec![2, 3]),
        ("q=FAILURE".to_owned(), vec![0]),
        ("q=fail".to_owned(), vec![0, 2, 3]),
        ("q=failed%20get".to_owned(), vec![2, 3]),
        ("q=%22get%20failed%22".to_owned(), vec![]),
        ("q=%22user%20unknown%22".to_owned(), vec![1]),
        ("q=%25".to_owned(), vec![2]),
        ("q=54fa_b41".to_owned(), vec![2]),
        ("q=it%27s%20%5Cbroken%5C".to_owned(), vec![2]),
        ("q=188.2".to_owned(), vec![0]),
    ] {
        let all = [&ssh[..], &api[..]].concat();
        let expected: Vec<&str> =
            expected.into_iter().map(|line: usize| all[line]["message"].as_str().unwrap()).collect();
        assert_eq!(messages(&admin, &format!("order=at&{query}")).await, expected, "{query}");
        let newest_first: Vec<&str> = expected.into_iter().rev().collect();
        assert_eq!(messages(&admin, &format!("{query}&limit=1")).await, newest_first, "{query}, page by page");
    }
    let found = admin.get(&format!("{LOGS}?source=nova-api&limit=1&order=at")).await;
    assert_eq!(found.header("signalbox-seq"), seq.to_string());
    let line = &found.json["items"][0];
    let facts = json!({ "id": format!("{seq}.1"), "at": "2017-05-16T00:00:00.008Z", "level": "error", "source": "nova-api",
        "execution": run, "message": api[0]["message"], "recorded_at": line["recorded_at"] });
    assert_eq!(line, &facts);
}

#[tokio::test]
async fn pages_of_lines_of_one_moment_leave_nothing_out_and_repeat_nothing() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let mut all = Vec::new();
    for batch in 0..3 {
        let lines: Vec<Value> =
            (0..40).map(|n| json!({ "at": "2026-11-21T10:00:00Z", "message": format!("{batch} {n}") })).collect();
        all.extend(lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()));
        sent(&admin, json!({ "source": format!("s{}", batch % 2), "lines": lines })).await;
    }
    assert_eq!(messages(&admin, "order=at&limit=7").await, all);
    all.reverse();
    assert_eq!(messages(&admin, "limit=11").await, all);

    let cursor = admin.get(&format!("{LOGS}?limit=1")).await.json["next"].as_str().unwrap().to_owned();
    for other in ["limit=1&order=at", "limit=1&source=s1"] {
        admin.get(&format!("{LOGS}?{other}&cursor={cursor}")).await.is_problem(400, "invalid_cursor");
    }
    admin.get(&format!("{LOGS}?cursor=made-up")).await.is_problem(400, "invalid_cursor");
    admin.get(&format!("{LOGS}?limit=1001")).await.is_problem(400, "invalid_parameter");
}

#[tokio::test]
async fn a_page_begins_behind_any_line_in_either_order() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let lines: Vec<Value> =
        (1..=9).map(|n| json!({ "at": "2026-11-21T10:00:00Z", "message": n.to_string() })).collect();
    let seq = sent(&admin, json!({ "source": "sshd", "lines": lines })).await;
    let behind = |line: &str, query: &str| {
        let (admin, path) = (admin.clone(), format!("{LOGS}?behind={line}&limit=3{query}"));
        async move {
            let page = admin.get(&path).await;
            assert_eq!(page.status, 200, "{}", page.text);
            let items = page.json["items"].as_array().unwrap();
            let all: String = items.iter().map(|line| line["message"].as_str().unwrap()).collect();
            (all, page.json.get("next").is_some())
        }
    };
    assert_eq!(behind(&format!("{seq}.5"), "").await, ("432".to_owned(), true));
    assert_eq!(behind(&format!("{seq}.4"), "").await, ("321".to_owned(), false));
    assert_eq!(behind(&format!("{seq}.5"), "&order=at").await, ("678".to_owned(), true));
    assert_eq!(behind(&format!("{seq}.5"), "&order=at&q=8").await, ("8".to_owned(), false));
    assert_eq!(behind(&format!("{seq}.9"), "&order=at").await, (String::new(), false));

    for missing in [format!("{seq}.10"), "1.1".to_owned(), "5".to_owned()] {
        admin.get(&format!("{LOGS}?behind={missing}")).await.is_problem(400, "no_such_line");
    }
    let cursor = admin.get(&format!("{LOGS}?limit=1")).await.json["next"].as_str().unwrap().to_owned();
    let both = format!("{LOGS}?limit=1&cursor={cursor}&behind={seq}.5");
    admin.get(&both).await.is_problem(400, "invalid_parameter");
}

#[tokio::test]
async fn a_batch_sent_again_with_its_key_is_recorded_once() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let body = json!({ "source": "sshd", "lines": [{ "message": "once" }] });
    let key = [("idempotency-key", "batch-1")];
    let first = admin.post_with(LOGS, body.clone(), &key).await;
    let again = admin.post_with(LOGS, body, &key).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201), "{}", first.text);
    assert_eq!((&again.json, again.header("signalbox-seq")), (&first.json, first.header("signalbox-seq")));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(messages(&admin, "").await, ["once"]);
    let other = json!({ "source": "sshd", "lines": [{ "message": "twice" }] });
    admin.post_with(LOGS, other, &key).await.is_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_wrong_line_is_named_and_nothing_of_its_batch_is_recorded() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let refused = async |body: Value, pointers: &[&str]| {
        let answer = admin.post(LOGS, body).await;
        answer.is_problem(422, "invalid");
        let named = answer.json["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap());
        assert_eq!(named.collect::<Vec<_>>(), pointers, "{}", answer.text);
    };
    let good = json!({ "message": "good" });
    let long = json!({ "message": "x".repeat(16_385) });
    let wide = json!({ "message": "x", "fields": { "y": "z".repeat(4_096) } });
    let ahead = json!({ "message": "x", "at": "2999-01-01T00:00:00Z" });
    let early = json!({ "message": "x", "at": "1969-12-31T23:59:59Z" });
    let lines = json!([good, long, good, wide, ahead, early]);
    let wrong = ["/lines/1/message", "/lines/3/fields", "/lines/4/at", "/lines/5/at"];
    refused(json!({ "source": "s", "lines": lines }), &wrong).await;
    refused(json!({ "source": "s", "lines": [] }), &["/lines"]).await;
    refused(json!({ "source": "s", "lines": vec![good.clone(); 2_001] }), &["/lines"]).await;
    refused(json!({ "source": "with space", "server": "a\nb", "lines": [good] }), &["/source", "/server"]).await;
    for body in [json!({ "source": "s", "lines": [{}] }), json!({ "source": "s", "lines": [{ "message": 1 }] })] {
        admin.post(LOGS, body).await.is_problem(400, "malformed_body");
    }
    let nul = json!({ "source": "s", "lines": [{ "message": "a\u{0}b" }] });
    admin.post(LOGS, nul).await.is_problem(422, "nul_character");

    let ndjson = b"{\"message\":\"good\"}\n\n{\"message\":1}\nnot json\n{\"message\":\"x\",\"more\":1}\n\xff\n";
    let answer = send_raw(&admin, "?source=s", "application/x-ndjson", ndjson).await;
    answer.is_problem(422, "invalid");
    let named = answer.json["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap());
    assert_eq!(named.collect::<Vec<_>>(), ["/lines/2", "/lines/3", "/lines/4", "/lines/5"]);
    let answer = send_raw(&admin, "?source=s", "text/plain", b"good\nnot \xff UTF-8\n").await;
    answer.is_problem(422, "invalid");
    assert_eq!(answer.json["errors"], json!([{ "pointer": "/lines/1", "message": "is not UTF-8 behind its byte 4" }]));
    send_raw(&admin, "?source=s", "text/plain", b"a\0b").await.is_problem(422, "nul_character");
    for lines in [vec![], vec![b'\n'; 2_001], vec![b'\n'; 200_000]] {
        let answer = send_raw(&admin, "?source=s", "text/plain", &lines).await;
        answer.is_problem(422, "invalid");
        assert_eq!(answer.json["errors"], json!([{ "pointer": "/lines", "message": "has 1 to 2000 lines" }]));
    }
    send_raw(&admin, "", "text/plain", b"whose?").await.is_problem(400, "invalid_parameter");
    send_raw(&admin, "?source=s", "application/json", b"{\"source\":\"s\",\"lines\":[{\"message\":\"x\"}]}")
        .await
        .is_problem(400, "invalid_parameter");
    send_raw(&admin, "?source=s", "text/csv", b"a,b").await.is_problem(415, "unsupported_media_type");
    let large = vec![b'x'; (256 << 10) + 1];
    send_raw(&admin, "?source=s", "text/plain", &large).await.is_problem(413, "too_large");
    assert_eq!(messages(&admin, "").await, Vec::<String>::new());
}

#[tokio::test]
async fn who_may_read_lines_may_not_send_them() {
    let world = world().await;
    let server = world.serve().await;
    world.user("vera", Role::Viewer).await;
    let viewer = server.anonymous().sign_in("vera", PASSWORD).await;
    let body = json!({ "source": "sshd", "lines": [{ "message": "x" }] });
    viewer.post(LOGS, body.clone()).await.is_problem(403, "forbidden");
    assert_eq!(viewer.get(LOGS).await.json, json!({ "items": [] }));
    for path in
        [LOGS.to_owned(), format!("{LOGS}/download"), format!("{LOGS}/histogram"), format!("{LOGS}/1.1/context")]
    {
        server.anonymous().get(&path).await.is_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_histogram_counts_what_a_search_finds() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let line = |minute: u32, level: &str| json!({ "at": format!("2026-11-20T10:{minute:02}:30Z"), "level": level, "message": "m" });
    let lines: Vec<Value> =
        (0..60).map(|minute| line(minute, if minute % 10 == 0 { "error" } else { "info" })).collect();
    sent(&admin, json!({ "source": "a", "lines": lines })).await;
    sent(&admin, json!({ "source": "b", "lines": [line(5, "fatal")] })).await;

    let hour = "since=2026-11-20T10:00:00Z&before=2026-11-20T11:00:00Z";
    let counted = admin.get(&format!("{LOGS}/histogram?{hour}&buckets=7")).await;
    assert_eq!(counted.status, 200, "{}", counted.text);
    assert_eq!((&counted.json["bucket_s"], &counted.json["total"]), (&json!(600), &json!(61)));
    let items = counted.json["items"].as_array().unwrap();
    assert_eq!(items.len(), 6);
    assert_eq!(items[0], json!({ "at": "2026-11-20T10:00:00Z", "levels": { "info": 9, "error": 1, "fatal": 1 } }));
    assert_eq!(items[5], json!({ "at": "2026-11-20T10:50:00Z", "levels": { "info": 9, "error": 1 } }));
    for filter in ["source=a", "level=error", "q=M", "q=nothing", "level=fatal&source=b"] {
        let counted = admin.get(&format!("{LOGS}/histogram?{hour}&{filter}")).await.json["total"].clone();
        assert_eq!(counted, json!(messages(&admin, &format!("{hour}&{filter}")).await.len()), "{filter}");
    }
    admin.get(&format!("{LOGS}/histogram?buckets=401")).await.is_problem(400, "invalid_parameter");
}

#[tokio::test]
async fn a_line_is_shown_among_its_neighbours_of_the_same_source_and_execution() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let (run, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut ids = BTreeMap::new();
    for n in 0..6 {
        for (name, source, execution) in [("a", "runner", Some(run)), ("b", "runner", Some(other)), ("c", "sshd", None)]
        {
            let lines = [json!({ "message": format!("{name}{n}") }), json!({ "message": format!("{name}{n}'") })];
            let seq = sent(&admin, json!({ "source": source, "execution": execution, "lines": lines })).await;
            ids.insert(format!("{name}{n}"), format!("{seq}.1"));
        }
    }
    let around = async |line: &str, query: &str| {
        let answer = admin.get(&format!("{LOGS}/{}/context{query}", ids[line])).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let items = answer.json["items"].as_array().unwrap().clone();
        let place = answer.json["place"].as_u64().unwrap() as usize;
        assert_eq!(items[place]["id"], json!(ids[line]));
        items.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(around("a2", "?before=3&after=2").await, ["a0'", "a1", "a1'", "a2", "a2'", "a3"]);
    assert_eq!(around("c0", "?before=5&after=1").await, ["c0", "c0'"]);
    assert_eq!(around("b5", "?before=0&after=100").await, ["b5", "b5'"]);
    assert_eq!(around("b5", "").await.len(), 12, "ten before, and the end");
    for missing in ["1.1", "999999999.1", "x", "1", "1.x", "99999999999999999999.1"] {
        admin.get(&format!("{LOGS}/{missing}/context")).await.is_problem(404, "not_found");
    }
    admin.get(&format!("{LOGS}/1.1/context?before=101")).await.is_problem(400, "invalid_parameter");
}

#[tokio::test]
async fn a_search_that_reads_for_too_long_is_refused_and_is_no_fault_of_the_database() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    sent(&admin, json!({ "source": "sshd", "lines": [{ "message": "x" }] })).await;
    // As slow as a table of some 100 million lines.
    let slow =
        "create or replace function log_filter(since timestamptz, before timestamptz, lowest smallint, source text,
                    server text, execution uuid, words text[], fields_wanted json, batch bigint, upto bigint) returns text
                language sql stable as $$ select 'pg_sleep(60) is not null' $$";
    execute(&world.owner, slow).await;
    let (_, failed) = server.app.database.counts();
    for path in ["", "/histogram", "/download"] {
        admin.get(&format!("{LOGS}{path}?q=x")).await.is_problem(400, "search_too_broad");
    }
    assert_eq!(server.app.database.counts().1, failed);
}

#[tokio::test]
async fn lines_are_found_counted_and_downloaded_by_members_of_their_fields() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let fields = [
        json!({ "status": 200, "path": "/a:b", "ok": true }),
        json!({ "status": 200.0, "path": "it's \\ 100%", "who": { "id": 1 } }),
        json!({ "status": "200", "tags": ["x"], "ok": null }),
        json!({ "status": 1e300, "é\"": "ü" }),
        json!({}),
    ];
    let line = |(place, fields): (usize, &Value)| json!({ "message": place.to_string(), "fields": fields });
    let lines: Vec<Value> = fields.iter().enumerate().map(line).chain([json!({ "message": "none" })]).collect();
    sent(&admin, json!({ "source": "web", "lines": lines })).await;

    for (query, expected) in [
        ("field=status:200", vec!["0", "1", "2"]),
        ("field=status:2e2", vec!["0", "1"]),
        ("field=status:200&field=path:/a:b", vec!["0"]),
        ("field=status:200&field=path:/a:c", vec![]),
        ("field=path:it%27s%20%5C%20100%25", vec!["1"]),
        ("field=status:1E300", vec!["3"]),
        ("field=status:1e400", vec![]),
        ("field=%C3%A9%22:%C3%BC", vec!["3"]),
        ("field=ok:true", vec!["0"]),
        ("field=ok:null", vec![]),
        ("field=who:%7B%22id%22:1%7D", vec!["1"]),
        ("field=status:", vec![]),
        ("field=status:%20200", vec![]),
        ("field=q:1&q=0", vec![]),
        ("field=ok:true&q=0&source=web", vec!["0"]),
    ] {
        assert_eq!(messages(&admin, &format!("order=at&limit=1&{query}")).await, expected, "{query}");
        let counted = admin.get(&format!("{LOGS}/histogram?{query}")).await;
        assert_eq!(counted.json["total"], expected.len(), "{query}: {}", counted.text);
        let file = admin.get(&format!("{LOGS}/download?format=text&{query}")).await;
        assert_eq!(file.text.lines().collect::<Vec<_>>(), expected, "{query}");
    }
    let too_many = ["field=a:b"; 11].join("&");
    for wrong in ["field=status", "field=:200", &format!("field=a:{}", "x".repeat(499)), &too_many] {
        for door in ["", "/histogram", "/download"] {
            admin.get(&format!("{LOGS}{door}?{wrong}")).await.is_problem(400, "invalid_parameter");
        }
    }
    let nul = r#"{"message":"x","fields":{"status":"\u0000"}}"#;
    let refused = send_raw(&admin, "?source=web", "application/x-ndjson", nul.as_bytes()).await;
    refused.is_problem(422, "nul_character"); // no search could read it
}
