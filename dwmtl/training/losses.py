"""The task losses. Labels of classes are class indices; NO_LABEL marks a sample that a task has no label for.

The other kinds of task have their losses in their files, see `network.task_kind`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from dwmtl.network.adaface_head import AdaFaceHead
from dwmtl.network.heads import MarginHead
from dwmtl.network.network import FaceNetwork
from dwmtl.network.sampled_classes import SamplingHead
from dwmtl.network.task_kind import ColumnKind
from dwmtl.training.distribution import gather_samples, sum_over_processes
from dwmtl.training.sharded_heads import sharded_losses
from dwmtl.training.task_params import AnyLossParams, LossParams

NO_LABEL = -1
EXPRESSION_SHARES = "expression/shares"
"""Among a batch's labels: the shares of the expressions in each sample's votes, where there are votes."""


class CenterLoss(nn.Module):
    """Pulls embeddings towards the centre of their identity. The centres move by a rule, not by a gradient.

    Args:
        num_identities: rows of `centers`, (num_identities, embedding length), starting at 0.
        embedding_length: length of an embedding.
        alpha: share of a centre that is kept when it moves; 1 keeps it where it is.
    Source: Wen et al. 2016 (ECCV) in the form of the authors' code.
    """

    centers: Tensor

    def __init__(self, num_identities: int, embedding_length: int, *, alpha: float):
        super().__init__()
        self.register_buffer("centers", torch.zeros(num_identities, embedding_length))
        self.alpha = alpha

    def forward(self, embeddings: Tensor, identities: Tensor) -> Tensor:
        """Half the squared distance of each embedding (B, D) to its centre: (B,)."""
        return 0.5 * (embeddings - self.centers[identities]).square().sum(dim=1)

    @torch.no_grad()
    def move_centers(self, embeddings: Tensor, identities: Tensor) -> None:
        """c_y -= (1 - alpha) * (c_y - e) / n_y for every sample, n_y its identity's count in the batch."""
        counts = torch.bincount(identities, minlength=len(self.centers))[identities]  # (B,)
        steps = (1 - self.alpha) * (embeddings - self.centers[identities]) / counts[:, None]
        self.centers.index_add_(0, identities, steps.to(self.centers.dtype))


class TaskLoss(nn.Module):
    """The loss of a task per sample: cross-entropy, and the centre loss of its unit vector where that has a factor.

    Args:
        num_features: length D of the task's vector.
        class_counts: (C,), training samples of each class; needed for class weights.
    """

    class_weights: Tensor | None

    def __init__(self, params: LossParams, *, num_features: int, num_classes: int, class_counts: Tensor | None = None):
        super().__init__()
        self.label_smoothing = params.label_smoothing
        self.center_factor = params.center_factor
        self.center = None
        if params.center_factor > 0:
            self.center = CenterLoss(num_classes, num_features, alpha=params.center_alpha)
        weights = None
        if params.class_weights != "none":
            assert class_counts is not None
            power = 1.0 if params.class_weights == "inverse" else 0.5
            weights = class_weights(class_counts, power=power, max_ratio=params.max_class_weight_ratio)
        self.register_buffer("class_weights", weights, persistent=False)  # they follow from the labels

    def forward(
        self, head: nn.Module, vectors: Tensor, logits: Tensor, labels: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Classification loss and centre loss of each sample, (B,) each, nats; 0 for a sample without a label.

        Args:
            head: the task's; a margin head has the margin on its true class.
            vectors: (B, D), the branch's. logits: (B, C), or (B, K) of the head's sampled classes; not read where the
                head is sharded. labels: (B,) in 0..C-1 or NO_LABEL. shares: (B, C), of each class in a sample's votes,
                which the cross-entropy takes in place of its label; None: there are no votes.
        """
        classes = labels.clamp(min=0)  # of samples without a label, whose losses are masked below
        sampled = head.sampled if isinstance(head, SamplingHead) else None
        targets = labels if sampled is None else sampled.places(labels)  # of the logits
        if isinstance(head, AdaFaceHead) and head.training:
            head.track_lengths(labelled_lengths(vectors, labels))
        if isinstance(head, SamplingHead) and head.shard is not None:
            samples = sharded_losses(head, vectors, labels)
        elif isinstance(head, MarginHead | AdaFaceHead):
            samples = torch.where(labels != NO_LABEL, head.sample_losses(vectors, targets.clamp(min=0)), 0)
        else:
            samples = cross_entropy(logits, targets, shares, label_smoothing=self.label_smoothing)
        if self.class_weights is not None:
            samples = samples * self.class_weights[classes]
        if self.center is None:
            return samples, torch.zeros_like(samples)
        center = self.center(functional.normalize(vectors, dim=1), classes)
        return samples, torch.where(labels != NO_LABEL, center, 0)

    def of_batch(
        self, head: nn.Module, vectors: Tensor, logits: Tensor, labels: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss of a batch of all processes, whether it has a label, and its mean centre loss: scalars.

        The loss is the mean over the labelled samples of cross-entropy + factor * centre loss.
        """
        samples, center = self(head, vectors, logits, labels, shares)
        loss = mean_over_labelled(samples + self.center_factor * center, labels)
        has_label = sum_over_processes((labels != NO_LABEL).sum()) > 0
        return loss, has_label, mean_over_labelled(center, labels)

    def move_centers(self, vectors: Tensor, labels: Tensor) -> None:
        """After the loss is read; (B, D), (B,) of the whole batch."""
        if self.center is not None:
            has_label = labels != NO_LABEL
            self.center.move_centers(functional.normalize(vectors[has_label], dim=1), labels[has_label])


class ColumnLoss(nn.Module):
    """The loss of a task with an output per column of labels, by its kind; `name`: of the loss."""

    def __init__(self, kind: ColumnKind, name: str):
        super().__init__()
        self.kind, self.name = kind, name

    def of_batch(
        self, head: nn.Module, vectors: Tensor, outputs: Tensor, labels: Tensor, shares: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `TaskLoss.of_batch`; there are no votes, and no centre loss, so it is 0."""
        loss, has_label = self.kind.loss(outputs, labels, name=self.name, over_processes=sum_over_processes)
        return loss, has_label, torch.zeros_like(loss)


def labelled_lengths(vectors: Tensor, labels: Tensor) -> Tensor:
    """Lengths of the vectors, of all processes, whose label is not NO_LABEL: (B, D), (B,) -> (N,), without gradient."""
    lengths = torch.linalg.vector_norm(vectors.detach(), dim=1, dtype=torch.promote_types(vectors.dtype, torch.float32))
    return gather_samples(lengths)[gather_samples(labels) != NO_LABEL]


def mean_over_labelled(sample_losses: Tensor, labels: Tensor) -> Tensor:
    """Mean of (B,) losses over the samples, of all processes, whose label is not NO_LABEL; 0 where there is none."""
    has_label = labels != NO_LABEL
    total = sum_over_processes(torch.where(has_label, sample_losses, 0).sum())
    return total / sum_over_processes(has_label.sum()).clamp(min=1)


def cross_entropy(
    logits: Tensor, labels: Tensor, shares: Tensor | None = None, *, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy per sample, nats: logits (B, C), labels (B,) in 0..C-1 or NO_LABEL (loss 0), or in their place the
    shares (B, C) of the classes -> (B,)."""
    if shares is not None:
        samples = functional.cross_entropy(logits, shares, reduction="none", label_smoothing=label_smoothing)
        return torch.where(labels != NO_LABEL, samples, 0)
    return functional.cross_entropy(
        logits, labels, ignore_index=NO_LABEL, reduction="none", label_smoothing=label_smoothing
    )


def class_weights(counts: Tensor, *, power: float, max_ratio: float) -> Tensor:
    """Weights of C classes, (C,): 1 / n_c^power, with a mean of 1 over the samples, so that the loss keeps its scale.

    Args:
        counts: (C,), samples n_c of each class; at least one class has some.
        power: 1 makes every class count alike in the sum; 0.5 goes half of the way; 0 weighs all alike.
        max_ratio: >= 1; of a weight and that of the most frequent class, so that a rare class, or one without a
            sample, does not outweigh the others.
    """
    ratios = (counts.max() / counts.float()).pow(power).clamp(max=max_ratio)
    return ratios * (counts.sum() / (counts * ratios).sum())


def task_losses_of(
    network: FaceNetwork, losses: Mapping[str, AnyLossParams], class_counts: dict[str, Tensor] | None = None
) -> nn.ModuleDict:
    """A `TaskLoss` for each of a network's tasks, or a `ColumnLoss` where it is not of classes.

    Args:
        class_counts: a task -> (C,), training samples of each class; of the tasks that have class weights.
    """
    return nn.ModuleDict(
        {task: _task_loss(network, task, losses[task], (class_counts or {}).get(task)) for task in network.tasks}
    )


def _task_loss(network: FaceNetwork, task: str, params: AnyLossParams, class_counts: Tensor | None) -> nn.Module:
    kind = network.kinds[task]
    if isinstance(params, LossParams):
        return TaskLoss(
            params,
            num_features=network.num_features[task],
            num_classes=network.num_outputs[task],
            class_counts=class_counts,
        )
    assert isinstance(kind, ColumnKind)  # as the task's section, which has this loss
    return ColumnLoss(kind, params.name)
