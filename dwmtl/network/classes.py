"""The kind `classes`: one of several exclude the others. Its labels are class indices, see `training.losses`."""

import math

from torch import Tensor

from dwmtl.network.task_kind import TaskKind


class Classes(TaskKind):
    """Logits of C classes; the answers are their probabilities."""

    def chance_loss(self, num_outputs: int) -> float:
        """ln(number of classes)."""
        return math.log(num_outputs)

    def answers(self, outputs: Tensor) -> Tensor:
        """Rows sum to 1."""
        return outputs.softmax(dim=1)
