import json
import os
import re
import runpy
import shutil
import stat
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import safetensors.torch
import torch

from dwmtl.errors import ModelFileError
from dwmtl.network.model_card import build_network
from dwmtl.network.model_file import load_card, load_model, model_sha256, save_model

make_card = runpy.run_path(str(Path(__file__).with_name("small_card.py")))["make_card"]


def test_a_saved_model_answers_as_before(saved):
    folder, network = saved
    loaded, card = load_model(folder)
    crops = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(loaded(crops).logits, network(crops).logits, rtol=0, atol=0)
    assert card == make_card().model_copy(update={"weights_sha256": model_sha256(folder)})
    assert not loaded.training


def test_memory_format_does_not_change_the_bytes(saved, tmp_path):
    folder, network = saved
    save_model(network.to(memory_format=torch.channels_last), make_card(), tmp_path)
    assert model_sha256(tmp_path) == model_sha256(folder)


def test_the_weights_are_the_bytes_that_safetensors_writes(saved, tmp_path):
    folder, network = saved
    safetensors.torch.save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()}, tmp_path / "a"
    )
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_every_file_of_a_model_has_the_mode_that_the_umask_gives(saved, tmp_path, umask):
    before = os.umask(umask)
    try:
        save_model(
            saved[1], make_card(), tmp_path, averaged=saved[1], best=saved[1], method={"centers": torch.zeros(2)}
        )
    finally:
        os.umask(before)
    assert len(list(tmp_path.iterdir())) == 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o666 & ~umask}


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_file_without_rights_is_told_to_be_that(python, saved, name):
    """As nobody, if this is root: root may read everything, and nobody nothing below pytest's folders."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        model = Path(shutil.copytree(saved[0], Path(folder) / "model"))
        model.chmod(0o755)
        (model / name).chmod(0)
        done = _load_as_nobody(python, model)
    assert re.fullmatch(rf"ModelFileError .*/{re.escape(name)}: Permission denied\. .*\n", done.stdout), done.stderr


def _load_as_nobody(python, model: Path) -> subprocess.CompletedProcess:
    code = (
        "import os, sys, torch, safetensors.torch\n"
        "from dwmtl.network.model_file import load_model\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "try: load_model(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    return python("-c", code, model)


def test_weights_of_another_model_beside_the_card_are_refused(saved, tmp_path):
    folder, _network = saved
    torch.manual_seed(1)
    save_model(build_network(make_card()), make_card(), tmp_path)
    (tmp_path / "model.json").write_bytes((folder / "model.json").read_bytes())
    with pytest.raises(ModelFileError, match=r"does not have the SHA-256 in model\.json"):
        load_model(tmp_path)


def test_the_moving_average_is_loaded_where_asked(saved, tmp_path):
    _folder, network = saved
    torch.manual_seed(1)
    averaged = build_network(make_card())
    save_model(network, make_card(), tmp_path, averaged=averaged)
    assert load_card(tmp_path).weights_sha256 == model_sha256(tmp_path)
    loaded, _ = load_model(tmp_path, weights="ema")
    torch.testing.assert_close(loaded.state_dict(), averaged.state_dict(), rtol=0, atol=0)
    (tmp_path / "model_ema.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes())
    with pytest.raises(ModelFileError, match=r"model_ema\.safetensors does not have the SHA-256"):
        load_model(tmp_path, weights="ema")


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.json: no such file"):
        load_model(tmp_path)


def test_a_truncated_file_of_weights_is_named(saved, tmp_path):
    folder, _ = saved
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes(
            (folder / name).read_bytes()[:-1000] if "safe" in name else (folder / name).read_bytes()
        )
    with pytest.raises(ModelFileError, match="not a whole safetensors file"):
        load_model(tmp_path)


def test_weights_that_do_not_fit_the_card_are_an_error(saved, tmp_path):
    _folder, network = saved
    save_model(network, make_card(identity=["a", "b", "c"], expression=["anger", "happiness"]), tmp_path)
    with pytest.raises(ModelFileError, match="do not fit"):
        load_model(tmp_path)


def test_a_card_that_does_not_say_how_faces_were_found_has_facenets_settings(saved, tmp_path):
    _folder, network = saved
    save_model(network, make_card(), tmp_path)
    card = json.loads((tmp_path / "model.json").read_text())
    del card["detector"]
    (tmp_path / "model.json").write_text(json.dumps(card))
    detector = load_card(tmp_path).detector
    assert (detector.min_face_px, detector.thresholds, detector.pyramid_factor) == (20, [0.6, 0.7, 0.7], 0.709)
    assert detector.select == "center_weighted_size"


@pytest.mark.parametrize("change", [{"min_face_px": 1}, {"thresholds": [0.6]}, {"pyramid_factor": 1.0}])
def test_a_card_whose_detector_would_never_end_is_refused(saved, tmp_path, change):
    _folder, network = saved
    save_model(network, make_card(), tmp_path)
    card = json.loads((tmp_path / "model.json").read_text())
    card["detector"] |= change
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelFileError, match=f"detector.{next(iter(change))}"):
        load_card(tmp_path)


def test_an_unknown_key_in_the_card_is_an_error(saved, tmp_path):
    _folder, network = saved
    save_model(network, make_card(), tmp_path)
    card = tmp_path / "model.json"
    card.write_text(card.read_text().replace('"crop_px"', '"crop_pixels"'))
    with pytest.raises(ModelFileError, match="crop_pixels"):
        load_model(tmp_path)


def test_a_model_that_is_not_there_is_told_with_the_cure(tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.safetensors: no such file\. Run its stage, or fetch it"):
        model_sha256(tmp_path)
