# Two commands do everything on a fresh machine: `make repro` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help repository repro test lint audit ui status compare bench figure-2 clean

help: ## list these verbs
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) '.[pipeline]'
	touch $@

.venv/installed-test: .venv/installed
	$(INSTALL) '.[test]'
	touch $@

# DVC says only that there is no repository, and only after everything is installed.
repository:
	@folder="$(CURDIR)"; until [ -e "$$folder/.git" ] || [ "$$folder" = / ]; do folder=$$(dirname "$$folder"); done; \
	[ -e "$$folder/.git" ] || grep -qis 'no_scm *= *true' .dvc/config .dvc/config.local "$(HOME)/.config/dvc/config" || \
	{ echo "error: $(CURDIR): not in a git repository, which DVC needs. Run: git init. Or have DVC do" \
	"without: echo '    no_scm = true' >> .dvc/config" >&2; exit 1; }

repro: repository .venv/installed ## install what is missing, then run the whole pipeline (only what changed)
	$(BIN)/dwmtl check
	$(BIN)/dvc repro

# Two workers, a file's tests in one of them, in the order of tests/conftest.py; one thread each, since two pools of threads
# on the same cores wait for each other.
test: .venv/installed-test ## install what is missing, then run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/installed-test ## check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/shellcheck .ci/run benchmarks/gpu.sh

audit: ## check the pinned versions for known vulnerabilities (pip-audit asks PyPI about each; in an environment of its own)
	test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && \
		build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit; }
	build/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

ui: .venv/installed ## browse the runs of mlflow.db in MLflow's pages, on 127.0.0.1:5000
	$(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port 5000

status: .venv/installed ## what `make repro` would run
	$(BIN)/dvc status

compare: .venv/installed-test ## train and evaluate every weighting (hours on two cores; resumable); SMALL=1: see that it runs
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
