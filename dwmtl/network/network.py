"""The multi-task network: a shared trunk, a branch and a head per task. Knows nothing of task losses and weights."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dwmtl.errors import ParamsError
from dwmtl.network.classes import Classes
from dwmtl.network.heads import make_head
from dwmtl.network.params import HeadParams, MeanStd, NetworkParams
from dwmtl.network.task_kind import TaskKind
from dwmtl.network.timm_trunk import TimmTrunk
from dwmtl.network.trunks import last_layer, make_backbone
from dwmtl.section import crop_size

IDENTITY = "identity"
EXPRESSION = "expression"


@dataclass(frozen=True)
class NetworkOutput:
    """The network's output for a batch of B crops.

    Attributes:
        shared_features: (B, C, h, w), the trunk's output.
        embedding: (B, D), unit length: the identity branch's vector, L2-normalised.
        vectors: a task's name -> (B, D) or (B, C), its branch's vector, not normalised.
        logits: a task's name -> (B, its number of outputs), as its head gives them.
    """

    shared_features: Tensor
    embedding: Tensor
    vectors: dict[str, Tensor]
    logits: dict[str, Tensor]


class FaceNetwork(nn.Module):
    """Predicts the identity, the expression and further tasks of a face, from a shared trunk.

    Args:
        params: the body: trunk, bottleneck of the identity branch, dropout, batch norm, initial values. Convolutions
            start from Xavier, linear layers from a truncated normal (the authors' sigma is 0.1, with which a fresh head
            starts far above ln(classes)); a trunk of timm keeps timm's initial values.
        heads: a task's name -> its head, in the order of the tasks. `identity` must be among them: its branch gives the
            embedding, and its head works on the un-normalised vector.
        num_outputs: a task's name -> its number of classes, or of columns where its kind is another.
        kinds: a task's name -> its kind; of classes where not named.
    Source: Ming et al. 2019, arXiv:1911.03281, and the authors' code.
    """

    def __init__(
        self,
        params: NetworkParams,
        heads: Mapping[str, HeadParams],
        num_outputs: Mapping[str, int],
        kinds: Mapping[str, TaskKind] | None = None,
    ):
        super().__init__()
        self.standardization = params.standardization
        self.channel_order = params.channel_order
        self.num_outputs = {task: num_outputs[task] for task in heads}
        self.kinds = {task: (kinds or {}).get(task, Classes()) for task in heads}
        backbone = make_backbone(params.trunk, dropout=params.dropout)
        branches = {task: backbone.make_branch(params.bottleneck if task == IDENTITY else None) for task in heads}
        self.num_features = {task: branch.num_features for task, branch in branches.items()}
        self.trunk = backbone.trunk
        self.branches = nn.ModuleDict(branches)
        self.heads = nn.ModuleDict(
            {task: make_head(head, self.num_features[task], num_outputs[task]) for task, head in heads.items()}
        )
        parts: list[nn.Module] = [self.branches, self.heads]
        if not isinstance(self.trunk, TimmTrunk):
            parts = [self.trunk, *parts]
        for module in (module for part in parts for module in part.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                _initialize(module, params.linear_sigma)
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.momentum = params.batch_norm_momentum

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks' names, in the order of their losses and weights."""
        return tuple(self.num_outputs)

    @property
    def chance_losses(self) -> dict[str, float]:
        """A task's name -> its loss when it is guessed."""
        return {task: kind.chance_loss(self.num_outputs[task]) for task, kind in self.kinds.items()}

    def forward(self, crops: Tensor) -> NetworkOutput:
        """crops: (B, 3, H, W), as `standardize` gives them."""
        shared_features = self.trunk(crops)
        vectors = {task: branch(shared_features) for task, branch in self.branches.items()}
        logits = {task: head(vectors[task]) for task, head in self.heads.items()}
        return NetworkOutput(
            shared_features=shared_features.float(),
            embedding=functional.normalize(vectors[IDENTITY].float(), dim=1),
            vectors={task: vector.float() for task, vector in vectors.items()},
            logits={task: values.float() for task, values in logits.items()},
        )

    def standardize(self, crops: Tensor) -> Tensor:
        """RGB crops of any type (B, 3, H, W), 0..255 -> float32, in the form and channel order of this network."""
        if self.channel_order == "bgr":
            crops = crops.flip(1)
        if isinstance(self.standardization, MeanStd):
            return standardize_by_channel(crops, self.standardization)
        if self.standardization == "per_image":
            return standardize_per_image(crops)
        return standardize_fixed(crops, half_range=128.0 if self.standardization == "fixed" else 127.5)

    def num_shared_features(self, crop_px: int | Sequence[int]) -> int:
        """Length of a crop's flattened shared features.

        Args:
            crop_px: side of the crops, or height and width.
        Raises:
            ParamsError: the network cannot process crops of this size.
        """
        was_training = self.training
        try:
            with torch.no_grad():
                output = self.eval()(next(self.parameters()).new_zeros(1, 3, *crop_size(crop_px)))
        except (RuntimeError, AssertionError) as error:
            raise ParamsError(f"network.trunk cannot take crops of align.crop_px {crop_px}: {error}") from None
        self.train(was_training)
        return output.shared_features.numel()

    def last_shared_layer(self) -> list[nn.Parameter]:
        """Parameters of the trunk's last part."""
        return [parameter for parameter in last_layer(self.trunk).parameters() if parameter.requires_grad]

    def set_training(self, *, frozen: Set[str]) -> None:
        """Set training mode, except for the parts in `frozen` (`trunk` or a task's name).

        These keep their batch-norm statistics and do not drop out. Their weights still train.
        """
        self.train()
        for part in frozen:
            (self.trunk if part == "trunk" else self.branches[part]).eval()


def standardize_per_image(crops: Tensor) -> Tensor:
    """Crops of any type (B, 3, H, W) -> float32 with mean 0 and deviation 1 per crop.

    (x - mean) / max(std, 1 / sqrt(number of values)), so that a crop of one colour becomes zeros, not NaN.
    Source: the authors' code (TensorFlow's per_image_standardization).
    """
    values = crops.flatten(1).float()  # (B, 3*S*S)
    mean = values.mean(dim=1)[:, None, None, None]
    std = values.std(dim=1, correction=0).clamp(min=values.shape[1] ** -0.5)[:, None, None, None]
    return (crops.float() - mean) / std


def standardize_fixed(crops: Tensor, *, half_range: float = 128.0) -> Tensor:
    """Crops of any type (B, 3, H, W), 0..255 -> float32 in about -1..1: (x - 127.5) / half_range.

    Source: facenet-pytorch, and facenet's models since 2018 (128); arcface_torch and AdaFace (127.5).
    """
    return (crops.float() - 127.5) / half_range


def standardize_by_channel(crops: Tensor, values: MeanStd) -> Tensor:
    """Crops of any type (B, 3, H, W), 0..255 -> float32: (x / 255 - mean) / std, per channel.

    Source: torchvision and timm.
    """
    mean, std = (torch.tensor(each, device=crops.device)[:, None, None] for each in (values.mean, values.std))
    return (crops.float() / 255 - mean) / std


def _initialize(module: nn.Conv2d | nn.Linear, linear_sigma: float) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
    else:
        nn.init.trunc_normal_(module.weight, std=linear_sigma, a=-2 * linear_sigma, b=2 * linear_sigma)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
