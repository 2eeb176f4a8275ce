# make            says what there is
# Each verb does its own set-up in .venv, and nothing twice.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SDKS := $(VENV)-sdk
JAVASCRIPT := tests/sdks/javascript
PEERS := $(VENV)-peers
# Wheels only, at the locked versions and hashes, from the index that pip is configured for.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
BUILT_FROM := $(shell find proto envoy -type f) hatch_build.py pyproject.toml
PACKAGES := mien serving store embedder classifier admin

.DEFAULT_GOAL := help
.PHONY: help install demo up test lint bench clean lock

help:
	@echo 'make install   set up mien in .venv: then $(BIN)/mien --help'
	@echo 'make demo      enrol and recognise sample photographs, end to end'
	@echo 'make up        run the whole mesh on this machine, REST and gRPC on port 8000'
	@echo 'make test      run the tests'
	@echo 'make lint      check style, types and the contract'
	@echo 'make bench     measure, and write bench/results/'
	@echo 'make clean     remove what these made (your data and the model cache stay)'
	@echo 'make lock      renew the locked versions in requirements/'

install: $(VENV)/.installed

demo: install
	$(BIN)/mien demo

up: install
	$(BIN)/mien up

test: $(VENV)/.dev $(SDKS)/.python $(JAVASCRIPT)/node_modules/.package-lock.json
	$(BIN)/python -m pytest -n 2 --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(PACKAGES) --exclude "*_pb2*"
	$(BIN)/buf lint mien/descriptor.pb#format=binpb
	$(BIN)/python tests/breaking.py

bench: $(VENV)/.dev $(PEERS)/.installed
	BENCH_PEERS=$(PEERS) $(BIN)/python -m bench

clean:
	rm -rf $(VENV) $(SDKS) $(PEERS) $(JAVASCRIPT)/node_modules dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis mien-demo mien/descriptor.pb
	find . -name '*_pb2*' -delete -o -name __pycache__ -prune -exec rm -rf {} +

lock: $(VENV)/.dev
	$(PIP) uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
	  --extra server --extra cpu pyproject.toml -o requirements/cpu.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
	  --extra server --extra gpu pyproject.toml -c requirements/cpu.txt -o requirements/gpu.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
	  --extra server --extra cpu --extra dev pyproject.toml -c requirements/cpu.txt -o requirements/dev.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
	  tests/sdks/python/requirements.in -o tests/sdks/python/requirements.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --python-version 3.11 --upgrade \
	  bench/peers/requirements.in -o bench/peers/requirements.txt
	cd $(JAVASCRIPT) && npm update --package-lock-only --no-audit --no-fund

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mien needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv $(VENV) || \
	  { echo 'No virtual environment could be made. On Debian: apt install python3-venv'; rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.locked: $(VENV)/.venv requirements/cpu.txt
	@echo 'Installing what mien stands on (about 300 MB) ...'
	@$(PIP) --no-deps --require-hashes --only-binary=:all: -r requirements/cpu.txt
	@touch $@

# An editable install: Python edits count at once, an edit of proto/ at the next make.
$(VENV)/.installed: $(VENV)/.locked $(BUILT_FROM)
	@echo 'Compiling the contract and installing mien ...'
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed requirements/dev.txt
	@echo 'Installing what tests and checks need ...'
	@$(PIP) --no-deps --require-hashes --only-binary=:all: -r requirements/dev.txt
	@touch $@

# CompreFace's own SDKs, which the tests run unmodified, want older versions than ours: they live apart.
$(SDKS)/.python: tests/sdks/python/requirements.txt | $(VENV)/.venv
	@echo "Installing CompreFace's SDK for Python ..."
	@$(BIN)/python -m venv --clear --without-pip $(SDKS)
	@$(BIN)/python -m pip --python $(SDKS)/bin/python --disable-pip-version-check install --quiet \
	  --no-deps --require-hashes --only-binary=:all: -r $<
	@touch $@

# Other servers of networks, which `make bench` measures beside ours.
$(PEERS)/.installed: bench/peers/requirements.txt | $(VENV)/.venv
	@echo "Installing mosec and LitServe, to be measured beside mien ..."
	@$(BIN)/python -m venv --clear --without-pip $(PEERS)
	@$(BIN)/python -m pip --python $(PEERS)/bin/python --disable-pip-version-check install --quiet \
	  --no-deps --require-hashes --only-binary=:all: -r $<
	@touch $@

# npm writes this file when all is there.
$(JAVASCRIPT)/node_modules/.package-lock.json: $(JAVASCRIPT)/package-lock.json
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
	  echo "Installing CompreFace's SDK for JavaScript ..."; \
	  cd $(JAVASCRIPT) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null; \
	else echo "There is no Node with npm: the tests of CompreFace's SDK for JavaScript will skip."; fi
