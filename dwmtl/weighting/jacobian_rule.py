"""Rules that make the trunk's gradient from the tasks' gradients and not by one weight per task, from TorchJD."""

import torch
from torch import Tensor

from dwmtl.weighting.from_torchjd import aggregation, with_random_state
from dwmtl.weighting.weighting import Weighting, WeightingInput


class JacobianRuleWeighting(Weighting):
    """The weights are 1 for each labelled task, and say nothing: see `combine`.

    A task's branch and head get the gradient of the task's own loss, unweighted.

    Args:
        name: `config` (Liu et al. 2024, arXiv:2408.11104): the direction with the same cosine to each task's gradient;
            or `graddrop` (Chen et al. 2020, arXiv:2010.06808): of each entry either the tasks with a positive or those
            with a negative gradient, drawn by how they outweigh each other.
    Raises:
        ParamsError: torchjd is not installed.
    """

    gradients_of = "trunk"
    weighs_gradients = True

    def __init__(self, name: str):
        super().__init__()
        rules = aggregation(name)
        self._rule = {"config": rules.ConFIG, "graddrop": rules.GradDrop}[name]()

    def forward(self, given: WeightingInput) -> Tensor:
        return given.has_label.to(given.task_losses.dtype)

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights

    def combine(self, gradients: list[list[Tensor]], task_weights: Tensor, generator: torch.Generator) -> list[Tensor]:
        shapes = [gradient.shape for gradient in gradients[0]]
        rows = [torch.cat([gradient.flatten() for gradient in task]) for task in gradients]
        labelled = [row for row, weight in zip(rows, task_weights.tolist(), strict=True) if weight]
        if not labelled:
            return [torch.zeros_like(gradient) for gradient in gradients[0]]
        matrix = torch.stack(labelled)
        whole = with_random_state(generator, lambda: self._rule(matrix), device=matrix.device)
        parts = whole.split([shape.numel() for shape in shapes])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
