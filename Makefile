# Every target sets up all it needs in .venv; nothing has to be installed by hand.
# To choose the interpreter: make test PY=/path/to/python3.12

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PY ?=
PYTEST_ARGS ?=
FUZZ_INPUTS ?= 10000000
CHAOS_ARGS ?=
BIN := .venv/bin
# Tests wait for disks and processes a third of their time: one more than there are cores, at most 4.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n + 1 : 4)))
# Files in the order of their names: those with few tests, and long ones, do not come last.
PYTEST = $(BIN)/python -m pytest -q -rs --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder
# Programs that are started a hundred times are compiled once, whatever the shell thinks of it.
unexport PYTHONDONTWRITEBYTECODE
# One stamp for each interpreter asked for: another PY builds .venv anew.
STAMP := .venv/.installed$(subst /,-,$(PY))

.PHONY: help setup demo syscalls test long check lint format bench bench-desks bench-engines bench-audit bench-page bench-retention bench-speed model matrix fuzz verifier-kit vectors chaos clean

help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: $(STAMP) ## create .venv and install everything into it

# Installed again only when the dependencies may have changed; new source files need no reinstall.
$(STAMP): pyproject.toml constraints.txt .ci/setup
	@.ci/setup .venv $(PY)
	@touch $(STAMP)

demo: $(STAMP) ## two agencies and a broker on this machine exchange bulletins
	@$(BIN)/python demo/run.py

test: lint ## formatting, lint, types, and the tests
	@$(PYTEST) -m "not long" $(PYTEST_ARGS)

check: test ## the same as test

long: $(STAMP) ## tests that repeat others in more languages, on more engines, without a defence; a quarter of an hour
	@$(PYTEST) -m long $(PYTEST_ARGS)

lint: $(STAMP) ## formatting, lint and types only
	@$(BIN)/ruff format --check --quiet . || { echo "make: run 'make format' and commit the result" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

format: $(STAMP) ## format all Python files
	@$(BIN)/ruff check --select I --fix --quiet .
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure, about ten minutes; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks.run

bench-desks: $(STAMP) ## measure weak lines and desks, a quarter of an hour; RESULTS-desks.md
	@$(BIN)/python -m benchmarks.run_desks

bench-engines: $(STAMP) ## measure SQLite and Valkey, ten minutes; writes RESULTS-engines.md
	@$(BIN)/python -m benchmarks.run_engines

bench-audit: $(STAMP) ## seed a million records and audit them, about ten minutes; prints
	@$(BIN)/python -m benchmarks.audit_million /var/tmp/saphan-audit

bench-page: $(STAMP) ## measure the desk's page in a browser, three minutes; RESULTS-page.md
	@$(BIN)/python -m benchmarks.desk_page

bench-retention: $(STAMP) ## destroy a million due bulletins, a quarter of an hour; RESULTS-retention.md
	@$(BIN)/python -m benchmarks.retention

bench-speed: $(STAMP) ## measure beside NATS and Redis streams, half an hour; RESULTS-speed.md
	@$(BIN)/python -m benchmarks.run_speed

model: $(STAMP) ## search the larger worlds of the model of a delivery, some minutes; prints
	@cd tests && ../$(BIN)/python -m model large

matrix: $(STAMP) ## every effect of every use case fails in every way, a quarter of an hour
	@MATRIX=1 $(BIN)/python -m pytest -q --numprocesses $(WORKERS) --dist load tests/matrix

chaos: $(STAMP) ## break real processes under load, CHAOS_MINUTES (20); build/chaos/report.html
	@PYTHONPATH=tests:. $(BIN)/python -m chaos $(CHAOS_ARGS)

syscalls: $(STAMP) ## each system call under a commit fails once, in each way; a quarter of an hour
	@SAPHAN_SYSCALLS=all $(BIN)/python -m pytest -q -s -rs --numprocesses 0 tests/faults/test_syscalls_store.py tests/faults/test_syscalls_last_head.py

fuzz: $(STAMP) ## many inputs for every parser, hours; FUZZ_INPUTS=10000000, prints a table
	@cd tests && nice -n 19 ../$(BIN)/python -m fuzz --inputs $(FUZZ_INPUTS)

verifier-kit: $(STAMP) ## a folder that checks evidence on a computer without a network; dist/verifier-kit
	@.ci/verifier-kit dist/verifier-kit $(PLATFORMS)

vectors: $(STAMP) ## write test vectors and generated tables anew (the result must not differ)
	@for generator in schemas/vectors/generate*.py schemas/spec/generate*.py; do $(BIN)/python "$$generator"; done

clean: ## remove the environment, builds and caches
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage
