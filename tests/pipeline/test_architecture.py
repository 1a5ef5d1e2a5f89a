"""Rules of the house that people would forget: who may import what, and what pure code may not do."""

import ast
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
imports = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("imports.py"))))
imported_names, imported_files = imports.imported_names, imports.imported_files

# A part imports parts of the rows below its own, never of its own row or of one above. A part is a room, a top-level
# file, `settings` (the params.py of every room), or one of PARTS.
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
    {"section", "tables", "stage", "device", "params_text"},
    {"files"},
    {"checkout", "errors", "progress"},
]
PARTS = {
    "dwmtl/datasets/packs": "packs",  # files of pictures, whatever data set they hold
    "dwmtl/tracking/served_model.py": "served_model",  # MLflow runs it by its path, as DVC a stage
}

# Folders and files that may import a heavy package; nobody else does.
OWNERS = {
    "cv2": ("dwmtl/rendered", "dwmtl/inference/clip_file.py"),
    "facenet_pytorch": ("dwmtl/crops/detector.py", "dwmtl/network/facenet_pytorch_file.py"),
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
        "dwmtl/crops/aligned.py",
        "dwmtl/crops/photos.py",
        "dwmtl/report/mistakes.py",
        "dwmtl/inference/annotate.py",
        "dwmtl/inference/answers.py",
        "dwmtl/inference/model.py",
    ),
}

# Calls that write a file, or open a picture, outside of their owners, and why.
FILE_OWNERS = ("dwmtl/files.py", "dwmtl/crops/photos.py")
FILE_CALLS = {
    "dwmtl/checkout.py": {
        "STATE.symlink_to": "in a copy that DVC made",
        "place.symlink_to": "in DVC's folder of temporary files",
    },
    "dwmtl/crops/crop.py": {"crop.save": "into memory"},
    "dwmtl/crops/shards.py": {"os.replace": "a process' own folder: a killed run's worker may still be writing"},
    "dwmtl/crops/store.py": {
        "Image.open": "a crop that we wrote",
        "ZipFile": "an archive in a shard's folder, which becomes whole at once",
        "os.link": "the archive into the output's folder, which becomes whole at once",
        "path.write_bytes": "crops in a folder that becomes whole at once: no fsync for each of a million",
        "shutil.copyfile": "as os.link, onto another disk",
    },
    "dwmtl/datasets/packs/extract.py": {"open": "pictures in a folder that becomes whole at once, none over another"},
    "dwmtl/datasets/packs/record_io.py": {"open": "two files in a folder that becomes whole at once"},
    "dwmtl/demo/uploads.py": {"path.open": "in a temporary folder"},
    "dwmtl/inference/annotate.py": {"picture.save": "into memory"},
    "dwmtl/inference/clip_file.py": {"copy.open": "in a temporary folder"},
    "dwmtl/inference/notebook.py": {"picture.save": "into memory"},
    "dwmtl/inference/embed_folder.py": {"np.savez": "into a file of `whole_file`"},
    "dwmtl/inference/export_model.py": {"shutil.copy": "in a folder that becomes whole at once"},
    "dwmtl/network/download.py": {"path.open": "in a temporary folder"},
    "dwmtl/network/export_checkpoint.py": {"torch.save": "into memory"},
    "dwmtl/rendered/sets.py": {"path.write_bytes": "photos in a folder that becomes whole at once"},
    "dwmtl/report/data_card/contact_sheet.py": {"sheet.save": "into a file of `whole_file`"},
    "dwmtl/report/figures.py": {"figure.savefig": "into memory"},
    "dwmtl/report/mistakes.py": {"Image.fromarray(read_crop(aligned_dir / path)).save": "into memory"},
    "dwmtl/tables.py": {"chosen.to_csv": "into a file of `whole_file`"},
    "dwmtl/tracking/log_model.py": {
        "shutil.copy": "in a temporary folder",
        "shutil.copytree": "in a temporary folder",
    },
    "dwmtl/tracking/moved.py": {"sqlite3.connect": "MLflow's database, changed in one transaction"},
    "dwmtl/tracking/server.py": {
        "os.replace": "a database that MLflow has written beside its place",
        "sqlite3.connect": "MLflow's database, read; and a copy in a temporary folder",
    },
    "dwmtl/training/loop.py": {"self.checkpoint.save": "`training/checkpoint.py`"},
    "dwmtl/training/checkpoint.py": {
        "os.replace": "the last state becomes the one before",
        "torch.save": "into a file of `whole_file`",
    },
}

# Files that open one to read it: a user's (CONTRIBUTING.md has the table), or one of ours.
USERS_FILES = {
    "dwmtl/cli/checkpoints.py": "names of classes, JSON",
    "dwmtl/cli/folds.py": "folds",
    "dwmtl/crops/photos.py": "a photo",
    "dwmtl/datasets/affect_net.py": "an annotation of AffectNet",
    "dwmtl/datasets/csv_rows.py": "a table of one's own",
    "dwmtl/datasets/packs/fer2013_table.py": "FER2013's table",
    "dwmtl/datasets/packs/files.py": "a pack",
    "dwmtl/datasets/packs/ms_celeb.py": "lines of MS-Celeb, a clean list",
    "dwmtl/datasets/packs/picture_kind.py": "a picture's first bytes",
    "dwmtl/datasets/packs/pictures.py": "a photo, for `crops/photos.py`",
    "dwmtl/datasets/packs/record_io.py": "a pack's index and property",
    "dwmtl/datasets/text_lines.py": "labels, pairs, lists",
    "dwmtl/evaluation/embeddings_file.py": "embeddings",
    "dwmtl/inference/clip_file.py": "a clip",
    "dwmtl/inference/threshold_file.py": "a threshold",
    "dwmtl/network/model_file.py": "a model",
    "dwmtl/network/torch_file.py": "another project's weights",
    "dwmtl/params.py": "params.yaml",
    "dwmtl/set_facts.py": "what marks a set as drawn; and set.json",
    "dwmtl/start_needs.py": "a start's model.json",
    "dwmtl/tables.py": "a table between stages, or one that a command is given",
}
OUR_FILES = {
    "dwmtl/checkout.py": "params.yaml, for its digest",
    "dwmtl/cli/check.py": "dvc.yaml, and a project's requirements.txt",
    "dwmtl/cli/new.py": "the files of a project, in the package",
    "dwmtl/crops/shards.py": "a shard",
    "dwmtl/crops/store.py": "a shard's archive",
    "dwmtl/network/download.py": "an address, no file",
    "dwmtl/results.py": "a result of a stage",
    "dwmtl/stage.py": "the code, for its digest",
    "dwmtl/tracking/digest.py": "outputs of stages, for their digest",
    "dwmtl/tracking/log_model.py": "the example in the package",
    "dwmtl/tracking/log_report.py": "the model card that the report wrote",
    "dwmtl/tracking/machine.py": "/proc/cpuinfo",
    "dwmtl/tracking/resend.py": "dvc.lock",
    "dwmtl/training/checkpoint.py": "a checkpoint",
    "dwmtl/training/cores.py": "how long threads waited, in /proc/self/task",
    "dwmtl/training/fold_data.py": "classes.json",
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

CODE = sorted([*(REPOSITORY / "dwmtl").rglob("*.py"), *(REPOSITORY / "stages").glob("*.py")])


def _name(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


def _part(file: Path) -> str:
    """The part of the house a file is in: `training`, `params`, `stages`, ..., or `dwmtl` for the package itself."""
    name = _name(file)
    if part := next((part for path, part in PARTS.items() if name.startswith(path)), None):
        return part
    folder, *below = file.relative_to(REPOSITORY).with_suffix("").parts
    if len(below) > 1 and below[-1] == "params":
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


@pytest.mark.parametrize("file", CODE, ids=_name)
def test_imports_point_one_way(file):
    imported = _imported_parts(file)
    if _part(file) == "dwmtl":
        assert imported == set(), f"{_name(file)} is imported by everything: it imports nothing"
        return
    wrong = sorted(part for part in imported if _row(part) <= _row(_part(file)))
    assert wrong == [], f"{_name(file)} imports {wrong}; {_part(file)} may import only {ROWS[_row(_part(file)) + 1 :]}"


@pytest.mark.parametrize("package", OWNERS)
def test_heavy_package_has_one_owner(package):
    importing = [_name(file) for file in CODE if package in {name.split(".")[0] for name in imported_names(file)}]
    assert [name for name in importing if not name.startswith(OWNERS[package])] == []


WRITING = (
    *("os.replace", "os.rename", "os.link", "os.symlink", "os.truncate", "sqlite3.connect", "cv2.imwrite"),
    *("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree", "shutil.move", "cv2.VideoWriter"),
    *("Image.open", "PIL.Image.open"),
)
WRITING_METHODS = (
    *("write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "mkstemp", "NamedTemporaryFile"),
    *("to_csv", "to_parquet", "to_pickle", "tofile", "savetxt", "savez", "savez_compressed", "savefig", "save_file"),
)
READING_METHODS = (*("read_text", "read_bytes", "read_csv", "VideoCapture", "fromfile", "genfromtxt"),)


def _modes(call: ast.Call) -> list[str]:
    given = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    texts = [value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    return [text for text in texts if text and set(text) <= set("rwaxbt+")]


def _opens(call: ast.Call) -> bool:
    return ast.unparse(call.func).split(".")[-1] in ("open", "fdopen", "ZipFile")


def _is_file_call(call: ast.Call) -> bool:
    """Whether a call opens a file to write it, puts one in another's place, or opens a picture."""
    name, last = ast.unparse(call.func), ast.unparse(call.func).split(".")[-1]
    is_method, num_args = isinstance(call.func, ast.Attribute), len(call.args)
    return (
        name in WRITING
        or last in WRITING_METHODS[: None if is_method else 0]
        or (
            is_method and last in ("rename", "replace") and num_args == 1 and not call.keywords
        )  # of a Path, of no text
        or (is_method and last == "save" and num_args > 0)
        or (_opens(call) and any(set(mode) & set("wax+") for mode in _modes(call)))
    )


def _is_read_call(call: ast.Call) -> bool:
    """Whether a call opens a file to read it."""
    name = ast.unparse(call.func)
    return (
        (isinstance(call.func, ast.Attribute) and name.split(".")[-1] in READING_METHODS)
        or name in ("load_file", "safe_open")
        or name in ("np.load", "torch.load", "json.load", "mmap.mmap")
        or (_opens(call) and not _is_file_call(call))
    )


def _calls(is_such: Callable[[ast.Call], bool], but_in: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """The calls in each file that has such."""
    calls: dict[str, set[str]] = {}
    for file in CODE:
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and _name(file) not in but_in and is_such(call):
                calls.setdefault(_name(file), set()).add(ast.unparse(call.func))
    return calls


def test_what_writes_a_file_or_opens_a_picture_goes_through_its_owner():
    assert _calls(_is_file_call, but_in=FILE_OWNERS) == {name: set(reasons) for name, reasons in FILE_CALLS.items()}


def test_every_place_that_opens_a_file_is_listed():
    assert set(_calls(_is_read_call, but_in=FILE_OWNERS[:1])) == {*USERS_FILES, *OUR_FILES}


def test_the_table_of_the_users_files_names_every_place_that_opens_one():
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    missing = [name for name in USERS_FILES if f"`{name.removeprefix('dwmtl/')}`" not in page]
    assert missing == []


def test_the_table_of_faults_names_places_and_tests_that_are_there():
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    table = page.partition("## Faults that stay fixed")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 10
    for _, places, tests in rows:
        for folder, cell in (("dwmtl", places), ("tests", tests)):
            missing = [
                name for name in re.findall(r"`([\w/]+\.py)`", cell) if not (REPOSITORY / folder / name).is_file()
            ]
            assert missing == []


def test_a_call_that_writes_is_told_from_one_that_reads():
    writing = (
        *("open(a, 'w')", "a.open('xb')", "open(a, mode='ab')", "a.write_text(b)", "os.replace(a, b)", "a.rename(b)"),
        *("a.replace(b)", "shutil.copy(a, b)", "Image.open(a)", "picture.save(a)", "np.savez(a, b=c)", "a.touch()"),
        *("ZipFile(a, 'w')", "table.to_csv(a)", "cv2.imwrite(a, b)", "open(a, 'r+b')", "io.open(a, 'w')"),
    )
    reading = (
        "open(a)",
        "a.open('rb')",
        "open('w.txt')",
        "a.read_bytes()",
        "np.load(a)",
        "ZipFile(a)",
        "mmap.mmap(a, 0)",
    )
    neither = ("write_text(b, a)", "'a'.replace('b', 'c')", "table.rename(columns=a)", "checkpoint.save()", "a.strip()")
    is_call = {
        code: (_is_file_call(call), _is_read_call(call))
        for code in (*writing, *reading, *neither)
        if isinstance(call := ast.parse(code, mode="eval").body, ast.Call)
    }
    assert is_call == (
        dict.fromkeys(writing, (True, False))
        | dict.fromkeys(reading, (False, True))
        | dict.fromkeys(neither, (False, False))
    )


def test_pure_code_imports_no_file_clock_or_random_module():
    wrong = [
        f"{_name(file)}: {name}"
        for file in _pure_files()
        for name in sorted(imported_names(file))
        if name.split(".")[0] in IMPURE_MODULES or name == "dwmtl.stage"
    ]
    assert wrong == []


def test_pure_code_reads_and_writes_nothing():
    wrong = [
        f"{_name(file)}:{call.lineno}: {ast.unparse(call.func)}"
        for file in _pure_files()
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1].startswith(IMPURE_CALLS)
    ]
    assert wrong == []


def test_pure_code_draws_from_its_own_generator_only():
    wrong = [
        f"{_name(file)}:{node.lineno}: {ast.unparse(node)}"
        for file in _pure_files()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("np.random", "numpy.random", "torch.random")
        and node.attr not in SEEDED
    ]
    assert wrong == []


def test_only_the_stage_render_and_the_params_know_the_drawn_faces():
    others = [file for file in CODE if not _name(file).startswith("dwmtl/rendered/")]
    importing = {_name(file) for file in others if any("dwmtl.rendered" in name for name in imported_names(file))}
    assert importing == {"stages/render.py", "dwmtl/params.py"}


def test_no_module_is_imported_by_name():
    """`test_stage_deps` could not see it, and DVC would not run a stage again when that module changes."""
    wrong = [
        f"{_name(file)}:{call.lineno}"
        for file in CODE
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] in ("import_module", "__import__")
    ]
    assert wrong == []


def test_nothing_in_the_repository_takes_load_model_from_the_package():
    """Its import is lazy and `imports.imported_names` passes it over; ours come from `dwmtl.inference.model`."""
    assert [_name(file) for file in CODE if "dwmtl.load_model" in imported_names(file)] == []


def test_training_and_network_import_without_dvc_mlflow_and_facenet_pytorch():
    files = [
        file for part in ("training", "network", "weighting") for file in (REPOSITORY / "dwmtl" / part).glob("*.py")
    ]
    modules = sorted(_name(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in files)
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


def test_a_report_imports_no_torch():
    done = _python("import sys, runpy; runpy.run_path('stages/report.py'); print(*sys.modules)")
    assert "dwmtl.tracking.log_report" in done.stdout.split(), done.stderr
    assert "torch" not in done.stdout.split()


def test_the_package_gives_load_model_when_it_is_asked_for():
    done = _python(
        "import dwmtl, sys; assert 'torch' not in sys.modules\n"
        "from dwmtl import load_model; print(load_model.__module__); dwmtl.no_such_name"
    )
    assert done.stdout.split() == ["dwmtl.inference.model"], done.stderr
    assert "AttributeError: module 'dwmtl' has no attribute 'no_such_name'" in done.stderr


def test_importing_dwmtl_imports_no_heavy_package():
    done = _python(
        "import sys; before = set(sys.modules); import dwmtl\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"dwmtl"}, done.stderr


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "PASSIVE 10000"),
        ({"GOMP_SPINCOUNT": "5"}, "PASSIVE 5"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
    ],
)
def test_threads_of_openmp_sleep_after_a_short_wait_unless_the_user_says_otherwise(given, expected):
    code = "import dwmtl, os; print(os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT'))"
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, env=environment | given
    )
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings")
def test_freed_memory_is_kept_for_the_next_tensors_unless_the_user_says_otherwise():
    """Page faults of 50 rounds of the same 12 MiB: none where it is kept."""
    code = (
        "import dwmtl, ctypes, resource\n"
        "malloc, free = (getattr(ctypes.CDLL(None), name) for name in ('malloc', 'free'))\n"
        "malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]\n"
        "def round():\n"
        "    blocks = [malloc(4 * 2**20) for _ in range(3)]\n"
        "    [ctypes.memset(block, 1, 4 * 2**20) for block in blocks]\n"
        "    [free(block) for block in blocks]\n"
        "round()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "[round() for _ in range(50)]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    faults = {}
    for given in ("", "MALLOC_PERTURB_"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env=environment | ({given: "0"} if given else {}),
        )
        faults[given] = int(done.stdout)
    assert faults[""] < 1000 < faults["MALLOC_PERTURB_"]


def test_no_stage_loads_torch_before_dwmtl():
    """OpenMP reads its wait policy when torch is loaded; `import dwmtl` sets it."""
    assert [_name(file) for file in CODE if _part(file) == "stages" and "torch" in imported_names(file)] == []
