from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from dwmtl.crops.photos import read_photo
from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.params import load_params
from dwmtl.rendered import sets
from dwmtl.rendered.expression import NUM_MOVEMENTS, PROTOTYPES, express
from dwmtl.rendered.scene import draw_scene
from dwmtl.rendered.sets import _growth, render_identities, render_lfw, render_oulu_casia

SMALL = load_params().render.model_copy(
    update={
        "num_expression_subjects": 2,
        "num_frames": 4,
        "num_verification_people": 20,
        "num_pairs_per_block": 2,
        "num_identity_people": 2,
        "num_photos_per_person": 2,
    }
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    return render_all(tmp_path_factory.mktemp("rendered"), SMALL)


def render_all(folder: Path, params) -> Path:
    render_oulu_casia(folder / "oulu_casia", params)
    render_lfw(folder / "lfw", params)
    render_identities(folder / "identities", params)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(rendered, tmp_path):
    assert contents(render_all(tmp_path, SMALL)) == contents(rendered)


def test_photos_that_several_processes_draw_are_the_same(rendered, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "FEW_PHOTOS", 0)
    render_identities(tmp_path, SMALL)
    assert contents(tmp_path) == contents(rendered / "identities")


def test_another_seed_gives_other_photos(rendered, tmp_path):
    render_identities(tmp_path, SMALL.model_copy(update={"seed": 1}))
    ours = contents(rendered / "identities")
    assert all(ours[name] != data for name, data in contents(tmp_path).items())


def test_more_people_leave_the_first_ones_as_they_are(rendered, tmp_path):
    render_identities(tmp_path, SMALL.model_copy(update={"num_identity_people": 3, "num_photos_per_person": 3}))
    more = contents(tmp_path)
    assert len(more) == 9
    assert all(more[name] == data for name, data in contents(rendered / "identities").items())


def test_the_official_adapters_read_the_sets(rendered):
    oulu = read_data_set(
        "expression",
        SetParams(role="expression", adapter="oulu_casia", folder=str(rendered / "oulu_casia")),
        num_peak_frames=3,
    ).photos
    assert (oulu["subject"].nunique(), oulu["sequence"].nunique(), len(oulu)) == (2, 12, 48)
    lfw = read_data_set(
        "verification",
        SetParams(role="verification", adapter="lfw", folder=str(rendered / "lfw")),
        num_peak_frames=3,
    )
    assert lfw.pairs.groupby("fold")["is_same_identity"].agg(["sum", "size"]).to_numpy().tolist() == [[2, 4]] * 10
    assert (
        len(
            read_data_set(
                "identity",
                SetParams(role="identity", adapter="folders", folder=str(rendered / "identities")),
                num_peak_frames=3,
            ).photos
        )
        == 4
    )


def test_no_person_of_a_pair_is_in_two_blocks(rendered):
    pairs = read_data_set(
        "verification",
        SetParams(role="verification", adapter="lfw", folder=str(rendered / "lfw")),
        num_peak_frames=3,
    ).pairs
    people = {
        fold: {photo.split("/")[0] for photo in [*block["photo_a"], *block["photo_b"]]}
        for fold, block in pairs.groupby("fold")
    }
    assert sum(len(names) for names in people.values()) == len(set().union(*people.values()))


def test_no_pair_stands_twice(rendered):
    pairs = read_data_set(
        "verification",
        SetParams(role="verification", adapter="lfw", folder=str(rendered / "lfw")),
        num_peak_frames=3,
    ).pairs
    assert not pairs.duplicated(["photo_a", "photo_b"]).any()


def test_the_face_moves_more_towards_the_peak(rendered):
    folder = rendered / "oulu_casia" / "VL" / "Strong" / "P001" / "Surprise"
    frames = [read_photo(folder / f"{frame:03d}.jpeg").astype(float) for frame in range(4)]
    change = [np.abs(frame - frames[0]).mean() for frame in frames]
    assert change[0] < change[1] < change[3]


@pytest.mark.parametrize("num_frames", [4, 5, 20])
def test_a_sequence_starts_neutral_and_its_last_three_frames_are_near_the_peak(num_frames):
    shares = [_growth(frame, num_frames) for frame in range(num_frames)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-3:] == pytest.approx([0.9, 0.95, 1.0])


def test_neutral_is_the_absence_of_every_movement():
    assert set(astuple(express("Fear", 0.0, (1.0,) * NUM_MOVEMENTS, np.ones(NUM_MOVEMENTS)))) == {0.0}


def test_a_peak_without_wobble_is_the_prototype():
    assert express("Anger", 1.0, (1.0,) * NUM_MOVEMENTS, np.zeros(NUM_MOVEMENTS)) == PROTOTYPES["Anger"]


def test_difficulty_spreads_the_scenes():
    def spread(difficulty: float) -> float:
        scenes = [draw_scene(np.random.default_rng(i), height=250, width=250, difficulty=difficulty) for i in range(50)]
        return float(np.std([scene.yaw for scene in scenes]))

    assert spread(0.0) < spread(0.5) < spread(1.0)


def test_two_people_are_two_faces(rendered):
    folder = rendered / "identities"
    a, b = (read_photo(folder / f"000000{person}" / "001.jpg").astype(float) for person in (0, 1))
    assert np.abs(a - b).mean() > 10
