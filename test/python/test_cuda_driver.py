"""What users are told by the CUDA driver's answers: a stand-in for the driver gives them, on machines without a GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import compile_for_gpus
from ecf8._tools import find_compiler

FAKE = find_compiler().parent.parent / "test" / "fake-cuda"
pytestmark = pytest.mark.skipif(not FAKE.is_dir(), reason="built with the unit tests only")


@pytest.fixture(scope="module")
def cuda_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = compile_for_gpus(tmp_path_factory.mktemp("cuda"), 1100, 64, targets=("cuda",), codec="quads")
    return folder / "cuda.ecf8"


def call(
    bundle: Path, *options: str, driver: Path = FAKE, value: str = "2x1100xbf16=1", **settings: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {f"FAKE_CUDA_{name.upper()}": value for name, value in settings.items()}
    environment["LD_LIBRARY_PATH"] = str(driver)
    command = [find_compiler().with_name("ecf8-run"), bundle, f"--input={value}", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_launches(cuda_bundle, tmp_path):
    """The kernels that run, and that blocks are as the GPU has multiprocessors and shared memory."""
    log = tmp_path / "log"
    run = call(cuda_bundle, log=str(log))
    assert run.returncode == 0, run.stderr
    launches = [line.split() for line in log.read_text().splitlines()]
    contraction = next(launch for launch in launches if launch[0].startswith("ecf8_contract"))
    assert contraction[0].endswith("_n8")
    assert contraction[1] == "8x1x1"  # four tiles of rows by two of columns, and 132 multiprocessors
    threads = int(contraction[2].split("x")[0])
    assert threads % 32 == 0
    assert 0 < threads <= 512
    assert 8192 < int(contraction[3]) <= 232448
    assert all("_loop_" in launch[0] for launch in launches if launch is not contraction)


@pytest.mark.parametrize(
    ("codec", "shared", "kernel", "passes"),
    [
        ("quads", 232448, "_n64", 1),  # Hopper: 16 warps
        ("quads", 150000, "_n32", 2),  # room for 3 warps beside 64 rows, for 16 beside 32
        ("quads", 101376, "_n32", 2),  # sm_89: 64 rows of activations do not fit
        ("pairs", 101376, "_n16", 4),  # 4 warps beside 16 rows, 1 beside 32
        ("raw", 101376, "_n32", 2),
    ],
)
def test_kernel_for_many_rows_fits_the_shared_memory(codec, shared, kernel, passes, tmp_path):
    bundle = compile_for_gpus(tmp_path, 1100, 64, targets=("cuda",), codec=codec, rows=64) / "cuda.ecf8"
    log = tmp_path / "log"
    run = call(bundle, value="64x1100xbf16=1", log=str(log), shared=str(shared))
    assert run.returncode == 0, run.stderr
    launches = [line.split() for line in log.read_text().splitlines()]
    contraction = next(launch for launch in launches if launch[0].startswith("ecf8_contract"))
    assert contraction[0].endswith(kernel)
    assert contraction[1] == f"8x{passes}x1"
    assert int(contraction[3]) <= shared


def test_weight_that_fits_no_block(cuda_bundle):
    run = call(cuda_bundle, shared="16384")
    assert run.returncode == 3
    assert "expected a weight whose codes fit the shared memory of the GPU" in run.stderr


def test_no_driver(cuda_bundle, tmp_path):
    run = call(cuda_bundle, driver=tmp_path)
    if run.returncode == 0:
        pytest.skip("this machine has a driver")
    assert "cuda:0: expected a CUDA driver (libcuda.so.1), got:" in run.stderr
    assert "; install a driver for CUDA 12.4 or newer, or run where there is one" in run.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"version": "11080"},
            "expected a CUDA driver for CUDA 12.4 or newer, got one for CUDA 11.8; update the driver",
        ),
        ({"devices": "0"}, "expected a GPU, got a CUDA driver that shows none"),
        ({"fail": "cuInit:1:100"}, "cuInit failed with CUDA_ERROR_OTHER"),
        (
            {"capability": "80"},
            "expected a GPU for the bundle's kernels (sm_90a, sm_90), got Fake GPU 0 of compute capability 8.0",
        ),
        (
            {"fail": "cuModuleLoadDataEx:1:218"},
            "cannot load the kernels for sm_90a on Fake GPU 0: cuModuleLoadDataEx failed",
        ),
        ({"memory": "1000"}, "weight '0.weight': cannot allocate"),
        ({"fail": "cuMemcpyAsync:1:700"}, "bytes to cuda:0: cuMemcpyAsync failed with CUDA_ERROR_ILLEGAL_ADDRESS"),
        ({"fail": "cuStreamCreate:1:2"}, "cuda:0: cuStreamCreate failed with CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        ({"fail": "cuLaunchKernel:1:701"}, "kernel main_loop_0: cuLaunchKernel failed with CUDA_ERROR_OTHER"),
        ({"fault": "1"}, "kernel main_loop_0"),
    ],
)
def test_errors(cuda_bundle, settings, message):
    run = call(cuda_bundle, **settings)
    assert run.returncode == 3, run.stdout
    assert message in run.stderr


@pytest.mark.parametrize(("devices", "shown"), [("1", "cuda:0"), ("3", "cuda:0 to cuda:2")])
def test_numbers_of_gpus(cuda_bundle, devices, shown):
    run = call(cuda_bundle, "--device=cuda:7", devices=devices)
    assert run.returncode == 3
    assert f"cuda:7: expected a GPU that the driver shows ({shown}), got another" in run.stderr


def test_newer_gpu_runs_the_forward_compatible_kernels(cuda_bundle):
    """sm_90a is for compute capability 9.0 alone; a newer GPU takes sm_90."""
    assert call(cuda_bundle, capability="100").returncode == 0


AFTER_FAULT = """
import sys, numpy, ecf8
x = numpy.zeros((2, 1100), numpy.uint16)
try:
    import ml_dtypes
    x = x.view(ml_dtypes.bfloat16)
except ImportError:
    import torch
    x = torch.zeros(2, 1100).bfloat16()
model, other = ecf8.load(sys.argv[1]), ecf8.load(sys.argv[1])
for attempt in range(2):
    try:
        model(x)
        print("no error")
    except ecf8.Error as error:
        print(error)
print("again:", ecf8.load(sys.argv[1])(x).shape)
try:
    other(x)
    print("no error")
except ecf8.Error as error:
    print(error)
"""


def test_process_goes_on_after_a_fault(cuda_bundle):
    environment = os.environ | {"FAKE_CUDA_FAULT": "1", "LD_LIBRARY_PATH": str(FAKE)}
    command = [sys.executable, "-c", AFTER_FAULT, str(cuda_bundle)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, second, again, other = run.stdout.splitlines()
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in first
    assert "ECF8_GPU_SYNC=1" in first
    assert "lose what was on it; load the model again" in second
    assert "(2, 64)" in again or "[2, 64]" in again
    assert "load the model again" in other  # what it had there was lost, too


def test_memory_that_is_kept_is_given_back_for_more(cuda_bundle):
    """The first request of a call that fails is repeated after what earlier calls left was freed."""
    weights = 4  # allocations of weights come first
    run = call(cuda_bundle, fail=f"cuMemAlloc_v2:{weights}:2")
    assert run.returncode == 0, run.stderr


LOADED_TWICE = """
import ctypes, os, sys, torch, ecf8
driver = ctypes.CDLL("libcuda.so.1")
def free_bytes():
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
    return free.value
def set_free_bytes(count):
    total = int(os.environ["FAKE_CUDA_MEMORY"]) - free_bytes() + count
    os.environ["FAKE_CUDA_MEMORY"] = str(total)
def attempt(work):
    try:
        return work()
    except ecf8.Error as error:
        print(error.code + ":", error)
x = torch.zeros(2, 1100).bfloat16()
os.environ["FAKE_CUDA_MEMORY"] = str(1 << 30)
before = free_bytes()
model = ecf8.load(sys.argv[1])
weights = before - free_bytes()
model(x)
kept = before - weights - free_bytes()
set_free_bytes(weights - kept // 2)
other = ecf8.load(sys.argv[1])  # in the room that the calls of the first have left
attempt(lambda: model(x))
attempt(lambda: ecf8.load(sys.argv[1]))
del other
model(x)
"""


def test_memory_that_other_models_keep_is_given_back_for_weights(cuda_bundle):
    command = [sys.executable, "-c", LOADED_TWICE, str(cuda_bundle)]
    run = subprocess.run(command, env=os.environ | {"LD_LIBRARY_PATH": str(FAKE)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    call, load = run.stdout.splitlines()
    what = r"cannot allocate \d+ bytes on cuda:0: cuMemAlloc failed with CUDA_ERROR_OUT_OF_MEMORY: out of memory"
    what += r", with \d+ of \d+ bytes free; free other models there, or"
    assert re.fullmatch(rf"out of memory: main: input 0: {what} call with smaller inputs", call)
    assert re.fullmatch(rf"out of memory: weight '0.weight': {what} take a GPU with more memory", load)
