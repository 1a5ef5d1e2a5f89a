import runpy
from pathlib import Path

import pytest
import torch

from dwmtl.network.model_card import build_network
from dwmtl.network.model_file import save_model

make_card = runpy.run_path(str(Path(__file__).with_name("small_card.py")))["make_card"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    network = build_network(make_card()).eval()
    save_model(network, make_card(), folder)
    return folder, network
