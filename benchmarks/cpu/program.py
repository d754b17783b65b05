"""Linear layers in MLIR on linalg, as frontends write them: one text for ECF8 and for IREE.

`y = x . W^T` with W in FP8: extended, scaled, and rounded to the type of the activations. The two compilers get the
same operations; ECF8's rows are dynamic and its weights are marked arguments, IREE's rows are static (it chooses its
code by them) and its weights are parameters, which it may pack when the module is loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SCALES = ("none", "tensor", "blocks", "rows")
ACTIVATIONS = ("f32", "bf16")


@dataclass(frozen=True)
class Layer:
    """The weight's shape, and the rows and columns that share one scale where `scale` is "blocks"."""

    rows: int
    columns: int
    block: tuple[int, int]

    @property
    def weight(self) -> str:
        return f"tensor<{self.rows}x{self.columns}xf8E4M3FN>"

    def scale(self, kind: str) -> str:
        shape = {"tensor": "", "rows": f"{self.rows}x1x", "blocks": "x".join(map(str, self.grid)) + "x"}[kind]
        return f"tensor<{shape}f32>"

    @property
    def grid(self) -> tuple[int, int]:
        return self.rows // self.block[0], self.columns // self.block[1]


def _generic(result: str, maps: list[str], loops: int, inputs: str, types: str, output: str, block: str) -> str:
    iterators = ", ".join(['"parallel"'] * loops)
    return f"""
    %{result}.empty = tensor.empty() : {output}
    %{result} = linalg.generic {{indexing_maps = [{", ".join(maps)}], iterator_types = [{iterators}]}}
        ins({inputs} : {types}) outs(%{result}.empty : {output}) {{
    {block}
    }} -> {output}"""


def _widened(layer: Layer, activations: str, scale: str, wide: str) -> str:
    """%wide: the weight %w with its scale %s, rounded to the type of the activations and held in the type `wide`."""
    shape = f"{layer.rows}x{layer.columns}"
    output = f"tensor<{shape}x{wide}>"
    if scale == "none":
        identity = "affine_map<(n, k) -> (n, k)>"
        body = f"""^bb0(%i: f8E4M3FN, %o: {wide}):
      %r = arith.extf %i : f8E4M3FN to {wide}
      linalg.yield %r : {wide}"""
        return _generic("wide", [identity] * 2, 2, "%w", layer.weight, output, body)
    steps, result = ["%e = arith.extf %i : f8E4M3FN to f32", "%p = arith.mulf %e, %f : f32"], "%p"
    if activations != "f32":
        steps, result = [*steps, f"%r = arith.truncf %p : f32 to {activations}"], "%r"
        if wide != activations:
            steps, result = [*steps, f"%q = arith.extf %r : {activations} to {wide}"], "%q"
    body = "\n      ".join([f"^bb0(%i: f8E4M3FN, %f: f32, %o: {wide}):", *steps, f"linalg.yield {result} : {wide}"])
    if scale != "blocks":
        identity = "affine_map<(n, k) -> (n, k)>"
        factor = "affine_map<(n, k) -> (n, 0)>" if scale == "rows" else "affine_map<(n, k) -> ()>"
        types = f"{layer.weight}, {layer.scale(scale)}"
        return _generic("wide", [identity, factor, identity], 2, "%w, %s", types, output, body)
    (height, width), (down, across) = layer.block, layer.grid
    cut = f"{down}x{height}x{across}x{width}"
    sizes = f"output_shape [{down}, {height}, {across}, {width}]"
    identity = "affine_map<(a, b, c, d) -> (a, b, c, d)>"
    maps = [identity, "affine_map<(a, b, c, d) -> (a, c)>", identity]
    types = f"tensor<{cut}xf8E4M3FN>, {layer.scale(scale)}"
    scaled = f"tensor<{cut}x{wide}>"
    return (
        f"\n    %cut = tensor.expand_shape %w [[0, 1], [2, 3]] {sizes} : {layer.weight} into tensor<{cut}xf8E4M3FN>"
        + _generic("scaled", maps, 4, "%cut, %s", types, scaled, body)
        + f"\n    %wide = tensor.collapse_shape %scaled [[0, 1], [2, 3]] : {scaled} into {output}"
    )


def _matmul(layer: Layer, rows: str, x: tuple[str, str], weight: tuple[str, str]) -> str:
    """The end: %y from the names and element types of both factors, and the accumulator %acc."""
    maps = ", ".join(f"affine_map<(m, n, k) -> ({dims})>" for dims in ("m, k", "n, k", "m, n"))
    result = f"tensor<{rows}x{layer.rows}xf32>"
    types = f"tensor<{rows}x{layer.columns}x{x[1]}>, tensor<{layer.rows}x{layer.columns}x{weight[1]}>"
    return f"""
    %y = linalg.matmul indexing_maps = [{maps}]
        ins({x[0]}, {weight[0]} : {types}) outs(%acc : {result}) -> {result}"""


def _function(layer: Layer, entry: str, activations: str, bodies: list[tuple[str, str]]) -> str:
    """The function @entry(activations, accumulator) that runs several layers; of each its arguments and its body."""
    result = f"tensor<?x{layer.rows}xf32>"
    arguments, texts = "", ""
    for index, (own, body) in enumerate(bodies):
        # Each layer's values get names of their own; all have the same activations and accumulator.
        rename = lambda text, index=index: re.sub(r"%(?!x\b|acc\b)([a-z][\w.]*)", rf"%\1.l{index}", text)
        arguments += ",\n      " + rename(own)
        texts += rename(body)
    results = ", ".join(f"%y.l{index}" for index in range(len(bodies)))
    types = ", ".join([result] * len(bodies))
    return f"""
  func.func @{entry}(%x: tensor<?x{layer.columns}x{activations}>, %acc: {result}{arguments}) -> ({types}) {{{texts}
    return {results} : {types}
  }}
"""


def for_ecf8(layer: Layer, entry: str, weights: list[str], activations: str, scale: str) -> str:
    """The function @entry(activations, accumulator) over weights by name, whose scales are `weight.scale`."""
    bodies = []
    for weight in weights:
        arguments = f'%w: {layer.weight} {{ecf8.weight = "{weight}"}}'
        if scale != "none":
            arguments += f', %s: {layer.scale(scale)} {{ecf8.weight = "{weight}.{scale}"}}'
        body = _widened(layer, activations, scale, activations)
        bodies.append((arguments, body + _matmul(layer, "?", ("%x", activations), ("%wide", activations))))
    return _function(layer, entry, activations, bodies)


def _rounded(layer: Layer, rows: str, given: str) -> tuple[str, str]:
    """Activations as bf16: what is to be done to %x, and what it is called then."""
    if given == "bf16":
        return "", "%x"
    identity = "affine_map<(m, k) -> (m, k)>"
    rounding = f"""^bb0(%i: {given}, %o: bf16):
      %r = arith.truncf %i : {given} to bf16
      linalg.yield %r : bf16"""
    shape = f"tensor<{rows}x{layer.columns}x"
    text = _generic("rounded", [identity] * 2, 2, "%x", f"{shape}{given}>", f"{shape}bf16>", rounding)
    if rows == "?":
        text = f"""
    %c0 = arith.constant 0 : index
    %m = tensor.dim %x, %c0 : {shape}{given}>""" + text.replace("tensor.empty()", "tensor.empty(%m)")
    return text, "%rounded"


def for_ecf8_bf16(layer: Layer, entry: str, weights: list[str], activations: str) -> str:
    """The function @entry(activations, accumulator) over dense bf16 weights of these names."""
    kind = f"tensor<{layer.rows}x{layer.columns}xbf16>"
    rounding, operand = _rounded(layer, "?", activations)
    body = rounding + _matmul(layer, "?", (operand, "bf16"), ("%w", "bf16"))
    return _function(
        layer, entry, activations, [(f'%w: {kind} {{ecf8.weight = "{weight}"}}', body) for weight in weights]
    )


def _iree_function(layer: Layer, entry: str, rows: int, activations: str, body: str) -> str:
    result = f"tensor<{rows}x{layer.rows}xf32>"
    return f"""
  func.func @{entry}(%x: tensor<{rows}x{layer.columns}x{activations}>) -> {result} {{
    %zero = arith.constant 0.0 : f32
    %empty = tensor.empty() : {result}
    %acc = linalg.fill ins(%zero : f32) outs(%empty : {result}) -> {result}{body}"""


def _return(layer: Layer, rows: int) -> str:
    return f"""
    return %y : tensor<{rows}x{layer.rows}xf32>
  }}
"""


def _iree_parameter(name: str, kind: str) -> str:
    return f'\n  util.global private @{name} = #flow.parameter.named<"model"::"{name}"> : {kind}'


def for_iree(layer: Layer, grid: dict[tuple[str, str], list[int]]) -> str:
    """A function @activations_scale_rows for each case and its numbers of rows; the weight stays FP8 in memory.

    The weight is widened to f32 also where it is rounded to bf16 before: the same values, and in IREE 3.13 the faster
    code for one row (4.2 against 0.7 G weights/s of one thread).
    """
    text = _iree_parameter("w", layer.weight)
    for scale in sorted({scale for _, scale in grid} - {"none"}):
        text += _iree_parameter(scale, layer.scale(scale))
    for (activations, scale), rows in grid.items():
        for m in rows:
            body = f"\n    %w = util.global.load @w : {layer.weight}"
            if scale != "none":
                body += f"\n    %s = util.global.load @{scale} : {layer.scale(scale)}"
            body += _widened(layer, activations, scale, "f32")
            body += _matmul(layer, str(m), ("%x", activations), ("%wide", "f32")) + _return(layer, m)
            text += _iree_function(layer, f"{activations}_{scale}_{m}", m, activations, body)
    return text


def for_iree_bf16(layer: Layer, rows_of: dict[str, list[int]]) -> str:
    """A function @activations_none_rows for each kind of activations and its rows, with a dense bf16 weight."""
    weight = f"tensor<{layer.rows}x{layer.columns}xbf16>"
    text = _iree_parameter("w", weight)
    for given, rows in rows_of.items():
        for m in rows:
            rounding, operand = _rounded(layer, str(m), given)
            body = f"\n    %w = util.global.load @w : {weight}" + rounding
            body += _matmul(layer, str(m), (operand, "bf16"), ("%w", "bf16")) + _return(layer, m)
            text += _iree_function(layer, f"{given}_none_{m}", m, given, body)
    return text
