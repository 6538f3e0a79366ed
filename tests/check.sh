#!/bin/sh
# All checks, the quick ones first. Run by `make test`.
set -eu
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo test --locked --workspace

# The browser's side, some of it against the program that was just built, and with the Python of the tests before.
SIGNALBOX_BIN=$(realpath "${CARGO_TARGET_DIR:-target}/debug/signalbox")
export SIGNALBOX_BIN
cd web
npm test
npm run end-to-end
