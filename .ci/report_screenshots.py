"""The pictures of the report in docs/images: in a light and a dark window, and on a phone of 390 px.

    python .ci/report_screenshots.py --page metrics/report/report.html --out docs/images

Needs Chromium on the PATH; it is given no network.
"""

import argparse
import html
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from chromium import MISSING, find, headless
from PIL import Image

MOST_PX = 9000
PHONE_PX = 390
"""A window has at least 500, so the phone is a frame in one."""


def take(browser: str, page: Path, picture: Path, *, width_px: int, is_dark: bool) -> None:
    """A picture of the page, as high as what is on it."""
    with tempfile.TemporaryDirectory() as profile:
        command = headless(
            browser,
            profile,
            f"--blink-settings=preferredColorScheme={0 if is_dark else 1}",
            f"--window-size={width_px},{MOST_PX}",
            f"--screenshot={picture.resolve()}",
            page.resolve().as_uri(),
        )
        subprocess.run(command, check=True, capture_output=True, timeout=300)


def trim(picture: Path, *, width_px: int, most_px: int | None = None) -> None:
    """Cut off what is right of the width and the empty ground below the page, and what is beyond a height."""
    pixels = np.asarray(Image.open(picture).convert("RGB"))[:, :width_px]
    is_empty = (pixels == pixels[-1:, :1]).all(axis=(1, 2))
    height = min(len(pixels) - int(np.argmin(is_empty[::-1])) + 24, most_px or MOST_PX, len(pixels))
    Image.fromarray(pixels[:height]).quantize(256, method=Image.Quantize.FASTOCTREE, dither=0).save(
        picture, optimize=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=Path("metrics/report/report.html"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    browser = find() or parser.error(MISSING)
    for name, is_dark in (("light", False), ("dark", True)):
        picture = arguments.out / f"report_{name}.png"
        take(browser, arguments.page, picture, width_px=1200, is_dark=is_dark)
        trim(picture, width_px=1200)
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder) / "phone.html"
        inside = html.escape(arguments.page.read_text(encoding="utf-8"))
        style = f"border:0;width:{PHONE_PX}px;height:{MOST_PX}px"
        frame.write_text(f'<!doctype html><body style="margin:0"><iframe style="{style}" srcdoc="{inside}"></iframe>')
        picture = arguments.out / "report_narrow.png"
        take(browser, frame, picture, width_px=600, is_dark=False)
        trim(picture, width_px=PHONE_PX, most_px=2800)


if __name__ == "__main__":
    main()
