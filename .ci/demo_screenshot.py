"""The picture of the demo's page in docs/images: two photos of one person, compared.

    python .ci/demo_screenshot.py FIRST SECOND --out docs/images/demo.png [--threshold T]

Run it where `dwmtl demo` finds its model. Needs Chromium on the PATH, which resolves no name.
"""

import argparse
import io
import subprocess
import sys
from pathlib import Path

from chromium import MISSING, Chromium, find
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs=2)
    parser.add_argument("--threshold", default=None)
    parser.add_argument("--out", type=Path, default=Path("docs/images/demo.png"))
    arguments = parser.parse_args()
    browser = find() or parser.error(MISSING)
    command = [sys.executable, "-m", "dwmtl", "demo", "--port", "0"]
    command += ["--threshold", arguments.threshold] if arguments.threshold else []
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = demo.stdout.readline().split()[1]
        with Chromium(browser) as page:
            page.look(width_px=1000, height_px=900)
            page.open(address)
            for number, photo in enumerate(arguments.photos):
                page.give_file(f"#photo-{number}", photo.resolve())
                page.wait(f"document.querySelector('[data-photo=\"{number}\"] rect.chosen')")
            page.wait("document.getElementById('photos-verdict').classList.length > 1")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    finally:
        demo.terminate()
        demo.wait()
    picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=0).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
