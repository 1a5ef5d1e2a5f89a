import pytest
import torch

from dwmtl.training.augmentation import Augmentation

NOTHING = {
    "flip_probability": 0.0,
    "max_shift_fraction": 0.0,
    "max_rotation_deg": 0.0,
    "max_zoom_fraction": 0.0,
    "max_brightness_fraction": 0.0,
    "erase_probability": 0.0,
}
CROPS = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def augment(seed: int = 0, **changes) -> torch.Tensor:
    return Augmentation(**{**NOTHING, **changes})(CROPS, torch.Generator().manual_seed(seed))


def test_no_change_is_no_change():
    torch.testing.assert_close(augment(), CROPS.float(), rtol=0, atol=1e-2)


def test_a_flip_is_the_mirror_image():
    torch.testing.assert_close(augment(flip_probability=1.0), CROPS.float().flip(-1), rtol=0, atol=1e-2)


def test_a_share_of_the_samples_is_flipped():
    flipped = [
        not torch.allclose(a, b.float(), atol=1) for a, b in zip(augment(flip_probability=0.5), CROPS, strict=True)
    ]
    assert 0 < sum(flipped) < len(flipped)


def test_the_same_seed_draws_the_same_changes():
    everything = {name: 0.5 for name in NOTHING}
    assert torch.equal(augment(3, **everything), augment(3, **everything))
    assert not torch.equal(augment(3, **everything), augment(4, **everything))


def test_brightness_is_a_gain_within_its_bounds():
    gains = augment(max_brightness_fraction=0.2).mean(dim=(1, 2, 3)) / CROPS.float().mean(dim=(1, 2, 3))
    assert (gains > 0.79).all()
    assert (gains < 1.21).all()
    assert gains.std() > 0.01


def test_erasing_sets_a_rectangle_to_grey():
    erased = (augment(erase_probability=1.0) == 127.5).all(dim=1)
    shares = erased.float().mean(dim=(1, 2))
    assert (shares > 0.02).all()
    assert (shares < 0.2).all()


@pytest.mark.parametrize("change", ["max_shift_fraction", "max_rotation_deg", "max_zoom_fraction"])
def test_geometry_moves_pixels(change):
    amount = 20.0 if change == "max_rotation_deg" else 0.2
    assert (augment(**{change: amount}) - CROPS.float()).abs().mean() > 5


def test_a_part_of_a_batch_is_changed_as_in_the_whole():
    """However the processes of a training share the batch."""
    changes = Augmentation(**{name: 0.5 for name in NOTHING})
    whole = changes(CROPS, torch.Generator().manual_seed(3))
    for part in (slice(0, 2), slice(2, 6)):
        own = changes(CROPS[part], torch.Generator().manual_seed(3), of=len(CROPS), part=part)
        torch.testing.assert_close(own, whole[part])


def test_a_rotation_is_of_pixels_in_a_crop_that_is_not_square():
    """A disc stays one: its longer and shorter axes, by the second moments of its pixels, are alike."""
    rows, columns = torch.meshgrid(torch.arange(112.0), torch.arange(96.0), indexing="ij")
    disc = (((rows - 55.5) ** 2 + (columns - 47.5) ** 2) < 30**2).float().expand(4, 3, -1, -1) * 255
    turned = Augmentation(**{**NOTHING, "max_rotation_deg": 80.0})(disc, torch.Generator().manual_seed(0))
    for crop in turned[:, 0]:
        inside = crop > 127
        points = torch.stack([rows[inside], columns[inside]])
        smaller, larger = torch.linalg.eigvalsh(torch.cov(points))
        assert larger / smaller < 1.05


def test_a_rectangle_is_erased_by_shares_of_the_sides_of_a_crop_that_is_not_square():
    crops = torch.zeros(400, 3, 112, 96, dtype=torch.uint8)
    erased = Augmentation(**{**NOTHING, "erase_probability": 1.0})(crops, torch.Generator().manual_seed(0)) == 127.5
    for dim, length in ((3, 112), (2, 96)):
        sides = erased[:, 0].any(dim=dim - 1).sum(dim=1) / length
        assert 0.18 < sides.min() < 0.22
        assert 0.38 < sides.max() < 0.42
