"""Checkpoints that are malformed or hostile, in the form of each project: one line of error, and nothing is run."""

import io
import pickle
import pickletools
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from dwmtl.errors import ModelFileError
from dwmtl.network.import_checkpoint import import_checkpoint
from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import LinearHeadParams, NetworkParams
from dwmtl.network.published import project_of, published_names
from dwmtl.network.torch_file import read_state_dict

FORMS = ["iresnet18", "mbf", "adaface_ir_18", "mobilefacenet", "inception_resnet_v1"]


def entries_of(trunk: str) -> dict[str, torch.Tensor]:
    """A network's state dict as its project names it: zeros, most of which take no room in a file."""
    params = NetworkParams(
        trunk=trunk,
        bottleneck=512 if trunk == "inception_resnet_v1" else None,
        standardization="fixed",
        dropout=0.0,
        batch_norm_momentum=0.1,
        linear_sigma=0.02,
    )
    with torch.device("meta"):
        network = FaceNetwork(
            params, {"identity": LinearHeadParams(name="linear", relu_on_logits=False)}, {"identity": 2}
        )
    ours = network.state_dict()
    entries = {
        project_of(trunk).prefix + theirs: torch.zeros((), dtype=ours[name].dtype).expand(ours[name].shape)
        for name, theirs in published_names(network, trunk).items()
    }
    return entries | {name: entries[name].clone() for name in ("last_linear.weight", "logits.bias") if name in entries}


def save(trunk: str, entries: dict[str, object], path, **beside: object) -> None:
    wrapper = project_of(trunk).wrapper
    torch.save(entries if wrapper is None else {wrapper: entries, **beside}, path)


def refused(path, **more: object) -> str:
    """The message of the error, which is one line."""
    with pytest.raises(ModelFileError) as caught:
        import_checkpoint(str(path), **more)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


class Evil:
    """Writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("trunk", FORMS)
def test_a_whole_file_of_each_form_is_imported(trunk, tmp_path):
    save(trunk, entries_of(trunk), tmp_path / "w.ckpt", epoch=3)
    assert import_checkpoint(str(tmp_path / "w.ckpt")).card.network.trunk == trunk


@pytest.mark.parametrize("trunk", FORMS)
def test_an_entry_of_another_shape_is_named(trunk, tmp_path):
    entries = entries_of(trunk)
    name = next(name for name in entries if name.endswith("running_mean"))
    save(trunk, entries | {name: torch.zeros(7)}, tmp_path / "w.ckpt")
    assert "running_mean is (7,), the network's" in refused(tmp_path / "w.ckpt")


@pytest.mark.parametrize("trunk", FORMS)
def test_an_entry_that_is_missing_is_named(trunk, tmp_path):
    entries = entries_of(trunk)
    del entries[next(name for name in reversed(entries) if name.endswith("running_var"))]
    save(trunk, entries, tmp_path / "w.ckpt")
    assert "it has no branches.identity." in refused(tmp_path / "w.ckpt")


@pytest.mark.parametrize("trunk", ["iresnet18", "adaface_ir_18", "mobilefacenet", "mbf"])
def test_an_entry_without_a_place_is_named(trunk, tmp_path):
    """A network with further layers gives other embeddings; leaving them out would not be it."""
    name = project_of(trunk).prefix + "body.0.res_layer.6.fc1.weight"
    save(trunk, entries_of(trunk) | {name: torch.zeros(4, 4)}, tmp_path / "w.ckpt")
    assert "its body.0.res_layer.6.fc1.weight has no place" in refused(tmp_path / "w.ckpt")


@pytest.mark.parametrize("trunk", FORMS)
@pytest.mark.parametrize("value", ["a text", [1, 2], None, {"w": 1}])
def test_an_entry_that_is_no_tensor_is_named(trunk, value, tmp_path):
    save(trunk, entries_of(trunk) | {"strange": value}, tmp_path / "w.ckpt")
    assert "strange is of the type" in refused(tmp_path / "w.ckpt")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(64, dtype=torch.complex64), "is of the type torch.complex64"),
        (torch.zeros(64, dtype=torch.int64), "is of the type torch.int64"),
        (torch.full((64,), torch.nan), "holds NaN or infinity"),
        (torch.zeros(64).to_sparse(), "of the type Tensor, no tensor with a name"),
    ],
)
def test_weights_that_are_no_numbers_are_named(value, message, tmp_path):
    save("iresnet18", entries_of("iresnet18") | {"bn1.weight": value}, tmp_path / "w.pth")
    assert message in refused(tmp_path / "w.pth")


@pytest.mark.parametrize("trunk", FORMS)
@pytest.mark.parametrize("where", ["among the entries", "beside them"])
def test_a_pickle_with_code_is_refused_and_not_run(trunk, where, tmp_path):
    if where == "among the entries":
        save(trunk, entries_of(trunk) | {"w": Evil(tmp_path / "written")}, tmp_path / "w.ckpt")
    else:
        torch.save(
            {"state_dict": entries_of(trunk), "hyper_parameters": Evil(tmp_path / "written")}, tmp_path / "w.ckpt"
        )
    assert "not a file of tensors by torch.save" in refused(tmp_path / "w.ckpt")
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("trunk", FORMS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_named(trunk, share, tmp_path):
    save(trunk, entries_of(trunk), tmp_path / "whole.ckpt")
    whole = (tmp_path / "whole.ckpt").read_bytes()
    (tmp_path / "w.ckpt").write_bytes(whole[: int(len(whole) * share)])
    assert "not a file of tensors by torch.save" in refused(tmp_path / "w.ckpt")


@pytest.mark.parametrize("trunk", ["iresnet18", "mobilefacenet"])
def test_a_file_from_before_torch_1_6_is_read_and_its_code_is_refused(trunk, tmp_path):
    torch.save(entries_of(trunk), tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    assert import_checkpoint(str(tmp_path / "w.pth")).card.network.trunk == trunk
    torch.save({"w": Evil(tmp_path / "written")}, tmp_path / "e.pth", _use_new_zipfile_serialization=False)
    refused(tmp_path / "e.pth")
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 10 * 2**30) + b"{}",  # a header of 10 GB
        struct.pack("<Q", 60) + b'{"w": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}',
        struct.pack("<Q", 2**63) + b"\0" * 100,
        struct.pack("<Q", 7) + b"no json",
    ],
)
def test_a_damaged_safetensors_file_is_named(content, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(content)
    assert "not a whole safetensors file" in refused(tmp_path / "w.safetensors")


def test_a_file_whose_tensors_claim_more_than_it_holds_is_named(tmp_path):
    torch.save({"w": torch.zeros(8)}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "w.pt", "w") as changed:
        for name in whole.namelist():
            content = whole.read(name)
            if name.endswith("data.pkl"):  # shape (8,): BININT1 8
                content = content.replace(b"K\x08\x85", b"J\xff\xff\xff\x7f\x85", 1)
                assert any(argument == 2**31 - 1 for _, argument, _ in pickletools.genops(content))
            changed.writestr(name, content)
    assert "not a file of tensors by torch.save" in refused(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["last_linear.weight", "logits.bias"])
@pytest.mark.parametrize("shape", [(), (2**40,), (2**30, 1792)])
def test_no_network_is_built_by_lengths_that_the_file_does_not_hold(name, shape, tmp_path):
    entries = entries_of("inception_resnet_v1") | {name: torch.zeros(()).expand(shape)}
    save("inception_resnet_v1", entries, tmp_path / "w.pt")
    refused(tmp_path / "w.pt")


@pytest.mark.parametrize("value", [torch.zeros(3), [torch.zeros(3)], {}, {1: torch.zeros(3)}, "text"])
def test_a_file_without_tensors_by_name_is_named(value, tmp_path):
    torch.save(value, tmp_path / "w.pt")
    assert "not a state dict" in refused(tmp_path / "w.pt")


@pytest.fixture
def lightning(monkeypatch):
    """Stands for an installed pytorch_lightning while a checkpoint is written, and is gone when it is read."""

    def module(name: str, **attributes: object) -> None:
        made = types.ModuleType(name)
        for key, value in attributes.items():
            value.__module__ = name
            setattr(made, key, value)
        monkeypatch.setitem(sys.modules, name, made)

    settings = type("AttributeDict", (dict,), {})
    callback = type("ModelCheckpoint", (), {})
    for package in ("pytorch_lightning", "pytorch_lightning.utilities", "pytorch_lightning.callbacks"):
        module(package)
    module("pytorch_lightning.utilities.parsing", AttributeDict=settings)
    module("pytorch_lightning.callbacks.model_checkpoint", ModelCheckpoint=callback)
    return settings, callback


def test_a_lightning_checkpoint_is_read_without_lightning(lightning, tmp_path, monkeypatch):
    """What lies beside the weights in the files of Lightning 1.4, by which AdaFace was trained."""
    from argparse import Namespace
    from pathlib import PurePosixPath

    settings, callback = lightning
    entries = entries_of("adaface_ir_18") | {"head.kernel": torch.zeros(512, 9)}
    beside = {
        "epoch": 25,
        "pytorch-lightning_version": "1.4.4",
        "callbacks": {callback: {"best_model_path": PurePosixPath("/x"), "best_model_score": torch.tensor(0.9)}},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}],
        "lr_schedulers": [{"milestones": [12, 20], "base_lrs": [0.1]}],
        "hyper_parameters": settings(arch="ir_18", more=Namespace(head="adaface")),
    }
    save("adaface_ir_18", OrderedDict(entries), tmp_path / "w.ckpt", **beside)
    for name in [name for name in sys.modules if name.startswith("pytorch_lightning")]:
        monkeypatch.delitem(sys.modules, name)
    imported = import_checkpoint(str(tmp_path / "w.ckpt"))
    assert imported.card.network.trunk == "adaface_ir_18"
    assert imported.skipped == ["head.kernel"]


def test_what_stands_for_a_setting_does_nothing(tmp_path):
    """A file may name any function of those packages; none is called."""
    body = b"\x80\x02}q\x00(X\x01\x00\x00\x00wcnumpy.testing\nrundocs\nX\x01\x00\x00\x00x\x85RX\x01\x00\x00\x00s}u."
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as file:
        file.writestr("w/data.pkl", body)
        file.writestr("w/version", "3\n")
        file.writestr("w/byteorder", "little")
    assert "w is of the type _Nothing" in refused(tmp_path / "w.pt")


def test_the_command_makes_no_folder_of_a_file_that_does_not_fit(dwmtl, tmp_path):
    entries = entries_of("mobilefacenet") | {"conv1.bn.bias": torch.zeros(3)}
    save("mobilefacenet", entries, tmp_path / "w.ckpt")
    done = dwmtl("import-checkpoint", tmp_path / "w.ckpt", "--out", tmp_path / "model")
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {tmp_path}/w.ckpt: it does not fit mobilefacenet: its trunk.conv1.bn.bias is (3,), the network's "
        "(64,).\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["w.ckpt"]


def test_a_safetensors_file_of_any_form_is_read(tmp_path):
    entries = {name: value.contiguous() for name, value in entries_of("mbf").items()}
    save_file(entries, tmp_path / "w.safetensors")
    assert import_checkpoint(str(tmp_path / "w.safetensors")).card.network.trunk == "mbf"


def test_a_pickle_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "w.pt").write_bytes(pickle.dumps({"a": 1}))
    refused(tmp_path / "w.pt")
    buffer = io.BytesIO()
    pickle.dump(Evil(tmp_path / "written"), buffer)
    (tmp_path / "w.pt").write_bytes(buffer.getvalue())
    refused(tmp_path / "w.pt")
    assert not (tmp_path / "written").exists()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        read_state_dict(tmp_path / "w.pt")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_flipped_bit_of_a_downloaded_file_is_noticed(tmp_path, place):
    """In the tensors, where torch compares no checksum."""
    path = tmp_path / "w.pt"
    torch.save({"weights": torch.ones(100_000)}, path)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 0x20
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"damaged: the checksum of .*data.* differs\. Copy or download it again"):
        read_state_dict(path)


def test_a_file_whose_tensors_are_compressed_is_refused_before_it_is_unpacked(tmp_path):
    torch.save({"w": torch.zeros(1_000_000)}, tmp_path / "whole.pt")
    deflated = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "w.pt", "w", deflated) as changed:
        for name in whole.namelist():
            changed.writestr(name, whole.read(name))
    assert (tmp_path / "w.pt").stat().st_size < 10_000
    assert "not a file of tensors by torch.save, which compresses nothing" in refused(tmp_path / "w.pt")
