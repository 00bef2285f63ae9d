# Everything a developer does. `make` alone prints this list.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := mft-common gateway filestore-svc diplomat-svc mqmft-svc sertainty-svc crossdock
SOURCES := $(addsuffix /src,$(DISTRIBUTIONS))
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run servers test test-all check fmt fmt-check lint types imports docs bench lock clean

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##### Use it

setup: $(STAMP)  ## Make .venv with everything in it, from requirements.lock

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
	@echo "setup: making $(VENV) from requirements.lock"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

run: setup  ## Start the demo hub on http://127.0.0.1:8080
	@exec $(BIN)/crossdock up --demo

##### Test it

servers:  ## Install the servers that the tests talk to, where they are missing
	@tests/servers/install

test: setup servers  ## Run all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow"

test-all: setup servers  ## Run all tests
	$(BIN)/python -m pytest

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

imports: setup  ## The room plan: who may import whom
	$(BIN)/lint-imports

docs: setup  ## Write the generated pages of docs/ anew
	$(BIN)/crossdock docs docs

##### Now and then

bench: setup servers  ## Run every script of bench/, one after the other (many minutes)
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lock: setup  ## Write requirements.lock anew from requirements.in
	@$(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --upgrade requirements.in -o requirements.lock

clean:  ## Remove what the targets above made (never data/)
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
