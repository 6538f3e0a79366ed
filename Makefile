# Two commands: `make run` and `make test`. Both do all the set-up they need.

.PHONY: run test faults setup setup-tests openapi panel

# A private PostgreSQL under ./.signalbox, the API, the panel, and demo traffic. Without Node all but the panel.
run: setup $(shell deploy/setup.sh node 2>/dev/null && echo panel)
	cargo run --locked -- serve --demo

# Everything that CI runs.
test: setup setup-tests panel
	tests/check.sh

# What browsers load, built again when its sources have changed.
panel: web/panel/dist/index.html

PANEL_SOURCES = $(shell find web/client/src web/panel -type f -not -path '*/dist/*' -not -path '*/node_modules/*')
web/panel/dist/index.html: web/node_modules/.package-lock.json $(PANEL_SOURCES)
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	@deploy/setup.sh node
	cd web && npm ci --loglevel=error --no-fund --no-audit --no-update-notifier
	@touch $@

# The fault suite at length, then every nemesis of the round trip. Takes half an hour; tests/faults/README.md is its table.
faults: setup setup-tests
	SIGNALBOX_FAULTS=long cargo test --locked --test guarantees -- faults:: incident_night:: --test-threads=2
	for nemesis in none no-notify kill-listener kill-appender kill-postgres kill-server; do \
		cargo run --locked --release -p load-tests -- roundtrip --nemesis $$nemesis || exit 1; done

setup:
	@deploy/setup.sh postgresql
	@deploy/setup.sh node wanted

setup-tests:
	@deploy/setup.sh python
	@deploy/setup.sh pgbouncer
	@deploy/setup.sh proxies
	@deploy/setup.sh curl
	@deploy/setup.sh node
	@deploy/setup.sh chromium

# Writes the checked-in documents anew from the code, and the browser client's types from those and from the registry.
openapi: setup
	cargo run --locked --quiet -- openapi > openapi/openapi.json
	@deploy/setup.sh node
	cd web && npm ci --loglevel=error --no-fund --no-audit --no-update-notifier && npm run generate
