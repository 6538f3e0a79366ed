//! `GET /metrics`, for a scraper that each process is told of by name.
//!
//! It is guarded. Whoever is signed in and may see the system may read it; and since a scraper cannot sign in
//! anew every quarter of an hour, so may whoever sends `SIGNALBOX_METRICS_TOKEN`. Being asked from loopback
//! proves nothing: a proxy on the same machine asks from there for the whole world.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use poem::http::header;
use poem::web::Data;
use poem::{IntoResponse, Request, RequestBody, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions, OpenApi};

use super::App;
use super::answer::Answer;
use super::health::Tag;
use crate::domain::permission::SystemRead;
use crate::log::{read, sha256};
use crate::metrics::Now;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The operation for scrapers.
pub struct Scrape;

#[OpenApi(tag = "Tag::Health")]
impl Scrape {
    /// What the process counts
    ///
    /// OpenMetrics text. Each process counts for itself.
    #[oai(path = "/metrics", method = "get", operation_id = "metrics")]
    async fn metrics(&self, _scraper: Scraper, app: Data<&Arc<App>>) -> Answer<Exposition> {
        Ok(Exposition(app.metrics.exposition(&now(&app).await)))
    }
}

async fn now(app: &App) -> Now {
    let lag = read::head(&app.database).await.ok().map(|head| (head.seq - app.hub.head().seq).max(0));
    let (head, mode, report) = (app.hub.head().seq, app.hub.mode(), app.protection.report());
    let [lagging_800, lagging_1000] = app.hub.open().behind(head, [800, 1_000]).map(|count| count as u64);
    let kept = app.incident_statistics.counts().await + app.dashboard.counts().await + app.utilization.counts().await;
    Now {
        kept: (kept.hits, kept.misses, kept.deduplicated, kept.size),
        streams: app.hub.open().count() as u64,
        head,
        lag,
        listening: *app.listening.borrow(),
        append_queue: app.appender.waiting(),
        appends: app.appender.counts(),
        queries: app.database.counts(),
        lagging: (lagging_800, lagging_1000),
        disabled: mode.disabled,
        level: mode.level as u8,
        breakers: report.breakers.iter().map(|reading| (reading.name, reading.level as u8)).collect(),
    }
}

/// Who may read metrics: with the token of the settings, or signed in with a permission.
pub struct Scraper;

/// The other way in.
type Allowed = super::allowed::Allowed<SystemRead>;

impl<'a> ApiExtractor<'a> for Scraper {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Allowed::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        Allowed::security_schemes()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Scraper> {
        let app: Option<&Arc<App>> = request.data();
        let token = app.and_then(|app| app.config.metrics_token.as_deref());
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer "));
        // Hashes are compared, in constant time, so that the time taken tells nothing of the token.
        let same = |(token, shown): (&str, &str)| {
            verify_slices_are_equal(&sha256(token.as_bytes()), &sha256(shown.as_bytes())).is_ok()
        };
        if token.zip(shown).is_some_and(same) {
            return Ok(Scraper);
        }
        Allowed::from_request(request, body, options).await?;
        Ok(Scraper)
    }
}

/// OpenMetrics text.
pub struct Exposition(String);

impl IntoResponse for Exposition {
    fn into_response(self) -> Response {
        Response::builder().content_type(OPENMETRICS).header(header::CACHE_CONTROL, "no-store").body(self.0)
    }
}

impl ApiResponse for Exposition {
    fn meta() -> MetaResponses {
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let response = MetaResponse {
            description: "All counters, gauges and histograms, as they are now.",
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType { content_type: OPENMETRICS, schema }],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
