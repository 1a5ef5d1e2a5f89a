"""The pictures of MLflow's page of runs in docs/images: the list, and the charts.

    make ui
    python .ci/mlflow_screenshots.py --server http://127.0.0.1:5000 --out docs/images

Of the server's experiment `dwmtl`. Needs Chromium on the PATH.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from chromium import MISSING, find, headless
from mlflow import MlflowClient
from PIL import Image

PAGE_FRACTION = 0.744
"""Of a window's width; the rest is MLflow's assistant, which nothing but a click closes. It is cut off."""


def take(browser: str, address: str, picture: Path, *, size: tuple[int, int]) -> None:
    """A picture of a page once its charts are drawn, without the assistant."""
    width, height = size
    with tempfile.TemporaryDirectory() as profile:
        command = headless(
            browser,
            profile,
            "--virtual-time-budget=90000",
            f"--window-size={round(width / PAGE_FRACTION)},{height}",
            f"--screenshot={picture.resolve()}",
            address,
        )
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    shown = Image.open(picture).convert("RGB").crop((0, 0, width, height))
    shown.quantize(256, method=Image.Quantize.FASTOCTREE, dither=0).save(picture, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:5000")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    browser = find() or parser.error(MISSING)
    client = MlflowClient(arguments.server)
    place = client.get_experiment_by_name("dwmtl").experiment_id
    view = f"{arguments.server}/#/experiments/{place}/runs?viewStateShareKey=dwmtl"
    take(browser, view, arguments.out / "mlflow_runs.png", size=(1500, 480))
    take(browser, f"{view}&compareRunsMode=CHART", arguments.out / "mlflow_charts.png", size=(1640, 720))


if __name__ == "__main__":
    main()
