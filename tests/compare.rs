//! The stream and its polling twin tell the same.

use signalbox::compare::{CompareOptions, compare};

use crate::harness::world;

#[tokio::test(flavor = "multi_thread")]
async fn a_parallel_run_of_both_ways_finds_no_difference_while_events_happen() {
    let world = world().await;
    let server = world.serve().await;
    let admin = server.admin().await;
    let options = CompareOptions { seconds: 2, url: server.url.clone(), token: admin.token.clone() };
    let mut comparing = tokio::spawn(async move { compare(&options).await.unwrap() });
    let mut reported = 0;
    let report = loop {
        tokio::select! {
            report = &mut comparing => break report.unwrap(),
            _incident = admin.report("while both look") => reported += 1,
        }
    };
    assert_eq!(report.differences, [], "{report}");
    assert_eq!(report.streamed, {
        // Ages are of the doors; everything else is the same.
        let ages = report.streamed.iter().map(|event| event.age);
        let mut polled = report.polled.clone();
        polled.iter_mut().zip(ages).for_each(|(event, age)| event.age = age);
        polled
    });
    assert!(!report.polled.is_empty() && report.polled.len() <= reported + 1, "{report}");
    assert!(report.to_string().ends_with("\n0 differences"), "{report}");
}

#[tokio::test]
async fn a_comparison_that_is_refused_says_so() {
    let world = world().await;
    let server = world.serve_with(&["--disable-sse"]).await;
    let token = server.admin().await.token;
    let options = CompareOptions { seconds: 0, url: server.url.clone(), token };
    let refused = compare(&options).await.unwrap_err().to_string();
    assert!(refused.contains("503") && refused.contains("streams_disabled"), "{refused}");
    let options = CompareOptions { token: "nonsense".to_owned(), ..options };
    assert!(compare(&options).await.unwrap_err().to_string().contains("401"));
    let options = CompareOptions { url: "https://127.0.0.1".to_owned(), ..options };
    assert!(compare(&options).await.unwrap_err().to_string().contains("http://host:port"));
}
