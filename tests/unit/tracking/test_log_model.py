"""A model in MLflow, found, loaded and served: the answers are those of the Python API."""

import base64
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest

import dwmtl
from dwmtl.inference.model import load_model
from dwmtl.params import load_params
from dwmtl.tracking.experiments import resume_model_run, start_fold_run
from dwmtl.tracking.log_model import log_model, pinned_requirements
from dwmtl.tracking.promote import choose, promote

PAGE = (Path(__file__).resolve().parents[3] / "docs/mlflow.md").read_text()
SERVED_AFTER_S = 240


@pytest.fixture(scope="module")
def logged(store, known, tmp_path_factory) -> str:
    """Id of the run of the known model, which was logged twice, with its threshold, and is the champion."""
    threshold = known.write_threshold(tmp_path_factory.mktemp("evaluated") / "threshold.json")
    with start_fold_run(load_params(), 0, data_sha256="d") as run:
        run.set_tag("dwmtl.model_sha256", "abc")
        run.log_metrics({"validation_accuracy": 0.5})
    for _ in range(2):
        with resume_model_run(load_params(), "abc") as run:
            log_model(run, known.model, threshold, weights="raw", register_as="dwmtl", tags={"fold": "0"})
    promote("dwmtl", "champion", choose("dwmtl", "champion", runs=[], experiment=None).version)
    return run.run_id


def test_a_model_is_logged_and_registered_once(store, logged):
    (output,) = store.get_run(logged).outputs.model_outputs
    (found,) = store.search_model_versions("name='dwmtl'")
    assert found.run_id == logged
    assert found.tags == {"fold": "0"}
    assert found.source == f"models:/{output.model_id}"
    tags = store.get_logged_model(output.model_id).tags
    assert json.loads(tags["mlflow.modelVersions"]) == [{"name": "dwmtl", "version": found.version}]  # on its page


@pytest.mark.parametrize("uri", ["runs:/{run}/model", "models:/dwmtl/1", "models:/dwmtl@champion"])
def test_what_was_logged_is_loaded_with_its_threshold(logged, known, model, uri):
    loaded = load_model(uri.format(run=logged), device="cpu")
    assert loaded.card == model.card
    assert loaded.threshold.value == model.threshold.value
    photo = known.photo("happiness")
    assert loaded.analyze(photo).as_json() == model.analyze(photo).as_json()


def test_a_logged_model_says_what_it_takes_gives_and_needs(logged):
    from mlflow.models import get_model_info

    found = get_model_info("models:/dwmtl/1")
    assert [(column.name, column.type.name) for column in found.signature.inputs] == [("photo", "binary")]
    assert found.signature.outputs.input_names() == ["photo", "width_px", "height_px", "num_faces", "faces"]
    assert "python_model" not in found.flavors["python_function"]  # nothing is pickled


def test_requirements_are_pinned_to_what_is_installed():
    pinned = dict(line.split("==") for line in pinned_requirements())
    assert pinned["dwmtl"] == version("dwmtl") == dwmtl.__version__
    assert pinned["torch"] == version("torch").partition("+")[0]
    assert "tensorflow-cpu" not in pinned  # an extra's


def served(known, monkeypatch, **environment: str):
    """The model as MLflow loads it."""
    from dwmtl.tracking.served_model import ServedModel

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    loaded = ServedModel()
    loaded.load_context(SimpleNamespace(artifacts={"model": str(known.model)}, model_config={"weights": "raw"}))
    return lambda *photos: loaded.predict(None, pd.DataFrame({"photo": list(photos)}))


@pytest.mark.parametrize("photo", ["{path}", "file://{path}", "http://localhost/a.jpg", None, 1])
def test_what_is_not_bytes_is_refused_and_no_path_is_opened(known, monkeypatch, photo):
    from mlflow.exceptions import MlflowException

    path = known.photo("neutral")
    photo = photo.format(path=path) if isinstance(photo, str) else photo
    with pytest.raises(MlflowException, match=r"photo 1: must be the bytes of a picture. Got (str|NoneType|int)"):
        served(known, monkeypatch)(path.read_bytes(), photo)


def test_a_request_stops_at_the_servers_time_limit(known, monkeypatch):
    from mlflow.exceptions import MlflowException

    photo = known.photo("neutral").read_bytes()
    with pytest.raises(MlflowException, match=r"photo 0: the request's time is over\. Send fewer photos"):
        served(known, monkeypatch, MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT="0")(photo)
    assert served(known, monkeypatch, MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT="60")(photo)[0]["num_faces"] == 1


@pytest.mark.slow
def test_the_input_example_shows_a_face(logged):
    from mlflow.pyfunc import load_model as load_pyfunc

    served = load_pyfunc("models:/dwmtl/1")
    (answer,) = served.predict(served.input_example)
    assert answer["num_faces"] == 1


class Server:
    """The server that the page starts, on a free port of 127.0.0.1."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        (line,) = re.findall(r"^mlflow models serve .*$", PAGE, flags=re.MULTILINE)
        command = [self.port if word == "5001" else word for word in shlex.split(line)]
        assert self.port in command
        assert "models:/dwmtl@champion" in command
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # MLflow looks for uvicorn
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, "--workers", "1"],
            env=os.environ | {"PATH": programs, "MLFLOW_DISABLE_TELEMETRY": "true", "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait(self) -> None:
        end = time.monotonic() + SERVED_AFTER_S
        while time.monotonic() < end:
            assert self.process.poll() is None, self.process.stdout.read()
            try:
                return urllib.request.urlopen(f"{self.url}/ping", timeout=5).close()
            except OSError:
                time.sleep(0.5)
        pytest.fail(f"not served after {SERVED_AFTER_S} s")

    def ask(self, *photos: bytes) -> list[dict]:
        rows = [[base64.b64encode(photo).decode()] for photo in photos]
        body = json.dumps({"dataframe_split": {"columns": ["photo"], "data": rows}}).encode()
        request = urllib.request.Request(
            f"{self.url}/invocations", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["predictions"]

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # it never started
            os.killpg(self.process.pid, signal.SIGKILL)  # of its own session: uvicorn and its worker
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server(logged):
    server = Server()
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.mark.slow
def test_a_served_model_answers_as_the_python_api(server, known, model):
    photos = [known.photo("happiness"), known.photo("surprise", "P002")]
    for photo, told in zip(photos, server.ask(*(photo.read_bytes() for photo in photos)), strict=True):
        expected = model.analyze(photo).as_json()
        assert told["num_faces"] == 1
        assert {**told, "photo": expected["photo"], "faces": []} == {**expected, "faces": []}
        for face, own in zip(told["faces"], expected["faces"], strict=True):
            embedding, own_embedding = face.pop("embedding"), own.pop("embedding")
            np.testing.assert_allclose(embedding, own_embedding, atol=1e-6)
            assert face == own


@pytest.mark.slow
def test_a_served_model_finds_the_face_of_a_photograph(server, testdata, model):
    photo = sorted((testdata / "real/yale").rglob("subject01*happy*"))[0]
    (told,) = server.ask(photo.read_bytes())
    expected = model.analyze(photo).as_json()
    assert told["num_faces"] == expected["num_faces"] == 1
    assert told["faces"][0]["box"] == expected["faces"][0]["box"]


@pytest.mark.slow
def test_a_served_model_refuses_what_is_no_picture(server, known):
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        server.ask(b"no picture")
    assert "photo 0: not a whole picture" in json.load(refused.value)["message"]
    assert server.ask(known.photo("neutral").read_bytes())[0]["num_faces"] == 1  # and goes on


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["path", "address", "path in base64", "csv"])
def test_a_served_model_opens_no_path_or_address(server, known, kind):
    path = str(known.photo("neutral"))
    text = {"address": f"file://{path}", "path in base64": base64.b64encode(path.encode()).decode()}.get(kind, path)
    body = json.dumps({"dataframe_split": {"columns": ["photo"], "data": [[text]]}})
    content_type = "text/csv" if kind == "csv" else "application/json"
    request = urllib.request.Request(
        f"{server.url}/invocations",
        data=(f"photo\n{path}\n" if kind == "csv" else body).encode(),
        headers={"Content-Type": content_type},
    )
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        urllib.request.urlopen(request, timeout=120)
    refused.value.close()


@pytest.mark.slow
def test_200_requests_of_8_clients_leave_no_more_memory_in_use(server, known):
    photo = known.photo("happiness").read_bytes()

    def memory_mb() -> float:
        return sum(worker.memory_info().rss for worker in psutil.Process(server.process.pid).children(True)) / 1e6

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda _: server.ask(photo), range(100)))  # buffers of their final size
        before_mb = memory_mb()
        list(clients.map(lambda _: server.ask(photo), range(100)))
    growth_mb = memory_mb() - before_mb
    print(f"{before_mb:.0f} MB, after 100 more requests {growth_mb:+.1f} MB")
    assert growth_mb < 40  # a photo's pixels and answer are 0.6 MB: a request that kept them would add 60 MB


@pytest.mark.slow
def test_the_pages_python_runs(server, known, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copy(known.photo("happiness"), "ann_happy.jpg")
    rank, *blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert "search_logged_models" in rank  # of evaluated folds; the pipeline's tests run it
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block.replace(":5001", f":{server.port}"), "mlflow.md", "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    assert first == "happiness"
    assert second.startswith("1 {'happiness': ")
