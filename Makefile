# `make run` runs the whole benchmark, `make test` lint, types, tests and the site, `make docs` makes the site of docs/
# in site/; all of them make .venv on first use.
# Python 3.11 or newer is looked for; `make run PYTHON=/path/to/python3.12` chooses one.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
ARGS ?= --schemes all --attacks all

.PHONY: run test lint types tests site docs clean
run: .venv/.installed
	$(BIN)/bench run $(ARGS)

# `make -j2 -O test` runs them side by side, and prints what each one said in one piece.
test: lint types tests site
lint types tests site: .venv/.developed
tests: export PYTHONDONTWRITEBYTECODE = # or each of some hundred processes compiles the sources anew
tests: export OMP_NUM_THREADS := 1
lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
types:
	$(BIN)/mypy
tests:
	$(BIN)/python -m pytest

docs: .venv/.documented
docs site:
	$(BIN)/mkdocs build --strict --quiet

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found: install it, or run make PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "the venv module is missing: on Debian and Ubuntu, apt-get install python3-venv"; exit 2; }

# The first installation fetches torch, which takes minutes; the stamps keep it from being repeated.
.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.developed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch .venv/.installed $@

.venv/.documented: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch .venv/.installed $@

clean:
	rm -rf .venv
