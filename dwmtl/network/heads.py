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
from dwmtl.network.sampled_classes import LinearHead, SamplingHead

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
        self.sample_rate = params.sample_rate
        kind, margin = (
            (losses.ArcFaceLoss, params.margin_deg)
            if isinstance(params, ArcFaceHeadParams)
            else (losses.CosFaceLoss, params.margin)
        )
        self.margin_loss = kind(
            num_classes, num_features, margin=margin, scale=params.scale, reducer=reducers.DoNothingReducer()
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D) -> logits (B, C): scale * cosine, without margin."""
        if self.sampled is not None:
            return self.margin_loss.scale * self._cosines(vectors)
        return self.margin_loss.get_logits(vectors)

    def sample_losses(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy per sample, with the margin: (B, D), (B,) class indices -> (B,), nats."""
        if self.sampled is None:
            return self.margin_loss(vectors, labels)["loss"]["losses"]
        cosines = self._cosines(vectors)
        true = self.margin_loss.modify_cosine_of_target_classes(cosines.gather(1, labels[:, None]))
        logits = self.margin_loss.scale * cosines.scatter(1, labels[:, None], true)
        return functional.cross_entropy(logits, labels, reduction="none")

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
    elif params.sample_rate < 1:
        layers = [LinearHead(num_features, num_classes, sample_rate=params.sample_rate)]
    else:
        layers = [nn.Linear(num_features, num_classes)]
    if params.relu_on_logits:
        layers.append(nn.ReLU())
    return layers[0] if len(layers) == 1 else nn.Sequential(*layers)
