# Two commands: `make run` and `make test`. Both do all the set-up they need.

.PHONY: run test faults setup setup-tests openapi

# A private PostgreSQL under ./.signalbox, the API, the page, and demo traffic.
run: setup
	cargo run --locked -- serve --demo

# Everything that CI runs.
test: setup setup-tests
	tests/check.sh

setup:
	@deploy/setup.sh postgresql

setup-tests:
	@deploy/setup.sh python

# Writes the checked-in documents anew from the code.
openapi: setup
	cargo run --locked --quiet -- openapi > openapi/openapi.json
