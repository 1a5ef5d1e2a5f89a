"""Where outputs go: regular files, links, devices, pipes, mounts; whole or not at all, and never onto an input."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dwmtl.errors import DwmtlError
from dwmtl.files import (
    PARTIAL,
    name_with_ending,
    require_free,
    require_output,
    whole_file,
    whole_folder,
    work_beside,
    write_bytes,
    write_json,
    write_text,
)


def _write_half(out: Path, error: type[BaseException]) -> None:
    with whole_folder(out) as folder:
        (folder / "half.txt").write_text("half")
        raise error


def test_folder_appears_whole_when_the_block_ends(tmp_path):
    with whole_folder(tmp_path / "deep" / "out") as folder:
        (folder / "a.txt").write_text("new")
        assert not (tmp_path / "deep" / "out").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    assert (tmp_path / "deep" / "out" / "a.txt").read_text() == "new"


def test_folder_replaces_the_old_one_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    with whole_folder(tmp_path / "out") as folder:
        (folder / "new.txt").write_text("new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_block_that_raises_keeps_the_old_folder_and_leaves_nothing_else(tmp_path, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    with pytest.raises(error):
        _write_half(tmp_path / "out", error)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.txt"]


def test_what_a_killed_run_left_is_not_taken_over(tmp_path):
    left = work_beside(tmp_path / "out", PARTIAL)
    left.mkdir()
    (left / "half.txt").write_text("half")
    with whole_folder(tmp_path / "out") as folder:
        assert folder == left
        assert list(folder.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_json_has_sorted_keys_and_the_same_bytes_for_the_same_value(tmp_path):
    write_json({"b": 1, "a": [0.1]}, tmp_path / "x" / "one.json")
    write_json({"a": [0.1], "b": 1}, tmp_path / "two.json")
    text = (tmp_path / "x" / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text() == '{\n  "a": [\n    0.1\n  ],\n  "b": 1\n}\n'
    assert json.loads(text) == {"a": [0.1], "b": 1}


def test_json_with_nan_is_refused_and_the_old_file_kept(tmp_path):
    (tmp_path / "x.json").write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": float("nan")}, tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == "old"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_has_the_mode_that_the_umask_gives(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_bytes(b"new", tmp_path / "a")
        write_json({}, tmp_path / "deep" / "b")
    finally:
        os.umask(before)
    for name in ("a", "deep/b"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else(tmp_path, error):
    (tmp_path / "a").write_text("old")

    def write_half() -> None:
        with whole_file(tmp_path / "a") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/a")  # leads to nothing yet
    (tmp_path / "chain").symlink_to("link")
    for path in ("link", "chain"):
        write_text(path, tmp_path / path)
        assert (tmp_path / path).is_symlink()
        assert (tmp_path / "real" / "a").read_text() == path
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["a"]


def test_a_device_is_written_through(tmp_path):
    before = Path("/dev/null").stat()
    write_bytes(b"nothing", Path("/dev/null"))
    (tmp_path / "link").symlink_to("/dev/null")
    write_bytes(b"nothing", tmp_path / "link")
    assert os.path.samestat(before, Path("/dev/null").stat())
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_told_with_its_name():
    with pytest.raises(OSError, match="No space left on device") as raised:
        write_bytes(b"much", Path("/dev/full"))
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/dev/full")


def test_a_pipe_is_written_through(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    taken: list[bytes] = []
    reader = threading.Thread(target=lambda: taken.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    write_bytes(b"x" * 100_000, tmp_path / "pipe")
    reader.join(10)
    assert taken == [b"x" * 100_000]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("out", ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"])
@pytest.mark.parametrize("to", ["file", "pipe"])
def test_the_process_own_output_is_written_between_what_it_prints(tmp_path, out, to):
    code = (
        "import sys; from pathlib import Path; from dwmtl.files import write_text\n"
        "print('before'); write_text('whole\\n', Path(sys.argv[1])); print('after')"
    )
    command = [sys.executable, "-c", code, out]
    if to == "pipe":
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    else:
        with (tmp_path / "printed").open("w") as file:
            subprocess.run(command, stdout=file, check=True)
        printed = (tmp_path / "printed").read_text()
    assert printed == "before\nwhole\nafter\n"


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_bytes(b"", tmp_path)
    with pytest.raises(DwmtlError, match="a folder"):
        require_output(tmp_path)


def test_a_file_that_does_not_fit_leaves_the_old_one_and_is_told_with_its_name(tmp_path):
    """A limit on files' sizes stands for a full disk."""
    (tmp_path / "a").write_text("old")
    code = (
        "import resource, signal, sys; from pathlib import Path; from dwmtl.files import write_bytes\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_bytes(bytes(100_000), Path(sys.argv[1]))\n"
        "except OSError as error: print(error.filename)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "a")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_what_fails_inside_a_folder_is_told_by_the_folders_own_name(tmp_path):
    def write(name: str) -> None:
        with whole_folder(tmp_path / "out") as folder:
            (folder / name).write_text("x")

    with pytest.raises(OSError, match="No such file") as raised:
        write("none/a")
    assert raised.value.filename == str(tmp_path / "out/none/a")
    with pytest.raises(OSError, match="name too long") as raised:
        write("a" * 300)
    assert raised.value.filename == str(tmp_path / "out" / ("a" * 300))
    with pytest.raises(FileNotFoundError) as raised, whole_folder(tmp_path / "out"):
        (tmp_path / "input").read_text()
    assert raised.value.filename == str(tmp_path / "input")
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_a_file_system_takes_is_written(tmp_path):
    for name in ("a" * 255, "é" * 127):
        write_text("x", tmp_path / name)
        with whole_folder(tmp_path / f"{name[:-1]}b") as folder:
            (folder / "x").touch()
        assert (tmp_path / name).read_text() == "x"
    assert len(list(tmp_path.iterdir())) == 4


def test_a_shortened_name_is_as_distinct_as_the_long_one():
    assert name_with_ending("a.jpg", ".png") == "a.jpg.png"
    assert name_with_ending("a" * 251, ".png") == "a" * 251 + ".png"
    for letter in ("a", "é", "人"):
        long = [letter * 200 + end for end in ("xyz" * 20, "xyw" * 20)]
        short = [name_with_ending(name, ".png") for name in long]
        assert len(set(short)) == 2
        assert all(len(name.encode()) <= 255 and name.endswith(".png") for name in short)


@pytest.mark.parametrize("spelling", ["a.txt", "./a.txt", "x/../a.txt", "link", "hard", "linked/a.txt"])
def test_an_input_is_never_an_output_whatever_it_is_called(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("input")
    Path("x").mkdir()
    Path("link").symlink_to("a.txt")
    Path("hard").hardlink_to("a.txt")
    Path("linked").symlink_to(".")
    with pytest.raises(DwmtlError, match=r"it is read \(.*a\.txt\), and would be written over"):
        require_output(Path(spelling), inputs=[Path("none"), tmp_path / "a.txt"])


def test_a_device_may_be_both(tmp_path):
    require_output(Path("/dev/null"), inputs=[Path("/dev/null")])
    require_output(tmp_path / "new" / "b", inputs=[tmp_path / "a"])


def test_a_place_below_a_file_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a", tmp_path / "file" / "b" / "a"):
        with pytest.raises(NotADirectoryError):
            require_output(path)
        with pytest.raises(OSError, match=r"Not a directory|File exists"):
            write_bytes(b"", path)
        with pytest.raises(OSError, match=r"Not a directory|File exists"), whole_folder(path):
            pytest.fail("the work is done already")
    with pytest.raises(NotADirectoryError), whole_folder(tmp_path / "file"):
        pytest.fail("the work is done already")


def _fill(folder: Path) -> None:
    with whole_folder(folder) as new:
        (new / "a").write_text("a")
        (new / "deep").mkdir()
        (new / "deep" / "b").write_text("b")


def _held(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("spelling", ["link", ".", "link/.", "../{}", "{}/x/.."])
def test_a_folder_that_must_stay_in_its_place_is_filled(tmp_path, monkeypatch, spelling):
    folder = tmp_path / "here"
    (folder / "x").mkdir(parents=True)
    (folder / "old").write_text("old")
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path if "link" in spelling else folder)
    before = folder.stat().st_ino
    _fill(Path(spelling.format(folder if spelling.startswith("{") else folder.name)))
    assert folder.stat().st_ino == before
    assert _held(folder) == ["a", "deep", "deep/b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "link"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_mount_point_is_filled(tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", volume], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (volume / "lost+found").mkdir()
        require_free(volume)
        _fill(volume)
        assert _held(volume) == ["a", "deep", "deep/b", "lost+found"]
        assert work_beside(volume, ".x").parent == volume  # on the same disk
    finally:
        subprocess.run(["umount", volume], check=True)
    assert _held(tmp_path) == ["volume"]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_file_that_is_a_mount_point_is_written_to(tmp_path):
    """A single file given to a container."""
    (tmp_path / "outside").write_text("old")
    (tmp_path / "inside").touch()
    if subprocess.run(["mount", "--bind", tmp_path / "outside", tmp_path / "inside"], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        write_text("new", tmp_path / "inside")
    finally:
        subprocess.run(["umount", tmp_path / "inside"], check=True)
    assert (tmp_path / "outside").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "outside"]


def test_a_folder_without_rights_is_told_before_the_work():
    """As nobody, if this is root: root may write everywhere, and nobody nothing below pytest's folders."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        theirs = Path(folder) / "theirs"
        (theirs / "mine").mkdir(parents=True)
        (theirs / "mine").chmod(0o777)
        for name in ("file", "locked"):
            (theirs / name).write_text("old")
        (theirs / "file").chmod(0o666)
        (theirs / "locked").chmod(0o444)
        theirs.chmod(0o555)
        done = _write_as_nobody(theirs)
        told = done.stdout.splitlines()
        assert told[:4] == [*[str(theirs / "new")] * 3, "a"], done.stderr
        assert told[4:] == [*[str(theirs / "locked")] * 2], done.stderr
        assert {name: (theirs / name).read_text() for name in ("file", "locked")} == {"file": "new", "locked": "old"}


def _write_as_nobody(theirs: Path) -> subprocess.CompletedProcess:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from dwmtl.files import require_output, whole_folder, write_bytes\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "theirs = Path(sys.argv[1])\n"
        "ways = require_output, lambda path: write_bytes(b'', path), lambda path: whole_folder(path).__enter__()\n"
        "for what in ways:\n"
        "    try: what(theirs / 'new')\n"
        "    except PermissionError as error: print(error.filename)\n"
        "with whole_folder(theirs / 'mine') as folder: (folder / 'a').touch()\n"
        "print(*os.listdir(theirs / 'mine'))\n"
        "require_output(theirs / 'file'); write_bytes(b'new', theirs / 'file')\n"
        "for what in ways[:2]:\n"
        "    try: what(theirs / 'locked')\n"
        "    except PermissionError as error: print(error.filename)\n"
    )
    return subprocess.run([sys.executable, "-c", code, theirs], capture_output=True, text=True)


def test_a_folder_is_free_if_it_holds_nothing_but_a_killed_runs_work(tmp_path):
    for name in ("none", "empty", "killed", "full"):
        if name != "none":
            (tmp_path / name).mkdir()
    (tmp_path / "killed" / ".unfinished").mkdir()
    (tmp_path / "full" / "a").touch()
    for name in ("none", "empty", "killed"):
        require_free(tmp_path / name)
    for name in ("full", "full/a"):
        with pytest.raises(DwmtlError, match="it is there already, and not empty"):
            require_free(tmp_path / name)
