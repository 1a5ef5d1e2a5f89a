"""Checkpoints of facenet, by the names of their variables in TensorFlow."""

import numpy as np
import pytest

from dwmtl.network.import_checkpoint import import_checkpoint
from dwmtl.network.model_card import TaskCard, build_network
from dwmtl.network.model_file import save_model
from dwmtl.network.start_from import start_from
from dwmtl.params import load_params


def facenet_variables() -> dict[str, tuple[int, ...]]:
    """The variables of facenet's full Inception-ResNet-v1 with a bottleneck, by their names in TensorFlow slim."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(scope: str, num_in: int, num_out: int, kernel: tuple[int, int]) -> int:
        shapes[f"{scope}/weights"] = (*kernel, num_in, num_out)
        for name in ("beta", "moving_mean", "moving_variance"):
            shapes[f"{scope}/BatchNorm/{name}"] = (num_out,)
        return num_out

    def tower(scope: str, num: int, *layers: tuple[str, int]) -> None:
        for name, num_out in layers:
            height, width = name.rpartition("_")[2].split("x")
            num = conv(f"{scope}/Conv2d_{name}", num, num_out, (int(height), int(width)))

    def residual(scope: str, num: int, *towers: tuple[tuple[str, int], ...]) -> None:
        for number, layers in enumerate(towers):
            tower(f"{scope}/Branch_{number}", num, *layers)
        inside = sum(layers[-1][1] for layers in towers)
        shapes[f"{scope}/Conv2d_1x1/weights"] = (1, 1, inside, num)
        shapes[f"{scope}/Conv2d_1x1/biases"] = (num,)

    top = "InceptionResnetV1"
    tower(top, 3, ("1a_3x3", 32), ("2a_3x3", 32), ("2b_3x3", 64))
    tower(top, 64, ("3b_1x1", 80), ("4a_3x3", 192), ("4b_3x3", 256))
    for i in range(1, 6):
        residual(
            f"{top}/Repeat/block35_{i}", 256, (("1x1", 32),), (("0a_1x1", 32), ("0b_3x3", 32)),
            (("0a_1x1", 32), ("0b_3x3", 32), ("0c_3x3", 32)),
        )  # fmt: skip
    tower(f"{top}/Mixed_6a/Branch_0", 256, ("1a_3x3", 384))
    tower(f"{top}/Mixed_6a/Branch_1", 256, ("0a_1x1", 192), ("0b_3x3", 192), ("1a_3x3", 256))
    for i in range(1, 11):
        residual(
            f"{top}/Repeat_1/block17_{i}", 896, (("1x1", 128),), (("0a_1x1", 128), ("0b_1x7", 128), ("0c_7x1", 128))
        )
    tower(f"{top}/Mixed_7a/Branch_0", 896, ("0a_1x1", 256), ("1a_3x3", 384))
    tower(f"{top}/Mixed_7a/Branch_1", 896, ("0a_1x1", 256), ("1a_3x3", 256))
    tower(f"{top}/Mixed_7a/Branch_2", 896, ("0a_1x1", 256), ("0b_3x3", 256), ("1a_3x3", 256))
    for block in [*(f"Repeat_2/block8_{i}" for i in range(1, 6)), "Block8"]:
        residual(f"{top}/{block}", 1792, (("1x1", 192),), (("0a_1x1", 192), ("0b_1x3", 192), ("0c_3x1", 192)))
    shapes[f"{top}/Bottleneck/weights"] = (1792, 128)
    for name in ("beta", "moving_mean", "moving_variance"):
        shapes[f"{top}/Bottleneck/BatchNorm/{name}"] = (128,)
    shapes |= {"Logits/weights": (128, 5), "Logits/biases": (5,), "global_step": ()}
    shapes["InceptionResnetV1/Bottleneck/weights/ExponentialMovingAverage"] = (1792, 128)
    return shapes


@pytest.mark.slow
def test_a_plain_facenet_fills_trunk_identity_branch_and_through_it_the_expression_branch(tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in facenet_variables().items()}
    tensorflow.raw_ops.SaveV2(
        prefix=str(tmp_path / "model.ckpt-7"),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tensorflow.constant(value) for value in values.values()],
    )
    imported = import_checkpoint(str(tmp_path / "model.ckpt-7"))
    assert imported.card.network.trunk == "inception_resnet_v1"
    assert imported.card.network.bottleneck == 128
    assert imported.card.network.standardization == "fixed"
    assert sorted(imported.skipped) == sorted(set(values) - set(imported.matched))
    assert len(imported.skipped) == 2
    assert imported.initial == []
    ours = imported.network.state_dict()
    kernel = values["InceptionResnetV1/Repeat_1/block17_10/Branch_1/Conv2d_0b_1x7/weights"]
    assert np.array_equal(ours["trunk.block17.9.towers.1.1.conv.weight"], kernel.transpose(3, 2, 0, 1))
    assert np.array_equal(
        ours["branches.identity.bottleneck.0.weight"], values["InceptionResnetV1/Bottleneck/weights"].T
    )
    assert np.array_equal(ours["heads.identity.weight"], values["Logits/weights"].T)
    last = values["InceptionResnetV1/Block8/Conv2d_1x1/biases"]
    assert np.array_equal(ours["branches.identity.blocks.5.project.bias"], last)

    card = save_model(imported.network, imported.card, tmp_path / "facenet")
    two = {**card.tasks, "expression": TaskCard(head=load_params().tasks["expression"].head, classes=["a", "b"])}
    wider = card.model_copy(update={"tasks": two})
    network = build_network(wider)
    start_from(network, wider, tmp_path / "facenet")
    assert np.array_equal(network.state_dict()["branches.expression.blocks.5.project.bias"], last)
