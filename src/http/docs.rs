//! The OpenAPI document, made from the code, and the page that shows it without the internet.

use std::collections::BTreeSet;

use bytes::Bytes;
use poem::http::header;
use poem::{Endpoint, Request, Response, Result};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Value, json};

use super::allowed::{SCHEMES, SIGNED_IN};

/// The document of this version: what `openapi/openapi.json` holds and `/openapi.json` serves.
pub fn document<T: OpenApi>(service: &OpenApiService<T, ()>) -> Value {
    let mut document: Value = serde_json::from_str(&service.spec()).unwrap_or_default();
    document["info"]["description"] = json!(
        "One PostgreSQL log; every screen hears of a change in milliseconds and misses none. \
         Errors are RFC 9457 problems. Commands take `Idempotency-Key` and `If-Match`. \
         Events that follow from each other share a `correlation_id`, and `causation_id` names the event that led to \
         one; what is done to an incident or an execution goes on with its own, and a command that sends \
         `Signalbox-Correlation` (a UUID) has that one. \
         Answers of 1 KiB and more come in gzip to whoever sends `Accept-Encoding: gzip`; bodies of requests come plain. \
         Whoever signs in, at `/` or by `login` below, can try everything on this page as they are."
    );
    document["info"]["license"] = json!({ "name": "Apache-2.0", "identifier": "Apache-2.0" });
    document["servers"] = json!([{ "url": "/" }]); // wherever the document came from
    for path in document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut()) {
        for (method, operation) in path.as_object_mut().into_iter().flatten() {
            declare(operation);
            complete(method, operation);
            // Said in so many words where no token is needed.
            operation.as_object_mut().map(|operation| operation.entry("security").or_insert_with(|| json!([])));
        }
    }
    refuse_unknown_fields(&mut document);
    document["openapi"] = json!("3.1.0");
    for schema in document["components"]["schemas"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        allow_null(schema);
    }
    document
}

/// The framework writes OpenAPI 3.0 and leaves out that an optional field may be null; 3.1 says it as JSON Schema does.
fn allow_null(schema: &mut Value) {
    let required = schema["required"].clone();
    let is_required = |name: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if is_required(name) || property.get("default").is_some() {
            continue;
        }
        let kind = property["type"].clone();
        if ["type", "enum", "$ref", "allOf", "anyOf"].iter().all(|word| property.get(word).is_none()) {
            continue; // anything, so null as well
        }
        if property.get("enum").is_none() && kind.is_string() {
            property["type"] = json!([kind, "null"]);
        } else {
            let described = property.as_object_mut().and_then(|property| property.remove("description"));
            *property = json!({ "anyOf": [property.take(), { "type": "null" }] });
            described.into_iter().for_each(|text| property["description"] = text);
        }
    }
}

/// Bodies of requests are exact, and so is all in them: what they do not name is refused.
fn refuse_unknown_fields(document: &mut Value) {
    let operations = document["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let bodies = operations.flat_map(|path| path.as_object().into_iter().flat_map(|operations| operations.values()));
    let mut waiting: Vec<String> = bodies.flat_map(|operation| named_in(&operation["requestBody"])).collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let schema = &mut document["components"]["schemas"][name];
        waiting.extend(named_in(schema));
        if schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
    }
}

/// The schemas that a part of the document refers to.
fn named_in(part: &Value) -> Vec<String> {
    match part {
        Value::Array(parts) => parts.iter().flat_map(named_in).collect(),
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(|path| path.as_str()?.rsplit('/').next());
            name.map(str::to_owned).into_iter().chain(fields.values().flat_map(named_in)).collect()
        }
        _ => Vec::new(),
    }
}

/// Says what the operation needs, as its handler's signature does: see `allowed.rs`.
fn declare(operation: &mut Value) {
    let Some(ways) = operation.get_mut("security").and_then(Value::as_array_mut) else { return };
    let names = |way: &Value| way.as_object().and_then(|way| way.keys().next().cloned()).unwrap_or_default();
    let needed = ways.iter().map(names).find(|name| !SCHEMES.contains(&name.as_str()));
    ways.retain(|way| SCHEMES.contains(&names(way).as_str()));
    let Some(needed) = needed else { return };
    let sentence = match needed.as_str() {
        SIGNED_IN => "For everybody who is signed in.".to_owned(),
        permission => format!("Needs the permission `{permission}`."),
    };
    let before = operation["description"].as_str().map(|text| format!("{text}\n\n")).unwrap_or_default();
    operation["description"] = json!(before + &sentence);
    operation["x-permission"] = json!(needed);
}

/// What holds for all operations of a kind and is written once: here.
fn complete(method: &str, operation: &mut Value) {
    let is_command = method != "get";
    let secured = operation.get("security").is_some();
    let has_body = operation.get("requestBody").is_some();
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let opens_stream = id.starts_with("streamEvents"); // 409 for whom streams are not offered yet
    let has_path = operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["in"] == "path"));
    let takes =
        |name: &str| operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name));
    let takes_position = takes("min_seq") || id == "listEvents";
    let never = |status: &str| match status {
        "405" => true, // this method does exist
        "409" => !opens_stream && (!is_command || !secured),
        "412" => !is_command || !secured,
        "413" | "415" => !has_body,
        "422" => !is_command,
        "410" => !takes_position,
        "403" => !secured && id != "refresh", // a cookie from elsewhere
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
        // The edge refuses parameters that the operation does not know.
        responses.entry("400").or_insert_with(|| problem("The request is malformed: `errors` says where."));
    }
    // These append nothing that a repetition would double. A password must not be kept, not even as a fast hash.
    if !is_command
        || !secured
        || matches!(id.as_str(), "connectStream" | "logout" | "changePassword" | "reportTransport")
    {
        return;
    }
    let mut headers = vec![header_parameter(
        "Idempotency-Key",
        "Names this command: sent again within 24 hours it is answered as the first time and does nothing.",
        json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
    )];
    if has_path || matches!(id.as_str(), "disableStreams" | "enableStreams" | "setStreamShare") {
        headers.push(header_parameter(
            "If-Match",
            "The ETag of what you saw; if it has changed since, nothing happens (412).",
            json!({ "type": "string", "pattern": "^\"[0-9]{1,18}(-gzip)?\"$" }),
        ));
    }
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.extend(headers),
        None => operation["parameters"] = Value::Array(headers),
    }
}

fn problem(description: &str) -> Value {
    let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    json!({ "description": description, "content": content })
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
        let head = "<title>Signalbox API</title>\n    <link rel=\"icon\" href=\"/signalbox.svg\">";
        let page = service.swagger_ui_html().replace("<title>Swagger UI</title>", head);
        Page(page.replace(&service.spec(), &document).into())
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
