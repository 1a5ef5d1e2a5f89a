"""Rules of the house that people would forget: who may import what, and what pure code may not do."""

import ast
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
imports = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("imports.py"))))
CODE, name_of = imports.CODE, imports.name_of
imported_names, imported_files = imports.imported_names, imports.imported_files

# A part imports parts of the rows below its own, never of its own row or of one above. A part is a room, a top-level
# file, `settings` (params.py of every room, and its *_params.py), or one of PARTS.
ROWS = [
    {"__main__"},
    {"stages", "cli"},
    {"demo", "served_model"},
    {"inference"},
    {"tracking"},
    {"training", "evaluation", "report"},
    {"scores", "crops", "datasets", "rendered", "network", "weighting", "protocol"},
    {"packs"},
    {"params"},
    {"params_errors"},
    {"start_needs"},
    {"settings", "set_facts", "results"},
    {"section", "tables", "stage", "device", "params_text", "yaml_text"},
    {"files"},
    {"checkout", "errors", "progress", "cores"},
]
PARTS = {
    "dwmtl/datasets/packs": "packs",  # files of pictures, whatever data set they hold
    "dwmtl/tracking/served_model.py": "served_model",  # MLflow runs it by its path, as DVC a stage
}

# Folders and files that may import a heavy package; nobody else does.
OWNERS = {
    "cv2": ("dwmtl/rendered", "dwmtl/crops/integral_images.py", "dwmtl/inference/clip_file.py"),
    "facenet_pytorch": ("dwmtl/network/facenet_pytorch_file.py",),
    "matplotlib": ("dwmtl/report/figures.py",),
    "mlflow": ("dwmtl/tracking",),
    "onnx": ("dwmtl/inference/onnx_export.py",),
    "onnxruntime": ("dwmtl/inference/onnx_export.py",),
    "starlette": ("dwmtl/demo",),
    "uvicorn": ("dwmtl/demo/server.py",),
    "pytorch_metric_learning": ("dwmtl/network/heads.py",),
    "timm": ("dwmtl/network/timm_trunk.py", "dwmtl/training/optimizers.py"),
    "huggingface_hub": ("dwmtl/network/download.py",),
    "torchjd": ("dwmtl/weighting/from_torchjd.py",),
    "tensorflow": ("dwmtl/network/tensorflow_checkpoint.py",),
    "PIL": (
        "dwmtl/crops/crop.py",
        "dwmtl/report/data_card/contact_sheet.py",
        "dwmtl/crops/store.py",
        "dwmtl/crops/photos.py",
        "dwmtl/report/mistakes.py",
        "dwmtl/inference/annotate.py",
        "dwmtl/inference/answers.py",
        "dwmtl/inference/model.py",
    ),
}

PURE = (
    "dwmtl/protocol/*.py",
    "dwmtl/weighting/*.py",
    "dwmtl/scores/*.py",
    "dwmtl/report/cautions.py",
    "dwmtl/report/further_tasks.py",
    "dwmtl/report/data_card/card.py",
    "dwmtl/report/data_card/cautions.py",
    "dwmtl/report/data_card/defects.py",
    "dwmtl/report/data_card/describe.py",
    "dwmtl/report/summary.py",
    "dwmtl/report/model_card_terms.py",
    "dwmtl/report/verification_sets.py",
    "dwmtl/inference/challenge.py",
    "dwmtl/inference/decisions.py",
)
IMPURE_MODULES = {"os", "pathlib", "io", "shutil", "time", "datetime", "random", "secrets", "uuid", "subprocess"}
IMPURE_CALLS = ("open", "print", "input", "read_", "write_", "to_csv")  # names that begin so
SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64", "fork_rng"}  # what is drawn in a fork leaves no trace


def _part(file: Path) -> str:
    """The part of the house a file is in: `training`, `params`, `stages`, ..., or `dwmtl` for the package itself."""
    name = name_of(file)
    if part := next((part for path, part in PARTS.items() if name.startswith(path)), None):
        return part
    folder, *below = file.relative_to(REPOSITORY).with_suffix("").parts
    if len(below) > 1 and below[-1].split("_")[-1] == "params":
        return "settings"
    return folder if folder == "stages" or below == ["__init__"] else below[0]


def _imported_parts(file: Path) -> set[str]:
    """Parts of dwmtl that a file imports, other than its own and the package itself."""
    return {_part(imported) for imported in imported_files(file)} - {_part(file), "dwmtl"}


def _row(part: str) -> int:
    return next(number for number, row in enumerate(ROWS) if part in row)


def _pure_files() -> list[Path]:
    files = []
    for pattern in PURE:
        found = sorted(REPOSITORY.glob(pattern))
        assert found, f"{pattern}: no such file; correct PURE"
        files.extend(found)
    return files


def _python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)


def test_every_part_has_a_row():
    known = {"dwmtl"}.union(*ROWS)
    assert {_part(file) for file in CODE} - known == set(), "give the new part a row in ROWS, and in docs if it is new"


@pytest.mark.parametrize("file", CODE, ids=name_of)
def test_imports_point_one_way(file):
    imported = _imported_parts(file)
    if _part(file) == "dwmtl":
        assert imported <= {"cores"}, f"{name_of(file)} is imported by everything: it imports next to nothing"
        return
    wrong = sorted(part for part in imported if _row(part) <= _row(_part(file)))
    assert wrong == [], (
        f"{name_of(file)} imports {wrong}; {_part(file)} may import only {ROWS[_row(_part(file)) + 1 :]}"
    )


@pytest.mark.parametrize("package", OWNERS)
def test_heavy_package_has_one_owner(package):
    importing = [name_of(file) for file in CODE if package in {name.split(".")[0] for name in imported_names(file)}]
    assert [name for name in importing if not name.startswith(OWNERS[package])] == []
    unneeded = [owner for owner in OWNERS[package] if not any(name.startswith(owner) for name in importing)]
    assert unneeded == [], "it imports the package no longer; take it out of OWNERS"


def test_pure_code_imports_no_file_clock_or_random_module():
    wrong = [
        f"{name_of(file)}: {name}"
        for file in _pure_files()
        for name in sorted(imported_names(file))
        if name.split(".")[0] in IMPURE_MODULES or name == "dwmtl.stage"
    ]
    assert wrong == []


def test_pure_code_reads_and_writes_nothing():
    wrong = [
        f"{name_of(file)}:{call.lineno}: {ast.unparse(call.func)}"
        for file in _pure_files()
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1].startswith(IMPURE_CALLS)
    ]
    assert wrong == []


def test_pure_code_draws_from_its_own_generator_only():
    wrong = [
        f"{name_of(file)}:{node.lineno}: {ast.unparse(node)}"
        for file in _pure_files()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("np.random", "numpy.random", "torch.random")
        and node.attr not in SEEDED
    ]
    assert wrong == []


def test_only_the_stage_render_and_the_params_know_the_drawn_faces():
    others = [file for file in CODE if not name_of(file).startswith("dwmtl/rendered/")]
    importing = {name_of(file) for file in others if any("dwmtl.rendered" in name for name in imported_names(file))}
    assert importing == {"stages/render.py", "dwmtl/params.py"}


def test_no_module_is_imported_by_name():
    """`test_stage_deps` could not see it, and DVC would not run a stage again when that module changes."""
    wrong = [
        f"{name_of(file)}:{call.lineno}"
        for file in CODE
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] in ("import_module", "__import__")
    ]
    assert wrong == []


def test_nothing_in_the_repository_takes_load_model_from_the_package():
    """Its import is lazy and `imports.imported_names` passes it over; ours come from `dwmtl.inference.model`."""
    assert [name_of(file) for file in CODE if "dwmtl.load_model" in imported_names(file)] == []


def test_training_and_network_import_without_dvc_mlflow_and_facenet_pytorch():
    files = [
        file for part in ("training", "network", "weighting") for file in (REPOSITORY / "dwmtl" / part).glob("*.py")
    ]
    modules = sorted(name_of(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files)
    done = _python(
        "import importlib, sys\n"
        "sys.modules.update(dict.fromkeys(['dvc', 'mlflow', 'facenet_pytorch']))\n"  # None: its import fails
        f"for module in {modules}: importlib.import_module(module)"
    )
    assert done.returncode == 0, done.stderr


def test_scoring_pairs_imports_no_torch_pandas_or_sklearn():
    done = _python("import sys, dwmtl.cli, dwmtl.stage, dwmtl.evaluation.score_pairs; print(*sys.modules)")
    assert {"torch", "pandas", "sklearn", "scipy"} & set(done.stdout.split()) == set(), done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("use", ["stages/align.py", "stages/evaluate.py", "dwmtl.inference.model"])
def test_faces_are_found_and_networks_used_without_what_is_slow_to_import(use):
    """torchvision and torch's compiler take as long as torch itself, timm and scikit-learn another second each."""
    load = f"runpy.run_path({use!r})" if use.endswith(".py") else f"__import__({use!r})"
    done = _python(
        f"import numpy, runpy, sys, torch; {load}\n"
        "from dwmtl.crops.detector import Detector\n"
        "device = torch.device('cpu')\n"
        "find = Detector(min_face_px=40, thresholds=(0.6, 0.7, 0.7), pyramid_factor=0.709, device=device)\n"
        "find([numpy.zeros((99, 99, 3), numpy.uint8)]); print(*sys.modules)"
    )
    assert "dwmtl.crops.mtcnn" in done.stdout.split(), done.stderr
    assert {"facenet_pytorch", "sklearn", "timm", "torch._dynamo", "torchvision"} & set(done.stdout.split()) == set()


def test_a_report_imports_no_torch():
    done = _python("import sys, runpy; runpy.run_path('stages/report.py'); print(*sys.modules)")
    assert "dwmtl.tracking.log_report" in done.stdout.split(), done.stderr
    assert {"torch", "sklearn"} & set(done.stdout.split()) == set()


def test_no_stage_loads_torch_before_dwmtl():
    """OpenMP reads its wait policy when torch is loaded; `import dwmtl` sets it."""
    assert [name_of(file) for file in CODE if _part(file) == "stages" and "torch" in imported_names(file)] == []
