import numpy as np
import pytest
import torch
from facenet_pytorch.models.utils.detect_face import nms_numpy
from torchvision.ops import nms

from dwmtl.crops import suppression
from dwmtl.crops.suppression import _pieces, suppress, suppress_contained


def boxes_of(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-20, 60, (num, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 40, (num, 2))], axis=1).astype(np.float32)
    return boxes, rng.uniform(size=num).astype(np.float32)


def union_overlap(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def suppressed_by_loops(boxes, scores, groups, overlap: float) -> list[int]:
    """Textbook: the surest of a group stays, then the surest of those it does not overlap, and so on."""
    kept = []
    for group in sorted(set(groups)):
        left = sorted((i for i, other in enumerate(groups) if other == group), key=lambda i: -scores[i])
        while left:
            best, *left = left
            kept.append(best)
            left = [i for i in left if union_overlap(boxes[best], boxes[i]) <= overlap]
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_is_what_loops_leave(seed):
    boxes, scores = boxes_of(60, seed)
    groups = sorted(np.random.default_rng(seed).integers(0, 4, 60).tolist())
    kept = suppress(torch.from_numpy(boxes), torch.from_numpy(scores), torch.tensor(groups), overlap=0.3)
    assert kept.tolist() == suppressed_by_loops(boxes.tolist(), scores.tolist(), groups, 0.3)


@pytest.mark.parametrize("most_overlaps", [1, 4_000_000])
def test_groups_of_any_size_keep_what_torchvision_keeps(most_overlaps, monkeypatch):
    """Larger than a block, as large as one, and small ones, together and one by one."""
    monkeypatch.setattr(suppression, "_MOST_OVERLAPS", most_overlaps)
    counts = [1, 3, 64, 65, 2, 200, 3]
    boxes, scores = map(torch.from_numpy, boxes_of(sum(counts)))
    groups = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    expected = [of[nms(boxes[of], scores[of], 0.3)] for of in torch.arange(len(boxes)).split(counts)]
    assert suppress(boxes, scores, groups, overlap=0.3).tolist() == torch.cat(expected).tolist()


def test_equal_scores_keep_the_first():
    boxes = torch.tensor([[0, 0, 10, 10.0]] * 3)
    assert suppress(boxes, torch.ones(3), torch.tensor([0, 0, 2]), overlap=0.5).tolist() == [0, 2]


def test_nothing_stays_of_nothing():
    assert suppress(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), overlap=0.5).tolist() == []
    assert suppress_contained(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), overlap=0.5).tolist() == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_groups_on_a_gpu_do_not_touch_one_another():
    boxes, scores = map(torch.from_numpy, boxes_of(200))
    groups = torch.arange(200) // 20
    on_cpu = suppress(boxes, scores, groups, overlap=0.3)
    assert suppress(boxes.cuda(), scores.cuda(), groups.cuda(), overlap=0.3).tolist() == on_cpu.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_contained_boxes_go_as_in_facenet_pytorch(seed):
    boxes, scores = boxes_of(40, seed)
    assert suppress_contained(boxes, scores, overlap=0.7).tolist() == nms_numpy(boxes, scores, 0.7, "Min").tolist()


def test_a_box_inside_a_surer_one_goes():
    boxes = np.array([[0, 0, 99, 99], [40, 40, 59, 59], [200, 0, 299, 99]], np.float32)
    assert suppress_contained(boxes, np.array([0.9, 0.8, 0.7], np.float32), overlap=0.7).tolist() == [0, 2]


def test_groups_are_joined_up_to_what_fits():
    assert _pieces([3, 4, 9, 1, 1], 8) == [7, 9, 2]
    assert _pieces([3, 4], 0) == [3, 4]
