# make demo: sets everything up and makes two takes, without a key and without paying.
# make test: sets everything up and runs the tests; make test-all: also those that take long.
# make matrix: whether every pin has a wheel, for each system and each Python.
# Uses uv where it is installed, else venv and pip. On Windows: `uv run daw-bridge demo` and `uv run --group dev pytest`.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null \
	&& { echo $$p; break; }; done)
UV ?= $(shell command -v uv 2>/dev/null)
comma := ,
VENV ?= .venv
RUN := $(VENV)/bin/python

.PHONY: mutants soak stories demo test test-rest test-all test-failed test-windows test-windows-all smoke-windows installers test-installers test-debs lint matrix docs lock walk clean live fuzz walk-postgresql campaign

demo: $(VENV)/.ready
	@$(RUN) -m bridge_daemon demo

test: $(VENV)/.ready-dev
	@$(RUN) -m pytest -m "not thorough"

# What `make test` leaves out: the process dies at every failpoint, end to end, the REAPER scripts in every Lua.
test-rest: $(VENV)/.ready-dev
	@$(RUN) -m pytest -m thorough

test-all: test test-rest

# What failed the last time, one after the other.
test-failed: $(VENV)/.ready-dev
	@$(RUN) -m pytest -n 0 --last-failed --last-failed-no-failures none

# Whether each rule of money is watched: breaks them one at a time, each in a copy. An hour or two; docs/proof.md.
mutants: $(VENV)/.ready-dev
	@$(RUN) -m tools.mutants

# An hour each: eight clients and kill -9; stories that are drawn anew.
soak: $(VENV)/.ready-dev
	@$(RUN) -m tests.stories soak

stories: $(VENV)/.ready-dev
	@$(RUN) -m tests.stories machine --stories 2000

# The tests of what depends on the system, in a genuine Windows Python, by wine (packages wine, wine64,
# gcc-mingw-w64-x86-64); docs/windows.md says which. The second: also those that behave alike on every system.
test-windows: $(VENV)/.ready-dev
	@$(RUN) -m tests.windows test

test-windows-all: $(VENV)/.ready-dev
	@$(RUN) -m tests.windows test-all

# A short look at Windows, two or three minutes: the wheel in a genuine Windows Python on a machine made for it, by wine.
smoke-windows: $(VENV)/.ready-dev
	@$(RUN) -m tests.windows smoke

# setup.exe for Windows (needs the package nsis), packages for Debian and Ubuntu, the app folder for macOS and a Homebrew
# formula, into dist/. KINDS="windows deb" makes some of them; OPTIONS="--quick" packs setup.exe in seconds.
installers: $(VENV)/.ready-dev
	@$(RUN) -m tools.installers $(KINDS) $(OPTIONS)

# setup.exe on an empty Windows, by wine: installed, used, updated, uninstalled. Needs what smoke-windows needs, and nsis.
test-installers: $(VENV)/.ready-dev
	@$(RUN) -m tools.installers windows --quick --out build
	@$(RUN) -m tests.windows setup build/daw-bridge-setup.exe

# The packages for Debian by apt, on a fresh Debian 12 and 13. Needs root, debootstrap and the network.
test-debs: $(VENV)/.ready-dev
	@$(RUN) -m tools.installers deb --out build
	@$(RUN) -m tests.debian build/daw-bridge_*.deb

lint: $(VENV)/.ready-dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports

matrix: $(VENV)/.ready-dev
	@$(RUN) -m tools.matrix

docs: $(VENV)/.ready-dev
	@$(RUN) docs/make_tables.py

# The Max for Live devices and the drawings of their panels; both are committed.
live: $(VENV)/.ready-dev
	@$(RUN) -m max_for_live.build
	@$(RUN) -m max_for_live.drawing

# The process dies at every failpoint with its journal in PostgreSQL. Half an hour.
walk-postgresql: $(VENV)/.ready-dev
	@WALK_POSTGRESQL=1 $(RUN) -m pytest tests/faults/test_walk.py -k postgresql

# Rooms, keepers, their database, a store and a strict service for ten minutes, with kills and cuts at random.
campaign: $(VENV)/.ready-dev
	@STUDIO_SECONDS=600 STUDIO_RATE=50 STUDIO_ROOMS=4 STUDIO_TELL=1 $(RUN) -m pytest -n 0 -s -q tests/studio/test_campaign.py

# Schemathesis on the HTTP API of a daemon of its own, some minutes: no answer may be a fault of ours.
fuzz: $(VENV)/.ready-dev $(VENV)-fuzz/.ready
	@$(RUN) -m tests.fuzz $(VENV)-fuzz/bin/schemathesis --max-time 180

$(VENV)-fuzz/.ready: requirements-fuzz.txt
	@$(RUN) -m venv $(VENV)-fuzz
	@$(VENV)-fuzz/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	@touch $@

# Pins of everything, with hashes and without the name of any package host. Needs uv.
lock:
	uv lock --upgrade
	uv export -q --no-emit-project --no-header --format requirements-txt --no-dev --group build > requirements.txt
	uv export -q --no-emit-project --no-header --format requirements-txt --group build > requirements-dev.txt
	echo schemathesis | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - -o requirements-fuzz.txt

clean:
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.made:
	@test -n "$(PYTHON)$(UV)" || { echo "Python 3.11 to 3.14 is needed, and was not found."; exit 1; }
ifneq ($(UV),)
	@"$(UV)" venv -q --allow-existing --python "$(or $(PYTHON),>=3.11$(comma)<3.15)" $(VENV)
else
	@$(PYTHON) -m venv $(VENV)
endif
	@touch $@

ifneq ($(UV),)
INSTALL := VIRTUAL_ENV=$(VENV) "$(UV)" pip install -q
else
INSTALL := $(RUN) -m pip install -q --disable-pip-version-check
endif

$(VENV)/.ready: $(VENV)/.made requirements.txt pyproject.toml
	@echo "Setting up (once) ..."
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
