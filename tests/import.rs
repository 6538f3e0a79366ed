//! What `signalbox import incidents` promises.

use std::io::{self, Cursor, Read};

use signalbox::domain::incident::Status;
use signalbox::import::{self, ImportOptions, OnBadRow, Report};
use signalbox::log::{Event, read};

use crate::harness::{self, World};

const HEADER: &str = "number,incident_state,active,sys_mod_count,made_sla,caller_id,opened_by,opened_at,sys_updated_by,\
sys_updated_at,contact_type,location,category,subcategory,u_symptom,cmdb_ci,impact,urgency,priority,assignment_group,\
assigned_to,problem_id,rfc,vendor,caused_by,closed_code,resolved_by,closed_at";

/// A line of the export: the nth update of an incident, at nth o'clock.
fn line(number: &str, state: &str, nth: u32, group: &str) -> String {
    format!(
        "{number},{state},TRUE,{nth},TRUE,Caller 1,Opened by  8,29-02-2016 00:30,Updated by {nth},29-02-2016 {:02}:00,Phone,\
         Location 143,Category 55,Subcategory 170,Symptom 72,?,2 - Medium,1 - High,3 - Moderate,{group},?,?,?,?,?,code 5,\
         Resolved by 149,05-03-2016 12:00",
        nth + 1
    )
}

/// Three incidents whose rows are mixed, one of them without an end; 10 rows, 3 of which say nothing new.
fn export() -> Vec<String> {
    vec![
        line("INC0000001", "New", 0, "Group 56"),
        line("INC0000002", "Active", 0, "Group 56"),
        line("INC0000001", "Active", 1, "Group 56"),
        line("INC0000001", "Active", 2, "Group 56"),
        line("INC0000003", "-100", 0, "Group 56"),
        line("INC0000002", "Awaiting Vendor", 1, "Group 70"),
        line("INC0000001", "Resolved", 3, "Group 56"),
        line("INC0000002", "Awaiting Vendor", 2, "Group 70"),
        line("INC0000001", "Closed", 4, "Group 56"),
        line("INC0000001", "Closed", 5, "Group 56"),
    ]
}

fn file(lines: &[String]) -> Cursor<Vec<u8>> {
    Cursor::new(format!("{HEADER}\n{}\n", lines.join("\n")).into_bytes())
}

async fn run(world: &World, rows: impl Read + Send + 'static, on_bad_row: OnBadRow) -> anyhow::Result<Report> {
    let options = ImportOptions { on_bad_row, dry_run: false };
    import::incidents(rows, &options, &world.database, &world.appender).await
}

/// Every incident's number there, status and version, in the order of the numbers.
async fn incidents(world: &World) -> Vec<(String, String, i64)> {
    let sql = "select labels ->> 'source/number', status, version from incidents order by 1";
    let rows = world.database.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

async fn timeline(world: &World, number: &str) -> Vec<Event> {
    let sql = "select id from incidents where labels ->> 'source/number' = $1";
    let row = world.database.query_opt(sql, &[&number]).await.unwrap().unwrap();
    let id: uuid::Uuid = row.get(0);
    read::stream(&world.database, &format!("incident/{id}"), 0, 100).await.unwrap()
}

fn ended() -> Vec<(String, String, i64)> {
    let row = |number: &str, status: Status, version| (number.to_owned(), status.to_string(), version);
    vec![
        row("INC0000001", Status::Closed, 4),
        row("INC0000002", Status::Investigating, 4),
        row("INC0000003", Status::Triggered, 2),
    ]
}

/// Forgets what a day would: the keys of commands.
async fn a_day_passes(world: &World) {
    world.database.query("delete from idempotency", &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_end_as_their_last_rows_say() {
    let world = harness::world().await;
    let report = run(&world, file(&export()), OnBadRow::Stop).await.unwrap();
    assert_eq!(incidents(&world).await, ended());
    assert_eq!((report.rows, report.incidents, report.events), (10, 3, 10));
    assert_eq!((report.already, report.unchanged, report.stopped), (0, 3, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_happened_when_the_service_desk_says() {
    let world = harness::world().await;
    run(&world, file(&export()), OnBadRow::Stop).await.unwrap();
    let events = timeline(&world, "INC0000001").await;
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.occurred_at.to_string())).collect();
    let at = |time: &str| format!("2016-{time}:00.0 +00:00:00");
    assert_eq!(told[0], ("incident.created", at("02-29 0:30")));
    assert_eq!(told[1], ("incident.status.changed", at("02-29 2:00")));
    assert_eq!(told[2], ("incident.status.changed", at("02-29 4:00")));
    assert_eq!(told[3], ("incident.status.changed", at("03-05 12:00")));
    assert!(events.iter().all(|event| event.actor.id == "system:import"));
    assert_eq!(events[1].actor.name, "Updated by 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_adds_nothing_even_a_day_later() {
    let world = harness::world().await;
    run(&world, file(&export()), OnBadRow::Stop).await.unwrap();
    let head = read::head(&world.database).await.unwrap();
    a_day_passes(&world).await;

    let report = run(&world, file(&export()), OnBadRow::Stop).await.unwrap();
    assert_eq!((report.events, report.already + report.unchanged), (0, 10));
    assert_eq!(read::head(&world.database).await.unwrap(), head);
    let drawn = world.database.query_opt("select max(number) from incidents", &[]).await.unwrap().unwrap();
    let next = signalbox::incidents::next_number(&world.database).await.unwrap();
    assert_eq!(next, drawn.get::<_, i64>(0) + 1, "a second run draws no numbers");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_imports_at_once_add_nothing_twice() {
    let world = harness::world().await;
    let (rows, options) = (export(), ImportOptions::default());
    let first = import::incidents(file(&rows), &options, &world.database, &world.appender);
    let second = import::incidents(file(&rows), &options, &world.database, &world.appender);
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap().events + second.unwrap().events, 10);
    assert_eq!(incidents(&world).await, ended());
}

/// Fails after so many bytes, as a disk or a network does.
struct Broken(io::Take<Cursor<Vec<u8>>>);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            bytes => Ok(bytes),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_import_goes_on_where_it_was() {
    let whole = file(&export()).into_inner().len() as u64;
    for part in [0.35, 0.6, 0.95] {
        let world = harness::world().await;
        let broken = Broken(file(&export()).take((whole as f64 * part) as u64));
        let error = run(&world, broken, OnBadRow::Stop).await.unwrap_err();
        assert!(format!("{error:#}").contains("the disk is gone"), "{error:#}");
        a_day_passes(&world).await;

        run(&world, file(&export()), OnBadRow::Stop).await.unwrap();
        assert_eq!(incidents(&world).await, ended(), "after {part} of the file");
        a_day_passes(&world).await;
        assert_eq!(run(&world, file(&export()), OnBadRow::Stop).await.unwrap().events, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_stops_before_a_bad_row_and_goes_on_when_it_is_mended() {
    let world = harness::world().await;
    let mut rows = export();
    rows[6] = rows[6].replace("Resolved,TRUE", "Vanished,TRUE");
    let report = run(&world, file(&rows), OnBadRow::Stop).await.unwrap();
    let stopped = report.stopped.clone().unwrap();
    assert_eq!(stopped.to_string(), "line 8: `Vanished` is no known incident_state");
    assert!(report.to_string().contains("stopped at line 8"), "{report}");
    let (_, status, _) = incidents(&world).await.remove(0);
    assert_eq!(status, "investigating", "all rows above it are in");

    a_day_passes(&world).await;
    run(&world, file(&export()), OnBadRow::Stop).await.unwrap();
    assert_eq!(incidents(&world).await, ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_skipped_and_listed_with_their_lines() {
    let world = harness::world().await;
    let mut rows = export();
    rows[2] = rows[2].replace("29-02-2016 02:00", "30-02-2016 02:00");
    rows.insert(4, "INC0000009,New".to_owned());
    rows.insert(5, line("?", "New", 0, "Group 1"));
    let report = run(&world, file(&rows), OnBadRow::Skip).await.unwrap();
    let lines: Vec<_> = report.skipped_rows.iter().map(|row| row.line).collect();
    assert_eq!((lines, report.skipped, report.rows), (vec![4, 6, 7], 3, 12));
    assert!(report.skipped_rows[0].reason.starts_with("`30-02-2016 02:00` is no sys_updated_at"));
    assert_eq!(report.skipped_rows[1].reason, "has 2 columns, the header has 28");
    assert_eq!(report.skipped_rows[2].reason, "has no number");
    assert_eq!(incidents(&world).await, ended(), "the row after a bad one says the same and more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_mended_after_later_ones_are_in_does_not_turn_time_back() {
    let world = harness::world().await;
    let mut rows = export();
    rows[5] = rows[5].replace("Awaiting Vendor,TRUE", "Vanished,TRUE");
    run(&world, file(&rows), OnBadRow::Skip).await.unwrap();
    let before = incidents(&world).await;
    a_day_passes(&world).await;
    assert_eq!(run(&world, file(&export()), OnBadRow::Stop).await.unwrap().events, 0);
    assert_eq!(incidents(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_export_adds_what_is_new() {
    let world = harness::world().await;
    run(&world, file(&export()), OnBadRow::Stop).await.unwrap();
    let newer = [line("INC0000002", "Resolved", 9, "Group 70"), line("INC0000003", "Active", 9, "Group 56")];
    let report = run(&world, file(&newer), OnBadRow::Stop).await.unwrap();
    assert_eq!((report.events, report.already), (2, 0));
    let statuses: Vec<_> = incidents(&world).await.into_iter().map(|(_, status, _)| status).collect();
    assert_eq!(statuses, ["closed", "resolved", "investigating"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_all_and_writes_nothing() {
    let world = harness::world().await;
    let head = read::head(&world.database).await.unwrap();
    let options = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let report = import::incidents(file(&export()), &options, &world.database, &world.appender).await.unwrap();
    assert_eq!((report.incidents, report.events), (3, 10));
    assert_eq!(read::head(&world.database).await.unwrap(), head);
    assert_eq!(incidents(&world).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_the_columns_is_refused_with_their_names() {
    let world = harness::world().await;
    let rows = Cursor::new(HEADER.replace("opened_at", "opened").replace(",rfc", ""));
    let error = run(&world, rows, OnBadRow::Skip).await.unwrap_err();
    assert_eq!(error.to_string(), "the file has no column opened_at, rfc");
}
