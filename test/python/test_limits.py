"""Calls at the limits: empty and huge tensors, no memory, numbers outside, other layouts and CPUs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import ecf8
import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import same_bytes
from ecf8._tools import find_compiler

# `repeat` and `fill` have as many rows as the caller says; `linear` multiplies by an FP8 weight of 64 x 48.
PROGRAM = """
func.func @repeat(%x: tensor<?xf32>) -> tensor<?x1024xf32> {
  %zero = arith.constant 0 : index
  %d = tensor.dim %x, %zero : tensor<?xf32>
  %i = tensor.empty(%d) : tensor<?x1024xf32>
  %r = linalg.broadcast ins(%x : tensor<?xf32>) outs(%i : tensor<?x1024xf32>) dimensions = [1]
  return %r : tensor<?x1024xf32>
}
func.func @fill(%n: i64) -> tensor<?x1024xf32> {
  %d = arith.index_cast %n : i64 to index
  %i = tensor.empty(%d) : tensor<?x1024xf32>
  %one = arith.constant 1.0 : f32
  %r = linalg.fill ins(%one : f32) outs(%i : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  return %r : tensor<?x1024xf32>
}
func.func @linear(%x: tensor<?x48xf32>, %w: tensor<64x48xf8E4M3FN> {ecf8.weight = "w"}) -> tensor<?x64xf32> {
  %zero = arith.constant 0 : index
  %d = tensor.dim %x, %zero : tensor<?x48xf32>
  %e = arith.extf %w : tensor<64x48xf8E4M3FN> to tensor<64x48xf32>
  %i = tensor.empty(%d) : tensor<?x64xf32>
  %none = arith.constant 0.0 : f32
  %a = linalg.fill ins(%none : f32) outs(%i : tensor<?x64xf32>) -> tensor<?x64xf32>
  %r = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                      affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %e : tensor<?x48xf32>, tensor<64x48xf32>) outs(%a : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %r : tensor<?x64xf32>
}
func.func @empty(%x: tensor<?x0xf32>) -> tensor<0x?xf32> {
  %i = arith.constant 0 : index
  %d = tensor.dim %x, %i : tensor<?x0xf32>
  %e = tensor.empty(%d) : tensor<0x?xf32>
  %r = linalg.transpose ins(%x : tensor<?x0xf32>) outs(%e : tensor<0x?xf32>) permutation = [1, 0]
  return %r : tensor<0x?xf32>
}
// One expert of a weight that is an output, too, and so is decoded as a whole; and one number of a list.
func.func @expert(%x: tensor<2x32xf32>, %e: i64, %w: tensor<4x32x32xf8E4M3FN> {ecf8.weight = "experts"})
    -> (tensor<2x32xf32>, tensor<4x32x32xf8E4M3FN>) {
  %at = arith.index_cast %e : i64 to index
  %f = arith.extf %w : tensor<4x32x32xf8E4M3FN> to tensor<4x32x32xf32>
  %own = tensor.extract_slice %f[%at, 0, 0] [1, 32, 32] [1, 1, 1] : tensor<4x32x32xf32> to tensor<32x32xf32>
  %zero = arith.constant dense<0.0> : tensor<2x32xf32>
  %r = linalg.matmul ins(%x, %own : tensor<2x32xf32>, tensor<32x32xf32>)
                     outs(%zero : tensor<2x32xf32>) -> tensor<2x32xf32>
  return %r, %w : tensor<2x32xf32>, tensor<4x32x32xf8E4M3FN>
}
func.func @number(%x: tensor<?xf32>, %at: i64) -> f32 {
  %i = arith.index_cast %at : i64 to index
  %r = tensor.extract %x[%i] : tensor<?xf32>
  return %r : f32
}
"""


def compile_text(folder: Path, text: str, tensors: dict[str, torch.Tensor], *options: str) -> Path:
    safetensors.torch.save_file(tensors, folder / "w.safetensors")
    (folder / "program.mlir").write_text(text)
    command = [find_compiler(), folder / "program.mlir", "--weights", folder / "w.safetensors", "-q", *options]
    subprocess.run([*command, "-o", folder / "program.ecf8"], check=True)
    return folder / "program.ecf8"


def compile_program(folder: Path, *options: str) -> Path:
    generator = torch.Generator().manual_seed(1)
    shapes = {"w": (64, 48), "experts": (4, 32, 32)}
    tensors = {name: torch.randn(shape, generator=generator).to(torch.float8_e4m3fn) for name, shape in shapes.items()}
    return compile_text(folder, PROGRAM, tensors, *options)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(tmp_path_factory.mktemp("limits"), "--target-cpu=native")


def test_no_rows(program: Path) -> None:
    model = ecf8.load(program)
    assert model["linear"](torch.ones(0, 48)).shape == (0, 64)
    assert model["repeat"](torch.ones(0)).shape == (0, 1024)
    assert model["fill"](np.int64(0)).shape == (0, 1024)
    assert model["linear"](torch.ones(1, 48)).shape == (1, 64)


def test_no_columns(program: Path) -> None:
    model = ecf8.load(program)
    for rows in (0, 1, 5):
        assert model["empty"](np.ones((rows, 0), np.float32)).shape == (0, rows)


@pytest.mark.parametrize("rows", [2**44, 2**52, 2**52 + 1, 2**62 + 1, -1, -(2**52), -(2**63)])
def test_rows_whose_bytes_overflow(program: Path, rows: int) -> None:
    """4096 bytes a row: 2^52 rows and one more are 2^64 bytes and 4096 more, of which 64 bits hold 4096."""
    model = ecf8.load(program)
    with pytest.raises(ecf8.ExecutionError, match=r"expected a tensor of less than 2\^56 bytes at program\.mlir:"):
        model["fill"](np.int64(rows))
    assert model["fill"](np.int64(3)).shape == (3, 1024)


@pytest.mark.parametrize("expert", [4, -1, 2**62, -(2**63)])
def test_an_expert_that_does_not_exist(program: Path, expert: int) -> None:
    model = ecf8.load(program)
    with pytest.raises(ecf8.ExecutionError, match=r"slice outside the tensor at program\.mlir:"):
        model["expert"](torch.ones(2, 32), torch.tensor(expert))
    x = torch.randn(2, 32)
    found, weight = model["expert"](x, torch.tensor(3))
    assert torch.allclose(found, x @ weight.float()[3], rtol=1e-4)


@pytest.mark.parametrize("index", [5, -1, 2**62])
def test_a_number_outside_of_a_list(program: Path, index: int) -> None:
    model = ecf8.load(program)
    with pytest.raises(ecf8.ExecutionError, match=r"index outside the tensor at program\.mlir:"):
        model["number"](torch.arange(5.0), torch.tensor(index))
    assert model["number"](torch.arange(5.0), torch.tensor(4)) == 4


LIMITED = """
import resource, sys
import ecf8, numpy
model = ecf8.load(sys.argv[1])
model["linear"](numpy.ones((4, 48), numpy.float32))  # threads have their stacks
here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (here + (64 << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
try:
    model["fill"](numpy.int64(1 << 20))
except ecf8.ExecutionError as error:
    print(error)
print(model["fill"](numpy.int64(1)).shape, model["linear"](numpy.ones((1, 48), numpy.float32)).shape)
"""


def test_out_of_memory_in_a_call(program: Path, run_python) -> None:
    result = run_python(LIMITED, str(program))
    assert result.returncode == 0, result.stderr
    assert "cannot allocate 4294967296 bytes" in result.stdout
    assert "(1, 1024) (1, 64)" in result.stdout  # the model goes on


LOAD = """
import resource, sys
import ecf8
from ecf8 import _capi
_capi.library()
here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (here + (16 << 20), -1))
try:
    ecf8.load(sys.argv[1])
except ecf8.Error as error:
    print(error)
"""
LARGE = """
func.func @main(%w: tensor<16777216xf32> {ecf8.weight = "w"}, %at: i64) -> f32 {
  %i = arith.index_cast %at : i64 to index
  %r = tensor.extract %w[%i] : tensor<16777216xf32>
  return %r : f32
}
"""


def test_out_of_memory_when_loading(tmp_path: Path, run_python) -> None:
    bundle = compile_text(tmp_path, LARGE, {"w": torch.zeros(1 << 24)}, "--target-cpu=generic")
    result = run_python(LOAD, str(bundle))
    assert result.returncode == 0, result.stderr
    assert "weights.safetensors: cannot map: Cannot allocate memory" in result.stdout


@pytest.mark.parametrize("megabytes", [3000, 300])
def test_out_of_memory_in_ecf8_run(program: Path, megabytes: int) -> None:
    run = find_compiler().with_name("ecf8-run")
    limit = f'ulimit -v {megabytes * 1024}; exec "$@"'
    command = [run, program, "--function=repeat", "--input=4194304xf32=1", "--threads=1", "--output=@/dev/null"]
    result = subprocess.run(["bash", "-c", limit, "bash", *command], capture_output=True, text=True)
    assert result.returncode == 3
    assert result.stderr == "ecf8-run: repeat: cannot allocate 17179869184 bytes\n"


def unaligned(x: np.ndarray, offset: int) -> torch.Tensor:
    """`x` as a tensor `offset` bytes behind an aligned address."""
    memory = torch.zeros(offset + x.nbytes, dtype=torch.uint8)
    memory[offset:] = torch.from_numpy(x.view(np.uint8).reshape(-1))
    tensor = torch.frombuffer(memory.numpy(), dtype=torch.float32, offset=offset, count=x.size).view(x.shape)
    assert tensor.data_ptr() % 4 == offset % 4
    return tensor


def test_layouts_and_places_of_inputs(program: Path) -> None:
    """Everything that NumPy and PyTorch can point at is copied where the code could not read it."""
    linear = ecf8.load(program)["linear"]
    x = np.random.default_rng(2).standard_normal((6, 48)).astype(np.float32)
    expected = linear(x)
    reverse = np.ascontiguousarray(x[::-1])[::-1]
    wide = np.zeros((6, 96), np.float32)
    wide[:, ::2] = x
    for other in (np.asfortranarray(x), reverse, wide[:, ::2]):
        assert not other.flags.c_contiguous
        assert linear(other).tobytes() == expected.tobytes()
    assert linear(np.broadcast_to(x[0], (6, 48))).tobytes() == linear(np.repeat(x[:1], 6, 0)).tobytes()
    for offset in range(4, 8):
        memory = np.frombuffer(bytes(offset) + x.tobytes(), np.uint8)[offset:]
        places = memory.view(np.float32).reshape(6, 48)
        assert linear(places).tobytes() == expected.tobytes()
        assert same_bytes(linear(unaligned(x, offset)), torch.from_numpy(expected))


def test_a_cpu_that_the_bundle_is_not_for(tmp_path: Path) -> None:
    bundle = compile_program(tmp_path, "--target-cpu=x86-64-v4")
    with pytest.raises(ecf8.Error, match=r"expected an instruction set of the bundle \(x86-64-v4\), got 'x86-64-v3'"):
        ecf8.load(bundle, cpu="x86-64-v3")
