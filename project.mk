# The verbs of a project: run the pipeline, look at its runs. This is the Makefile of a project that `dwmtl new` makes; the
# repository's own includes it, with the programs of its environment (RUN) and what installs them first (INSTALLED).

export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help repository repro ui status experiments

help: ## list these verbs
	@grep -hE '^[a-z0-9-]+:.*##' $(filter-out Makefile,$(MAKEFILE_LIST)) $(filter Makefile,$(MAKEFILE_LIST)) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20

# DVC says only that there is no repository, and only after everything is installed.
repository:
	@folder="$(CURDIR)"; until [ -e "$$folder/.git" ] || [ "$$folder" = / ]; do folder=$$(dirname "$$folder"); done; \
	[ -e "$$folder/.git" ] || grep -qis 'no_scm *= *true' .dvc/config .dvc/config.local "$(HOME)/.config/dvc/config" || \
	{ echo "error: $(CURDIR): not in a git repository, which DVC needs. Run: git init. Or have DVC do" \
	"without: echo '    no_scm = true' >> .dvc/config" >&2; exit 1; }

repro: repository $(INSTALLED) ## run the whole pipeline (only what changed)
	$(RUN)dwmtl check
	$(RUN)dvc repro

status: $(INSTALLED) ## what `make repro` would run
	$(RUN)dvc status

# Left out: digests of files, ends of intervals, the models of the best epochs; DVC has no setting for it.
experiments: $(INSTALLED) ## list DVC's experiments: scores, and the params that differ
	$(RUN)dvc exp show --only-changed --drop '.*/|.*_low|.*_high|best_|Executor'

ui: $(INSTALLED) ## browse the runs of mlflow.db in MLflow's pages, on 127.0.0.1:5000
	$(RUN)mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port 5000
