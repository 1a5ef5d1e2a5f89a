"""Two processes (gloo) with half a batch each, against one process with the whole."""

import copy
import sys

import pytest
import torch
from torch import multiprocessing

from dwmtl.network.kinds import make_kind
from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import (
    AdaFaceHeadParams,
    ArcFaceHeadParams,
    CosFaceHeadParams,
    HeadParams,
    LinearHeadParams,
    MultiLabelLossParams,
    RegressionLossParams,
)
from dwmtl.params import load_params
from dwmtl.training.keep import FrozenStart
from dwmtl.training.losses import NO_LABEL, task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.sharded_heads import shard_heads
from dwmtl.training.state import TrainingState, moving_average
from dwmtl.training.step import MultiTaskStep
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.params import UnitParams, weighting_params

TASKS = ("identity", "expression", "glasses")
CROPS = torch.randn(4, 3, 80, 80, generator=torch.Generator().manual_seed(1)).double()
LABELS = {  # unlike counts of labelled samples in the halves, and a task that only one half has
    "identity": torch.tensor([0, 1, NO_LABEL, 1]),
    "expression": torch.tensor([0, 1, 2, NO_LABEL]),
    "glasses": torch.tensor([NO_LABEL, NO_LABEL, 1, 0]),
    "units": torch.tensor([[1, 0], [torch.nan, 1], [0, torch.nan], [torch.nan, torch.nan]]),
    "affect": torch.tensor([[0.5, torch.nan], [-0.2, 0.9], [torch.nan, -0.6], [0.1, torch.nan]]),  # one of arousal each
}
KINDS = {"units": make_kind("multi_label", None), "affect": make_kind("regression", [-1, 1])}


def make_step(
    name: str, *, keep: float, head: HeadParams | None, has_kinds: bool, trunk: str, num_identities: int
) -> MultiTaskStep:
    torch.manual_seed(0)
    params = load_params()
    body = params.network.model_copy(update={"dropout": 0.0, "trunk": trunk})
    heads = {task: params.tasks["identity" if task == "identity" else "expression"].head for task in TASKS}
    heads["identity"] = head or heads["identity"]
    losses = {task: params.tasks["identity" if task == "identity" else "expression"].loss for task in TASKS}
    num_outputs, kinds = {"identity": num_identities, "expression": 3, "glasses": 2}, {}
    if has_kinds:
        num_outputs, kinds = num_outputs | dict.fromkeys(KINDS, 2), KINDS
        heads |= dict.fromkeys(KINDS, params.tasks["expression"].head)
        losses |= {"units": MultiLabelLossParams(), "affect": RegressionLossParams()}
    torch.set_default_dtype(torch.float64)  # in float32 halves round otherwise than a batch, and tip values at a ReLU
    network = FaceNetwork(body, heads, num_outputs, kinds).double().eval()
    network.heads.train(head is not None)  # AdaFace's mean and deviation of the lengths move
    shard_heads(network)
    torch.set_default_dtype(torch.float32)
    section = weighting_params(name)
    num_features = network.num_shared_features(CROPS.shape[-1])
    weighting = make_weighting(section, num_features=num_features, chance_losses=network.chance_losses)
    if name == "dynamic":
        torch.nn.init.normal_(weighting.unit.weight, std=5.0)  # weights that differ much from sample to sample
    start = None
    if keep:
        torch.set_default_dtype(torch.float64)
        start = FrozenStart(FaceNetwork(body, heads, num_outputs))
        torch.set_default_dtype(torch.float32)
    return MultiTaskStep(
        network=network,
        weighting=weighting,
        task_losses_of=task_losses_of(network, losses),
        optimizer=make_optimizer(
            "sgd",
            network.parameters(),
            learning_rate=0.05,
            undecayed=weighting.parameters() if weighting.trains_with_network else (),
        ),
        weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=0.1)
        if isinstance(section, UnitParams)
        else None,
        clip_grad_norm=5.0,
        keep=keep,
        start=start,
    )


MASKED = {**LABELS, "glasses": torch.full((4,), NO_LABEL)}  # nobody in the whole batch has a label of the task


ADAFACE, SHARDED = AdaFaceHeadParams(scale=8.0), {"sharded": True}
ALL = 0.999  # every class is drawn, by our code: that of the library computes in float32
HEADS = {
    "adaface": ADAFACE,
    "sampled": ADAFACE.model_copy(update={"sample_rate": 0.3}),
    "sharded": LinearHeadParams(sharded=True),
    "sharded_adaface": ADAFACE.model_copy(update=SHARDED),
    "sharded_arcface": ArcFaceHeadParams(margin_deg=20.0, scale=8.0, sharded=True, sample_rate=ALL),
    "sharded_cosface": CosFaceHeadParams(margin=0.2, scale=8.0, sharded=True, sample_rate=ALL),
    "sharded_sampled": ADAFACE.model_copy(update=SHARDED | {"sample_rate": 0.3}),
}


def steps(name: str, part: slice) -> dict[str, torch.Tensor]:
    """Two steps; every parameter after them, the centres, and what was recorded."""
    step = make_step(
        name.split()[0],
        keep=5.0 if name.endswith("keep") else 0.0,
        head=HEADS.get(name.split()[-1]),
        num_identities=41 if name.endswith("sampled") else 3,
        has_kinds=name.endswith("kinds"),
        trunk="facelivenet" if name.endswith("facelivenet") else "timm:test_resnet",
    )
    labels = MASKED if name.endswith("masked") else LABELS
    labels = {task: values[part] for task, values in labels.items()}
    state, results = TrainingState(step, moving_average(step.network, 0.9)), []
    for number in range(2):
        state.load_state_dict(copy.deepcopy(state.state_dict()))  # as if resumed
        results.append(step(CROPS[part], labels, torch.Generator().manual_seed(number)))
        state.averaged.update_parameters(step.network)
    momenta = [moments["momentum_buffer"] for moments in state.state_dict()["optimizers"]["network"]["state"].values()]
    state.join_heads()
    return {
        **{f"momentum.{number}": values for number, values in enumerate(momenta)},
        **{f"averaged.{key}": value for key, value in state.averaged.module.state_dict().items()},
        **step.network.state_dict(),
        **{f"weighting.{key}": value for key, value in step.weighting.state_dict().items()},
        "centers": step.task_losses_of["identity"].center.centers,
        "losses": torch.stack([result.task_losses for result in results]),
        "weights": torch.stack([result.task_weights for result in results]),
        **({"keep": torch.stack([result.keep_loss for result in results])} if name.endswith("keep") else {}),
        "norms": torch.stack([result.grad_norm for result in results]),
    }


def work(rank: int, names: list[str], folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for name in names:
        torch.save(steps(name, slice(2 * rank, 2 * rank + 2)), f"{folder}/{name}_{rank}.pt")
    torch.distributed.destroy_process_group()


NAMES = [
    *("dynamic", "naive_dynamic", "uncertainty", "gradnorm", "upgrad", "rlw"),
    *("dynamic masked", "uncertainty masked", "upgrad masked"),
    *("dynamic keep", "upgrad keep"),
    *("dynamic adaface", "dynamic sampled", "dynamic facelivenet"),
    *("dynamic sharded", "gradnorm sharded", "upgrad sharded_arcface", "famo sharded_cosface"),
    *("uncertainty sharded_adaface", "dynamic sharded_sampled", "upgrad sharded_sampled"),
    *("dynamic kinds", "upgrad kinds"),
    *("famo", "gradvac", "config", "graddrop", "imtl_l"),
]


@pytest.fixture(scope="module")
def halves(python, module_path) -> dict[str, list[dict[str, torch.Tensor]]]:
    done = python(__file__, module_path)
    assert done.returncode == 0, done.stderr
    return {name: [torch.load(module_path / f"{name}_{rank}.pt") for rank in range(2)] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_end_as_one_with_the_whole_batch(halves, name):
    whole = steps(name, slice(None))
    for half in halves[name]:
        for key, value in whole.items():
            torch.testing.assert_close(half[key], value, rtol=1e-4, atol=1e-5, check_dtype=False, msg=f"{name}: {key}")


if __name__ == "__main__":  # the two processes
    multiprocessing.start_processes(work, (NAMES, sys.argv[1]), nprocs=2, start_method="fork")
