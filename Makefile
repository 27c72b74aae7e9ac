# Everything works on a bare machine with Python >= 3.11, make and git: no root, no system ffmpeg,
# no services. `make demo` runs the main job, `make test` the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo
# files of tests run side by side, those that take long first; many wait more than they compute
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo test test-long lint conformance bench lock clean

help:
	@echo "make setup      install into $(VENV) from the lock file"
	@echo "make demo       run a topology on a generated clip, visible in the Prefect UI"
	@echo "make test       all tests that take minutes"
	@echo "make test-long  the tests that take longer, too"
	@echo "make lint       ruff and pyright"
	@echo "make conformance  the table of docs/conformance.md, out of the tests"
	@echo "make bench      timings, side by side"
	@echo "make lock       resolve the locked versions anew (needs uv)"

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
	@echo "The run is in the Prefect UI at the address above. Stop its server: $(BIN)/mediaflow prefect stop"

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not long"

test-long: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

conformance: $(VENV)/installed-dev
	$(BIN)/python -m tests.conformance.table

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.service
	$(BIN)/python -m benchmarks.landing
	$(BIN)/python -m benchmarks.buckets
	$(BIN)/python -m benchmarks.ladder

lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet pyproject.toml --extra build -o requirements.lock
	uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet pyproject.toml --extra build --extra postgres --extra dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(DEMO) mediaflow-out build *.egg-info
