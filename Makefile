# Each target calls something real. `make demo` and `make test` do all their own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help

STACK ?=
SECTION ?=
FLAGS := $(if $(STACK),--stack $(STACK))
VENV := .venv
PROVISION := target/debug/provision
FUZZ_SECONDS ?= 60
CORPUS := provisioner/fuzz/corpus
SEEDS := templates provisioner/tests/template/broken provisioner/tests/template/rules
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: sweep help bench demo fuzz test built-tests built-function lint package deploy destroy status tools build

help: ## Lists the targets.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-9s %s\n", $$1, $$2}'

demo: tools build package ## The whole story on real parts: up, launch, crawl, status, down.
	target/debug/demo

# Built as tests from the start: `cargo build` would build much of the same a second time, with other features. `cli` is the one whose
# build has `provision`, which then builds the function beside the other tests.
test: tools ## Unit and integration tests, the template lint, the README's commands.
	cargo test --workspace --no-run --quiet --test cli
	$(MAKE) --no-print-directory -j2 built-tests built-function
	cargo test --workspace --quiet --no-fail-fast
	$(MAKE) --no-print-directory lint

built-tests:
	cargo test --workspace --no-run --quiet

built-function:
	$(PROVISION) package

sweep: tools build package ## Kills up, an update and down at every single call (some minutes).
	KILL_EVERYWHERE=1 cargo test --workspace --test e2e killed

lint: tools ## The templates under cfn-lint.
	$(VENV)/bin/cfn-lint

bench: tools build package ## Beside how people do it otherwise, ratios into bench/RESULTS.md; SECTION=stack index launch cold-start.
	target/debug/bench $(SECTION)

fuzz: ## Fuzzes the template reader, FUZZ_SECONDS (60) a target. Wants nightly Rust; gets cargo-fuzz by itself.
	command -v cargo-fuzz || cargo install --locked cargo-fuzz --version 0.13.2 --root $(VENV)
	for target in template intrinsics; do \
	  mkdir -p $(CORPUS)/$$target; \
	  cargo +nightly fuzz run --fuzz-dir provisioner/fuzz $$target $(CORPUS)/$$target $(SEEDS) -- \
	    -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

build: ## Builds every crate.
	cargo build --workspace

package: tools build ## Builds the function and its reproducible zip.
	$(PROVISION) package

deploy: tools build ## Makes everything as the template says (STACK=name and the usual AWS environment).
	$(PROVISION) up --yes $(FLAGS)

destroy: build ## Removes everything but the lake (STACK=name and the usual AWS environment).
	$(PROVISION) down --yes $(FLAGS)

status: build ## Shows resources, queue and jobs (STACK=name and the usual AWS environment).
	$(PROVISION) status $(FLAGS)

tools: $(VENV)/.installed ## The Python-shipped tools, pinned by version and hash, in .venv.

$(VENV)/.installed: tools/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@
