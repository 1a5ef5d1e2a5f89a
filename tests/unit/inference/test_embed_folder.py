import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.crops.photos import read_photo
from dwmtl.errors import DataSetError
from dwmtl.evaluation.score_pairs import score_pairs
from dwmtl.inference.crop_answers import CropAnswers
from dwmtl.inference.embed_folder import embed_folder, failures_path
from dwmtl.network.model_file import load_model
from dwmtl.tables import FAILURES, read_table

ASKED = {"is_aligned": False, "flipped": False, "batch_size": 4, "device": "cpu"}


@pytest.fixture
def photos(known, tmp_path):
    """Two people's photos, one without a face, and a file that is no picture."""
    folder = tmp_path / "photos"
    for person, name in (("P002", "b"), ("P001", "a")):
        for number, expression in enumerate(("neutral", "surprise"), 1):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.open(known.photo(expression, person)).save(folder / name / f"{name}_{number:04d}.png")
    Image.linear_gradient("L").save(folder / "grey.jpg")
    (folder / "a" / "junk.jpg").write_text("no picture")
    return folder


def test_every_picture_has_a_name_and_an_embedding_and_what_failed_is_listed(known, model, photos, tmp_path):
    embedded = embed_folder(known.model, photos, tmp_path / "E.npz", **ASKED)
    file = np.load(tmp_path / "E.npz")
    assert file["names"].tolist() == ["a/a_0001", "a/a_0002", "b/b_0001", "b/b_0002", "grey"]
    assert file["embeddings"].dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(file["embeddings"], axis=1), 1, atol=1e-6)
    for name, embedding in zip(file["names"][:4], file["embeddings"], strict=False):
        face = model.analyze(photos / f"{name}.png", faces="chosen").chosen
        np.testing.assert_allclose(embedding, face.embedding, atol=1e-3)
    assert embedded.num_photos == 5
    failures = read_table(failures_path(tmp_path / "E.npz"), FAILURES)
    assert dict(zip(failures["photo"], failures["status"], strict=True)) == {
        "a/junk.jpg": "unreadable",
        "grey.jpg": "fallback",
    }


def test_pictures_that_are_crops_are_scaled_and_searched_for_no_face(known, photos, tmp_path):
    embed_folder(known.model, photos, tmp_path / "E.npz", **ASKED | {"is_aligned": True, "flipped": True})
    file = np.load(tmp_path / "E.npz")
    network, card = load_model(known.model)
    crop = Image.fromarray(read_photo(photos / "a/a_0001.png")).resize((card.crop_px,) * 2, Image.Resampling.BILINEAR)
    pixels = np.stack([np.array(crop), np.array(crop)[:, ::-1]])
    with torch.no_grad():
        (embedding, mirrored), *_ = CropAnswers(network)(torch.from_numpy(pixels))
    np.testing.assert_allclose(file["embeddings"][0], embedding, atol=1e-5)
    np.testing.assert_allclose(file["embeddings_flipped"][0], mirrored, atol=1e-5)
    assert read_table(failures_path(tmp_path / "E.npz"), FAILURES)["photo"].tolist() == ["a/junk.jpg"]


def test_score_pairs_reads_it_in_lfws_layout(known, photos, tmp_path):
    embed_folder(known.model, photos, tmp_path / "E.npz", **ASKED)
    block = "a\t1\t2\na\t1\tb\t1\n"
    (tmp_path / "pairs.txt").write_text("2 1\n" + 2 * block)
    scores = score_pairs(tmp_path / "E.npz", tmp_path / "pairs.txt")
    assert (scores["num_images"], scores["accuracy_mean"]) == (3, 1.0)


def test_two_pictures_of_one_name_are_told(known, photos, tmp_path):
    Image.open(photos / "grey.jpg").save(photos / "grey.png")
    with pytest.raises(DataSetError, match=r"grey\.jpg and grey\.png would both be named grey"):
        embed_folder(known.model, photos, tmp_path / "E.npz", **ASKED)
    assert not (tmp_path / "E.npz").exists()


def test_a_crop_that_align_wrote_has_its_photos_name(known, tmp_path):
    (tmp_path / "crops").mkdir()
    Image.linear_gradient("L").save(tmp_path / "crops" / "a.b.jpg.png")
    embed_folder(known.model, tmp_path / "crops", tmp_path / "E.npz", **ASKED | {"is_aligned": True})
    assert np.load(tmp_path / "E.npz")["names"].tolist() == ["a.b"]


def test_a_folder_without_a_picture_that_can_be_read_is_told(known, tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataSetError, match="no pictures in this folder"):
        embed_folder(known.model, tmp_path / "photos", tmp_path / "E.npz", **ASKED)
    (tmp_path / "photos" / "a.jpg").write_text("no picture")
    with pytest.raises(DataSetError, match="none of its 1 pictures can be read"):
        embed_folder(known.model, tmp_path / "photos", tmp_path / "E.npz", **ASKED)
