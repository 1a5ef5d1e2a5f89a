"""Every call of the code that opens a file, and why; and the tables of CONTRIBUTING.md that name the places."""

import ast
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(__file__).resolve().parents[2]
imports = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("imports.py"))))
CODE, name_of = imports.CODE, imports.name_of

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
    "dwmtl/datasets/packs/record_pack_writer.py": {"open": "two files in a folder that becomes whole at once"},
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
    "dwmtl/datasets/packs/record_pack.py": "a pack's index and property",
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
    "dwmtl/cores.py": "control groups and their limits, in /proc and /sys",
    "dwmtl/cli/new.py": "the files of a project, in the package",
    "dwmtl/crops/mtcnn_networks.py": "weights in facenet-pytorch's wheel",
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
    "dwmtl/training/core_watch.py": "how long threads waited, in /proc/self/task",
    "dwmtl/training/fold_data.py": "classes.json",
}

# Names of functions and methods that write a file or open a picture, or that read a file.
WRITING = (
    *("os.replace", "os.rename", "os.link", "os.symlink", "os.truncate", "sqlite3.connect", "cv2.imwrite"),
    *("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree", "shutil.move", "cv2.VideoWriter"),
    *("Image.open", "PIL.Image.open"),
)
WRITING_METHODS = (
    *("write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "mkstemp", "NamedTemporaryFile"),
    *("to_csv", "to_parquet", "to_pickle", "tofile", "savetxt", "savez", "savez_compressed", "savefig", "save_file"),
)
READING_METHODS = ("read_text", "read_bytes", "read_csv", "VideoCapture", "fromfile", "genfromtxt")


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
        or (is_method and last in WRITING_METHODS)
        or (is_method and last in ("rename", "replace") and num_args == 1 and not call.keywords)  # of a Path, no text's
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
            if isinstance(call, ast.Call) and name_of(file) not in but_in and is_such(call):
                calls.setdefault(name_of(file), set()).add(ast.unparse(call.func))
    return calls


def test_what_writes_a_file_or_opens_a_picture_goes_through_its_owner():
    assert _calls(_is_file_call, but_in=FILE_OWNERS) == {name: set(reasons) for name, reasons in FILE_CALLS.items()}


def test_every_place_that_opens_a_file_is_listed():
    assert set(_calls(_is_read_call, but_in=("dwmtl/files.py",))) == {*USERS_FILES, *OUR_FILES}


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
