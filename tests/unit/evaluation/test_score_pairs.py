import json
import runpy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.errors import DataSetError, ProtocolError
from dwmtl.evaluation import embeddings_file
from dwmtl.evaluation.score_pairs import score_pairs
from dwmtl.scores.pair_scores import NamedPairs, PairScores, score_named
from dwmtl.scores.verification import verify

REPOSITORY = Path(__file__).resolve().parents[3]
textbook = runpy.run_path(str(REPOSITORY / "tests/unit/scores/textbook.py"))
PEOPLE = ["Ann_A", "Bob_B", "Cyd_C", "Dan_D", "Eve_E"]
NAMES = [f"{person}_{number:04d}" for person in PEOPLE for number in (1, 2, 3)]


def pair_lines(rng: np.random.Generator, num_folds: int, num_a_kind: int) -> list[str]:
    """A `pairs.txt` over NAMES."""
    lines = [f"{num_folds}\t{num_a_kind}"]
    for _ in range(num_folds):
        for _ in range(num_a_kind):
            i, j = 1 + rng.choice(3, size=2, replace=False)
            lines.append(f"{rng.choice(PEOPLE)}\t{i}\t{j}")
        for _ in range(num_a_kind):
            a, b = rng.choice(PEOPLE, size=2, replace=False)
            i, j = 1 + rng.integers(3, size=2)
            lines.append(f"{a}\t{i}\t{b}\t{j}")
    return lines


def write(folder: Path, lines: list[str], **arrays: object) -> tuple[Path, Path]:
    np.savez(folder / "E.npz", **{name: np.asarray(array) for name, array in arrays.items()})
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return folder / "E.npz", folder / "pairs.txt"


def scored(*arguments: object, **settings: object) -> dict:
    """The scores as JSON gives them."""
    return json.loads(json.dumps(asdict(score_pairs(*arguments, **settings)), allow_nan=False))


def as_pairs(lines: list[str]) -> list[tuple[str, str, bool, int]]:
    """The lines as the textbook takes them."""
    pairs, num_a_kind = [], int(lines[0].split()[1])
    for index, line in enumerate(lines[1:]):
        fields = line.split()
        other = fields[2:] if len(fields) == 4 else [fields[0], fields[2]]
        names = f"{fields[0]}_{int(fields[1]):04d}", f"{other[0]}_{int(other[1]):04d}"
        pairs.append((*names, len(fields) == 3, index // (2 * num_a_kind)))
    return pairs


def random_world(folder: Path, seed: int, num_folds: int = 4, num_a_kind: int = 5, length: int = 6):
    """Files of random embeddings, and what the textbook takes."""
    rng = np.random.default_rng(seed)
    lines = pair_lines(rng, num_folds, num_a_kind)
    embeddings = 3 * rng.normal(size=(len(NAMES), length)) + np.repeat(4 * rng.normal(size=(len(PEOPLE), length)), 3, 0)
    flipped = embeddings + rng.normal(size=embeddings.shape)
    files = write(folder, lines, names=NAMES, embeddings=embeddings, embeddings_flipped=flipped)
    return files, embeddings.tolist(), flipped.tolist(), as_pairs(lines)


def assert_same(ours: dict[str, object], theirs: dict[str, object]) -> None:
    """Every number of the textbook; its wrong pairs as a set, theirs being in another order."""
    for key, value in theirs.items():
        if key == "wrong_pairs":
            assert sorted(row[:3] for row in ours[key]) == sorted(row[:3] for row in value)
        elif isinstance(value, list) and isinstance(value[0], dict):
            for a, b in zip(ours[key], value, strict=True):
                assert a == pytest.approx(b, abs=1e-12), key
        else:
            assert ours[key] == pytest.approx(value, abs=1e-12), key


SETTINGS = [
    {"distance": distance, "flip": flip, "subtract_mean": subtract_mean}
    for distance in ("squared_euclidean", "cosine")
    for flip in ("none", "concatenate", "sum")
    for subtract_mean in (False, True)
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: "-".join(map(str, setting.values())))
def test_every_setting_equals_the_textbook(tmp_path, setting):
    files, embeddings, flipped, pairs = random_world(tmp_path, seed=1)
    ours = scored(*files, far_targets=[0.1, 0.3], **setting)
    flip = setting.pop("flip")
    if flip != "none":
        embeddings = [textbook["combined"](a, b, flip) for a, b in zip(embeddings, flipped, strict=True)]
    named = dict(zip(NAMES, embeddings, strict=True))
    assert_same(ours, textbook["verification"](named, pairs, far_targets=[0.1, 0.3], **setting))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), num_folds=st.integers(2, 5), num_a_kind=st.integers(1, 5))
def test_random_files_equal_the_textbook(tmp_path_factory, seed, num_folds, num_a_kind):
    folder = tmp_path_factory.mktemp("random")
    files, embeddings, _, pairs = random_world(folder, seed, num_folds, num_a_kind)
    named = dict(zip(NAMES, embeddings, strict=True))
    theirs = textbook["verification"](
        named, pairs, distance="squared_euclidean", subtract_mean=False, far_targets=[0.2]
    )
    assert_same(scored(*files, far_targets=[0.2]), theirs)


@settings(max_examples=15, deadline=None)
@given(
    data=st.data(),
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    distance=st.sampled_from(["squared_euclidean", "cosine"]),
)
def test_ties_and_unequal_folds_equal_the_textbook(data, sizes, distance):
    """Embeddings along the axes: distances of 0, 2 and 4 only, each exactly on a threshold (4 above the last)."""
    axes = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    names = ["east", "west", "north", "south"]
    pairs = []
    for fold, size in enumerate(sizes):
        for same in [True, False, *data.draw(st.lists(st.booleans(), min_size=size, max_size=size))]:
            pairs.append((*data.draw(st.tuples(st.sampled_from(names), st.sampled_from(names))), same, fold))
    theirs = textbook["verification"](
        dict(zip(names, axes, strict=True)), pairs, distance=distance, subtract_mean=False, far_targets=[0.3]
    )
    a, b, is_same, folds = (np.array(column) for column in zip(*pairs, strict=True))
    rows = [np.array([names.index(name) for name in side]) for side in (a, b)]
    outcome = verify(np.array(axes), *rows, is_same, folds, distance=distance, subtract_mean=False, far_targets=[0.3])
    assert outcome.accuracy_per_fold.tolist() == theirs["accuracy_per_fold"]
    assert outcome.threshold_per_fold.tolist() == theirs["threshold_per_fold"]
    val = {name: value for name, value in vars(outcome.val_at_far[0]).items() if name != "threshold_per_fold"}
    assert val == pytest.approx(theirs["val_at_far"][0])
    assert (outcome.auc, outcome.eer) == pytest.approx((theirs["auc"], theirs["eer"]))
    assert (outcome.accepted != is_same).sum() == theirs["num_wrong_pairs"]


@pytest.mark.parametrize("distance", ["squared_euclidean", "cosine"])
def test_all_equal_embeddings_equal_the_textbook(tmp_path, distance):
    lines = pair_lines(np.random.default_rng(0), 3, 4)
    embeddings = [[0.6, 0.8]] * len(NAMES)
    ours = scored(*write(tmp_path, lines, names=NAMES, embeddings=embeddings), distance=distance)
    theirs = textbook["verification"](
        dict(zip(NAMES, embeddings, strict=True)),
        as_pairs(lines),
        distance=distance,
        subtract_mean=False,
        far_targets=[1e-3],
    )
    assert_same(ours, theirs)
    assert ours["accuracy_mean"] == 0.5


def test_more_pairs_and_images_than_a_chunk_equal_the_textbook(tmp_path, monkeypatch):
    monkeypatch.setattr("dwmtl.scores.distances._CHUNK", 7)
    monkeypatch.setattr(embeddings_file, "_CHUNK", 4)
    files, embeddings, _, pairs = random_world(tmp_path, seed=3)
    setting = {"distance": "cosine", "subtract_mean": True, "far_targets": [0.2]}
    theirs = textbook["verification"](dict(zip(NAMES, embeddings, strict=True)), pairs, **setting)
    assert_same(scored(*files, **setting), theirs)


def test_the_length_of_an_embedding_does_not_matter(tmp_path):
    files, embeddings, *_ = random_world(tmp_path, seed=4)
    lines = files[1].read_text().splitlines()
    first = scored(*files)
    lengths = 10.0 ** np.linspace(-200, 200, len(NAMES))
    scaled = scored(*write(tmp_path, lines, names=NAMES, embeddings=np.array(embeddings) * lengths[:, None]))
    assert scaled["accuracy_per_fold"] == first["accuracy_per_fold"]
    assert scaled["auc"] == pytest.approx(first["auc"])


def test_the_order_of_the_images_does_not_matter(tmp_path):
    files, embeddings, _, _ = random_world(tmp_path, seed=5)
    lines, order = files[1].read_text().splitlines(), np.random.default_rng(0).permutation(len(NAMES))
    first = scored(*files)
    again = scored(*write(tmp_path, lines, names=np.array(NAMES)[order], embeddings=np.array(embeddings)[order]))
    assert again == first


def test_wrong_pairs_are_named_and_the_most_confident_come_first(tmp_path):
    files, *_ = random_world(tmp_path, seed=6, num_folds=8, num_a_kind=10)
    result = scored(*files)
    gaps = [abs(distance - threshold) for _, _, _, distance, threshold in result["wrong_pairs"]]
    assert gaps == sorted(gaps, reverse=True)
    assert result["num_wrong_pairs"] == len(gaps) > 1
    assert all((distance < threshold) != same for _, _, same, distance, threshold in result["wrong_pairs"])
    assert {name for row in result["wrong_pairs"] for name in row[:2]} <= set(NAMES)


def test_at_most_a_hundred_wrong_pairs_are_listed_and_all_are_counted(tmp_path):
    lines = pair_lines(np.random.default_rng(0), 5, 50)
    result = scored(*write(tmp_path, lines, names=NAMES, embeddings=np.ones((len(NAMES), 3))))
    assert (len(result["wrong_pairs"]), result["num_wrong_pairs"]) == (100, 250)


def test_the_result_says_what_was_done(tmp_path):
    files, *_ = random_world(tmp_path, seed=7)
    result = scored(*files, distance="cosine", flip="sum", subtract_mean=True, far_targets=[0.1])
    assert result["settings"] == {
        "embeddings": "E.npz",
        "pairs": "pairs.txt",
        "distance": "cosine",
        "normalized": True,
        "flip": "sum",
        "subtract_mean": True,
        "far_targets": [0.1],
        "threshold_grid": {"first": 0, "step": 0.005, "last": 1.995},
        "far_threshold_grid": {"first": 0, "step": 0.0005, "last": 1.9995},
    }
    assert result["num_images"] == len(
        {name for a, b, _, _ in as_pairs(files[1].read_text().splitlines()) for name in (a, b)}
    )


def test_every_score_has_the_interval_of_other_people(tmp_path):
    files, *_ = random_world(tmp_path, seed=7)
    result = scored(*files, far_targets=[0.3, 0.1])
    intervals = result["intervals"]
    assert set(intervals) == {"accuracy", "auc", "eer", "val_at_far", "tar_at_far"}
    assert [len(intervals[name]) for name in ("val_at_far", "tar_at_far")] == [2, 2]
    for name, score in (("accuracy", "accuracy_mean"), ("auc", "auc"), ("eer", "eer")):
        assert intervals[name][0] < result[score] < intervals[name][1]
    other = scored(*files, far_targets=[0.1, 0.3])["intervals"]
    assert other["val_at_far"] == intervals["val_at_far"][::-1]  # in the order asked for
    assert other["tar_at_far"] == intervals["tar_at_far"][::-1]


def test_without_a_far_target_the_other_scores_and_their_intervals_are_the_same(tmp_path):
    files, *_ = random_world(tmp_path, seed=7)
    result, expected = scored(*files, far_targets=[]), scored(*files, far_targets=[0.1])
    for part in (expected, expected["intervals"]):
        part.update(val_at_far=[], tar_at_far=[])
    expected["settings"]["far_targets"] = []
    assert result == expected


def test_folds_need_not_be_numbered_from_zero():
    rng = np.random.default_rng(0)
    a, b, is_same, folds = (np.array(column) for column in zip(*as_pairs(pair_lines(rng, 4, 5)), strict=True))
    rows = [np.array([NAMES.index(name) for name in side]) for side in (a, b)]
    embeddings = rng.normal(size=(len(NAMES), 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)

    def score(folds: np.ndarray) -> PairScores:
        pairs = NamedPairs(NAMES, *rows, is_same, folds)
        how = {"distance": "cosine", "subtract_mean": False, "far_targets": [0.1], "settings": {}}
        return score_named(embeddings, pairs, **how)

    assert score(folds).wrong_pairs
    assert score(1 + 2 * folds) == score(folds)


def test_an_image_that_is_there_twice_alike_counts_once(tmp_path):
    files, embeddings, _, _ = random_world(tmp_path, seed=8)
    lines, first = files[1].read_text().splitlines(), scored(*files)
    twice = write(tmp_path, lines, names=[NAMES[0], *NAMES], embeddings=[embeddings[0], *embeddings])
    assert scored(*twice) == first


ARRAYS = {"names": NAMES, "embeddings": np.random.default_rng(0).normal(size=(len(NAMES), 4))}


def test_a_missing_file_is_named(tmp_path):
    files = write(tmp_path, pair_lines(np.random.default_rng(0), 2, 2), **ARRAYS)
    with pytest.raises(DataSetError, match=r"gone\.npz: no such file"):
        scored(tmp_path / "gone.npz", files[1])
    with pytest.raises(DataSetError, match=r"gone\.txt: no such file"):
        scored(files[0], tmp_path / "gone.txt")


GOOD = ["2\t1", "Ann_A\t1\t2", "Ann_A\t1\tBob_B\t2", "Bob_B\t1\t2", "Bob_B\t1\tAnn_A\t2"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*GOOD[:3], "Zoe_Z\t1\t2", GOOD[4]], r"pairs\.txt, line 4: Zoe_Z_0001 has no embedding in .*E\.npz"),
        ([*GOOD[:4], "Bob_B\t1\tAnn_A\t9"], r"pairs\.txt, line 5: Ann_A_0009 has no embedding"),
        ([*GOOD[:2], "Ann_A\t1"], "line 3: must be `name i j`"),
        (GOOD[:-1], "3 pairs, 2 of them genuine; the first line announces 2 blocks of 1 genuine and 1 impostor pairs"),
        (
            [*GOOD, GOOD[1]],
            "5 pairs, 3 of them genuine; .* Lines 6 to 6 should be one of them and hold 1 genuine and 0",
        ),
        (
            [GOOD[0], GOOD[1], GOOD[3], GOOD[2], GOOD[4]],
            "Lines 2 to 3 .*hold 2 genuine and 0 .*would only measure the threshold",
        ),
        (["1\t2", *GOOD[1:]], "line 1: announces one block .*chosen on the pairs of the other folds"),
        (["2", *GOOD[1:]], "line 1: announces one block of pairs, as the files of LFW's View 1 do"),
        (["ten\t1", *GOOD[1:]], "line 1: must be the number of blocks"),
        ([], "line 1: must be the number of blocks"),
    ],
)
def test_pairs_that_cannot_be_scored_are_told(tmp_path, lines, message):
    with pytest.raises(DataSetError, match=message):
        scored(*write(tmp_path, lines, **ARRAYS))


@pytest.mark.parametrize("target", [0.0, 1.0, -1.0, float("nan")])
def test_a_target_that_is_no_rate_is_told(tmp_path, target):
    with pytest.raises(ProtocolError, match=r"far_target must be a rate in \(0, 1\)"):
        scored(*write(tmp_path, GOOD, **ARRAYS), far_targets=[target])


def test_the_command_writes_what_the_function_returns(dwmtl, tmp_path):
    files, *_ = random_world(tmp_path, seed=9)
    out = tmp_path / "results" / "R.json"
    arguments = ["--distance", "cosine", "--flip", "concatenate", "--subtract-mean", "--far-target", 0.1]
    done = dwmtl(
        "score-pairs", "--embeddings", files[0], "--pairs", files[1], *arguments, "--far-target", 0.2, "--out", out
    )
    assert done.returncode == 0, done.stderr
    expected = scored(*files, distance="cosine", flip="concatenate", subtract_mean=True, far_targets=[0.1, 0.2])
    assert json.loads(out.read_text()) == expected
    assert done.stdout.startswith(f"accuracy {expected['accuracy_mean']:.4f}")


def test_the_command_asks_for_the_usual_settings_by_itself(dwmtl, tmp_path):
    files, *_ = random_world(tmp_path, seed=9)
    done = dwmtl("score-pairs", "--embeddings", files[0], "--pairs", files[1], "--out", tmp_path / "R.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "R.json").read_text()) == scored(*files)


def test_an_error_of_the_input_is_one_line_and_exit_code_1(dwmtl, tmp_path):
    done = dwmtl("score-pairs", "--embeddings", tmp_path / "E.npz", "--pairs", "p.txt", "--out", tmp_path / "R.json")
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path}/E.npz: no such file. It must hold the arrays names and embeddings.\n"
    assert not (tmp_path / "R.json").exists()


def test_an_out_that_cannot_be_written_is_told(dwmtl, tmp_path):
    files, *_ = random_world(tmp_path, seed=9)
    done = dwmtl("score-pairs", "--embeddings", files[0], "--pairs", files[1], "--out", files[0] / "R.json")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "R.json: Not a directory" in done.stderr
