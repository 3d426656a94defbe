# Each target is what its name says; .ci/run calls the same ones a developer does.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready
SYNC := UV_PROJECT_ENVIRONMENT="$(CURDIR)/.venv" UV_PYTHON_DOWNLOADS=never $(BIN)/uv sync --quiet --inexact

.PHONY: help setup system demo test quick check bench lock vendor screenshots record house interop

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

setup: $(READY) ## everything the others need, into .venv

demo: $(READY) ## every template in one peer, in your browser
	@$(BIN)/goop2 demo

test: $(READY) ## every test
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder

quick: $(READY) ## style, types, and the tests that need no browser, no other implementation and no patience
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not slow and not browser and not interop"

check: $(READY) ## style, types, import directions, documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_docs.py

record: $(READY) ## what commands, pages, scripts and the wire show, into tests/recording/recorded; look at the diff
	GOOP2_RECORD=1 $(BIN)/pytest -q tests/recording

interop: $(READY) ## the environment of py-libp2p's peer, into your cache; the tests against it make it too
	@$(BIN)/python -m tests.interop.python_environment

house: $(READY) ## how long functions and files are, names used twice, short docstrings; tools/house.py --verbose lists them
	@$(BIN)/python tools/house.py

bench: $(READY) ## what we claim about speed, into docs/benchmarks.md
	$(BIN)/python -m benchmarks

lock: $(READY) ## uv.lock anew, after a change to pyproject.toml
	$(BIN)/uv lock --default-index https://pypi.org/simple
	$(BIN)/uv lock --project tests/interop/python --default-index https://pypi.org/simple

vendor: $(READY) ## the console's editor and plot library anew, after a change to their locks (needs npm)
	$(BIN)/python tools/console-editor/bundle.py
	$(BIN)/python tools/console-plots/vendor.py

screenshots: $(READY) ## the pictures of the console's pages, into docs/screenshots
	GOOP2_SCREENSHOTS=docs/screenshots $(BIN)/pytest -q tests/web/console/test_app.py -k looks

# --inexact keeps uv itself, which is not in the lock.
$(READY): $(BIN)/uv pyproject.toml uv.lock
	@$(MAKE) --no-print-directory system
	@$(SYNC) --frozen
	@touch $@

$(BIN)/uv: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "goop2 needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: install its venv module (on Debian: apt-get install python3-venv)"; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: uv==$(UV_VERSION)
	@touch $@

# The one place that installs what PyPI does not have. Without it a peer runs too, with a layer of the wall less; `goop2 doctor` says so.
system: ## libseccomp, and for tests browsers and encoders, when missing and we may install them
	@PYTHON=$(PYTHON) sh tools/system.sh
