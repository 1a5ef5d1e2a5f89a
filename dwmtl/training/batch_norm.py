"""Batch norm over the whole batch of all processes, on any device (torch's own refuses the CPU)."""

import torch
from torch import Tensor, nn

from dwmtl.training.distribution import sum_both_ways


class SynchronizedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """What `BatchNorm1d` and `BatchNorm2d` of one process with the whole batch would give.

    Statistics are taken in float32, by two sums over the processes: of the values, and of the squared differences from
    their mean. Modules inside the norm (timm's norms hold their activation) are applied after it.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() not in (2, 4):
            raise ValueError(f"x must be (B, C) or (B, C, H, W). Got {tuple(x.shape)} instead.")

    def forward(self, x: Tensor) -> Tensor:
        x = self._normed(x) if self.training else super().forward(x)
        for inside in self.children():
            x = inside(x)
        return x

    def _normed(self, x: Tensor) -> Tensor:
        self._check_input_dim(x)
        others = [dim for dim in range(x.dim()) if dim != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        values = x.float()
        count = sum_both_ways(values.new_tensor([values.numel() / values.shape[1]]))
        mean = sum_both_ways(values.sum(dim=others)) / count  # (C,)
        centered = values - mean.view(shape)
        variance = sum_both_ways(centered.square().sum(dim=others)) / count  # (C,)
        self._follow(mean.detach(), variance.detach(), count)
        normed = centered * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normed = normed * self.weight.view(shape) + self.bias.view(shape)
        return normed.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics; the variance's without bias, as torch's batch norm has it."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


def synchronize_batch_norm(module: nn.Module) -> None:
    """Replace every batch norm inside a module, keeping its parameters and statistics."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(module, name, _synchronized(child))
        else:
            synchronize_batch_norm(child)


def _synchronized(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> SynchronizedBatchNorm:
    synchronized = SynchronizedBatchNorm(norm.num_features, norm.eps, norm.momentum, affine=norm.affine)
    synchronized.weight, synchronized.bias = norm.weight, norm.bias
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        setattr(synchronized, name, getattr(norm, name))
    for name, inside in norm.named_children():
        synchronized.add_module(name, inside)
    return synchronized.train(norm.training)
