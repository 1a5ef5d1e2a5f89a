"""The heads, by the names in `params.yaml`: a branch's vector in, logits out. Knows nothing of the trunk."""

from torch import Tensor, nn
from torch.nn import functional

from dwmtl.errors import ParamsError
from dwmtl.network.adaface_head import AdaFaceHead
from dwmtl.network.params import (
    AdaFaceHeadParams,
    ArcFaceHeadParams,
    CosFaceHeadParams,
    HeadParams,
    HiddenHeadParams,
)
from dwmtl.network.sampled_classes import LinearHead, SamplingHead, true_cells

HIDDEN_LENGTH = 128


class MarginHead(SamplingHead):
    """Scaled cosines between a vector and the classes' weights; the training loss has a margin on the true class.

    The sole owner of pytorch_metric_learning, an optional extra.

    Args:
        num_features: length D of a vector.
        params: the kind and size of the margin, and the scale of the cosines.
    Raises:
        ParamsError: pytorch_metric_learning is not installed.
    Source: Deng et al. 2019 (ArcFace, CVPR), Wang et al. 2018 (CosFace, CVPR).
    """

    def __init__(self, num_features: int, num_classes: int, params: ArcFaceHeadParams | CosFaceHeadParams):
        super().__init__()
        try:
            from pytorch_metric_learning import losses, reducers
        except ImportError:
            raise ParamsError(f"a head is {params.name}, which needs an extra: pip install 'dwmtl[margin]'.") from None
        self.sample_rate, self.is_sharded = params.sample_rate, params.sharded
        kind, margin = (
            (losses.ArcFaceLoss, params.margin_deg)
            if isinstance(params, ArcFaceHeadParams)
            else (losses.CosFaceLoss, params.margin)
        )
        self.margin_loss = kind(
            num_classes, num_features, margin=margin, scale=params.scale, reducer=reducers.DoNothingReducer()
        )

    def logits(self, vectors: Tensor) -> Tensor:
        """Scale * cosine."""
        if self.sampled is not None:
            return self.margin_loss.scale * self._cosines(vectors)
        return self.margin_loss.get_logits(vectors)

    def sample_losses(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy per sample, with the margin: (B, D), (B,) class indices -> (B,), nats."""
        if self.sampled is None:
            return self.margin_loss(vectors, labels)["loss"]["losses"]
        return functional.cross_entropy(self.training_logits(vectors, labels), labels, reduction="none")

    def training_logits(self, vectors: Tensor, places: Tensor) -> Tensor:
        cosines, cells = self._cosines(vectors), true_cells(places)
        true = self.margin_loss.modify_cosine_of_target_classes(cosines[cells][:, None])[:, 0]
        return self.margin_loss.scale * cosines.index_put(cells, true)

    def class_parameters(self) -> list[tuple[nn.Parameter, int]]:
        return [(self.margin_loss.W, 1)]

    def _cosines(self, vectors: Tensor) -> Tensor:
        (weight,) = self.in_use()  # (D, K)
        return functional.normalize(vectors, dim=1).to(weight.dtype) @ functional.normalize(weight, dim=0)


def make_head(params: HeadParams, num_features: int, num_classes: int) -> nn.Module:
    """Make a head: (B, num_features) -> logits (B, num_classes)."""
    if isinstance(params, AdaFaceHeadParams):
        return AdaFaceHead(num_features, num_classes, params)
    if isinstance(params, ArcFaceHeadParams | CosFaceHeadParams):
        return MarginHead(num_features, num_classes, params)
    layers: list[nn.Module]
    if isinstance(params, HiddenHeadParams):
        layers = [nn.Linear(num_features, HIDDEN_LENGTH), nn.ReLU(), nn.Linear(HIDDEN_LENGTH, num_classes)]
    elif params.sample_rate < 1 or params.sharded:
        head = LinearHead(num_features, num_classes, sample_rate=params.sample_rate, is_sharded=params.sharded)
        layers = [head]
    else:
        layers = [nn.Linear(num_features, num_classes)]
    if params.relu_on_logits:
        layers.append(nn.ReLU())
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)
