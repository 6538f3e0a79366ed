//! Who reads the stream and who acts, at whichever process serves by now.

use std::error::Error;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::harness::{Answer, Client, PATIENCE, Stream, apart};

/// No answer takes longer; it may be that of a process that is just killed.
const ANSWER: Duration = Duration::from_secs(15);
/// Between two tries while nobody serves.
const AGAIN: Duration = Duration::from_millis(20);

/// Somebody who does something until it is known to be done.
#[derive(Clone)]
pub struct Operator(watch::Sender<Client>);

impl Operator {
    pub fn new(client: Client) -> Operator {
        Operator(watch::Sender::new(client))
    }

    /// From now on this process serves; the sign-in is good there, too.
    pub fn turns_to(&self, url: &str) {
        let token = self.0.borrow().token.clone();
        self.0.send_replace(Client::new(url).with_token(&token));
    }

    pub fn clients(&self) -> watch::Receiver<Client> {
        self.0.subscribe()
    }

    /// Whoever serves now.
    pub fn client(&self) -> Client {
        self.0.borrow().clone()
    }

    /// Sends a command under one key until it is answered.
    pub async fn carries_out(&self, path: &str, body: Value) {
        let (key, patience) = (Uuid::new_v4().to_string(), Instant::now() + PATIENCE);
        loop {
            let request = self.client().request(Method::POST, path).json(&body).header("idempotency-key", &key);
            match timeout(ANSWER, ask(request)).await {
                Ok(Ok(answer)) if answer.status == 200 => return,
                // Not recorded now, or the first one is still under way.
                Ok(Ok(answer)) => assert!([409, 503].contains(&answer.status.as_u16()), "{}", answer.text),
                Ok(Err(_)) | Err(_) => {}
            }
            assert!(Instant::now() < patience, "{path} is not carried out");
            sleep(AGAIN).await;
        }
    }
}

async fn ask(request: reqwest::RequestBuilder) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let response = apart(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status, headers, text, json })
}

/// Somebody who follows the stream all night, and comes back with the last id where it ends.
pub struct Reader {
    heard: watch::Receiver<Vec<Value>>,
    task: JoinHandle<()>,
}

impl Reader {
    pub fn start(clients: watch::Receiver<Client>, from: i64) -> Reader {
        let (tell, heard) = watch::channel(Vec::new());
        Reader { heard, task: tokio::spawn(follow(clients, from, tell)) }
    }

    /// Every event so far, in the order in which they came.
    pub fn heard(&self) -> Vec<Value> {
        self.heard.borrow().clone()
    }

    /// Waits until there were so many events of a kind.
    pub async fn hears(&self, what: &str, times: usize, is_one: impl Fn(&Value) -> bool) {
        let mut heard = self.heard.clone();
        let enough = heard.wait_for(|events| events.iter().filter(|event| is_one(event)).count() >= times);
        if !matches!(timeout(PATIENCE, enough).await, Ok(Ok(_))) {
            let kinds: Vec<String> = self.heard().iter().map(|event| event["type"].to_string()).collect();
            panic!("never heard that {what}: {kinds:?}");
        }
    }

    /// Waits until it has come so far.
    pub async fn reaches(&self, seq: i64) {
        self.hears("it ends", 1, |event| event["seq"].as_i64() >= Some(seq)).await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(clients: watch::Receiver<Client>, from: i64, tell: watch::Sender<Vec<Value>>) {
    let mut cursor = from;
    loop {
        let client = clients.borrow().clone();
        let request = client.request(Method::GET, "/api/v1/events/stream").header("last-event-id", cursor);
        if let Ok(Ok(response)) = timeout(ANSWER, apart(request)).await
            && response.status() == 200
        {
            let mut stream = Stream::of(response);
            while let Some(frame) = stream.next().await {
                cursor = frame.id.unwrap_or(cursor);
                if frame.data["type"] == frame.event.as_str() {
                    tell.send_modify(|heard| heard.push(frame.data));
                }
            }
        }
        sleep(AGAIN).await;
    }
}
