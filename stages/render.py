"""Stage `render`: the embedded data sets, in the layouts of the real sets."""

from pathlib import Path

from dwmtl.files import whole_folder, write_json
from dwmtl.params import load_params
from dwmtl.rendered.sets import TERMS, render_identities, render_lfw, render_oulu_casia
from dwmtl.set_facts import DRAWN_FILE
from dwmtl.stage import run

SETS = {"oulu_casia": render_oulu_casia, "lfw": render_lfw, "identities": render_identities}


def main(out: Path, params: Path = Path("params.yaml")) -> None:
    """Draw the three sets."""
    values = load_params(params)
    for name, render in SETS.items():
        with whole_folder(out / name) as folder:
            render(folder, values.render)
            write_json({"terms": TERMS}, folder / DRAWN_FILE)


if __name__ == "__main__":
    run(main)
