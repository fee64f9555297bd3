# What a user needs: run, lab, test. What a maintainer needs: check, pair, render, links, ui, bench, faults.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DATA ?= digits
RUN := runs/quickstart$(if $(filter-out digits,$(DATA)),-$(DATA))

.PHONY: run lab test check notebooks-test pair render links ui bench faults

run: $(READY)  ## train a model and draw what it learned: make run, or make run DATA=mnist
	$(BIN)/mrvae train $(if $(wildcard $(RUN)/config.toml),$(RUN),$(DATA) --out $(RUN))

lab: $(READY)  ## open the notebooks
	$(BIN)/jupyter lab notebooks

test: check notebooks-test  ## everything that CI checks

check: $(READY)  ## lint, types, the budget of lines, and the tests of the library
	$(BIN)/ruff check .
	$(BIN)/python tools/budget.py
	$(BIN)/mypy
	$(BIN)/pytest -q

notebooks-test: $(READY)  ## run every notebook and compare the outputs that are marked
	$(BIN)/pytest -q --nbval-lax --nbval-current-env --nbval-cell-timeout=300 notebooks

pair: $(READY)  ## write each notebook from its .py, keeping its outputs
	$(BIN)/jupytext --quiet --to ipynb --update notebooks/*.py

render: pair  ## run every notebook and keep what it shows; draw the README's picture
	$(BIN)/python tools/render.py
	$(BIN)/python tools/picture.py

links: $(READY)  ## write the repository's name into badges and set-up cells: make links REPO=owner/name
	$(BIN)/python tools/links.py $(REPO)

ui: $(READY)  ## drag, press and type in a real browser; prints how soon the picture follows
	$(BIN)/pytest -q tests/ui --screenshots docs

bench: $(READY)  ## the figures in docs/performance.md and docs/results.md
	for name in startup explorer data gaze metrics training growth shipped mixed_models sources gpu; do $(BIN)/python benchmarks/$$name.py || exit 1; done

faults: $(READY)  ## the counts in docs/reliability.md
	for name in kill_and_resume fuzz; do $(BIN)/python benchmarks/$$name.py || exit 1; done

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
