# The two commands: `make run` starts the whole marketplace, `make test` tests all of it.
# Everything else here is a part of those two, to be called alone when only that part matters.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.NOTPARALLEL:

CARGO ?= cargo
NPM ?= npm
TARGET := $(or $(CARGO_TARGET_DIR),target)
BROKER := kafka/broker/target/debug/kopitiam-broker

WEB_SOURCES := $(shell find web schema -type f \
	-not -path 'web/node_modules/*' -not -path 'web/.next/*' -not -path 'web/e2e/*' -not -path 'web/next-env.d.ts' -not -name '*.tsbuildinfo' 2>/dev/null)
WEB_MODULES := web/node_modules/.package-lock.json
WEB_BUILD := web/.next/BUILD_ID
CLIENTS_MODULES := gateway/clients/node_modules/.package-lock.json

.PHONY: help run build seed test test-rust test-clients test-web test-e2e journey test-kafka bench limits lint fmt deny tools services web clean

help:
	@echo 'make run         build and start everything: storefront :3000, GraphQL :4000/graphql'
	@echo 'make test        every test of every part, browser tests included'
	@echo 'make lint        formats, lints and licences'
	@echo 'make test-rust   Rust tests    make test-web  web checks and unit tests'
	@echo 'make test-clients  real GraphQL clients against the gateway binary'
	@echo 'make test-e2e    the browser journey against a running system it starts itself'
	@echo 'make test-kafka  the event suite against a real Apache Kafka (Java 17 and Maven)'
	@echo 'make bench       gateway CPU per request, alone or beside peers (BENCH_PEERS); Linux, two cores'
	@echo 'make limits      orders per second on SQLite and PostgreSQL'

# ---- run ------------------------------------------------------------------------------------------------------------

run: tools build
	@echo '==> starting'
	@PAYMENT_PROVIDER=$${PAYMENT_PROVIDER-simulator} KOPITIAM_BROKER=$(abspath $(BROKER)) exec $(TARGET)/debug/marketplace run --web web

build: tools
	@echo '==> 1/3 building the gateway and the services (first time: some minutes)'
	@$(CARGO) build --workspace --locked
	@echo '==> 2/3 building the embedded Kafka broker (first time: some minutes)'
	@$(MAKE) --no-print-directory $(BROKER)
	@echo '==> 3/3 building the storefront (first time: a minute or two)'
	@$(MAKE) --no-print-directory $(WEB_BUILD)

# One clear line for each tool that is missing, before minutes are spent building.
tools:
	@command -v $(CARGO) >/dev/null || { echo 'error: cargo is missing: install Rust (https://rustup.rs)' >&2; exit 1; }
	@command -v cc >/dev/null || { echo 'error: a C compiler is missing: install build-essential' >&2; exit 1; }
	@command -v node >/dev/null || { echo 'error: node is missing: install Node.js 20 or newer' >&2; exit 1; }
	@command -v $(NPM) >/dev/null || { echo 'error: npm is missing: install it beside Node.js' >&2; exit 1; }
	@node -e 'const v = +process.versions.node.split(".")[0]; if (v < 20) { console.error("error: Node.js 20 or newer is needed, this is " + process.version); process.exit(1) }'

# A dependency of the broker declares a newer compiler than it needs.
$(BROKER): kafka/broker/Cargo.toml kafka/broker/Cargo.lock $(wildcard kafka/broker/src/*.rs)
	@cd kafka/broker && CARGO_TARGET_DIR=target $(CARGO) build --locked --ignore-rust-version
	@touch $@

$(WEB_MODULES): web/package.json web/package-lock.json
	@cd web && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CLIENTS_MODULES): gateway/clients/package.json gateway/clients/package-lock.json
	@cd gateway/clients && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB_BUILD): $(WEB_MODULES) $(WEB_SOURCES)
	@cd web && NEXT_TELEMETRY_DISABLED=1 $(NPM) run --silent build
	@touch $@

web: $(WEB_BUILD)

# ---- test -----------------------------------------------------------------------------------------------------------

# `test-rust` has built the binaries already, with the features that tests add: the journey runs those.
test: lint test-rust test-clients test-web $(BROKER) web journey

lint:
	@echo '==> formats and lints'
	@$(CARGO) fmt --all --check
	@cd kafka/broker && $(CARGO) fmt --check
	@$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@$(MAKE) --no-print-directory deny

# Licences and sources; the tool is large, so it is used where it is installed (`cargo install cargo-deny --locked`).
deny:
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --log-level error check licenses bans sources; \
	else echo 'cargo-deny is not installed: licences and sources were not checked'; fi

test-rust: $(BROKER)
	@echo '==> Rust tests'
	@KOPITIAM_BROKER=$(abspath $(BROKER)) deploy/with-postgres.sh $(CARGO) test --workspace --locked --quiet

# With the binary that `test-rust` has built, or builds one.
test-clients: $(CLIENTS_MODULES)
	@echo '==> real clients against the gateway'
	@[ -x $(TARGET)/debug/gateway ] || $(CARGO) build --locked -p kopitiam-server --bin gateway
	@cd gateway/clients && GATEWAY=$(abspath $(TARGET)/debug/gateway) $(NPM) run --silent verify

test-web: $(WEB_MODULES)
	@echo '==> web checks and unit tests'
	@cd web && $(NPM) run --silent verify

test-e2e: build journey

journey:
	@echo '==> browser journey'
	@KOPITIAM_BROKER=$(abspath $(BROKER)) deploy/test-e2e.sh $(TARGET)/debug/marketplace

test-kafka:
	@deploy/test-kafka.sh

# ---- bench ----------------------------------------------------------------------------------------------------------

# BENCH_PEERS: lines `name=command`, where {supergraph}, {port}, {mode} and {dir} are replaced; gateway/bench/peers has scripts.
# BENCH_MODES=full,default,suite  BENCH_ROUNDS=3  BENCH_SECONDS=10  BENCH_WARM_UP_SECONDS=5  BENCH_CONNECTIONS=50
# BENCH_SUBGRAPH_DELAY_MS=0  BENCH_GATEWAY_CORE=0  BENCH_LOAD_CORE=1 (or none)  BENCH_JSON=file
bench:
	@$(CARGO) build --release --locked -p kopitiam-server
	@$(CARGO) build --release --locked -p kopitiam-bench --features tools
	@$(TARGET)/release/bench-gateways $(TARGET)/release/gateway $(TARGET)/release/bench-subgraphs

# How many orders one machine decides, on SQLite and on PostgreSQL, with one and two processes of each service.
limits: $(BROKER)
	@KOPITIAM_BROKER=$(abspath $(BROKER)) deploy/with-postgres.sh $(CARGO) test --locked --quiet -p kopitiam-marketplace --test it -- \
		--ignored --nocapture the_readme_says_how_many

fmt: $(WEB_MODULES) $(CLIENTS_MODULES)
	@$(CARGO) fmt --all
	@cd kafka/broker && $(CARGO) fmt
	@cd web && $(NPM) run --silent format
	@cd gateway/clients && $(NPM) run --silent format

clean:
	@$(CARGO) clean
	@rm -rf kafka/broker/target web/.next web/node_modules gateway/clients/node_modules gateway/clients/.venv
