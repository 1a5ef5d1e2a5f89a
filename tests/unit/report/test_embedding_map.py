import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from dwmtl.report.embedding_map import MOST_PHOTOS, embedding_map, mapped_photos
from dwmtl.report.figures import embeddings_svg, recall_svg


def photos(number: int) -> pd.DataFrame:
    rows = [{"photo": f"{row:04}.jpg", "subject": f"S{row % 3}", "expression": "anger"} for row in range(number)]
    return pd.DataFrame(rows)


def test_the_plane_holds_the_two_directions_that_vary_most():
    embeddings = np.zeros((40, 8), np.float32)
    embeddings[:, 5], embeddings[:, 2] = np.linspace(-2, 2, 40), np.tile([-0.5, 0.5], 20)
    embeddings += 0.001 * np.random.default_rng(0).normal(size=embeddings.shape)
    plane = embedding_map(0, photos(40), embeddings)
    assert abs(np.corrcoef(plane.points["x"], embeddings[:, 5])[0, 1]) > 0.99
    assert abs(np.corrcoef(plane.points["y"], embeddings[:, 2])[0, 1]) > 0.99
    assert plane.explained > 0.999


def test_the_plane_is_that_of_scikit_learns_principal_components():
    embeddings = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    plane, theirs = embedding_map(0, photos(20), embeddings), PCA(2, svd_solver="full").fit(embeddings)
    projected = theirs.transform(embeddings)
    for ours, other in zip(plane.points[["x", "y"]].to_numpy().T, projected.T, strict=True):
        assert np.allclose(ours, other, atol=0.002) or np.allclose(ours, -other, atol=0.002)
    assert np.isclose(plane.explained, theirs.explained_variance_ratio_.sum())


def test_the_order_of_the_photos_moves_no_point():
    embeddings = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    one = embedding_map(0, photos(20), embeddings).points
    other = embedding_map(0, photos(20)[::-1], embeddings[::-1]).points[::-1]
    assert np.allclose(np.abs(one[["x", "y"]]), np.abs(other[["x", "y"]]), atol=0.002)


def test_equal_embeddings_and_too_few_have_no_map():
    assert embedding_map(0, photos(5), np.ones((5, 4), np.float32)) is None
    assert embedding_map(0, photos(2), np.eye(2, 4, dtype=np.float32)) is None


def test_of_a_large_set_evenly_spaced_photos_are_mapped():
    chosen = mapped_photos(photos(5 * MOST_PHOTOS)[::-1])
    assert len(chosen) == MOST_PHOTOS
    assert chosen["photo"].is_monotonic_increasing
    assert (chosen["photo"].iloc[0], chosen["photo"].iloc[-1]) == ("0000.jpg", f"{5 * MOST_PHOTOS - 1:04}.jpg")
    assert len(mapped_photos(photos(7))) == 7


def test_people_are_not_named_in_their_map_and_expressions_are():
    points = photos(4).assign(x=range(4), y=range(4))
    assert "S1" not in embeddings_svg(points, "subject")
    assert "anger" in embeddings_svg(points, "expression")


def test_a_class_that_a_fold_lacks_has_fewer_points():
    with_all = recall_svg({"anger": 0.5}, {"anger": [0.4, 0.6]})
    assert with_all.count("<use") - recall_svg({"anger": 0.4}, {"anger": [0.4, None]}).count("<use") == 1
