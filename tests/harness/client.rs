//! A client of the API, on an HTTP library that the server does not use.

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Frame, Stream};

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    pub token: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Client {
    pub fn new(url: &str) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Client { http, url: url.to_owned(), token: String::new() }
    }

    pub async fn sign_in(mut self, username: &str, password: &str) -> Client {
        let answer = self.post("/api/v1/auth/login", json!({ "username": username, "password": password })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.token = answer.json["access_token"].as_str().unwrap().to_owned();
        self
    }

    /// The same client with another token.
    pub fn with_token(&self, token: &str) -> Client {
        Client { token: token.to_owned(), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn post_with(&self, path: &str, body: Value, headers: &[(&'static str, &str)]) -> Answer {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        Answer::of(self.request(Method::POST, path).headers(all).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    /// Reports an incident and gives it.
    pub async fn report(&self, title: &str) -> Value {
        let answer = self.post("/api/v1/incidents", json!({ "title": title })).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json
    }

    /// Opens a stream; `query` begins with `?` or is empty.
    pub async fn stream(&self, query: &str, last_id: Option<i64>) -> Stream {
        let request = self.request(Method::GET, &format!("/api/v1/events/stream{query}"));
        let request = match last_id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        Stream::of(request.send().await.unwrap())
    }

    /// Waits until the server has seen all that is in the log by now.
    pub async fn caught_up(&self) {
        let head: i64 = self.get("/api/v1/events?limit=1").await.header("signalbox-seq").parse().unwrap();
        assert_eq!(self.get(&format!("/api/v1/incidents?limit=1&min_seq={head}")).await.status, 200);
    }

    /// Everything from the beginning to the present end of the log.
    pub async fn replay(&self, query: &str) -> Vec<Frame> {
        self.caught_up().await;
        self.stream(query, Some(0)).await.until("ready").await
    }
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, headers, text, json }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that this is a problem with this status and code.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json["status"], status);
        assert!(self.json["request_id"].is_string(), "{}", self.text);
    }
}
