"""Functions in kernels, which are arithmetic in f64 there, run on the CPU by `--target=simt`: against NumPy in f64."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import ecf8
import numpy as np
import pytest
import torch
from ecf8._tools import find_compiler
from torch import Tensor, nn

# Names as in the math dialect. The rest are those that kernels for f32 have with the bytes of the CPU.
WIDE = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "log10", "log2", "powf", "sin", "sinh",
    "tan",
]  # fmt: skip
ONLY_F64 = ["exp", "exp2", "expm1", "log", "log1p", "tanh"]
OF_TWO = ["atan2", "powf"]
ELEMENTS = {torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}


def write_program(path: Path, names: Sequence[str], element: str) -> Path:
    """A function of tensors x and y with a result for each function, of x or of both."""
    tensor, indices = f"tensor<?x{element}>", range(len(names))
    results = ", ".join([tensor] * len(names))
    arguments = ["%a, %b" if name in OF_TWO else "%a" for name in names]
    calls = "\n".join(f"%r{i} = math.{names[i]} {arguments[i]} : {element}" for i in indices)
    path.write_text(
        f"""
        #map = affine_map<(i) -> (i)>
        func.func @main(%x: {tensor}, %y: {tensor}) -> ({results}) {{
          %c0 = arith.constant 0 : index
          %size = tensor.dim %x, %c0 : {tensor}
          %empty = tensor.empty(%size) : {tensor}
          %all:{len(names)} = linalg.generic {{
              indexing_maps = [{", ".join(["#map"] * (len(names) + 2))}], iterator_types = ["parallel"]}}
              ins(%x, %y : {tensor}, {tensor}) outs({", ".join("%empty" for _ in indices)} : {results}) {{
          ^bb0(%a: {element}, %b: {element}, {", ".join(f"%o{i}: {element}" for i in indices)}):
            {calls}
            linalg.yield {", ".join(f"%r{i}" for i in indices)} : {", ".join(element for _ in indices)}
          }} -> ({results})
          return {", ".join(f"%all#{i}" for i in indices)} : {results}
        }}
        """
    )
    return path


def compile_program(program: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [find_compiler(), program, *options, "-o", program.with_suffix(".ecf8")]
    return subprocess.run(command, capture_output=True, text=True)


def inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Each exponent and sign with many mantissas, and more where results change most; each pair of special values."""
    limits = torch.finfo(dtype)
    special = [0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1.0, -1.0, 2.0, -3.0, 0.5, -1.5, 1e-3, 30.0, -30.0]
    special += [limits.tiny, -limits.tiny, limits.smallest_normal * limits.eps, limits.max, -limits.max, 1 + limits.eps]
    special += [1 - limits.eps / 2, limits.eps - 1, 2.0**28 + 1, 2.0**28 - 1, -1e30, 88.5, 710.0, -745.0, 2.0**44]
    special += [5371151992734.0, 8958937768937.0]  # nearly multiples of pi
    pairs = torch.cartesian_prod(*[torch.tensor(special, dtype=torch.float64).to(dtype)] * 2)
    bits = {8: torch.int64, 4: torch.int32, 2: torch.int16}[dtype.itemsize]
    spread = torch.randint(torch.iinfo(bits).min, torch.iinfo(bits).max, (4096,), dtype=bits).view(dtype)
    middle = [torch.rand(4096) * 2 - 1, torch.randn(4096) * 10, torch.rand(1024) * 1500 - 750, torch.randn(1024) * 1e12]
    near = [1 + torch.randn(1024) * 1e-3, torch.arange(-512, 512) * torch.pi / 2]
    x = torch.cat([spread, *(part.double().to(dtype) for part in middle + near)])
    y = torch.cat([spread.flip(0), (torch.randn(len(x) - len(spread)) * 20).to(dtype)])
    y[::3] = y[::3].round()
    return torch.cat([pairs[:, 0], x]), torch.cat([pairs[:, 1], y])


def exact(name: str, x: Tensor, y: Tensor) -> Tensor:
    """The result in f64. For sines, kernels stop at 2^45."""
    x, y = x.double(), y.double()
    function = getattr(np, "power" if name == "powf" else re.sub("^a", "arc", name))
    with np.errstate(all="ignore"):
        result = torch.from_numpy(function(*(part.numpy() for part in ((x, y) if name in OF_TWO else (x,)))))
    return result.where(x.abs() < 2.0**45, torch.nan) if name in ("sin", "cos", "tan") else result


def largest_error(result: Tensor, exact: Tensor) -> float:
    """In units in the last place. NaN, infinities and signs have to be the same."""
    limits = torch.finfo(result.dtype)
    assert torch.equal(result.isnan(), exact.isnan())
    result, exact = result[~exact.isnan()], exact[~exact.isnan()]
    rounded = exact.to(result.dtype)
    assert torch.equal(result.signbit(), rounded.signbit())
    finite = rounded.isfinite()
    assert torch.equal(result[~finite], rounded[~finite])
    exponent = torch.frexp(exact[finite].abs().clamp(min=limits.tiny)).exponent - 1
    units = torch.exp2(exponent.double()) * limits.eps
    return float(((result[finite].double() - exact[finite]).abs() / units).max())


@pytest.mark.parametrize(
    ("dtype", "error"),
    [(torch.float64, 4.0), (torch.float32, 0.501), (torch.float16, 0.501), (torch.bfloat16, 0.501)],
    ids=str,
)
def test_functions(tmp_path, dtype, error):
    names = WIDE + ONLY_F64 * (dtype == torch.float64)
    run = compile_program(write_program(tmp_path / "p.mlir", names, ELEMENTS[dtype]), "--target=simt")
    assert run.returncode == 0, run.stderr
    x, y = inputs(dtype)
    results = ecf8.load(tmp_path / "p.ecf8")(x, y)
    for name, result in zip(names, results, strict=True):
        assert largest_error(result, exact(name, x, y)) <= error, name


class Activations(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        functional = nn.functional
        units = functional.elu(x, 0.7), functional.selu(x), functional.celu(x)
        return *units, functional.softplus(x), functional.mish(x), functional.logsigmoid(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_activations(tmp_path, dtype):
    """Close to the CPU and to what is right, also where results are small."""
    sizes = torch.logspace(-8, 1, 400)
    x, epsilon = torch.cat([torch.linspace(-30, 30, 4001), sizes, -sizes]).to(dtype), torch.finfo(dtype).eps
    program = ecf8.export_mlir(Activations(), (x,), tmp_path)
    cpu, gpu = ecf8.compile_mlir(*program, target_cpu="native"), ecf8.compile_mlir(*program, target="simt")
    for result, of_cpu, right in zip(gpu(x), cpu(x), Activations()(x.double()), strict=True):
        torch.testing.assert_close(result, of_cpu, rtol=2 * epsilon, atol=0)
        torch.testing.assert_close(result.double(), right, rtol=2 * epsilon, atol=0)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a", "sm_100"])
def test_ptx_calls_no_library(tmp_path, architecture):
    for dtype, element in ELEMENTS.items():
        names = WIDE + ONLY_F64 * (dtype == torch.float64)
        program = write_program(tmp_path / f"{element}.mlir", names, element)
        run = compile_program(program, "--target=cuda", f"--gpu-arch={architecture}", "--emit=ptx")
        assert run.returncode == 0, run.stderr
        ptx = program.with_suffix(".ecf8").read_text()
        assert ".entry" in ptx
        assert ".extern .func" not in ptx
        assert "call" not in ptx


@pytest.mark.parametrize(("name", "element"), [("erf", "f64"), ("erfc", "f32")])
def test_what_there_is_no_code_for_is_an_error_with_a_place(tmp_path, name, element):
    program = write_program(tmp_path / "p.mlir", [name], element)
    run = compile_program(program, "--target=simt")
    assert run.returncode != 0
    line = next(n for n, text in enumerate(program.read_text().splitlines(), 1) if f"math.{name}" in text)
    assert f"p.mlir:{line}:" in run.stderr
    assert f"expected a function that GPUs have code for, got one on '{element}'" in run.stderr
