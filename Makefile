# Everything runs in .venv, which `make setup` makes; nothing else of the machine is touched.

PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
# What runs the program, and what tests it: a demo needs only the first.
RUN := .venv/installed-to-run
DEV := .venv/installed-to-develop
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
PORT ?= 8000

.PHONY: help setup demo demo-data test lint types bench run schema vendor-check
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-13s %s\n", $$1, $$2}'

setup: $(DEV) ## .venv and everything in it, nothing else

$(RUN): requirements.txt
	@test -n "$(PYTHON)" || { echo "Certifier needs Python 3.11 or newer, and there is none on the PATH. Install it, then run make again." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Making .venv with $(PYTHON) …"; $(PYTHON) -m venv --clear .venv || { \
		echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; }
	@echo "Installing what is needed to run …"
	@$(PIP) -r requirements.txt
	@touch $@

$(DEV): $(RUN) requirements-dev.txt
	@echo "Installing what is needed to test …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

demo: demo-data ## load a demo year and serve it; a second call starts at once, data kept
	@PORT=$(PORT) $(BIN)/python manage.py serve

demo-data: $(RUN) ## the same without serving; ends with a summary table
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py load_demo

run: $(RUN) ## serve what is there
	@$(BIN)/python manage.py migrate --verbosity 0
	@PORT=$(PORT) $(BIN)/python manage.py serve

test: $(DEV) ## the whole suite, on SQLite and on a PostgreSQL and Redis started for it
	@$(BIN)/python -m tests.run $(TESTS)

lint: $(DEV) ## ruff, import-linter, template lint
	@$(BIN)/ruff check --quiet . && echo "ruff: nothing to say"
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/djlint --lint --quiet templates && echo "djlint: nothing to say"

types: $(DEV) ## mypy; strict where others build on it
	@$(BIN)/mypy

bench: $(DEV) ## the benchmarks, beside their peers
	@$(BIN)/python -m benchmarks $(BENCH)

schema: $(RUN) ## write docs/openapi.yaml anew
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

vendor-check: $(DEV) ## what static/vendor holds is what its manifest says
	@$(BIN)/python -m pytest -q -p no:randomly tests/architecture/test_vendored_files_match_their_manifest.py
