# Development targets; `make help` lists them. Needs Python 3.11 or newer and GNU make 3.81 or newer.

# Another interpreter: make demo PYTHON=python3.13
PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
# Unit tests compute. Half of the time of the others is waiting, for which two cores take three.
CORES := $(shell getconf _NPROCESSORS_ONLN)
PYTEST_PROCESSES ?= 3
# The test packages include Node, for machines without it.
export PATH := $(PATH):$(abspath $(BIN))
SETUP = env PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/setup.sh
OLDEST_VENV := .venv-oldest
SETUP_OLDEST = env PYTHON="$(PYTHON)" VENV="$(OLDEST_VENV)" OLDEST=1 sh tools/setup.sh
# Hundreds of processes start in a run of the tests: each would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
# Each step of a long target prints its name and its duration.
export STARTED := $(shell date +%s)
STEP = @sh tools/timed.sh
PYTEST = $(BIN)/python -m pytest -n $(PYTEST_PROCESSES)

.DEFAULT_GOAL := help
.PHONY: help demo run-minimal test-unit test test-full test-oldest bench coverage looks docs packages lint format messages static clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## Start the demo: site, worker, beat and broker, on http://127.0.0.1:8000/
	@$(SETUP) demo
	@exec $(BIN)/python -m examples.demo

run-minimal: ## Start the smallest example: runserver and a worker
	@$(SETUP) demo
	@exec $(BIN)/python -m examples.minimal

test-unit: ## Run the tests that need no server, in less than a minute (needs neither apt nor npm)
	$(STEP) "Python packages" $(SETUP) test-unit
	$(STEP) "Unit tests" $(BIN)/python -m pytest -n $(CORES) tests/unit $(ARGS)

test: packages ## Run the whole test suite (options: make test ARGS="-k inbox")
	$(STEP) "Tests" $(PYTEST) $(ARGS)

test-oldest: ## Run the main tests on the oldest versions that setup.cfg allows
	$(STEP) "Oldest Python packages" $(SETUP_OLDEST) test
	$(STEP) "Main tests on the oldest versions" $(OLDEST_VENV)/bin/python -m pytest -m main_road $(ARGS)

test-full: test test-oldest ## Run test, test-oldest, further servers and databases, walks through the docs, and the soak tests
	$(STEP) "Further servers, databases and themes, pages followed to the end" $(PYTEST) -m "variant or walk"
	$(STEP) "Soak tests" $(BIN)/python -m pytest -m soak

coverage: packages ## Run the suite and show uncovered lines
	$(STEP) "Tests" $(PYTEST) --cov --cov-report term $(ARGS)

looks: packages ## Compare pictures of every page, light, dark and on a phone, with the stored ones
	@$(BIN)/python tools/looks.py $(ARGS)

docs: ## Build the documentation into build/docs
	@$(SETUP) docs
	$(BIN)/python tools/reference.py
	$(BIN)/sphinx-build -q -W -n -E docs build/docs
	@echo "build/docs/index.html"

packages:
	$(STEP) "Debian packages" sh tools/debian-packages.sh
	$(STEP) "Python packages" $(SETUP) test
	$(STEP) "Node packages" sh tools/npm.sh

bench: ## Measure speed and memory beside other libraries, in under 20 minutes
	@$(SETUP) bench
	$(BIN)/python -m benchmarks

lint: ## Check style, types, imports, migrations and translations
	@$(SETUP) test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/vocabulary.py
	$(BIN)/mypy --config-file examples/mypy.ini
	$(BIN)/python -m django makemigrations --check --dry-run --settings tests.settings
	$(BIN)/python -m django makemigrations --check --dry-run --settings examples.demo.settings
	$(BIN)/python tools/translations.py --check
	@sh tools/npm.sh
	@[ ! -e node_modules/.bin/tsc ] || npm run --silent lint

format: ## Format the code and apply automatic fixes
	@$(SETUP) test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: ## Collect and compile the translations (needs gettext)
	@$(SETUP) test
	$(BIN)/python tools/translations.py

static: ## Build the browser part from its sources
	@$(SETUP) test
	@sh tools/npm.sh
	@$(BIN)/python tools/static.py

clean: ## Remove everything that the targets have created
	rm -rf $(VENV) $(OLDEST_VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .coverage htmlcov
	rm -rf node_modules examples/demo/var examples/minimal/var
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
