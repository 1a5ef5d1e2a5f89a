"""MTCNN's three networks, with the weights that come with facenet-pytorch.

Written anew, as facenet-pytorch's own modules import torchvision, which takes as long to import as torch. On a CPU the
layers pass each other tensors in oneDNN's blocked memory layout, in which pooling is several times as fast; results
differ by rounding alone. Knows nothing of photos, pyramids and faces.

Source: Zhang et al. 2016, arXiv:1604.02878; facenet-pytorch 2.5.3 for the order of a crop's values before the dense
layers, and the names of the weights.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = dict[str, Tensor]


def _load_weights(network: str, *, device: torch.device) -> Weights:
    """The weights of `pnet`, `rnet` or `onet`, by their names; those of convolutions with the channels last."""
    package = find_spec("facenet_pytorch")  # found, not imported
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'facenet_pytorch'", name="facenet_pytorch")
    path = Path(package.origin).parent / "data" / f"{network}.pt"
    weights = torch.load(path, map_location=device, weights_only=True)
    return {
        name: value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
        for name, value in weights.items()
    }


class Refined(NamedTuple):
    """Of K crops: probabilities of a face (K,); moves of the boxes (K, 4), in sides; landmarks (K, 10), those in x
    first, of R-Net (K, 0)."""

    scores: Tensor
    moves: Tensor
    landmarks: Tensor


class ProposalNet:
    """P-Net. It slides over a picture with a field of 12 pixels, by two pixels.

    Args:
        weights: by their names in facenet-pytorch; of convolutions with the channels last.
        is_blocked: use the blocked layout where torch has it; on a CPU, in float32.
    """

    def __init__(self, weights: Weights, *, is_blocked: bool):
        self._weights, self._is_blocked = weights, is_blocked and torch.backends.mkldnn.is_available()

    def __call__(self, pictures: Tensor, sizes: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Probabilities (B, h, w) and moves (B, 4, h, w) of pictures (B, 3, H, W), standardised, channels last.

        Pooling takes rows and columns in pairs. At the edge it takes an unpaired last one alone; before padding the
        last one is duplicated instead, which gives the same maximum.

        Args:
            sizes: height and width of each picture without its padding, which is below and to the right.
        """
        weights = self._weights
        x = _prelu_by_rows(_convolved(pictures, weights, "1"), weights["prelu1.weight"])
        for picture, (height, width) in zip(x, sizes, strict=True):
            if height < pictures.shape[2]:
                picture[:, height - 2] = picture[:, height - 3]
            if width < pictures.shape[3]:
                picture[:, :, width - 2] = picture[:, :, width - 3]
        x = F.max_pool2d(x.to_mkldnn() if self._is_blocked else x, 2, 2, ceil_mode=True)
        for number in "23":
            x = F.prelu(_convolved(x, weights, number), weights[f"prelu{number}.weight"])
        if self._is_blocked:
            x = x.to_dense()
        return _convolved(x, weights, "4_1").softmax(1)[:, 1].float(), _convolved(x, weights, "4_2").float()


class RefinementNet:
    """R-Net, or O-Net, which also gives landmarks.

    Args:
        weights: as for `ProposalNet`.
        pools: the side of the maximum taken after each convolution; 1: none.
        num_heads: 2: scores and moves of the boxes; 3: landmarks, too.
        is_blocked: as for `ProposalNet`.
    """

    def __init__(self, weights: Weights, *, pools: Sequence[int], num_heads: int, is_blocked: bool):
        self._weights, self._pools, self._num_heads = weights, pools, num_heads
        self._is_blocked = is_blocked and torch.backends.mkldnn.is_available()

    def __call__(self, crops: Tensor) -> Refined:
        """Answers for crops (K, 3, side, side), standardised; K >= 1."""
        weights = self._weights
        x = crops.to_mkldnn() if self._is_blocked else crops
        for number, pool in enumerate(self._pools, start=1):
            x = F.prelu(_convolved(x, weights, str(number)), weights[f"prelu{number}.weight"])
            if pool > 1:
                x = F.max_pool2d(x, pool, 2, ceil_mode=True)
        x = x.to_dense() if self._is_blocked else x
        dense = len(self._pools) + 1
        x = _dense(x.permute(0, 3, 2, 1).flatten(1), weights, f"dense{dense}")
        x = F.prelu(x, weights[f"prelu{dense}.weight"])
        heads = (f"dense{dense + 1}_{number}" for number in range(1, self._num_heads + 1))
        classes, moves, *landmarks = (_dense(x, weights, head).float() for head in heads)
        return Refined(classes.softmax(1)[:, 1], moves, *(landmarks or [moves[:, :0]]))


def p_net(*, device: torch.device, is_blocked: bool) -> ProposalNet:
    """P-Net, of whole pictures."""
    return ProposalNet(_load_weights("pnet", device=device), is_blocked=is_blocked)


def r_net(*, device: torch.device, is_blocked: bool) -> RefinementNet:
    """R-Net, of crops of 24 pixels."""
    return RefinementNet(_load_weights("rnet", device=device), pools=(3, 3, 1), num_heads=2, is_blocked=is_blocked)


def o_net(*, device: torch.device, is_blocked: bool) -> RefinementNet:
    """O-Net, of crops of 48 pixels."""
    return RefinementNet(_load_weights("onet", device=device), pools=(3, 3, 2, 1), num_heads=3, is_blocked=is_blocked)


def _convolved(x: Tensor, weights: Weights, number: str) -> Tensor:
    return F.conv2d(x, weights[f"conv{number}.weight"], weights[f"conv{number}.bias"])


def _dense(x: Tensor, weights: Weights, name: str) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _prelu_by_rows(x: Tensor, slopes: Tensor) -> Tensor:
    """PReLU of (B, C, H, W), channels last: a row at a time, as so few channels do not fill a vector register."""
    rows = x.permute(0, 2, 3, 1)
    flat = torch.prelu(rows.reshape(-1, rows.shape[2] * rows.shape[3]), slopes.to(x.dtype).repeat(rows.shape[2]))
    return flat.view(rows.shape).permute(0, 3, 1, 2)
