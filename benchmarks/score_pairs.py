"""Time and memory of `dwmtl score-pairs` on synthetic embeddings, compared with the protocol in plain loops.

    python benchmarks/score_pairs.py             6,000 pairs: ours, the loops of the tests, ratio, equality
    python benchmarks/score_pairs.py --million   a million pairs of 100,000 images: time and peak memory

Every measurement runs in its own process. Imports are not timed.
"""

import argparse
import json
import math
import multiprocessing
import resource
import runpy
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from outcome import Outcome, report

TEXTBOOK = Path(__file__).resolve().parents[1] / "tests" / "unit" / "scores" / "textbook.py"
LENGTH = 512
SETTINGS = {"distance": "squared_euclidean", "subtract_mean": False, "far_targets": [1e-3]}


def make(folder: Path, num_people: int, num_images: int, num_folds: int, num_a_kind: int) -> None:
    """Write `E.npz`, float32, with equally many images of each person, and a `pairs.txt` of them."""
    import numpy as np

    rng = np.random.default_rng(0)
    names = [f"Person_{person}_{image:04d}" for person in range(num_people) for image in range(1, num_images + 1)]
    embeddings = rng.standard_normal((len(names), LENGTH), dtype=np.float32)
    centres = 0.4 * rng.standard_normal((num_people, LENGTH), dtype=np.float32)  # some pairs come out wrong
    embeddings += np.repeat(centres, num_images, axis=0)
    np.savez(folder / "E.npz", names=np.array(names), embeddings=embeddings)
    with (folder / "pairs.txt").open("w") as file:
        file.write(f"{num_folds}\t{num_a_kind}\n")
        for _ in range(num_folds):
            for person in rng.integers(num_people, size=num_a_kind):
                i, j = 1 + rng.choice(num_images, size=2, replace=False)
                file.write(f"Person_{person}\t{i}\t{j}\n")
            for person, step in zip(
                rng.integers(num_people, size=num_a_kind), rng.integers(1, num_people, size=num_a_kind), strict=True
            ):
                i, j = 1 + rng.integers(num_images, size=2)
                file.write(f"Person_{person}\t{i}\tPerson_{(person + step) % num_people}\t{j}\n")


def ours(folder: Path) -> tuple[float, float, dict]:
    """Seconds from files to scores (the best of three runs), peak memory of the process in MiB, the scores."""
    from dwmtl.evaluation.score_pairs import score_pairs

    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        scores = score_pairs(folder / "E.npz", folder / "pairs.txt", **SETTINGS)
        seconds.append(time.perf_counter() - start)
    return min(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, asdict(scores)


def loops(folder: Path) -> tuple[float, float, dict]:
    """The same of the plain loops, without the time of reading the files."""
    import numpy as np

    from dwmtl.datasets.pairs_file import read_pairs

    verification = runpy.run_path(str(TEXTBOOK))["verification"]
    with np.load(folder / "E.npz") as archive:
        embeddings = dict(zip(archive["names"].tolist(), archive["embeddings"].tolist(), strict=True))
    pairs = [tuple(pair[1:]) for pair in read_pairs(folder / "pairs.txt")]
    start = time.perf_counter()
    result = verification(embeddings, pairs, **SETTINGS)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, result


def in_process(function: Callable, *arguments: object) -> object:
    """Run in a new process, so that its peak memory is the function's."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def same(a: object, b: object) -> bool:
    """Whether two results are equal, numbers to 1e-9, since sums are computed in different orders."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) if isinstance(a, float) else a == b


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="a million pairs instead of 6,000, without the loops")
    parser.add_argument("--record", action="store_true", help="append to docs/benchmarks.md")
    arguments = parser.parse_args()
    million = arguments.million
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_process(make, folder, *((20_000, 5, 10, 50_000) if million else (3_000, 4, 10, 300)))
        seconds, memory, result = in_process(ours, folder)
        line = f"{result['num_pairs']:,} pairs of {result['num_images']:,} images, {LENGTH}-d, accuracy "
        print(line + f"{result['accuracy_mean']:.4f}")
        print(f"ours     {seconds:8.2f} s   peak memory {memory:6.0f} MiB")
        if million:
            return
        loop_seconds, loop_memory, expected = in_process(loops, folder)
        print(f"loops    {loop_seconds:8.2f} s   peak memory {loop_memory:6.0f} MiB")
        wrong = [key for key in expected if key != "wrong_pairs" and not same(expected[key], result[key])]
        print("the same numbers" if not wrong else f"DIFFERENT: {json.dumps(wrong)}")
        what = f"`score-pairs`, {result['num_pairs']:,} pairs, against plain loops"
        ratio = loop_seconds / seconds
        report([Outcome(what, f"{seconds:.2f} s", f"{loop_seconds:.2f} s", ratio, 50)], record=arguments.record)


if __name__ == "__main__":
    main()
