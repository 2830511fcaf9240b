# The commands of the README; `make help` lists them.

CARGO ?= cargo
# INSTALL_FLAGS=--no-install only prints the command that would install what is missing.
INSTALL_FLAGS ?=
PROFILE_DIR = target/release

.PHONY: help up install-deps build test lint bench clean derived test-topologies

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

up: ## install what is missing, build, start a checked cluster
	./xcbuild/setup/install-deps $(INSTALL_FLAGS) run build
	$(CARGO) build --release --locked
	$(PROFILE_DIR)/xcbuild up

build: ## the release binary
	$(CARGO) build --release --locked

install-deps: ## only install what is missing from the distribution
	./xcbuild/setup/install-deps $(INSTALL_FLAGS) run build test

test: ## everything: lints, unit tests, real packages, real VMs
	./xcbuild/setup/install-deps $(INSTALL_FLAGS) run build test
	./tests/run

lint: ## formatting and lints only
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: ## benchmarks against the peers; results go to BENCHMARKS.md by hand
	./xcbuild/setup/install-deps $(INSTALL_FLAGS) run build bench
	./bench/run

test-topologies: build ## every topology on real nodes, a table; NET="user netns rootless" for those
	./tests/topologies

derived: ## write what is made from the topologies: Envsettings, docs/topologies
	XCBUILD_WRITE_DERIVED=1 $(CARGO) test --locked --test it topology::derived -- --test-threads=1

clean: ## remove what was built
	$(CARGO) clean
