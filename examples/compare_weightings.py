# %% [markdown]
# # Compare weightings: read runs from MLflow, plot the front
#
# Train a few weightings first; each is an experiment in DVC and in MLflow:
#
# ```bash
# dvc exp run --name equal -S train.weighting.name=equal
# dvc exp run --name uncertainty -S train.weighting.name=uncertainty
# ```
#
# Start this notebook in the repository, where `mlflow.db` is.

# %%
import os

os.environ.setdefault("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import matplotlib.pyplot as plt
import mlflow

# %% [markdown]
# ## The scores of each experiment
#
# An experiment's run has the means over its folds; a fold's run lies below it.

# %%
runs = mlflow.search_runs(experiment_names=["dwmtl"])
runs = runs[runs["status"] == "FINISHED"]
experiments = runs[runs["metrics.expression_accuracy_low"].notna()]
scores = ["metrics.expression_accuracy", "metrics.verification_accuracy"]
print(experiments[["tags.mlflow.runName", "params.train.weighting.name", *scores]].to_string(index=False))

# %% [markdown]
# ## The front
#
# Up and to the right is better. A difference within the intervals means nothing.

# %%
for _, run in experiments.iterrows():
    x, y = run["metrics.verification_accuracy"], run["metrics.expression_accuracy"]
    low, high = run["metrics.expression_accuracy_low"], run["metrics.expression_accuracy_high"]
    plt.errorbar(x, y, yerr=[[max(0, y - low)], [max(0, high - y)]], fmt="o", label=run["tags.mlflow.runName"])
plt.xlabel("verification accuracy")
plt.ylabel("expression accuracy, 95 % interval")
plt.legend()
plt.show()

# %% [markdown]
# ## The task weights of one fold, step by step

# %%
client = mlflow.MlflowClient()
fold = runs[runs["tags.mlflow.runName"] == "fold 0"].iloc[0]
weights = [name.removeprefix("metrics.") for name in runs.columns if name.startswith("metrics.weight/")]
for name in weights:
    history = client.get_metric_history(fold["run_id"], name)
    plt.plot([point.step for point in history], [point.value for point in history], label=name)
plt.xlabel("step")
plt.ylabel("task weight")
plt.legend()
plt.show()
