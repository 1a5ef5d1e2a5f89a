"""MLflow's own pages of our runs in a real browser: the runs are listed, and their metrics are grouped in charts."""

import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from dwmtl.params import load_params
from dwmtl.tables import write_table
from dwmtl.tracking.experiments import resume_experiment_run, start_fold_run
from dwmtl.tracking.log_report import log_summary

summary_of = runpy.run_path(str(Path(__file__).resolve().parents[1] / "unit/tracking/conftest.py"))["summary_of"]
headless = runpy.run_path(str(Path(__file__).resolve().parents[2] / ".ci/chromium.py"))["headless"]
READY_AFTER_S = 180
SCORE = {"mean": 0.7, "std": 0.0, "per_fold": [0.7], "interval": [0.5, 0.9]}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Addresses on a server with a fold of a few steps and its experiment's scores."""
    import pandas as pd
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("ui")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    params = load_params()
    for name in ("task_weights", "task_losses"):
        write_table(pd.DataFrame({"step": range(5), "identity": 0.4, "expression": 0.6}), folder / f"{name}.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.delenv("DVC_EXP_NAME", raising=False)
        client = MlflowClient(tracking_uri=uri)
        client.create_experiment("dwmtl", artifact_location=(folder / "artifacts").as_uri())
        with start_fold_run(params, 0, data_sha256="d") as fold:
            for step in range(5):
                fold.log_row({"step": step, "weight_identity": 0.4, "loss_identity": 1.0})
            fold.set_tag("dwmtl.model_sha256", "abc")
        with resume_experiment_run(params, "abc") as run:
            log_summary(run, params, summary_of({"expression_accuracy": SCORE}), folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", server.rpartition(":")[2], "--workers", "1"],
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        start_new_session=True,
    )
    try:
        _wait(server, process)
        experiment = client.get_experiment_by_name("dwmtl").experiment_id
        runs = f"{server}/#/experiments/{experiment}/runs"
        yield {
            "list": runs,
            "fold": f"{runs}/{fold.run_id}/model-metrics",
            "experiment": f"{runs}/{run.run_id}/model-metrics",
        }
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own: the server and its workers
        process.wait()


def _wait(server: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + READY_AFTER_S
    while time.monotonic() < end:
        assert process.poll() is None, "mlflow ui ended"
        try:
            return urllib.request.urlopen(f"{server}/health", timeout=5).close()
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"mlflow ui does not answer after {READY_AFTER_S} s")


def shown(browser: str, address: str, folder) -> str:
    """The text of a page once it is drawn; the browser may ask 127.0.0.1 alone."""
    command = headless(
        browser,
        folder / "profile",
        "--window-size=2200,2400",
        "--virtual-time-budget=90000",
        "--dump-dom",
        address,
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    text = re.sub(r"<(style|script)\b.*?</\1>", "", done.stdout, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


@pytest.mark.slow
def test_the_list_shows_the_experiment(browser, pages, tmp_path):
    assert "dynamic on oulu_casia" in shown(browser, pages["list"], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "groups"), [("fold", ("loss (1)", "weight (1)")), ("experiment", ("loss (2)", "weight (2)"))]
)
def test_a_runs_page_groups_its_metrics(browser, pages, tmp_path, page, groups):
    text = shown(browser, pages[page], tmp_path)
    for group in groups:
        assert group in text
