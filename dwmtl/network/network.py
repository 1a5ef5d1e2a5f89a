"""The multi-task network: a shared trunk, a branch and a head a task. Knows nothing of losses and weights of tasks."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from dwmtl.network.inception_resnet import NUM_TRUNK_CHANNELS, TRUNKS, Branch, ConvNorm, Trunk

IDENTITY = "identity"
EXPRESSION = "expression"


@dataclass(frozen=True)
class NetworkOutput:
    """What the network tells of a batch of B crops.

    Attributes:
        shared_features: (B, 1792, s, s), the trunk's, before any branch.
        embedding: (B, 1792), unit length: the identity branch's vector, L2-normalised.
        logits: a task's name -> (B, its number of classes).
    """

    shared_features: Tensor
    embedding: Tensor
    logits: dict[str, Tensor]


class FaceNetwork(nn.Module):
    """FaceLiveNet: who a face is and what it expresses, from one trunk.

    Args:
        trunk: a name in `inception_resnet.TRUNKS`.
        num_classes: a task's name -> its number of classes, in the order of the tasks. `identity` must be among them:
            its branch gives the embedding, and its head is one linear layer on the un-normalised vector. Every other
            task has the expression head: linear to 128, ReLU, linear.
        dropout: probability to drop a value of a branch's vector, in training.
        batch_norm_momentum: share of the batch in the running statistics.
        linear_sigma: deviation of the linear layers' initial weights, a truncated normal; the authors' is 0.1, with
            which a fresh head starts far above ln(classes). Convolutions start from Xavier.
        relu_on_expression_logits: the authors' ReLU after the expression logits.
    Source: Ming et al. 2019, arXiv:1911.03281, and the authors' code.
    """

    def __init__(
        self,
        *,
        trunk: str,
        num_classes: dict[str, int],
        dropout: float,
        batch_norm_momentum: float,
        linear_sigma: float,
        relu_on_expression_logits: bool,
    ):
        super().__init__()
        blocks = TRUNKS[trunk]
        self.num_classes = dict(num_classes)
        self.trunk = Trunk(num_block35=blocks["num_block35"], num_block17=blocks["num_block17"])
        self.branches = nn.ModuleDict(
            {task: Branch(num_block8=blocks["num_block8"], dropout=dropout) for task in num_classes}
        )
        self.heads = nn.ModuleDict(
            {
                task: nn.Linear(NUM_TRUNK_CHANNELS, num)
                if task == IDENTITY
                else expression_head(num, relu_on_logits=relu_on_expression_logits)
                for task, num in num_classes.items()
            }
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                _initialize(module, linear_sigma)
            if isinstance(module, ConvNorm):
                module.norm.momentum = batch_norm_momentum

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks' names, in the order of their losses and weights."""
        return tuple(self.num_classes)

    def forward(self, crops: Tensor) -> NetworkOutput:
        """crops: (B, 3, S, S), RGB, standardised (see `standardize`)."""
        shared_features = self.trunk(crops)
        vectors = {task: branch(shared_features) for task, branch in self.branches.items()}  # (B, 1792) each
        logits = {task: head(vectors[task]) for task, head in self.heads.items()}
        return NetworkOutput(
            shared_features=shared_features.float(),
            embedding=functional.normalize(vectors[IDENTITY].float(), dim=1),
            logits={task: values.float() for task, values in logits.items()},
        )

    def set_training(self, *, frozen: set[str]) -> None:
        """Training mode, but for the parts in `frozen` (`trunk` or a task's name), which keep their batch-norm
        statistics and do not drop out. Their weights train all the same."""
        self.train()
        for part in frozen:
            (self.trunk if part == "trunk" else self.branches[part]).eval()


def expression_head(num_classes: int, *, relu_on_logits: bool) -> nn.Sequential:
    """(B, 1792) -> (B, num_classes)."""
    layers = [nn.Linear(NUM_TRUNK_CHANNELS, 128), nn.ReLU(), nn.Linear(128, num_classes)]
    return nn.Sequential(*layers, nn.ReLU()) if relu_on_logits else nn.Sequential(*layers)


def standardize(crops: Tensor) -> Tensor:
    """Crops of any type (B, 3, S, S) -> float32 with mean 0 and deviation 1 a crop.

    (x - mean) / max(std, 1 / sqrt(number of values)): a crop of one colour becomes zeros, not NaN.
    Source: the authors' code (TensorFlow's per_image_standardization).
    """
    values = crops.flatten(1).float()  # (B, 3*S*S)
    mean = values.mean(dim=1)[:, None, None, None]
    std = values.std(dim=1, correction=0).clamp(min=values.shape[1] ** -0.5)[:, None, None, None]
    return (crops.float() - mean) / std


def _initialize(module: nn.Conv2d | nn.Linear, linear_sigma: float) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
    else:
        nn.init.trunc_normal_(module.weight, std=linear_sigma, a=-2 * linear_sigma, b=2 * linear_sigma)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
