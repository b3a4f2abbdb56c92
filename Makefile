# `make run` starts Earshot, `make loop` closes the loop once, `make test` checks everything. Each sets up .venv first.
# PYTHON=/path/to/python3.11 chooses the Python; ARGS="browser -- -k queue" goes to tests/run.py, ARGS="--seed 2" to the loop.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo $$python; break; }; done)
EMBEDDED = PYTHONPATH=platform exec $(PYTHON) -B -m earshot.embedded

.PHONY: run loop test setup format clean

run: python
	@$(EMBEDDED) run

loop: python
	@$(EMBEDDED) loop $(ARGS)

test: python
	@$(EMBEDDED) test $(ARGS)

setup: python  ## .venv with the test and development tools, and nothing else
	@$(EMBEDDED) setup

format: setup
	@.venv/bin/ruff format && .venv/bin/ruff check --fix

clean:  ## the virtual environment and caches; never the data in .earshot
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

.PHONY: python
python:
	@test -n "$(PYTHON)" && command -v "$(PYTHON)" >/dev/null || { \
	echo "earshot: no Python 3.11, 3.12 or 3.13 found ($(or $(PYTHON),python3) is $$($(or $(PYTHON),python3) --version 2>&1 | tail -1))." \
	"Install one (Debian 12: apt-get install python3 python3-venv), or name it: make run PYTHON=/path/to/python3.11" >&2; exit 1; }
