# `make demo` and `make test` need git, python3 (3.11 or newer) and make; the rest is installed: see .ci/bootstrap.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: help demo fractal test lab field mutants floor check lint types layers docs format changelog dist container-check bench imports clean

help:
	@echo "make demo    a pool that survives: three registrars, five web servers, two users, and their faults"
	@echo "make fractal a picture that a pool computes while its workers are killed (ARGS='--web 0' for a browser)"
	@echo "make test    every test, and branch coverage (TESTS=tests.core.wire for some)"
	@echo "make lab     tests with the kernel's SCTP, several hosts and rsplib, in a guest (TESTS=tests.lab.test_networks for some)"
	@echo "make field   servers and clients of other people, from the package index, in pools (TESTS=tests.field.test_http for some)"
	@echo "make mutants breaks the core, to see whether its tests notice (ARGS='--minutes 5 rserpool/core/user' for some)"
	@echo "make floor   every test, with the oldest releases of the dependencies that setup.cfg allows, and nothing compiled"
	@echo "make check   lint, types, layers, docs"
	@echo "make format  lays the code out as make check wants it"
	@echo "make changelog  what the next release will say is new"
	@echo "make dist    sdist and wheels of what is committed, looked at and tried (ARGS='--with python3.12' for other Pythons)"
	@echo "make container-check  the steps of the Containerfile in a clean root (as root; debootstrap; ARGS='--bind DIR')"
	@echo "make bench   speed and size, as a table and as JSON"
	@echo "make imports how long each public package takes to import, and what it loads"
	@echo "make clean   remove what the others made"

demo: $(VENV)/.installed-run
	@$(BIN)/rserpool demo $(ARGS)

fractal: $(VENV)/.installed-run
	@$(BIN)/rserpool fractal $(ARGS)

test: $(VENV)/.installed-test
	@$(BIN)/python tests/run.py $(TESTS)

lab: $(VENV)/.installed-lab
	@$(BIN)/python -m tests.lab.run $(TESTS)

field: $(VENV)/.installed-field
	@$(BIN)/python -m tests.field.rows
	@$(BIN)/python tests/run.py --no-coverage $(or $(TESTS),tests.field)

mutants: $(VENV)/.installed-mutants
	@nice $(BIN)/python -m tests.mutants $(ARGS)

# In one process: a second one would be measured by nothing, and the lab runs beside it.
floor: $(VENV)/.installed-dev
	@$(BIN)/tox run -q -e floor -- --workers 1

check: lint types layers docs

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/fault.yml \
	    .github/ISSUE_TEMPLATE/wish.yml

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev
	$(BIN)/sphinx-build -nW --keep-going -q docs docs/_build
	$(BIN)/pydoctor

changelog: $(VENV)/.installed-dev
	@$(BIN)/towncrier build --draft --config docs/changelog.d/towncrier.toml --dir . --version "The next release"

dist: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.release.dist $(ARGS)

container-check: $(VENV)/.installed-test
	@nice $(BIN)/python -m tests.container.check $(ARGS)

bench: $(VENV)/.installed-test
	@$(BIN)/python bench/run.py $(ARGS)

imports: $(VENV)/.installed-test
	@$(BIN)/python -m bench.imports $(ARGS)

# One stamp for each set of packages. Those of the tests are part of the larger ones.
$(VENV)/.installed-%: setup.cfg setup.py pyproject.toml .ci/bootstrap $(wildcard rserpool/sctp/*/*.c)
	@echo "Installing what is needed into $(VENV): only now, and after changes of what is needed."
	@PYTHON="$(PYTHON)" .ci/bootstrap "$(VENV)" $*
	@touch $@ $(if $(filter dev lab field mutants,$*),$(VENV)/.installed-run $(VENV)/.installed-test)

clean:
	rm -rf $(VENV) .tox build dist *.egg-info docs/_build _trial_temp* .coverage* .mypy_cache .ruff_cache \
	    .import_linter_cache .hypothesis twisted/plugins/dropin.cache rserpool/sctp/*/_*.so
	find rserpool tests twisted -name __pycache__ -type d -prune -exec rm -rf {} +
