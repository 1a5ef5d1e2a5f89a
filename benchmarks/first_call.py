"""Time of the first call of a model and of later ones: import, load, and `analyze` of each photo.

    python benchmarks/first_call.py --model data/models/fold_0 --photos ../shared/real/edge --photos more.jpg

Without --model, the default network has initial weights, which take the same time. Every photo has its own process; a
warm call is the median of further calls there. Prints a table in Markdown.
"""

import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from outcome import Outcome, report

_CALLS = """
import json, sys, time
start = time.perf_counter()
from dwmtl import load_model
imported = time.perf_counter()
model = load_model(sys.argv[1], device=sys.argv[3])
loaded = time.perf_counter()
calls = []
for _ in range(int(sys.argv[4]) + 1):
    before = time.perf_counter()
    answer = model.analyze(sys.argv[2])
    calls.append(time.perf_counter() - before)
print(json.dumps({"import": imported - start, "load": loaded - imported, "first": calls[0],
    "warm": sorted(calls[1:])[(len(calls) - 1) // 2], "size": [answer.width_px, answer.height_px],
    "faces": answer.num_faces}))
"""


def main(
    photos: Annotated[list[Path], typer.Option(help="a photo, or a folder of photos; may be given again")],
    model: Annotated[Path | None, typer.Option(help="a model's folder; by default initial weights")] = None,
    device: str = "cpu",
    num_warm: Annotated[int, typer.Option(min=1, help="warm calls per photo")] = 9,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Time the calls, in a process per photo."""
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        timed_model = model or _initial_model(Path(folder) / "model")
        print(
            f"{platform.machine()}, {platform.processor() or 'unknown processor'}, Python {platform.python_version()}"
        )
        print(f"model: {model or 'initial weights of params.yaml'}; device {device}\n")
        print("| photo | pixels | faces | import, s | load, s | first call, s | warm call, s |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for photo in [file for path in photos for file in (sorted(path.iterdir()) if path.is_dir() else [path])]:
            calls = _calls(timed_model, photo, device, num_warm)
            times = " | ".join(f"{calls[name]:.3f}" for name in ("import", "load", "first", "warm"))
            size = f"{calls['size'][0]}x{calls['size'][1]}"
            print(f"| {photo.name} | {size} | {calls['faces']} | {times} |")
            outcomes.append(
                Outcome(
                    f"`analyze` of {photo.name} ({size}), warm, against the first call",
                    *(f"{1000 * calls[name]:.0f} ms" for name in ("warm", "first")),
                    calls["first"] / calls["warm"],
                )
            )
    print()
    report(outcomes, record=record)


def _calls(model: Path, photo: Path, device: str, num_warm: int) -> dict:
    command = [sys.executable, "-c", _CALLS, str(model), str(photo), device, str(num_warm)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _initial_model(folder: Path) -> Path:
    """Save the default network with initial weights and seven expressions."""
    from dwmtl.network.model_file import save_model
    from dwmtl.params import load_params
    from dwmtl.training.trained import initial_network, model_card

    classes = {"identity": ["a", "b"], "expression": [f"expression {number}" for number in range(7)]}
    card = model_card(load_params(), classes, provenance={"made_by": "benchmark"})
    save_model(initial_network(card, seed=0), card, folder)
    return folder


if __name__ == "__main__":
    typer.run(main)
