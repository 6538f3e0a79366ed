#!/bin/sh
# All checks, the quick ones first. Run by `make test`.
set -eu
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo test --locked --workspace
