//! The page at `/`: signs in and shows what happens, until the panel does it better.

use poem::http::header;
use poem::{Request, Response};

/// One file, nothing loaded from elsewhere.
pub fn home(_request: Request) -> Response {
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                  form-action 'none'; frame-ancestors 'none'";
    Response::builder()
        .content_type("text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, policy)
        .header(header::CACHE_CONTROL, "no-cache")
        .body(include_str!("page.html"))
}
