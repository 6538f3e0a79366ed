//! Threads that write to sockets and do nothing else.
//!
//! An HTTP library keeps buffers for each connection that a stream never needs. So once a stream's request is
//! answered, its socket moves here: a place in a slab, a cursor, and no buffer while the reader keeps up.

mod stream;
mod thread;

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use bytes::Bytes;
use mio::{Poll, Token, Waker};
use tokio::sync::OwnedSemaphorePermit;

use super::{Bye, Hub, Page, Reader};
use thread::{Thread, WAKE};

/// Most threads: beyond it the log, not the sockets, is the limit.
const MOST_THREADS: usize = 8;

/// A stream whose socket is handed over.
pub struct Taken {
    /// Connected, with its request read and nothing written.
    pub socket: TcpStream,
    /// The head of the response.
    pub head: Bytes,
    /// What to tell it.
    pub reader: Reader,
    /// Its share of the connections that the process allows.
    pub room: OwnedSemaphorePermit,
}

/// The threads.
pub struct Writers {
    mailboxes: Vec<Arc<Mailbox>>,
    next: AtomicUsize,
}

/// How others reach a thread.
struct Mailbox {
    waker: Waker,
    /// There may be something for all streams.
    moved: AtomicBool,
    /// It must not wait for a window.
    urgent: AtomicBool,
    /// `None` once the thread has ended.
    letters: Mutex<Option<Vec<Letter>>>,
}

/// For one stream.
enum Letter {
    Stream(Box<Taken>),
    Page { token: Token, stream: u64, page: Result<Arc<Page>, Bye> },
}

impl Writers {
    pub(super) fn start(hub: &Arc<Hub>) -> std::io::Result<Writers> {
        let threads = available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS));
        let mut mailboxes = Vec::new();
        for number in 0..threads {
            let poll = Poll::new()?;
            let mailbox = Arc::new(Mailbox {
                waker: Waker::new(poll.registry(), WAKE)?,
                moved: AtomicBool::new(false),
                urgent: AtomicBool::new(false),
                letters: Mutex::new(Some(Vec::new())),
            });
            let thread = Thread::new(hub, poll, mailbox.clone());
            std::thread::Builder::new().name(format!("stream-writer-{number}")).spawn(move || thread.run())?;
            mailboxes.push(mailbox);
        }
        let (stop, woken) = (hub.stop.clone(), mailboxes.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            woken.iter().for_each(|mailbox| mailbox.wake(true));
        });
        Ok(Writers { mailboxes, next: AtomicUsize::new(0) })
    }

    /// Hands a stream over. After the stop it is closed at once.
    pub fn take(&self, taken: Taken) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.mailboxes.len();
        if let Some(mailbox) = self.mailboxes.get(turn) {
            mailbox.post(Letter::Stream(Box::new(taken)));
        }
    }

    /// Lets every thread look whether there is something new; an urgent look waits for no window.
    pub(super) fn wake(&self, urgent: bool) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.wake(urgent));
    }
}

impl Mailbox {
    fn wake(&self, urgent: bool) {
        if urgent {
            self.urgent.store(true, Ordering::Release);
        }
        // One call to the kernel is enough until the thread has looked.
        if !self.moved.swap(true, Ordering::AcqRel) || urgent {
            self.ring();
        }
    }

    fn post(&self, letter: Letter) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = letters.as_mut() else { return };
        waiting.push(letter);
        if waiting.len() == 1 {
            self.ring();
        }
    }

    fn ring(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "a writer thread cannot be woken; it looks once a second");
        }
    }

    fn collect(&self) -> Vec<Letter> {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes no more letters, if none is waiting.
    fn close(&self) -> bool {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        if letters.as_ref().is_some_and(Vec::is_empty) {
            *letters = None;
        }
        letters.is_none()
    }
}
