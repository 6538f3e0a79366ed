//! The panel: the files of `web/panel`, built into the program, and for every other path of a browser its one page.
//!
//! A debug build reads them from `web/panel/dist` as they are asked for: building the panel compiles nothing here.

use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Request, Response, Result};
use rust_embed::{Embed, EmbeddedFile};

use super::compress::accepts_gzip;
use super::problem::Problem;

/// What `npm run build` made; empty where it has not run.
#[derive(Embed)]
#[folder = "web/panel/dist"]
#[allow_missing = true]
struct Files;

/// The one page of the panel; its scripts know the paths.
const PAGE: &str = "index.html";
/// Files whose names change with what is in them.
const HASHED: &str = "assets/";
/// Nothing from elsewhere, nothing inline, nothing evaluated.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the panel, or its page for a path that only the page knows, such as `/incidents/INC-42`.
///
/// # Errors
/// 404 where neither a file nor a page is asked for.
pub async fn panel(request: &Request) -> Result<Response, Problem> {
    let path = request.uri().path().trim_start_matches('/');
    let gzip = accepts_gzip(request.headers());
    if let Some(answer) = file(path, gzip) {
        return Ok(answer);
    }
    if !wants_page(request) || path.starts_with(HASHED) {
        let detail = "there is nothing here; /docs lists what there is";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    Ok(file(PAGE, gzip).unwrap_or_else(not_built))
}

/// Programs that mistype an address shall not be answered with a page.
fn wants_page(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    matches!(*request.method(), Method::GET | Method::HEAD)
        && (request.uri().path() == "/" || accept.contains("text/html"))
}

/// A file, in gzip if wanted: the build packs each once, harder than there is time for in an answer.
fn file(path: &str, gzip: bool) -> Option<Response> {
    let packed = Some(format!("{path}.gz")).filter(|_| gzip).and_then(|path| Files::get(&path));
    let encoded = packed.is_some();
    let EmbeddedFile { data, .. } = packed.or_else(|| Files::get(path))?;
    let keep = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut answer = Response::builder()
        .content_type(content_type(path)?)
        .header(header::CACHE_CONTROL, keep)
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .body(data.into_owned());
    if encoded {
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    Some(answer)
}

/// Of the kinds that the build makes; others, such as the packed files themselves, are not for asking.
fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

/// Says how to build it.
fn not_built() -> Response {
    Response::builder()
        .content_type("text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")
        .header(header::CACHE_CONTROL, "no-cache")
        .body(include_str!("panel_not_built.html"))
}
