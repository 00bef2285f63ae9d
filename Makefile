# Everything a developer does. `make` alone prints this list.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := mft-common gateway filestore-svc diplomat-svc mqmft-svc sertainty-svc crossdock
SOURCES := $(addsuffix /src,$(DISTRIBUTIONS))
# Python compiles what is imported at its first import; most files never are.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-deps
# Two test processes, each with servers of its own; a file's tests stay together, because they share a hub or a server.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25
# Touched when what a lock names is installed.
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run servers test test-all check fmt fmt-check lint types imports docs bench lock clean

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### Use it

setup: $(DEVELOPMENT)  ## Make .venv with everything in it, from requirements.lock and requirements-dev.lock

$(RUNTIME): requirements.lock deploy/link-sources
	@echo "setup: making $(VENV) from requirements.lock"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements.lock
	@$(BIN)/python deploy/link-sources $(SOURCES)
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	@echo "setup: adding the tools of requirements-dev.lock"
	@$(PIP) -r requirements-dev.lock
	@touch $@

run: $(RUNTIME)  ## Start the demo hub on http://127.0.0.1:8080; needs requirements.lock alone
	@exec $(BIN)/crossdock up --demo

##### Test it

servers:  ## Install the servers that the tests talk to, where they are missing
	@tests/servers/install

test: setup servers  ## Run all tests but the slow ones
	$(PYTEST) -m "not slow"

test-all: setup servers  ## Run all tests
	$(PYTEST)

check: setup fmt-check lint types imports test  ## What CI runs: everything below, and the tests

##### Look at the code

fmt:  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

fmt-check: setup  ## Is the code formatted?
	$(BIN)/ruff format --check .

lint: setup  ## ruff, every rule but the ones that pyproject.toml gives a reason against
	$(BIN)/ruff check .

types: setup  ## mypy, strict
	$(BIN)/mypy $(SOURCES)

imports: setup  ## The import contracts: which module may import which
	$(BIN)/lint-imports

docs: setup  ## Write the generated pages of docs/ anew
	$(BIN)/crossdock docs docs

##### Now and then

bench: setup servers  ## Run every script of bench/, one after the other (many minutes)
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lock:  ## Write both locks anew from requirements.in and requirements-dev.in
	@$(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@for name in requirements requirements-dev; do \
	  build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --upgrade $$name.in -o $$name.lock || exit 1; \
	done

clean:  ## Remove what the targets above made (never data/)
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
