# Two commands do everything on a fresh machine: `make repro` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
RUN := $(BIN)/
INSTALLED := .venv/installed

.PHONY: test lint site dist audit compare bench figure-2 clean

include project.mk

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) '.[pipeline]'
	touch $@

.venv/installed-test: .venv/installed
	$(INSTALL) '.[test]'
	touch $@

# Two workers, a file's tests in one of them, in the order of tests/conftest.py; one thread each, since two pools of threads
# on the same cores wait for each other.
test: .venv/installed-test ## install what is missing, then run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/installed-test ## check style, formatting, types and the documentation's links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck .ci/run benchmarks/gpu.sh
	$(SITE)

SITE = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
site: .venv/installed-test ## build the documentation as a site, in build/site
	$(SITE)

dist: ## build the wheel and the sdist into dist/, and check them (with build and twine, in an environment of their own)
	test -x build/dist/bin/twine || { $(PYTHON) -m venv build/dist && \
		build/dist/bin/python -m pip install --quiet --disable-pip-version-check build twine; }
	rm -rf dist
	build/dist/bin/python -m build --outdir dist
	build/dist/bin/twine check --strict dist/*

audit: ## check the pinned versions for known vulnerabilities (pip-audit asks PyPI about each; in an environment of its own)
	test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && \
		build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit; }
	build/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

compare: .venv/installed-test ## train and evaluate every weighting (hours; resumable); SMALL=1: see that it runs
ifdef SMALL
	rm -rf build/weightings
	$(BIN)/python benchmarks/weightings/small.py --out build/weightings
else
	cd benchmarks/weightings && $(CURDIR)/$(BIN)/dvc repro --keep-going
endif

bench: .venv/installed-test ## every benchmark at a small size, one table of ratios (under 10 minutes on two cores)
	$(BIN)/python benchmarks/bench.py

figure-2: repro ## the paper's Figure 2 from trainings of ours, both forms of the unit
	$(BIN)/python benchmarks/figure_2.py --labels data/labels --aligned data/aligned --start data/models/pretrain \
		--out docs/images/figure_2.svg

clean: ## remove the environment (not the data, models and metrics)
	rm -rf .venv
