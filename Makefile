# What a user needs: run, lab, test. What a maintainer needs: check, pair, render, links, site, ui, bench, faults.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SITE_READY := .venv/.site-ready
DATA ?= digits
# Tests run side by side on one core each, as small networks gain nothing from a second one; and one more than there are
# cores, because many tests wait for a browser or for another process.
SIDE_BY_SIDE := -n $(shell $(PYTHON) -c 'import os; print(min(4, 1 + os.cpu_count()))')
RUN := runs/quickstart$(if $(filter-out digits,$(DATA)),-$(DATA))

.PHONY: run lab test check notebooks-test pair render links site ui bench faults

run: $(READY)  ## train a model and draw what it learned: make run, or make run DATA=mnist
	$(BIN)/mrvae train $(if $(wildcard $(RUN)/config.toml),$(RUN),$(DATA) --out $(RUN))

lab: $(READY)  ## open the notebooks
	$(BIN)/jupyter lab notebooks

test: check notebooks-test  ## everything that CI checks

check: $(READY)  ## lint, types, the budget of lines, and the tests of the library
	$(BIN)/ruff check .
	$(BIN)/python tools/budget.py
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -q $(SIDE_BY_SIDE) --dist worksteal

notebooks-test: $(READY)  ## run every notebook and compare the outputs that are marked
	OMP_NUM_THREADS=1 $(BIN)/pytest -q $(SIDE_BY_SIDE) --dist loadfile --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=300 notebooks

pair: $(READY)  ## write each notebook from its .py, keeping its outputs
	$(BIN)/jupytext --quiet --to ipynb --update notebooks/*.py

render: pair  ## run every notebook and keep what it shows; draw the README's picture of all codes
	$(BIN)/python tools/render.py
	$(BIN)/python tools/picture.py

links: $(READY)  ## write the repository's name into badges and set-up cells: make links REPO=owner/name
	$(BIN)/python tools/links.py $(REPO)

site: $(SITE_READY)  ## build/site/index.html: the notebooks, docs/, the library's reference and the live models; no network
	$(BIN)/sphinx-build --quiet --fail-on-warning --fresh-env -c site . build/site
	cp build/site/README.html build/site/index.html
	$(BIN)/python tools/gallery.py build/site/gallery

ui: $(READY)  ## drag, press and type in a real browser; prints how soon the picture follows; films the README's moving picture
	$(BIN)/pytest -q tests/ui --screenshots build/screenshots
	$(BIN)/python tools/demo.py

bench: $(READY)  ## the figures in docs/performance.md and docs/results.md
	for name in startup explorer data gaze metrics training growth shipped mixed_models sources gpu; do $(BIN)/python benchmarks/$$name.py || exit 1; done

faults: $(READY)  ## the counts in docs/reliability.md
	for name in kill_and_resume fuzz; do $(BIN)/python benchmarks/$$name.py || exit 1; done

$(SITE_READY): requirements-site.txt $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-site.txt
	mkdir -p .venv/share/jupyter/lab/settings && cp tools/lab-settings.json .venv/share/jupyter/lab/settings/overrides.json
	@touch $@

$(READY): requirements.txt pyproject.toml tools/lab-settings.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	mkdir -p .venv/share/jupyter/lab/settings && cp tools/lab-settings.json .venv/share/jupyter/lab/settings/overrides.json
	@touch $@
