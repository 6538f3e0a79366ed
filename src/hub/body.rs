//! A stream as the body of a response inside an HTTP library: over HTTP/2, and wherever the socket is not ours.

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::reader::Step;
use super::{Mode, Reader};
use crate::log::Head;

struct Body {
    reader: Reader,
    head: watch::Receiver<Head>,
    mode: watch::Receiver<Mode>,
}

impl Reader {
    /// The stream's bytes until it ends.
    pub fn bytes(self) -> impl Stream<Item = Bytes> + Send + 'static {
        let (head, mode) = (self.hub().head.subscribe(), self.hub().mode.subscribe());
        let body = Body { reader: self, head, mode };
        stream::unfold(body, |mut body| async move { body.next().await.map(|bytes| (bytes, body)) })
    }
}

impl Body {
    async fn next(&mut self) -> Option<Bytes> {
        let mut given: Option<Step> = None;
        loop {
            // Seen first, so that a change between the look and the wait ends the wait.
            self.head.borrow_and_update();
            self.mode.borrow_and_update();
            let moment = self.reader.hub().moment();
            match given.take().unwrap_or_else(|| self.reader.next(&moment)) {
                Step::Round(round) => return Some(round.frames.clone()),
                Step::Frame(frame) | Step::Bye(frame, _) => return Some(frame),
                Step::Page(cursor) => {
                    let page = self.reader.hub().replay.page(cursor).await;
                    given = match page {
                        Ok(page) => self.reader.replay(&page, &self.reader.hub().moment()),
                        Err(reason) => Some(self.reader.bye(reason)),
                    };
                }
                Step::Wait(until) => self.wait(until).await,
                Step::End => return None,
            }
        }
    }

    async fn wait(&mut self, until: Instant) {
        let stop = self.reader.hub().stop.clone();
        tokio::select! {
            Ok(()) = self.head.changed() => {}
            Ok(()) = self.mode.changed() => {}
            () = sleep_until(until) => {}
            () = stop.cancelled() => {}
        }
    }
}
