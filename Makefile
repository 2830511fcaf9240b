# The commands of the README; `make help` lists them.

CARGO ?= cargo
# INSTALL_FLAGS=--no-install only prints the command that would install what is missing.
INSTALL_FLAGS ?=
PROFILE_DIR = target/release
# Declared by a macro, which cargo fmt does not look into.
VERBS = $(wildcard xcbuild/src/cli/verbs/*.rs xcbuild/src/cli/verbs/*/mod.rs)

.PHONY: help up install-deps build test format lint bench clean derived test-topologies

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

format: ## format the code, also the files that cargo fmt does not see
	$(CARGO) fmt --all
	rustfmt --edition 2024 $(VERBS)

lint: ## formatting and lints only
	$(CARGO) fmt --all --check
	rustfmt --edition 2024 --check $(VERBS)
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: ## benchmarks against the peers; results go to BENCHMARKS.md by hand
	./xcbuild/setup/install-deps $(INSTALL_FLAGS) run build bench
	./bench/run

test-topologies: build ## every topology on real nodes, a table; NET="user netns rootless" for those
	./tests/topologies

derived: ## write what is made from others: Envsettings, docs/topologies, docs/settings.md
	XCBUILD_WRITE_DERIVED=1 $(CARGO) test --locked --test it topology::derived -- --test-threads=1
	XCBUILD_WRITE_DERIVED=1 $(CARGO) test --locked --lib page_of_the_settings

clean: ## remove what was built
	$(CARGO) clean
