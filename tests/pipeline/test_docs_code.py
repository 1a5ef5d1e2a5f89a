"""The code on the pages on adding things, put where the page says and run, in a copy of the package."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from dwmtl.params import Params, load_params

REPOSITORY = Path(__file__).resolve().parents[2]


def blocks(page: str, heading: str, language: str) -> list[str]:
    """The blocks of a section, without the indent of a list."""
    section = (REPOSITORY / "docs" / page).read_text().split(f"# {heading}\n")[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0] if language != "python" else section
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", section, flags=re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


@pytest.fixture
def copy(tmp_path) -> Path:
    """The package and the params, to be changed."""
    shutil.copytree(REPOSITORY / "dwmtl", tmp_path / "dwmtl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    return tmp_path


def insert(path: Path, text: str, *, before: str) -> None:
    content = path.read_text()
    assert content.count(before) == 1, f"{before!r} in {path.name}"
    path.write_text(content.replace(before, text + before))


def python(folder: Path, *arguments: str) -> str:
    """Python with the copy's package in front."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_rule_of_the_page_on_weightings_can_be_added_as_it_says(copy):
    rule, settings, member, imported, case = blocks("weightings.md", "Adding a rule", "python")
    assert "dvc exp run -S train.weighting.name=loss_share" in (REPOSITORY / "docs/weightings.md").read_text()
    by_name = copy / "dwmtl/weighting/by_name.py"
    (copy / "dwmtl/weighting/loss_share.py").write_text(rule)
    insert(by_name, imported, before="from dwmtl.weighting.naive_dynamic")
    insert(by_name, case, before="        case _:\n")
    rules = copy / "dwmtl/weighting/params.py"
    insert(rules, settings + "\n\n", before="class GradNormWeightingParams")
    insert(rules, member, before="    | GradNormWeightingParams\n")
    params = copy / "params.yaml"
    params.write_text(params.read_text().replace("    name: dynamic\n", "    name: loss_share\n"))
    told = python(
        copy,
        "-c",
        "import torch\n"
        "from dwmtl.params import load_params\n"
        "from dwmtl.weighting.by_name import make_weighting\n"
        "from dwmtl.weighting.weighting import WeightingInput\n"
        "params = load_params('params.yaml').train.weighting\n"
        "rule = make_weighting(params, num_features=4, chance_losses={'identity': 2.2, 'expression': 1.9})\n"
        "has_label = torch.tensor([True, True])\n"
        "given = WeightingInput(torch.zeros(1, 4, 1, 1), torch.tensor([3.0, 1.0]), has_label, torch.Generator())\n"
        "print(rule.weigh(given).tolist())\n",
    )
    assert told.strip() == "[0.75, 0.25]"


def test_the_adapter_of_the_page_on_data_reads_its_layout(copy, tmp_path):
    (adapter, *_) = blocks("your_data.md", "A layout of your own", "python")
    (copy / "dwmtl/datasets/by_name.py").write_text(adapter)
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("ann_happy_1", "ann_neutral_1", "bob_surprised_2"):
        Image.new("RGB", (8, 8)).save(photos / f"{name}.jpg")
    read = "from pathlib import Path; from dwmtl.datasets.by_name import TERMS, read; "
    told = python(copy, "-c", read + "print(read(Path('photos'), num_peak_frames=3).photos.to_csv(index=False))")
    assert told.split() == [
        "photo,subject,sequence,frame,expression,use",
        "ann_happy_1.jpg,ann,,0,happiness,peak",
        "ann_neutral_1.jpg,ann,,0,neutral,neutral",
        "bob_surprised_2.jpg,bob,,0,surprise,peak",
    ]
    (photos / "IMG_1.jpg").touch()
    with pytest.raises(AssertionError, match=r"IMG_1\.jpg: must be called like ann_happy_1\.jpg"):
        python(copy, "-c", read + "read(Path('photos'), num_peak_frames=3)")


def merged(values: dict, changes: dict) -> dict:
    return values | {
        key: merged(values[key], part) if isinstance(part, dict) and isinstance(values.get(key), dict) else part
        for key, part in changes.items()
    }


@pytest.fixture
def params_with(tmp_path) -> Callable[..., Params]:
    """The repository's params, changed as the blocks below some headings of the page on data say."""

    def load(*headings: str) -> Params:
        values = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
        for heading in headings:
            for block in blocks("your_data.md", heading, "yaml"):
                values = merged(values, yaml.safe_load(block))
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return load_params(tmp_path / "params.yaml")

    return load


def test_the_further_task_of_the_page_on_data_is_taken(params_with):
    params = params_with("A further task")
    assert list(params.tasks) == ["identity", "expression", "glasses"]
    assert params.tasks["glasses"].head.name == "hidden"


def test_the_authors_files_of_the_page_on_data_are_taken(params_with):
    params = params_with("The authors' label files", "Folds and pairs")
    assert params.sets["expression"].adapter_options["remap"] == ("/their/Oulu-Casia/VL", "VL")
    assert params.pairs_file_of("expression") == Path("/data/Oulu_CASIA/pairs_fold_4.txt")
    assert len(params.labels.folds[4]) == 8


def test_the_verification_sets_of_the_page_on_data_are_taken(params_with):
    params = params_with("Verification sets")
    assert params.sets_of("verification") == ["agedb_30", "cfp_fp", "lfw", "ours", "verification"]
    assert params.main_verification_set == "lfw"
