"""The picture of MLflow's page in docs/images: the charts of the newest experiment.

    make ui
    python .ci/mlflow_screenshot.py --server http://127.0.0.1:5000 --out docs/images

Needs Chromium on the PATH.
"""

import argparse
import io
from base64 import b64decode
from pathlib import Path

from chromium import MISSING, Chromium, find
from mlflow import MlflowClient
from PIL import Image

PAGE_FRACTION = 0.744
"""Of a window's width; the rest is MLflow's assistant, which nothing but a click closes. It is cut off."""

CHARTED = "document.querySelectorAll('.scatterlayer .js-line').length >= 4"
WIDTH_PX, HEIGHT_PX = 1640, 1080


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:5000")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    client = MlflowClient(arguments.server)
    place = client.get_experiment_by_name("dwmtl").experiment_id
    (run,) = client.search_runs([place], filter_string="tags.`dwmtl.kind` = 'experiment'", max_results=1)
    with Chromium(find() or parser.error(MISSING)) as page:
        page.look(width_px=round(WIDTH_PX / PAGE_FRACTION), height_px=HEIGHT_PX)
        page.open(f"{arguments.server}/#/experiments/{place}/runs/{run.info.run_id}/model-metrics")
        page.wait(CHARTED, limit_s=300)
        shot = Image.open(io.BytesIO(b64decode(page.send("Page.captureScreenshot", format="png")["data"])))
    visible = shot.convert("RGB").crop((0, 0, WIDTH_PX, HEIGHT_PX))
    picture = arguments.out / "mlflow_charts.png"
    visible.quantize(256, method=Image.Quantize.FASTOCTREE, dither=0).save(picture, optimize=True)


if __name__ == "__main__":
    main()
