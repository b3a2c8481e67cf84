# Everything a person or a CI job does with a checkout. `make` lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXTRAS := dev,offline
QUICKSTART := examples/quickstart
QUALITY := -m benchmarks.quality
RUNS ?= benchmarks/quality/runs
SPLIT ?= test
# uv where it is installed, else pip; `make UV= install` takes pip all the same.
UV ?= $(shell command -v uv)
# Which build of torch uv takes: by the GPU and driver it finds, or cpu, cu130 ...; empty for that of the index at hand.
TORCH_BACKEND ?= auto
# Processes that run the tests side by side, each with one thread and about 2 GB; 0 for this one alone.
TEST_WORKERS ?= $(shell nproc)

.DEFAULT_GOAL := help
.PHONY: help install quickstart tools test scale-test crash-test lowest-test lint audit format wheel-test release-check quality clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(INSTALLED)  ## create the environment and install cocorec with all extras

# Built again only when what is installed changes. The checkout is installed editable.
$(INSTALLED): pyproject.toml constraints.txt
ifneq ($(UV),)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python $(if $(TORCH_BACKEND),--torch-backend $(TORCH_BACKEND)) -c constraints.txt -e '.[$(EXTRAS)]'
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
endif
	@touch $@

quickstart: $(INSTALLED)  ## run the whole pipeline on the example, show the metrics, what customers get, and a report
	$(BIN)/cocorec run --config $(QUICKSTART)/cocorec.toml --until evaluate
	$(BIN)/cocorec status --config $(QUICKSTART)/cocorec.toml
	$(BIN)/cocorec recommend --config $(QUICKSTART)/cocorec.toml
	$(BIN)/cocorec report --config $(QUICKSTART)/cocorec.toml

tools:  ## install strace and Chromium, which some tests need, where that is possible without asking
	.ci/tools

test: $(INSTALLED) tools  ## run the tests, in a process per core (TEST_WORKERS)
	OMP_NUM_THREADS=1 POLARS_MAX_THREADS=1 RAYON_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal

scale-test: $(INSTALLED)  ## compare a Ray cluster of three nodes on this machine with one process (REVIEWS=N: on an invented log)
	$(BIN)/python examples/cluster/compare.py $(if $(REVIEWS),--reviews $(REVIEWS))

crash-test: $(INSTALLED) tools  ## kill every command at every file-system call and at random; takes an hour or more
	$(BIN)/python -m pytest -m crash

lowest-test:  ## run tests with the lowest versions of the dependencies that are allowed
	LOWEST_PYTHON=$(PYTHON) .ci/lowest-test

lint: $(INSTALLED)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit:  ## look up known vulnerabilities of the pinned versions, where their database can be reached
	AUDIT_PYTHON=$(PYTHON) .ci/audit

format: $(INSTALLED)  ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel-test: $(INSTALLED)  ## build the wheel and use it in a fresh environment outside the checkout
	BUILD_PYTHON=$(abspath $(BIN)/python) .ci/wheel-test

quality: $(INSTALLED)  ## run benchmarks/quality/runs.toml on the data sets in DATA (SETS, ROWS, SEEDS, SPLIT, RUNS) and make the tables
	@test -n "$(DATA)" || { echo "make quality DATA=FOLDER, the folder that holds the data sets" >&2; exit 2; }
	@mkdir -p $(RUNS)
	@code=0; $(BIN)/python $(QUALITY).run $(DATA) --runs $(RUNS) --split $(SPLIT) \
	    --data "$(SETS)" --rows "$(ROWS)" --seeds "$(SEEDS)" || code=$$?; \
	if [ $$code -le 1 ]; then $(BIN)/python $(QUALITY).tables $(RUNS) --split $(SPLIT) >$(RUNS)/$(SPLIT).md \
	    && echo "tables: $(RUNS)/$(SPLIT).md"; fi; exit $$code

release-check: $(INSTALLED)  ## build wheel and sdist, check their metadata and contents, use the wheel as wheel-test does
	BUILD_PYTHON=$(abspath $(BIN)/python) .ci/release-check

clean:  ## remove the environment, caches and what the example made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis $(QUICKSTART)/artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
