"""A batch of four crops with labels, and what the tests of a step compare."""

import torch

CROPS = torch.randn(4, 3, 80, 80, generator=torch.Generator().manual_seed(1))
LABELS = {"identity": torch.tensor([0, 1, 2, 3]), "expression": torch.tensor([0, 1, 2, 0])}


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def snapshot(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
