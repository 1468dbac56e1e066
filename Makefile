# `make table1` and `make test` are all that is needed; each sets up .venv the first time.
# Variables: PYTHON (the interpreter for .venv), EXTRAS (what is installed there beside the project),
# ARGS (further arguments), WORKERS (of the tests).

PYTHON ?= python3
EXTRAS ?= dev,docs
WORKERS ?= 2
ARGS ?=

BIN := .venv/bin
READY := .venv/.ready

.DELETE_ON_ERROR:
.PHONY: help table1 test lint check docs ui clean

help: ## Show this list
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

table1: $(READY) ## Train and draw Table 1 on embedded data (ARGS="--seeds 0,1,2" for three seeds)
	@$(BIN)/python -m reproduce table1 $(ARGS)

test: $(READY) ## Run all tests (ARGS="-m 'not slow'" for the fast ones)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup $(ARGS)

lint: $(READY) ## Put the code into shape and show what is left to do by hand
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: $(READY) ## Check style, format and types, change nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(READY) ## Build the documentation in build/site; a warning is an error
	@$(BIN)/python -m sphinx -q -W --keep-going -c docs -d build/site-cache . build/site
	@echo "Open build/site/index.html"

ui: $(READY) ## Open the MLflow interface on the results
	@$(BIN)/python -m reproduce ui $(ARGS)

clean: ## Remove .venv and caches; results stay
	@rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find cdd reproduce experiments tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Renewed when the dependencies change. The pinned torch has no suffix, so that pip prefers a CPU build
# (2.13.0+cpu) where it finds one, and else takes the one that PyPI has for this machine.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, as $(PYTHON): name another one with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv ..."; $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment: install its venv module (python3-venv)." >&2; exit 1; }; }
	@echo "Installing the pinned packages into .venv; the first time takes 2 to 10 minutes ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@
