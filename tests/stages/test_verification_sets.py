"""Several verification sets through the whole chain, with photographs of LFW, a pack of them, and one's own pairs."""

import json
import runpy
from pathlib import Path

import pandas as pd
import pytest

from dwmtl.datasets.lfw import read
from dwmtl.datasets.packs.bin_pack import write_bin_pack
from dwmtl.report.groups import GroupScores
from dwmtl.report.verification_sets import VerificationSets
from dwmtl.results import read_result
from dwmtl.tables import EVALUATED_PAIRS, VERIFICATION_PAIRS, read_table, write_table

REPOSITORY = Path(__file__).resolve().parents[2]
with_every_set = runpy.run_path(str(REPOSITORY / "tests/stages/test_every_expression_set.py"))


def pack_of(pairs: pd.DataFrame, photos: Path, folder: Path) -> None:
    """A pack of pairs, as insightface distributes LFW: every photo as often as pairs name it."""
    sides = [
        (photos / photo).read_bytes() for pair in zip(pairs["photo_a"], pairs["photo_b"], strict=True) for photo in pair
    ]
    folder.mkdir()
    write_bin_pack(folder / "lfw.bin", sides, pairs["is_same_identity"].tolist())


def own_set_of(pairs: pd.DataFrame, source: Path, folder: Path) -> None:
    """Two of the blocks of pairs as one's own, and a table of their photos, each with its person and a group."""
    folder.mkdir()
    (folder / "photos").symlink_to(source)
    own = pairs[pairs["fold"] < 2]
    own = own.assign(photo_a="photos/" + own["photo_a"], photo_b="photos/" + own["photo_b"])
    faces = pd.DataFrame({"photo": sorted({*own["photo_a"], *own["photo_b"]})})
    faces["subject"] = faces["photo"].str.split("/").str[1]
    faces["group"] = (faces["subject"] < "Ad").map({True: "early", False: "late"})
    write_table(faces, folder / "faces.csv")
    write_table(own, folder / "pairs.csv", VERIFICATION_PAIRS)


@pytest.mark.slow
def test_lfw_and_a_pack_of_it_score_equal_beside_ones_own_pairs(rendered, testdata, write_params, tmp_path):
    lfw = testdata / "real/lfw"
    data_set = read(lfw, num_peak_frames=3)
    pack_of(data_set.pairs, lfw, tmp_path / "pack")
    own_set_of(data_set.pairs, lfw, tmp_path / "own")
    sets = {"expression": {"role": "expression", "adapter": "oulu_casia", "folder": str(rendered / "oulu_casia")}}
    sets["identity"] = {"role": "identity", "adapter": "folders", "folder": str(rendered / "identities")}
    for name, adapter, folder in (("lfw", "lfw", lfw), ("lfw_pack", "bin_pack", "pack"), ("own", "csv_table", "own")):
        sets[name] = {"role": "verification", "adapter": adapter, "folder": str(tmp_path / folder), "is_aligned": True}
    changes = {
        "sets": sets,
        "evaluate.main_set": "lfw",
        "report.tar_at_fars": [0.001, 0.01, 0.1],
        "report.group": "group",
    }
    params = write_params({**with_every_set["SMALL"], **changes})
    with_every_set["chain"](tmp_path / "run", params)

    scores = read_result(VerificationSets, tmp_path / "run/report/verification.json")
    assert list(scores.sets) == ["lfw", "lfw_pack", "own"]
    of_lfw, of_pack, of_own = scores.sets.values()
    for key in ("accuracy", "auc", "eer"):
        assert getattr(of_lfw, key).per_fold == getattr(of_pack, key).per_fold
    assert of_lfw.tar_at_far == of_pack.tar_at_far
    assert of_lfw.accuracy.interval is not None
    assert of_pack.accuracy.interval is None  # the pack does not say who is on it
    assert (of_own.num_genuine, of_own.num_impostor) == (60, 60)
    assert scores.mean.accuracy.mean == pytest.approx(
        sum(row.accuracy.mean for row in scores.sets.values()) / 3, abs=1e-5
    )
    refused = of_lfw.tar_at_far["0.001"]
    assert (of_lfw.num_impostor, refused.num_impostors, refused.tar) == (300, 0, None)

    evaluation = tmp_path / "run/evaluation/fold_0"
    pairs = read_table(evaluation / "pairs.csv", EVALUATED_PAIRS)
    of_main = pairs[pairs["set"] == "verification"].reset_index(drop=True)
    packed = read_table(evaluation / "verification_sets/lfw_pack/pairs.csv", EVALUATED_PAIRS)
    same = ["is_same_identity", "distance", "threshold", "is_verified", "fold"]
    pd.testing.assert_frame_equal(of_main[same], packed[same])
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["verification_accuracy"] == summary["verification_accuracy_of_lfw"] == of_lfw.accuracy.mean
    assert summary["verification_accuracy_mean_of_sets"] == scores.mean.accuracy.mean
    groups = read_result(GroupScores, tmp_path / "run/report/groups.json")
    assert sum(size.num_pairs["own"] for size in groups.groups.values()) == 120 - groups.num_pairs_left_out["own"]
    assert set(groups.scores["verification_accuracy_of_own"].groups) == {"early", "late"}
