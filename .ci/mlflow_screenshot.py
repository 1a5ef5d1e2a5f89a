"""The pictures of MLflow's pages in docs/images: the charts and the report of the newest experiment.

    make ui
    python .ci/mlflow_screenshot.py --server http://127.0.0.1:5000 --out docs/images

Needs Chromium on the PATH.
"""

import argparse
import io
import time
from base64 import b64decode
from pathlib import Path

from chromium import MISSING, Chromium, find
from mlflow import MlflowClient
from PIL import Image

PAGE_FRACTION = 0.744
"""Of a window's width; the rest is MLflow's assistant, which nothing but a click closes. It is cut off."""

CHARTED = "document.querySelectorAll('.scatterlayer .js-line').length >= 4"
REPORTED = "document.querySelector('iframe.mlflow-html-iframe')"
PICTURES = {
    "mlflow_charts": ("model-metrics", CHARTED, 1640, 1080),
    "mlflow_report": ("artifacts/report/report.html", REPORTED, 1280, 800),
}
"""Name of a picture -> the run's page, what is there once it is drawn, and its width and height in pixels."""

HIDE_PATH = """
for (const each of document.querySelectorAll('*'))
    if (each.childElementCount < 3 && each.textContent.startsWith('Path: ')) each.style.visibility = 'hidden'
"""
"""A path of the machine on which the picture is taken."""

SETTLED_S = 5  # a frame's page is drawn after the frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:5000")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    client = MlflowClient(arguments.server)
    place = client.get_experiment_by_name("dwmtl").experiment_id
    (run,) = client.search_runs([place], filter_string="tags.`dwmtl.kind` = 'experiment'", max_results=1)
    address = f"{arguments.server}/#/experiments/{place}/runs/{run.info.run_id}"
    browser = find() or parser.error(MISSING)
    for name, (tab, drawn, width_px, height_px) in PICTURES.items():
        with Chromium(browser) as page:
            page.look(width_px=round(width_px / PAGE_FRACTION), height_px=height_px)
            page.open(f"{address}/{tab}?workflowType=machine_learning")
            page.wait(drawn, limit_s=300)
            time.sleep(SETTLED_S)
            page.value(HIDE_PATH)
            shot = Image.open(io.BytesIO(b64decode(page.send("Page.captureScreenshot", format="png")["data"])))
        visible = shot.convert("RGB").crop((0, 0, width_px, height_px))
        visible.quantize(256, method=Image.Quantize.FASTOCTREE, dither=0).save(
            arguments.out / f"{name}.png", optimize=True
        )


if __name__ == "__main__":
    main()
