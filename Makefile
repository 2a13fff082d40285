# Every target works as the first command on a fresh clone: what it needs is built first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
# In one command with what needs torch: pip would bring the newest, and gigabytes with it, for
# the sake of torchvision, which curvlinops brings and nothing here uses.
TORCH ?= torch==2.13.0
TORCH_STAMP := $(VENV)/.torch

# One BLAS thread a process: two test workers on two cores do not fight over them.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.PHONY: help venv verify test pep torch lint format docs bench bench-gpu hunt mutants clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		awk -F '\t' '{printf "  make %-10s %s\n", $$1, $$2}'

venv: $(STAMP) ## Build .venv with the package and everything that its tests and docs need

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

verify: $(STAMP) ## Check the theorems quickly, then solve and certify a subproblem on real data
	$(BIN)/theory-checks verify --level quick
	$(BIN)/python -m theory_checks.experiments.digits

test: $(STAMP) ## Run the tests
	$(BIN)/python -m pytest -n $(WORKERS) -q

pep: $(STAMP) ## Compute the certificates of CurveBall's worst case anew, with PEPit
	$(BIN)/python -m pip install --quiet --editable '.[pep]'
	$(BIN)/python -m pytest -q tests/theory_checks/test_curveball_rates.py -k pepit

torch: $(TORCH_STAMP) ## Install torch and curvlinops, and run the tests that need them
	$(BIN)/python -m pytest -n $(WORKERS) -q -k 'torch or curvlinops'

$(TORCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet $(TORCH) --editable '.[torch]'
	@touch $@

lint: $(STAMP) ## Check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## Build the documentation, warnings as errors, and run every code block in it
	$(BIN)/python docs/run_blocks.py README.md docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(STAMP) ## Run the benchmarks side by side with the peers that install here
	-$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m benchmarks --out docs/benchmarks.md
	$(BIN)/python -m benchmarks.minimisers --out docs/minimisers.md
	$(BIN)/python -m benchmarks.curveball --out docs/curveball-cost.md
	$(BIN)/python -m benchmarks.batch --out docs/batch-timings.md

bench-gpu: $(STAMP) ## Check, then time, on a CUDA device (needs the extra gpu)
	$(BIN)/python -m benchmarks.gpu --out docs/benchmarks/gpu.md

hunt: $(STAMP) ## Run the property tests at length, from a random start
	$(BIN)/python -m pytest -n $(WORKERS) -q --hunt

mutants: $(STAMP) ## Try a random sample of mutants of the solver core (an hour)
	$(BIN)/python -m pip install --quiet --editable '.[mutation]'
	$(BIN)/python -m benchmarks.mutation map
	$(BIN)/python -m benchmarks.mutation map --claims
	$(BIN)/python -m benchmarks.mutation run --count 800 --seed 20261121
	$(BIN)/python -m benchmarks.mutation report

clean: ## Remove everything that was built
	rm -rf $(VENV) build dist out docs/_build docs/api/generated .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
