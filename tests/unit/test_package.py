"""What `import dwmtl` does by itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def _python(code: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run code in a Python that has imported nothing yet; in this process's environment unless another is given."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=environment)


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
    done = _python(code, environment | given)
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
        done = _python(code, environment | ({given: "0"} if given else {}))
        faults[given] = int(done.stdout)
    assert faults[""] < 1000 < faults["MALLOC_PERTURB_"]


THREADS = ("OMP_NUM_THREADS", "DWMTL_NUM_THREADS")


def _python_under_a_quota(quota: str, code: str, given: dict[str, str]) -> subprocess.CompletedProcess:
    """Run code in a container with this `cpu.max`, on a machine of eight cores."""
    machine = (
        "import builtins, io, os\n"
        f"files, system = {{'/proc/self/cgroup': b'0::/', '/sys/fs/cgroup/cpu.max': {quota.encode()!r}}}, open\n"
        "builtins.open = lambda path, *a, **b: io.BytesIO(files[path]) if path in files else system(path, *a, **b)\n"
        "os.sched_getaffinity = lambda process: set(range(8))\n"
        "import dwmtl\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    return _python(machine + code, environment | given)


@pytest.mark.parametrize(
    ("quota", "given", "expected"),
    [
        ("150000 100000", {}, "2"),
        ("max 100000", {}, "None"),
        ("150000 100000", {"OMP_NUM_THREADS": "5"}, "5"),
        ("150000 100000", {"DWMTL_NUM_THREADS": "3"}, "2"),  # of a parent under another quota
    ],
)
def test_openmp_has_a_thread_for_each_core_that_a_quota_allows_unless_the_user_says_otherwise(quota, given, expected):
    done = _python_under_a_quota(quota, "print(os.environ.get('OMP_NUM_THREADS'))", given)
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize(("given", "expected"), [({}, "1 1"), ({"OMP_NUM_THREADS": "2"}, "2 2")])
def test_the_processes_of_a_training_share_a_quota(given, expected):
    code = (
        "import torch; from lightning_fabric import Fabric\n"
        "from dwmtl.training.compute import launch; from dwmtl.training.params import ComputeParams\n"
        "Fabric.launch = lambda fabric: None\n"
        "launch(ComputeParams(accelerator='cpu', num_devices=2), precision='32-true')\n"
        "print(os.environ['OMP_NUM_THREADS'], torch.get_num_threads())"
    )
    done = _python_under_a_quota("200000 100000", code, given)
    assert done.stdout.strip() == expected, done.stderr


def test_a_number_of_threads_that_the_user_sets_later_stays():
    code = (
        "import subprocess, sys; os.environ['OMP_NUM_THREADS'] = '7'\n"
        "subprocess.run([sys.executable, '-c', 'import dwmtl, os; print(os.environ[\"OMP_NUM_THREADS\"])'], check=True)"
    )
    done = _python_under_a_quota("400000 100000", code, {})
    assert done.stdout.strip() == "7", done.stderr
