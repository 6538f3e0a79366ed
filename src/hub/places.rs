//! Places: how many streams one user has open, counted over all processes.
//!
//! What this process has open is in its memory, and that is the truth; the table `stream_places` is how
//! processes tell each other. A place comes back when its stream closes, and all of a process's when it
//! dies: they count while its session holds an advisory lock. While the database is away, each process
//! counts alone, so that a user may have the limit in each: a limit is not a permission, and events flow on.

mod keeper;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::postgres::Direct;
use keeper::Keeper;

/// Takes that may wait for the database; those beyond are decided by this process alone. As many as connections.
const MOST_WAITING: usize = 16_384;
/// How long a take waits for the database before this process decides alone.
const TAKE_WAIT: Duration = Duration::from_secs(2);

/// Gives out places.
pub struct Places {
    /// `None` without a limit: nothing is asked or counted.
    counts: Option<Arc<Counts>>,
}

/// One stream's place. Comes back when dropped.
pub struct Place {
    of: Option<(Arc<Counts>, Uuid)>,
}

/// There is no place left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{open} streams are open and {most} are allowed")]
pub struct Refused {
    /// Streams of this user, as far as this process knows.
    pub open: u32,
    /// The limit.
    pub most: u32,
}

impl Places {
    /// At most `most` places for each user; 0 sets no limit. Until `stop`, which gives all of them back at once:
    /// the streams of a process that stops are saying goodbye.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open(database: Direct, most: u32, stop: CancellationToken) -> anyhow::Result<Places> {
        if most == 0 {
            return Ok(Places { counts: None });
        }
        let counts = Arc::new(Counts { most, held: Mutex::default(), work: Notify::new() });
        let keeper = Keeper::new(database, counts.clone());
        let session = keeper.register().await?;
        tokio::spawn(async move { stop.run_until_cancelled(keeper.run(session)).await });
        Ok(Places { counts: Some(counts) })
    }

    /// Takes a place. The streams that are open already stay, whatever the answer.
    ///
    /// # Errors
    /// [`Refused`].
    ///
    /// # Cancellation
    /// Safe: a place that was granted meanwhile comes back.
    pub async fn take(&self, user: Uuid) -> Result<Place, Refused> {
        let Some(counts) = &self.counts else { return Ok(Place { of: None }) };
        if let Some(answer) = counts.ask(user)?
            && let Ok(Ok(decided)) = timeout(TAKE_WAIT, answer).await
        {
            return decided;
        }
        counts.take_alone(user)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((counts, user)) = self.of.take() {
            counts.release(user);
        }
    }
}

/// This process's count, and what it has yet to tell and to ask.
struct Counts {
    most: u32,
    held: Mutex<Held>,
    /// Rung when there is something to tell or to ask.
    work: Notify,
}

#[derive(Default)]
struct Held {
    /// Streams open here; users without any are not in it.
    open: HashMap<Uuid, u32>,
    /// Users whose count differs from what was written last.
    changed: HashSet<Uuid>,
    waiting: VecDeque<Take>,
    /// Whether there is a session to ask.
    connected: bool,
}

struct Take {
    user: Uuid,
    answer: oneshot::Sender<Result<Place, Refused>>,
}

impl Held {
    fn open(&self, user: Uuid) -> u32 {
        self.open.get(&user).copied().unwrap_or(0)
    }
}

impl Counts {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a take. `None`: nobody can be asked now. Who is refused by this process's own count costs no query.
    fn ask(&self, user: Uuid) -> Result<Option<oneshot::Receiver<Result<Place, Refused>>>, Refused> {
        let mut held = self.held();
        let open = held.open(user);
        if open >= self.most {
            return Err(Refused { open, most: self.most });
        }
        if !held.connected || held.waiting.len() >= MOST_WAITING {
            return Ok(None);
        }
        let (answer, decided) = oneshot::channel();
        held.waiting.push_back(Take { user, answer });
        drop(held);
        self.work.notify_one();
        Ok(Some(decided))
    }

    fn take_alone(self: &Arc<Counts>, user: Uuid) -> Result<Place, Refused> {
        let mut held = self.held();
        let open = held.open(user);
        if open >= self.most {
            return Err(Refused { open, most: self.most });
        }
        held.changed.insert(user);
        let place = self.place(&mut held, user);
        drop(held);
        self.work.notify_one();
        Ok(place)
    }

    fn place(self: &Arc<Counts>, held: &mut Held, user: Uuid) -> Place {
        *held.open.entry(user).or_default() += 1;
        Place { of: Some((self.clone(), user)) }
    }

    fn release(&self, user: Uuid) {
        let mut held = self.held();
        match held.open(user) {
            0 | 1 => held.open.remove(&user),
            open => held.open.insert(user, open - 1),
        };
        held.changed.insert(user);
        drop(held);
        self.work.notify_one();
    }
}
