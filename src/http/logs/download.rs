//! Lines as a file of any size: page after page, each read when the one before has been taken.

use futures_util::stream;
use poem::http::header;
use poem::{Body, IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, Enum};

use super::list;
use super::view::LineView;
use crate::http::answer::{Answer, EPOCH, SEQ, described};
use crate::log::{Head, read};
use crate::logs::{self, Place, Search};
use crate::postgres::Database;

/// Lines of a page. One download holds a page in memory: 100 KiB as a rule, 10 MiB of the longest lines.
const PAGE_LINES: i64 = 500;

/// How lines are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "LogFormat", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Format {
    Ndjson,
    Text,
}

/// A download that has begun.
pub struct Download {
    body: Body,
    format: Format,
    head: Head,
}

/// Where a download is.
struct Progress {
    database: Database,
    search: Search,
    behind: Option<Place>,
    format: Format,
}

impl Download {
    /// Reads the first page, so that a search that cannot be answered is refused as one.
    pub async fn begin(database: Database, mut search: Search, format: Format) -> Answer<Download> {
        let head = read::head(&database).await?;
        search.upto = Some(head.seq); // what comes meanwhile is the stream's
        let mut progress = Progress { database, search, behind: None, format };
        let first = progress.next().await.map_err(list::refused)?;
        let rest = stream::try_unfold(progress, |mut progress| async move {
            let page = progress.next().await.map_err(|error| {
                tracing::warn!(%error, "a download breaks off");
                std::io::Error::other("the database does not answer")
            })?;
            Ok::<_, std::io::Error>(page.map(|page| (page, progress)))
        });
        let first = stream::iter(first.map(Ok));
        Ok(Download { body: Body::from_bytes_stream(futures_util::StreamExt::chain(first, rest)), format, head })
    }
}

impl Progress {
    /// The next page; `None` behind the last one.
    async fn next(&mut self) -> Result<Option<String>, crate::postgres::QueryError> {
        let (found, _) = logs::page(&self.database, &self.search, self.behind, false, PAGE_LINES).await?;
        let Some(last) = found.last() else { return Ok(None) };
        self.behind = Some(last.place);
        let mut page = String::new();
        for found in found {
            match self.format {
                Format::Ndjson => page += &LineView::from(found).to_json_string(),
                Format::Text => page += &found.message,
            }
            page.push('\n');
        }
        Ok(Some(page))
    }
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Format::Ndjson => "application/x-ndjson",
            Format::Text => "text/plain; charset=utf-8",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Format::Ndjson => "attachment; filename=\"logs.ndjson\"",
            Format::Text => "attachment; filename=\"logs.txt\"",
        }
    }
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(self.format.content_type())
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::CONTENT_DISPOSITION, self.format.file())
            .header(SEQ, self.head.seq)
            .header(EPOCH, self.head.epoch.to_string())
            .body(self.body)
    }
}

impl ApiResponse for Download {
    fn meta() -> MetaResponses {
        let content =
            |format: Format| MetaMediaType { content_type: format.content_type(), schema: String::schema_ref() };
        let response = MetaResponse {
            description: "Lines until the end. One that breaks off is not whole, and its connection says so.",
            status: Some(200),
            status_range: None,
            content: vec![content(Format::Ndjson), content(Format::Text)],
            headers: vec![described("Signalbox-Seq", "Lines recorded up to this position are there.")],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
