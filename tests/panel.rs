//! What browsers get, and what programs that mistype an address do not.

use reqwest::Method;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING};

use crate::harness::{Answer, Client, world};

/// As a browser asks for a page.
async fn browse(client: &Client, path: &str) -> Answer {
    Answer::of(client.request(Method::GET, path).header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")).await
}

#[tokio::test]
async fn every_address_of_the_panel_is_its_one_page_and_nothing_inline_runs_there() {
    let world = world().await;
    let server = world.serve().await;
    let browser = server.anonymous();
    let page = browse(&browser, "/").await;
    assert_eq!(page.status, 200);
    for path in ["/incidents", "/incidents/INC-1", "/events?types=incident.*&seq=4", "/apiary", "/docs/of/mine"] {
        let same = browse(&browser, path).await;
        assert_eq!((same.status, &same.text), (page.status, &page.text), "{path}");
        assert_eq!(same.header("cache-control"), "no-cache");
        let policy = same.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}

#[tokio::test]
async fn a_mistyped_address_is_a_problem_and_not_a_page() {
    let world = world().await;
    let server = world.serve().await;
    let client = server.admin().await;
    for path in ["/nowhere", "/index.html.gz"] {
        client.get(path).await.is_problem(404, "not_found");
    }
    for path in ["/api/v1/nowhere", "/api", "/assets/none.js", "/assets/..%2f..%2fpackage.json"] {
        let answer = browse(&client, path).await;
        assert!(answer.text.contains("not_found"), "{path}: {} {}", answer.status, answer.text);
    }
    assert_eq!(client.post("/", serde_json::json!({})).await.status, 405);
}

#[tokio::test]
async fn the_page_is_the_panel_with_all_its_files_or_says_how_to_build_it() {
    let world = world().await;
    let server = world.serve().await;
    let browser = server.anonymous();
    let page = browse(&browser, "/").await.text;
    if page.contains("make panel") {
        assert!(page.contains("href=\"/docs\""));
        return;
    }
    let files: Vec<&str> =
        page.split('"').filter(|text| text.starts_with("/assets/") || text.ends_with(".js")).collect();
    assert!(files.len() >= 3, "a script, a style sheet and the theme: {files:?}");
    for file in files {
        let plain = browser.get(file).await;
        assert_eq!(plain.status, 200, "{file}");
        let kept = file.starts_with("/assets/");
        assert_eq!(plain.header("cache-control").contains("immutable"), kept, "{file}");
        let packed = browser.request(Method::GET, file).header(ACCEPT_ENCODING, "gzip");
        let packed = Answer::of(packed).await;
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"), "{file}");
    }
}
