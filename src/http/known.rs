//! What the document says of each operation: which query parameters it has, and what its body looks like.

use std::collections::{BTreeMap, HashMap};

use poem::Request;
use poem::http::Method;
use serde_json::Value;

use super::malformed::Shapes;
use super::problem::Problem;

/// One operation, as far as requests are checked against it.
struct Operation {
    /// The schemas of its query parameters.
    queries: BTreeMap<String, Value>,
    /// The schema of its body, if it takes JSON.
    body: Option<Value>,
    /// The types of content that its body may have.
    takes: Vec<String>,
}

type Methods = HashMap<Method, Operation>;

/// The documented operations.
pub struct Known {
    /// Segments of each path, and its operations.
    paths: Vec<(Vec<String>, Methods)>,
    shapes: Shapes,
}

impl Known {
    /// From the OpenAPI document.
    pub fn of(document: &Value) -> Known {
        let paths = document["paths"].as_object().into_iter().flatten().map(|(path, operations)| {
            let segments = path.split('/').map(str::to_owned).collect();
            let methods = operations.as_object().into_iter().flatten().filter_map(|(method, operation)| {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok()?;
                Some((method, operation_of(operation)))
            });
            (segments, methods.collect())
        });
        let mut paths: Vec<(Vec<String>, Methods)> = paths.collect();
        // Literal paths before templates, as the router has it.
        paths.sort_by_key(|(segments, _)| segments.iter().filter(|segment| segment.starts_with('{')).count());
        Known { paths, shapes: Shapes::of(document) }
    }

    fn find(&self, path: &str) -> Option<&Methods> {
        let asked: Vec<&str> = path.split('/').collect();
        let fits = |segments: &[String]| {
            segments.len() == asked.len()
                && segments.iter().zip(&asked).all(|(segment, asked)| segment.starts_with('{') || segment == asked)
        };
        self.paths.iter().find(|(segments, _)| fits(segments)).map(|(_, methods)| methods)
    }

    /// For the header `Allow`.
    pub fn methods(&self, path: &str) -> Option<String> {
        let mut methods: Vec<&str> = self.find(path)?.keys().map(Method::as_str).collect();
        methods.sort_unstable();
        Some(methods.join(", "))
    }

    /// Refuses query parameters that the operation does not know: a misspelt filter must not quietly show everything.
    ///
    /// # Errors
    /// 400, with the names that there are.
    pub fn check_query(&self, request: &Request) -> Result<(), Problem> {
        let uri = request.uri();
        let Some(query) = uri.query() else { return Ok(()) };
        if query.contains("%00") {
            return Err(Problem::bad_request("invalid_parameter", "a parameter must not contain the character U+0000"));
        }
        let Some(operation) = self.find(uri.path()).and_then(|methods| methods.get(request.method())) else {
            return Ok(());
        };
        let known = &operation.queries;
        let names = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next().unwrap_or(pair));
        match names.into_iter().find(|name| !known.contains_key(*name)) {
            None => Ok(()),
            Some(_unknown) => {
                let detail = match known.len() {
                    0 => "this operation has no query parameters".to_owned(),
                    _ => format!(
                        "unknown query parameter; there are: {}",
                        Vec::from_iter(known.keys().map(String::as_str)).join(", ")
                    ),
                };
                Err(Problem::bad_request("unknown_parameter", detail))
            }
        }
    }
}

/// A request that is refused, as far as the document can say why.
pub struct Refused<'a> {
    /// What there is.
    pub known: &'a Known,
    /// As it was asked.
    pub method: &'a Method,
    /// As it was asked.
    pub path: &'a str,
    /// Read whole.
    pub body: &'a [u8],
}

impl Refused<'_> {
    fn operation(&self) -> Option<&Operation> {
        self.known.find(self.path)?.get(self.method)
    }

    /// JSON pointers to what in the body is not what the operation takes; empty where the document cannot tell.
    pub fn errors(&self) -> Vec<(String, String)> {
        let schema = self.operation().and_then(|operation| operation.body.as_ref());
        match (schema, serde_json::from_slice(self.body)) {
            (Some(schema), Ok(body)) => self.known.shapes.errors(schema, &body),
            _ => Vec::new(),
        }
    }

    /// What a query parameter must be that could not be read; `None` where any text can.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let schema = self.operation()?.queries.get(name)?;
        let one = schema.get("items").unwrap_or(schema); // a list is the parameter, repeated
        self.known.shapes.errors(one, &Value::String(String::new())).pop().map(|(_, message)| message)
    }

    /// The types of content that the operation takes.
    pub fn takes(&self) -> String {
        self.operation().map(|operation| operation.takes.join(", ")).unwrap_or_default()
    }
}

fn operation_of(operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let queries = parameters.filter(|parameter| parameter["in"] == "query");
    let content = || operation["requestBody"]["content"].as_object().into_iter().flatten();
    let essence = |kind: &str| kind.split(';').next().unwrap_or(kind).to_owned();
    let json = content().find(|(kind, _)| essence(kind) == "application/json");
    Operation {
        queries: queries.filter_map(|one| Some((one["name"].as_str()?.to_owned(), one["schema"].clone()))).collect(),
        body: json.map(|(_, media)| media["schema"].clone()),
        takes: content().map(|(kind, _)| essence(kind)).collect(),
    }
}
