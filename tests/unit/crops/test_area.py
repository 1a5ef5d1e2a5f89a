from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from dwmtl.crops.area import windows
from dwmtl.crops.integral_images import IntegralImages
from dwmtl.crops.integral_table import IntegralTable

CPU = torch.device("cpu")
every_sampler = pytest.mark.parametrize(
    "sampler", [IntegralImages, partial(IntegralTable, device=CPU)], ids=["images", "table"]
)


def noise(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def scaled(sampler, photo: int, size: tuple[int, int], *, device: torch.device = CPU) -> torch.Tensor:
    pixels = torch.empty(*size, 3, device=device)
    sampler.scaled(photo, size, slice(0, size[0]), out=pixels)
    return pixels.cpu()


def mean_of_window(photo: np.ndarray, box: tuple[int, ...], side: int, row: int, column: int) -> list[float]:
    """Textbook: one pixel of a box scaled to a square, the mean of its window by a loop over the pixels."""
    x1, y1, x2, y2 = box
    top, bottom = y1 + row * (y2 - y1) // side, y1 - (-(row + 1) * (y2 - y1) // side)
    left, right = x1 + column * (x2 - x1) // side, x1 - (-(column + 1) * (x2 - x1) // side)
    pixels = [photo[y, x].tolist() for y in range(top, bottom) for x in range(left, right)]
    return [sum(values) / len(pixels) for values in zip(*pixels, strict=True)]


@every_sampler
@settings(deadline=None, max_examples=30)
@given(data=st.data(), side=st.sampled_from([1, 3, 24]))
def test_a_cut_box_holds_the_means_of_its_windows(sampler, data, side):
    photos = [noise(9, 31), noise(40, 17, seed=1)]
    which = data.draw(st.integers(0, 1))
    height, width = photos[which].shape[:2]
    x1, y1 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = (x1, y1, data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height)))
    crop = sampler(photos).cut(torch.tensor([which]), torch.tensor([box]), side)[0]
    twin = [[mean_of_window(photos[which], box, side, row, column) for column in range(side)] for row in range(side)]
    assert crop.permute(1, 2, 0).numpy() == pytest.approx(np.array(twin), rel=1e-6)


@every_sampler
@pytest.mark.parametrize("size", [(7, 9), (40, 17), (64, 64)])
def test_a_scaled_photo_is_torchs_area_interpolation(sampler, size):
    photo = noise(40, 33)
    ours = scaled(sampler([noise(5, 5), photo]), 1, size)
    twin = interpolate(torch.from_numpy(photo).float().permute(2, 0, 1)[None], size=size, mode="area")[0]
    torch.testing.assert_close(ours.permute(2, 0, 1), twin, rtol=1e-6, atol=1e-5)


@every_sampler
def test_some_rows_of_a_scaled_photo_are_those_of_the_whole(sampler):
    images, part = sampler([noise(40, 33)]), torch.empty(6, 15, 3)
    images.scaled(0, (20, 15), slice(8, 14), out=part)
    assert torch.equal(part, scaled(images, 0, (20, 15))[8:14])


@every_sampler
def test_a_photo_is_scaled_into_its_place_among_others(sampler):
    """A place is no block of memory: it has the rows and columns of a canvas that the photo fills."""
    images, canvas = sampler([noise(40, 33)]), torch.full((2, 24, 20, 3), -1.0)
    images.scaled(0, (20, 15), slice(0, 20), out=canvas[1, :20, :15])
    assert torch.equal(canvas[1, :20, :15], scaled(images, 0, (20, 15)))
    assert (canvas[0] == -1).all()
    assert (canvas[1, 20:] == -1).all()
    assert (canvas[1, :, 15:] == -1).all()


@every_sampler
def test_sums_that_wrap_around_give_the_right_means(sampler):
    white = np.full((3000, 3000, 3), 255, np.uint8)  # 9 million pixels: the last sums exceed int32
    crop = sampler([white]).cut(torch.tensor([0]), torch.tensor([[1000, 900, 3000, 3000]]), 24)
    assert (crop == 255).all()


@every_sampler
def test_crops_have_their_channels_last_in_memory(sampler):
    crops = sampler([noise(9, 12)]).cut(torch.tensor([0, 0]), torch.tensor([[0, 0, 9, 9], [1, 2, 12, 8]]), 24)
    assert crops.shape == (2, 3, 24, 24)
    assert crops.is_contiguous(memory_format=torch.channels_last)


@every_sampler
def test_photos_without_boxes_have_no_crops(sampler):
    boxes = torch.zeros((0, 4), dtype=torch.int64)
    assert sampler([noise(9, 12)]).cut(boxes[:, 0], boxes, 24).shape == (0, 3, 24, 24)
    assert sampler([]).sizes.shape == (0, 2)


def photos_and_boxes() -> tuple[list[np.ndarray], torch.Tensor, torch.Tensor]:
    photos = [noise(61, 83), noise(140, 57, seed=1), noise(1, 1, seed=2)]
    rng = np.random.default_rng(3)
    which = torch.from_numpy(rng.integers(0, 2, 50))
    corners = [[rng.integers(0, size, 2) for size in photos[photo].shape[1::-1]] for photo in which]
    return photos, which, torch.tensor([[min(x), min(y), max(x) + 1, max(y) + 1] for x, y in corners])


def test_both_samplers_give_the_same_bits():
    photos, which, boxes = photos_and_boxes()
    images, table = IntegralImages(photos), IntegralTable(photos, device=CPU)
    assert torch.equal(images.sizes, table.sizes)
    for side in (24, 48):
        assert torch.equal(images.cut(which, boxes, side), table.cut(which, boxes, side))
    for photo, size in enumerate([(19, 25), (44, 18), (1, 1)]):
        assert torch.equal(scaled(images, photo, size), scaled(table, photo, size))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_table_on_a_gpu_gives_the_same_means():
    photos, which, boxes = photos_and_boxes()
    gpu = torch.device("cuda")
    images, table = IntegralImages(photos), IntegralTable(photos, device=gpu)
    torch.testing.assert_close(table.cut(which.to(gpu), boxes.to(gpu), 24).cpu(), images.cut(which, boxes, 24))
    torch.testing.assert_close(scaled(table, 1, (44, 18), device=gpu), scaled(images, 1, (44, 18)))


@pytest.mark.parametrize("kind", ["tensor", "array"])
def test_windows_cover_every_pixel_in_order(kind):
    lengths, steps = np.array([7, 24, 100]), np.arange(25)
    if kind == "tensor":
        lengths, steps = torch.from_numpy(lengths), torch.from_numpy(steps)
    first, last = (np.asarray(edges) for edges in windows(lengths, steps))
    assert (first[:, 0] == 0).all()
    assert last[:, -1].tolist() == [7, 24, 100]
    assert (first[:, 1:] <= last[:, :-1]).all()
    assert (last > first).all()


@every_sampler
def test_pixels_that_must_not_be_written_to_are_taken_without_a_warning(sampler):
    """torch warns of undefined behaviour; a memory map, a view and the bytes of a file are such pixels."""
    photo = noise(9, 12)

    def means(pixels: np.ndarray) -> torch.Tensor:
        return sampler([pixels]).cut(torch.tensor([0]), torch.tensor([[0, 0, 12, 9]]), 24)

    locked, of_bytes = photo.copy(), np.frombuffer(photo.tobytes(), np.uint8).reshape(photo.shape)
    locked.flags.writeable = False
    for pixels in (locked, of_bytes, np.broadcast_to(photo, (1, *photo.shape))[0]):
        assert not pixels.flags.writeable
        assert torch.equal(means(pixels), means(photo))


@every_sampler
def test_photos_turned_or_cut_out_of_others_are_taken_as_they_are_seen(sampler):
    photo = noise(20, 30)
    views = [photo.transpose(1, 0, 2), photo[::-1], photo[2:9, 3:20], photo[..., ::-1]]
    boxes = torch.tensor([[0, 0, view.shape[1], view.shape[0]] for view in views])
    crops, copies = (s.cut(torch.arange(4), boxes, 24) for s in (sampler(views), sampler([v.copy() for v in views])))
    assert torch.equal(crops, copies)
