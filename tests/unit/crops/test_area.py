import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from dwmtl.crops.area import IntegralImages, windows

CPU = torch.device("cpu")


def noise(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def mean_of_window(photo: np.ndarray, box: tuple[int, ...], side: int, row: int, column: int) -> list[float]:
    """Textbook: one pixel of a box scaled to a square, the mean of its window by a loop over the pixels."""
    x1, y1, x2, y2 = box
    top, bottom = y1 + row * (y2 - y1) // side, y1 - (-(row + 1) * (y2 - y1) // side)
    left, right = x1 + column * (x2 - x1) // side, x1 - (-(column + 1) * (x2 - x1) // side)
    pixels = [photo[y, x].tolist() for y in range(top, bottom) for x in range(left, right)]
    return [sum(values) / len(pixels) for values in zip(*pixels, strict=True)]


@settings(deadline=None, max_examples=30)
@given(data=st.data(), side=st.sampled_from([1, 3, 24]))
def test_a_cut_box_holds_the_means_of_its_windows(data, side):
    photos = [noise(9, 31), noise(40, 17, seed=1)]
    which = data.draw(st.integers(0, 1))
    height, width = photos[which].shape[:2]
    x1, y1 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = (x1, y1, data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height)))
    crop = IntegralImages(photos, device=CPU).cut(torch.tensor([which]), torch.tensor([box]), side)[0]
    twin = [[mean_of_window(photos[which], box, side, row, column) for column in range(side)] for row in range(side)]
    assert crop.permute(1, 2, 0).numpy() == pytest.approx(np.array(twin), rel=1e-6)


@pytest.mark.parametrize("size", [(7, 9), (40, 17), (64, 64)])
def test_a_scaled_photo_is_torchs_area_interpolation(size):
    photo = noise(40, 33)
    scaled = torch.empty(*size, 3)
    IntegralImages([noise(5, 5), photo], device=CPU).scaled(1, size, slice(0, size[0]), out=scaled)
    twin = interpolate(torch.from_numpy(photo).float().permute(2, 0, 1)[None], size=size, mode="area")[0]
    torch.testing.assert_close(scaled.permute(2, 0, 1), twin, rtol=1e-6, atol=1e-5)


def test_some_rows_of_a_scaled_photo_are_those_of_the_whole():
    images = IntegralImages([noise(40, 33)], device=CPU)
    whole, part = torch.empty(20, 15, 3), torch.empty(6, 15, 3)
    images.scaled(0, (20, 15), slice(0, 20), out=whole)
    images.scaled(0, (20, 15), slice(8, 14), out=part)
    assert torch.equal(part, whole[8:14])


def test_sums_that_wrap_around_give_the_right_means():
    white = np.full((3000, 3000, 3), 255, np.uint8)  # 9 million pixels: the last sums exceed int32
    crop = IntegralImages([white], device=CPU).cut(torch.tensor([0]), torch.tensor([[1000, 900, 3000, 3000]]), 24)
    assert (crop == 255).all()


def test_windows_cover_every_pixel_in_order():
    first, last = windows(torch.tensor([7, 24, 100]), 24)
    assert (first[:, 0] == 0).all()
    assert last[:, -1].tolist() == [7, 24, 100]
    assert (first[:, 1:] <= last[:, :-1]).all()
    assert (last > first).all()


def test_pixels_that_must_not_be_written_to_are_taken_without_a_warning():
    """torch warns of undefined behaviour; a memory map, a view and the bytes of a file are such pixels."""
    photo = noise(9, 12)
    expected = IntegralImages([photo], device=CPU)._table
    locked, of_bytes = photo.copy(), np.frombuffer(photo.tobytes(), np.uint8).reshape(photo.shape)
    locked.flags.writeable = False
    for pixels in (locked, of_bytes, np.broadcast_to(photo, (1, *photo.shape))[0]):
        assert not pixels.flags.writeable
        assert torch.equal(IntegralImages([pixels], device=CPU)._table, expected)
