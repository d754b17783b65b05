"""Contractions with compressed weights against NumPy, byte for byte: contractions.py FOLDER.

One program with a function for each form of weight, activations and scale. The oracle takes the weights from the bytes
that went into the file, extends, scales and rounds them with ml_dtypes, and adds the products one by one in f32.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
from levels import available_levels

WEIGHTS = {"f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2}
FLOATS = {"f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16}
SHAPES = [(1, 1), (32, 64), (33, 100), (70, 272), (160, 1100), (256, 128), (0, 64), (64, 0)]
ROWS = [0, 1, 2, 3, 8, 13, 257, 300]
# Activations, scale type, block (0: the whole of that dimension).
FORMS = [
    ("f32", None, None),
    ("bf16", None, None),
    ("f16", None, None),
    ("f32", "f32", (1, 0)),
    ("bf16", "f32", (1, 0)),
    ("bf16", "bf16", (1, 0)),
    ("f16", "f32", (0, 0)),
    ("f32", "f32", (32, 64)),
    ("bf16", "f32", (128, 128)),
]
# Options of the compiler, and the forms and shapes that are compiled with them: code for all takes its time.
RAGGED, WHOLE = (160, 1100), (256, 128)
CODECS = [
    (["--codec=huffman"], FORMS, SHAPES),
    (["--codec=huffman", "--max-code-length=7", "--tile-columns=64"], FORMS[3:5], SHAPES),
    (["--codec=huffman", "--tile-columns=48"], FORMS[7:8], SHAPES),  # blocks of scales that begin inside of tiles
    (["--codec=planes"], FORMS[3:5], SHAPES),
    (["--codec=planes"], FORMS[:3] + FORMS[5:], [RAGGED, WHOLE]),
    (["--codec=raw"], FORMS[3:5], SHAPES),
    (["--codec=raw"], FORMS[:3] + FORMS[5:], [RAGGED, WHOLE]),
]


@dataclass
class Case:
    name: str
    weight: np.ndarray
    activations: str
    scale: np.ndarray | None
    block: tuple[int, int] | None
    form: tuple
    divides: bool = False  # by the scale

    def text(self) -> str:
        """A function of the activations and the first sums, its weight and scale bound by name."""
        (rows, columns), element = self.weight.shape, mlir_name(self.weight.dtype, WEIGHTS)
        into = self.activations
        scaled = "f32" if self.scale is None else mlir_name(self.scale.dtype, FLOATS)
        body = [f"%a = arith.extf %w : {element} to {scaled}"] if self.scale is not None else []
        arguments, operands = "", ""
        inner = f"%w: {element}, %o: {into}"
        if self.scale is None:
            body.append(f"%r = arith.extf %w : {element} to {into}")
        else:
            shape = "x".join(map(str, self.scale.shape))
            arguments = f', %scale: tensor<{shape}x{scaled}> {{ecf8.weight = "{self.name}.scale"}}'
            operands = f", tensor<{shape}x{scaled}>"
            operation = "divf" if self.divides else "mulf"
            body.append(f"%{'r' if scaled == into else 'b'} = arith.{operation} %a, %s : {scaled}")
            if scaled != into:
                body.append(f"%r = arith.truncf %b : {scaled} to {into}")
            inner = f"%w: {element}, %s: {scaled}, %o: {into}"
        weight = f'%weight: tensor<{rows}x{columns}x{element}> {{ecf8.weight = "{self.name}"}}'
        head = (
            f"func.func @{self.name}(%x: tensor<?x{columns}x{into}>, %acc: tensor<?x{rows}xf32>, {weight}{arguments})"
            f" -> tensor<?x{rows}xf32> {{\n"
        )
        return head + self.chain(inner, body, operands, rows, columns, element, into, scaled) + "}\n"

    def chain(
        self, inner: str, body: list[str], operands: str, rows: int, columns: int, element: str, into: str, scaled: str
    ) -> str:
        lines, weight, shape, rank = [], "%weight", f"{rows}x{columns}", 2
        blocked = self.block is not None and self.block[0] > 1
        scale = "" if self.scale is None else ", %scale"
        if blocked:
            (scale_rows, scale_columns), (r, c) = self.scale.shape, self.block
            shape, rank = f"{scale_rows}x{r}x{scale_columns}x{c}", 4
            lines.append(
                f"%cut = tensor.expand_shape %weight [[0, 1], [2, 3]] output_shape [{shape.replace('x', ', ')}]"
                f" : tensor<{rows}x{columns}x{element}> into tensor<{shape}x{element}>"
            )
            weight = "%cut"
        dims = ", ".join(f"d{i}" for i in range(rank))
        identity = f"affine_map<({dims}) -> ({dims})>"
        maps = [identity, identity]
        if self.scale is not None:
            picked = "d0, d2" if blocked else "d0, 0" if self.scale.shape[0] == rows else "0, 0"
            maps.insert(1, f"affine_map<({dims}) -> ({picked})>")
        iterators = ", ".join(['"parallel"'] * rank)
        lines.append(f"%e = tensor.empty() : tensor<{shape}x{into}>")
        lines.append(
            f"%wide = linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{iterators}]}}\n"
            f"    ins({weight}{scale} : tensor<{shape}x{element}>{operands}) outs(%e : tensor<{shape}x{into}>) {{\n"
            f"  ^bb0({inner}):\n    " + "\n    ".join(body) + f"\n    linalg.yield %r : {into}\n"
            f"  }} -> tensor<{shape}x{into}>"
        )
        wide = "%wide"
        if blocked:
            lines.append(
                f"%joined = tensor.collapse_shape %wide [[0, 1], [2, 3]]"
                f" : tensor<{shape}x{into}> into tensor<{rows}x{columns}x{into}>"
            )
            wide = "%joined"
        maps = [f"affine_map<(m, n, k) -> ({x})>" for x in ("m, k", "n, k", "m, n")]
        lines.append(
            f"%y = linalg.matmul indexing_maps = [{', '.join(maps)}]\n"
            f"    ins(%x, {wide} : tensor<?x{columns}x{into}>, tensor<{rows}x{columns}x{into}>)"
            f" outs(%acc : tensor<?x{rows}xf32>) -> tensor<?x{rows}xf32>"
        )
        lines.append(f"return %y : tensor<?x{rows}xf32>")
        return "".join(f"  {line}\n" for line in lines)

    def dequantized(self) -> np.ndarray:
        """The weight as the contraction multiplies it, in f32."""
        into = FLOATS[self.activations]
        if self.scale is None:
            return self.weight.astype(into).astype(np.float32)
        rows, columns = self.weight.shape
        scale = self.scale.astype(np.float32)
        r = -(-rows // self.scale.shape[0]) if self.scale.shape[0] else 1
        c = -(-columns // self.scale.shape[1]) if self.scale.shape[1] else 1
        whole = np.repeat(np.repeat(scale, r, 0)[:rows], c, 1)[:, :columns]
        # In the scale's type, rounded to the activations'. A product with a 16-bit scale is exact in f32, and a
        # quotient has bits enough to be rounded twice.
        wide = self.weight.astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            product = wide / whole if self.divides else wide * whole
            return product.astype(self.scale.dtype).astype(into).astype(np.float32)


def mlir_name(dtype: np.dtype, names: dict[str, type]) -> str:
    return next(name for name, kind in names.items() if np.dtype(kind) == dtype)


def contents(shape: tuple[int, int], kind: int, generator: np.random.Generator) -> np.ndarray:
    """Bytes: what weights look like, all values but NaN and infinity, or all values."""
    codes = generator.integers(0, 256, shape, dtype=np.uint8)
    if kind == 0:
        gaussian = (generator.standard_normal(shape).astype(np.float32) * 100).clip(-448, 448)
        codes = gaussian.astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
    return codes if kind == 2 else np.where((codes & 0x7C) == 0x7C, codes & 0x83, codes)


def make_cases(generator: np.random.Generator) -> list[Case]:
    cases = []
    for element, kind in WEIGHTS.items():
        for number, (rows, columns) in enumerate(SHAPES):
            for form in FORMS if element == "f8E4M3FN" else FORMS[1::3]:
                activations, scale_type, block = form
                scale = None
                if block is not None:
                    r, c = block[0] or max(rows, 1), block[1] or max(columns, 1)
                    if block[0] > 1 and (rows % r or columns % c or not rows or not columns):
                        continue
                    scale = np.exp2(generator.uniform(-9, -3, (-(-rows // r), -(-columns // c))))
                    scale = scale.astype(np.float32).astype(FLOATS[scale_type])
                weight = contents((rows, columns), number % 3, generator).view(kind)
                name = f"{element}_{rows}x{columns}_{activations}_{scale_type}_{'x'.join(map(str, block or ()))}"
                cases.append(Case(name, weight, activations, scale, block, form))
    return cases


def sums(case: Case, x: np.ndarray, accumulator: np.ndarray) -> np.ndarray:
    result, weight, wide = accumulator.copy(), case.dequantized(), x.astype(np.float32)
    with np.errstate(invalid="ignore"):
        for k in range(weight.shape[1]):
            result += wide[:, k : k + 1] * weight[:, k]
    return np.where(np.isnan(result), np.float32(np.nan), result)  # which NaN a sum takes is the CPU's business


def same_bytes(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and left.tobytes() == right.tobytes()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(4)
    cases = make_cases(generator)
    tensors = {case.name: case.weight for case in cases}
    tensors.update({case.name + ".scale": case.scale for case in cases if case.scale is not None})
    safetensors.numpy.save_file(tensors, folder / "weights.safetensors")
    inputs = []
    for case in cases:
        x = generator.standard_normal((max(ROWS), case.weight.shape[1])).astype(FLOATS[case.activations])
        accumulator = generator.standard_normal((max(ROWS), case.weight.shape[0])).astype(np.float32)
        expected = sums(case, x, accumulator)
        inputs += [(case, x[:rows], accumulator[:rows], expected[:rows]) for rows in ROWS]

    levels = available_levels()
    compared = 0
    for codec, forms, shapes in CODECS:
        program = folder / "program.mlir"
        program.write_text("".join(case.text() for case in cases if case.form in forms and case.weight.shape in shapes))
        bundle = folder / "all.ecf8"
        weights = folder / "weights.safetensors"
        options = ["-q", "--min-elements=0", *codec, "-o", bundle]
        subprocess.run(["ecf8-compile", program, "--weights", weights, *options], check=True)
        for level in levels:
            model = ecf8.load(bundle, cpu=level)
            for case, x, accumulator, expected in inputs:
                if case.form not in forms or case.weight.shape not in shapes:
                    continue
                found = np.asarray(model[case.name](x, accumulator))
                if not same_bytes(found, expected):
                    places = np.argwhere(found != expected)[:3].tolist() if found.shape == expected.shape else "shape"
                    sys.exit(f"{level} {codec}: {case.name} with {len(x)} rows differs at {places}")
                compared += 1
            del model
    print(f"{compared} contractions equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
