//! The OpenAPI document, made from the code, and the page that shows it without the internet.

use bytes::Bytes;
use poem::http::header;
use poem::{Endpoint, Request, Response, Result};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Value, json};

/// The document of this version: what `openapi/openapi.json` holds and `/openapi.json` serves.
pub fn document<T: OpenApi>(service: &OpenApiService<T, ()>) -> Value {
    let mut document: Value = serde_json::from_str(&service.spec()).unwrap_or_default();
    document["info"]["description"] = json!(
        "One PostgreSQL log; every screen hears of a change in milliseconds and misses none. \
         Errors are RFC 9457 problems. Commands take `Idempotency-Key` and `If-Match`."
    );
    document["info"]["license"] = json!({ "name": "Apache-2.0" });
    for path in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for (method, operation) in path.as_object_mut().into_iter().flatten() {
            complete(method, operation);
        }
    }
    document
}

/// What holds for all operations of a kind and is written once: here.
fn complete(method: &str, operation: &mut Value) {
    let is_command = method != "get";
    let secured = operation.get("security").is_some();
    let has_body = operation.get("requestBody").is_some();
    let has_path = operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["in"] == "path"));
    let never = |status: &str| match status {
        "405" => true, // this method does exist
        "409" | "412" => !is_command || !secured,
        "413" | "415" => !has_body,
        "422" => !is_command,
        "410" => operation["operationId"] != "listEvents",
        "403" => !secured,
        "404" => !has_path,
        _ => false,
    };
    let unwanted: Vec<String> = operation["responses"]
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .filter(|status| never(status))
        .cloned()
        .collect();
    if let Some(responses) = operation["responses"].as_object_mut() {
        unwanted.iter().for_each(|status| drop(responses.remove(status)));
    }
    if !is_command || !secured {
        return;
    }
    let mut headers = vec![header_parameter(
        "Idempotency-Key",
        "Names this command: sent again within 24 hours it is answered as the first time and does nothing.",
        json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
    )];
    if has_path {
        headers.push(header_parameter(
            "If-Match",
            "The ETag of what you saw; if it has changed since, nothing happens (412).",
            json!({ "type": "string", "pattern": "^\"[0-9]{1,18}\"$" }),
        ));
    }
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.extend(headers),
        None => operation["parameters"] = Value::Array(headers),
    }
}

fn header_parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "header", "required": false, "description": description, "schema": schema })
}

/// The document as it is checked in: sorted, indented, one line at the end.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document(&super::api())).unwrap_or_default();
    text.push('\n');
    text
}

/// Serves the document from memory.
pub struct Document(Bytes);

impl Document {
    /// Of this document.
    pub fn new(document: &Value) -> Document {
        Document(serde_json::to_vec(document).unwrap_or_default().into())
    }
}

impl Endpoint for Document {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        Ok(Response::builder()
            .content_type("application/json; charset=utf-8")
            .header(header::CACHE_CONTROL, "no-cache")
            .body(self.0.clone()))
    }
}

/// A page to read and try the API, all of it in one answer.
pub struct Page(Bytes);

impl Page {
    /// Of this service and its document.
    pub fn new<T: OpenApi>(service: &OpenApiService<T, ()>, document: &Value) -> Page {
        // Within a script, so no text in it may look like the script's end.
        let document = document.to_string().replace("</", "<\\/");
        Page(service.swagger_ui_html().replace(&service.spec(), &document).into())
    }
}

impl Endpoint for Page {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: 'self'; \
                  font-src data:; connect-src 'self'; frame-ancestors 'none'";
        Ok(Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, policy)
            .body(self.0.clone()))
    }
}
