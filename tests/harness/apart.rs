//! Requests on connections of their own, for servers that are killed and connections that are cut.
//!
//! A client with a pool may wait for ever for what it queued just when its connection ended, with no connection
//! left: the channel between the two keeps what is sent while it is closed, until the sender goes. Here whoever
//! waits for the answer sees the end too.

use std::error::Error;

use futures_util::FutureExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use poem::http::{Request, Uri, header};
use tokio::net::TcpStream;

/// Sends it, once. The answer's body is read as it comes.
pub async fn apart(request: reqwest::RequestBuilder) -> Result<reqwest::Response, Box<dyn Error + Send + Sync>> {
    let mut request = Request::<reqwest::Body>::try_from(request.build()?)?;
    let authority = request.uri().authority().ok_or("an address")?.to_string();
    *request.uri_mut() = Uri::try_from(request.uri().path_and_query().ok_or("a path")?.as_str())?;
    request.headers_mut().insert(header::HOST, authority.parse()?);
    let socket = TcpStream::connect(authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let (mut answer, mut connection) = (Box::pin(sender.send_request(request)), Box::pin(connection));
    let answered = tokio::select! {
        answered = &mut answer => answered?,
        ended = &mut connection => {
            ended?;
            return Ok(answer.now_or_never().ok_or("the connection ended before the answer")??.map(reqwest::Body::wrap).into());
        }
    };
    tokio::spawn(connection);
    Ok(answered.map(reqwest::Body::wrap).into())
}
