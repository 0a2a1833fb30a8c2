# One entry point. Every target brings the environment up to date first, so none needs another.
PYTHON  ?= python3
VENV    ?= .venv
SAMPLES ?=
WORKERS ?=
BENCH   ?=

BIN    := $(VENV)/bin
STAMP  := $(VENV)/.complete
PYTEST := $(BIN)/python -m pytest $(if $(WORKERS),-n $(WORKERS))
UV     := uv==0.13.9

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-samples test-peers check bench soak docs changes format lock new slice

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 | /p' $(MAKEFILE_LIST) | awk -F ' [|] ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## the environment in .venv; PYTHON=python3.12 chooses the interpreter
	@echo "Ready: $(BIN)/anamnesis"

$(STAMP): requirements.lock pyproject.toml .ci/venv
	@.ci/venv $(VENV) $(PYTHON)
	@touch $@

demo: $(STAMP) ## the whole platform on this machine, in .anamnesis; SAMPLES=folder adds real input
	@echo "Starting the demo; everything it writes is in .anamnesis"
	@$(BIN)/anamnesis demo --dir .anamnesis $(if $(SAMPLES),--samples "$(SAMPLES)")

test: $(STAMP) ## the suite; WORKERS=2 runs it in two processes
	@echo "Running the suite"
	@$(PYTEST) -m "not samples and not peers and not soak"

test-samples: SAMPLES := $(or $(SAMPLES),../shared/data)
test-samples: $(STAMP) ## the tests over real sample input; SAMPLES=../shared/data
	@test -d "$(SAMPLES)" || { echo "There is no folder $(SAMPLES): name it with make test-samples SAMPLES=folder" >&2; exit 1; }
	@echo "Running the tests over the samples in $(SAMPLES)"
	@ANAMNESIS_SAMPLES="$(abspath $(SAMPLES))" $(PYTEST) $(if $(WORKERS),--dist loadfile) -m samples

test-peers: $(STAMP) ## the suite on PostgreSQL 15 and the newest Python; npm clients, an AWS, Go
	@.ci/peers $(VENV) "$(WORKERS)"

check: $(STAMP) ## format, lint, types, imports, contracts
	@echo "Checking the format"
	@$(BIN)/ruff format --check .
	@echo "Checking style and safety rules"
	@$(BIN)/ruff check .
	@echo "Checking types"
	@$(BIN)/mypy
	@echo "Checking import contracts"
	@$(BIN)/lint-imports --no-cache
	@echo "Checking contracts of the repository"
	@$(PYTEST) tests/contracts

bench: $(STAMP) ## hot paths beside their references, a JSON object a line; BENCH=append for one
	@echo "Measuring $(or $(BENCH),everything)" >&2
	@$(BIN)/python -m bench $(BENCH)

soak: $(STAMP) ## the long forms of the tests
	@echo "Running the long forms; this takes a while"
	@ANAMNESIS_SOAK=1 $(PYTEST) -m soak

docs: $(STAMP) ## writes the generated pages of docs/
	@echo "Writing the generated pages of docs/"
	@$(BIN)/anamnesis docs

changes: $(STAMP) ## what the GraphQL schema changed since the last release
	@$(BIN)/python -m tests.contracts.schema_changes

format: $(STAMP) ## formats the code and mends what ruff can mend
	@echo "Formatting"
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## resolves requirements.in again, with uv in a throw-away environment
	@echo "Resolving requirements.in into requirements.lock with $(UV)"
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	  $(PYTHON) -m venv "$$folder" && \
	  "$$folder/bin/python" -m pip install --quiet --quiet --disable-pip-version-check $(UV) && \
	  "$$folder/bin/uv" pip compile --quiet --color never --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    requirements.in --output-file requirements.lock

new: ## lays out the column of a capability: make new CAPABILITY=scheduling
	@test -n "$(CAPABILITY)" || { echo "Name it: make new CAPABILITY=scheduling" >&2; exit 1; }
	@.ci/new "$(CAPABILITY)"

slice: ## lists the column of a capability: make slice CAPABILITY=scheduling
	@test -n "$(CAPABILITY)" || { echo "Name it: make slice CAPABILITY=scheduling" >&2; exit 1; }
	@find domain projections schema api migrations tests docs -path '*$(CAPABILITY)*' -type f ! -name '*.pyc' | sort | xargs -r wc -l
