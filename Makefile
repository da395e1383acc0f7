# trafficmonitor: `make run` and `make test` do all on a fresh Debian 12 (or newer) or Ubuntu 24.04 machine with Rust.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# cargo's own variables (CARGO_BUILD_JOBS, CARGO_TARGET_DIR, …) hold.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
CARGO ?= cargo
TOOLS := $(CURDIR)/target/tools/bin
BINARY := $(CARGO_TARGET_DIR)/release/trafficmonitor

# What `make run` captures and where it serves: make run IFACE=eth0 LISTEN=127.0.0.1:9000 ARGS="-promRefresh 1"
IFACE ?=
LISTEN ?= :8888
ARGS ?=
# How long `make fuzz` runs.
FUZZ_SECONDS ?= 60

.PHONY: run
run: ## install what is missing, build, run the exporter (IFACE=eth0 for one interface, LISTEN=:8888, ARGS=…)
	@scripts/install.sh run
	$(CARGO) build --release --locked
	@IFACE='$(IFACE)' LISTEN='$(LISTEN)' scripts/run.sh $(BINARY) $(ARGS)

.PHONY: test
test: ## install what the tests need, run every check
	@scripts/install.sh test
	@scripts/test.sh

.PHONY: soak
soak: ## run the long tests, one of them for two hours (SOAK_MINUTES=120)
	@scripts/install.sh test
	scripts/unpack.sh prometheus prometheus-alertmanager
	EVENT_LOG_TEST_KILLS=200 $(CARGO) test --locked --lib -- --show-output every_whole_line_of_a_killed_process
	EVENT_LOG_TEST_KILLS=200 $(CARGO) test --locked --test events -- --show-output every_whole_line_of_the_killed_program
	$(CARGO) test --locked --lib -- --ignored --test-threads=1 --show-output soak
	EVIDENCE_TEST_KILLS=200 $(CARGO) test --locked --lib -- --show-output killed_process_can_be_read
	$(CARGO) test --locked --test prometheus -- --test-threads=1 --show-output soak
	$(CARGO) test --locked --test live -- --test-threads=1 --show-output soak

.PHONY: build
build: ## build the release binary
	@scripts/install.sh build
	$(CARGO) build --release --locked

.PHONY: release
release: ## build the stripped release binary into bin/, and the files of a release into dist/
	@scripts/install.sh release
	@scripts/release.sh

.PHONY: deb
deb: release ## build a Debian package into dist/
	@scripts/install.sh deb
	@scripts/deb.sh $(BINARY)

.PHONY: static
static: ## build a binary for musl that needs no library of the host into dist/
	@scripts/install.sh static
	@scripts/static.sh

.PHONY: web
web: ## build the dashboard page into web/dist, which is committed (needs Node.js and npm)
	scripts/web.sh build

.PHONY: bench
bench: ## measure the speed: ratios over libpcap's own iteration, and the criterion benchmarks
	@scripts/install.sh build
	$(CARGO) bench --locked

.PHONY: fuzz
fuzz: ## fuzz the decoder, the journal, the analysis and the API (FUZZ_SECONDS=60 each), after fuzz/README.md
	@PATH="$(TOOLS):$$PATH" scripts/install.sh fuzz
	FUZZ_CORPUS=fuzz/corpus $(CARGO) test --locked --quiet --test crashers
	PATH="$(TOOLS):$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run decode -- -max_len=600 -max_total_time=$(FUZZ_SECONDS)
	PATH="$(TOOLS):$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run journal -- -max_len=4096 -max_total_time=$(FUZZ_SECONDS)
	PATH="$(TOOLS):$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run analyze -- -max_len=4096 -max_total_time=$(FUZZ_SECONDS)
	PATH="$(TOOLS):$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run api -- -max_len=1200 -max_total_time=$(FUZZ_SECONDS)

.PHONY: mutations
mutations: ## check that the tests notice deliberate mistakes in the decoder (some minutes)
	@scripts/install.sh build
	@scripts/mutations.sh

.PHONY: audit
audit: ## check the dependencies for published vulnerabilities (needs the network)
	@scripts/audit.sh

.PHONY: ebpf
ebpf: ## rebuild the kernel's program, compare it with the committed one (ARGS=--replace)
	@scripts/install.sh build
	scripts/ebpf.sh $(ARGS)

.PHONY: picture
picture: ## draw docs/replay.svg, the picture of the README
	$(CARGO) build --locked
	scripts/picture.py $(CARGO_TARGET_DIR)/debug/trafficmonitor

.PHONY: fmt
fmt: ## format the code
	$(CARGO) fmt

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean
	rm -rf bin dist

.PHONY: help
help: ## show this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1	\2/p' Makefile | while IFS='	' read -r name text; do printf '  make %-11s%s\n' "$$name" "$$text"; done
