//! Modules import downwards only.

use std::fs;
use std::path::{Path, PathBuf};

/// What each part may name of ours, beside itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("egress", &[]),
    ("postgres", &[]),
    ("log", &["postgres"]),
    ("projections", &["domain", "log", "postgres", "incidents", "servers"]),
    ("metrics", &[]),
    ("hub", &["log", "metrics", "postgres", "projections"]),
    ("consumer", &["hub", "log", "postgres"]),
];

#[test]
fn modules_import_downwards_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for &(part, allowed) in MAY_IMPORT {
        for file in rust_files(&root.join(part)) {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                for import in line.match_indices("crate::").map(|(at, _)| &line[at + 7..]) {
                    let named = import.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                    if named != part && !allowed.contains(&named) && !named.is_empty() {
                        wrong.push(format!("{}:{}: {part} names {named}", file.display(), number + 1));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_log_names_the_events_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&root) {
        if file.starts_with(root.join("log")) || file.starts_with(root.join("domain")) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for phrase in ["from events ", "into events ", "queries/events_"] {
            assert!(!text.contains(phrase), "{} has `{phrase}`", file.display());
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
