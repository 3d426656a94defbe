# What developers and .ci/run call. `make help` lists the targets.
PYTHON ?= python3
UV_VERSION := 0.13.9
# The environment is .venv. When PYTHON is given and .venv is made with another version, use one beside it: .venv-3.13.
VENV := .venv
ifneq ($(origin PYTHON),file)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifneq ($(wildcard .venv/bin),)
VENV := $(if $(wildcard .venv/bin/python$(VERSION)),.venv,.venv-$(VERSION))
endif
endif
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What `goop2` itself needs, without what only tests and checks need.
RUNS := $(VENV)/.runs
SYNC := UV_PROJECT_ENVIRONMENT="$(CURDIR)/$(VENV)" UV_PYTHON_DOWNLOADS=never $(BIN)/uv sync --quiet --inexact

BOTH_CORES := -n 2 --dist loadfile --no-loadscope-reorder
# The other tests wait for processes and pages a good part of their time, so that three keep two cores busy.
MORE_THAN_CORES := -n 3 --dist loadfile --no-loadscope-reorder
QUICK := not slow and not browser and not interop
# Python may keep what it compiles, whatever the machine says: otherwise each process of a test compiles goop2 anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup system demo test coverage quick check bench lock vendor screenshots pages site release-check record house interop install-check old faults chaos load long soak mutate fuzz

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

setup: $(READY) ## install everything the other targets need, into .venv

demo: $(RUNS) ## run every template in one peer, in your browser
	@$(BIN)/goop2 demo

# Coverage is that of the unit tests, in the process of pytest: in peers, commands and workers that the other tests start nothing is measured,
# since it would slow them down, and a worker's wall lets it write nothing.
test: $(READY) ## run every test but the long ones, and print which share of the lines the unit tests run
	@unit=passed; others=passed; \
	echo "The unit tests, with coverage:"; \
	COVERAGE_CORE=$$($(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")') \
		$(BIN)/pytest -q $(BOTH_CORES) -m "$(QUICK)" --cov --cov-report= || unit=failed; \
	echo "Lines of src that the unit tests run: $$($(BIN)/coverage report --format=total) % (make coverage lists the modules)"; \
	echo "The other tests:"; \
	$(BIN)/pytest -q $(MORE_THAN_CORES) -m "not ($(QUICK)) and not long" || others=failed; \
	echo "Unit tests: $$unit. Other tests: $$others."; \
	[ $$unit$$others = passedpassed ]

coverage: $(READY) ## list the coverage of each module, the least covered first; as the last make test measured it
	@$(BIN)/coverage report --sort=cover --skip-covered

quick: $(READY) ## check style and types, and run the unit tests; takes less than a minute on two cores
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -q $(BOTH_CORES) -m "$(QUICK)"

check: $(READY) ## check style, types, import contracts and documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_docs.py tests/docs/test_links.py tests/docs/test_reference.py tests/docs/test_commands.py

long: $(READY) ## run what is left out of make test, or tried less often there: a thousand failures of a worker, 200 kills; takes minutes
	$(BIN)/pytest -q $(BOTH_CORES) -m long
	GOOP2_EXAMPLES=1000 $(BIN)/pytest -q -n 2 tests/storage/test_hidden_rows.py

interop: $(READY) ## build the environment of py-libp2p in your cache, and run the tests against other implementations
	@$(BIN)/python -m tests.interop.python_environment
	GOOP2_JS_HOLES=1 $(BIN)/pytest -q tests/interop

faults: $(READY) ## make what can fail fail, worker to disk, and print what was seen then; takes minutes
	@$(BIN)/python -m proof.faults

chaos: $(READY) ## kill, freeze and cut off machines that run scripts, and write docs/cluster.md; takes minutes
	@$(BIN)/python -m proof.chaos

load: $(READY) ## let 1,000 visitors ask for MINUTES=10, then beside ten hostile ones; nothing may fail or grow
	@$(BIN)/python -m proof.load $(or $(MINUTES),10)

soak: $(READY) ## let visitors ask for MINUTES=60, and see that nothing of the peer grows
	@$(BIN)/python -m proof.load $(or $(MINUTES),60) soak

fuzz: $(READY) ## give any bytes to whatever reads untrusted ones, MINUTES=10 for all, led by coverage (atheris)
	@UV_PROJECT_ENVIRONMENT="$(CURDIR)/$(VENV)-fuzz" UV_PYTHON_DOWNLOADS=never $(BIN)/uv sync --quiet --locked --project tools/fuzz --python $(BIN)/python
	@GOOP2_ATHERIS="$$($(VENV)-fuzz/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")" $(BIN)/python -m proof.fuzz $(or $(MINUTES),10) $(TARGETS)

mutate: $(READY) ## change guarding code EACH=15 times a module, and see whether a test fails; takes an hour
	@UV="$(CURDIR)/$(BIN)/uv" UV_PROJECT_ENVIRONMENT="$(CURDIR)/$(VENV)-mutation" \
		$(BIN)/uv run --quiet --project tools/mutation --locked python tools/mutation/mutants.py $(or $(EACH),15) $(ONLY)

pages: $(READY) ## make manual pages, completions and the reference in docs/ anew, after a change to a command, a setting, an endpoint
	$(BIN)/python tools/manual_pages.py
	$(BIN)/python -m tools.reference
	$(BIN)/python -m goop2.scripting.api.docs
	$(BIN)/python -m goop2.config.docs > docs/settings.md

site: $(READY) ## make the public site of the documentation, in build/public/site
	$(BIN)/python tools/public_site.py
	GOOP2_SITE=1 $(BIN)/pytest -q tests/docs/test_public_site.py

release-check: $(READY) ## build wheel, sdist and SBOM into dist, twice, and check them; publishes nothing
	$(BIN)/python tools/release.py

install-check: $(READY) ## install the built wheel with pip, pipx, uv and uvx on each Python there is, into docs/installation.md
	@$(BIN)/python -m tests.installation.check

old: $(READY) ## build a peer of the commit before the network was rewritten in your cache, and let it talk with one of this commit
	@$(BIN)/python -m tests.interop.old_environment
	$(BIN)/pytest -q tests/interop/test_old.py

record: $(READY) ## record what commands, pages, scripts and the wire show, in tests/recording/recorded; read the diff
	GOOP2_RECORD=1 $(BIN)/pytest -q tests/recording

house: $(READY) ## print lengths of functions and files, names used twice and short docstrings
	@$(BIN)/python tools/house.py

bench: $(READY) ## measure speed and write docs/benchmarks.md
	$(BIN)/python -m benchmarks

lock: $(READY) ## write uv.lock again, after a change to pyproject.toml
	$(BIN)/uv lock --default-index https://pypi.org/simple
	$(BIN)/uv lock --project tests/interop/python --default-index https://pypi.org/simple

vendor: $(READY) ## build the console's editor and plot library again, after a change to their locks (needs npm)
	$(BIN)/python tools/console-editor/bundle.py
	$(BIN)/python tools/console-plots/vendor.py

screenshots: $(READY) ## take pictures of the console's pages and of the tutorial, into docs/screenshots and docs/tutorial
	GOOP2_SCREENSHOTS=docs/screenshots $(BIN)/pytest -q tests/web/console/test_app.py -k looks
	GOOP2_SCREENSHOTS=docs/tutorial $(BIN)/pytest -q tests/docs/test_tutorial.py

# --inexact keeps uv itself, which is not in the lock.
$(READY): $(BIN)/uv pyproject.toml uv.lock
	@$(MAKE) --no-print-directory system
	@$(SYNC) --frozen
	@touch $(RUNS) $@

$(RUNS): $(BIN)/uv pyproject.toml uv.lock
	@PYTHON=$(PYTHON) sh tools/system.sh peer
	@$(SYNC) --frozen --no-dev
	@touch $@

$(BIN)/uv: Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "goop2 needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: install its venv module (on Debian: apt-get install python3-venv)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: uv==$(UV_VERSION)
	@touch $@

# Only this target installs what PyPI does not have. Without libseccomp a peer runs with one layer of the wall less, and `goop2 doctor` says so.
system: ## install libseccomp, and browsers and encoders for tests, where missing and allowed
	@PYTHON=$(PYTHON) sh tools/system.sh
