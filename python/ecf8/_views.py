"""Views with dynamic sizes, spelled as the merges and splits of dimensions that they are.

torch-mlir lowers `aten.view` by guessing which dimensions belong together. With several dynamic sizes it guesses
wrongly, without a word: [batch, length, 384] to [batch * length, 384] becomes a collapse of the last two dimensions,
which makes `length` 1. The symbolic sizes of torch.export tell what is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch import fx

from .errors import ModelImportError

_VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default, torch.ops.aten.reshape.default)
_FLATTEN = torch.ops.aten.flatten.using_ints
_UNFLATTEN = torch.ops.aten.unflatten.int

# Dimensions [start, end) of the input that become dimensions [start, end) of the output.
Group = tuple[tuple[int, int], tuple[int, int]]


def rewrite_dynamic_views(graph: fx.Graph, entry: str) -> None:
    """Replaces each view that has a dynamic size by flattens and unflattens. Views of static sizes stay."""
    for node in [node for node in graph.nodes if node.target in _VIEWS]:
        source = node.args[0]
        before, after = _sizes(source), _sizes(node)
        if all(size.is_Integer for size in (*before, *after)):
            continue
        groups = match_dimensions(before, after)
        if groups is None:
            raise ModelImportError(
                f"could not import op '{node.target}' of entry point '{entry}': expected a view that merges or splits "
                f"neighbouring dimensions, got {_text(before)} to {_text(after)}",
                op=str(node.target).removesuffix(".default"),
            )
        node.replace_all_uses_with(_spell(graph, node, groups))
        graph.erase_node(node)


def match_dimensions(before: Sequence[sympy.Expr], after: Sequence[sympy.Expr]) -> list[Group] | None:
    """The finest groups of neighbouring dimensions with equal products; None if the sizes do not tell."""
    groups: list[Group] = []
    i = j = 0
    while i < len(before) and j < len(after):
        first_i, first_j = i, j
        left, right = before[i], after[j]
        i, j = i + 1, j + 1
        while left != right:
            if i < len(before) and _is_part(left, right):
                left, i = sympy.expand(left * before[i]), i + 1
            elif j < len(after) and _is_part(right, left):
                right, j = sympy.expand(right * after[j]), j + 1
            else:
                return None
        groups.append(((first_i, i), (first_j, j)))
    # What is left over must be ones, and belongs to the last group.
    if any(size != 1 for size in (*before[i:], *after[j:])):
        return None
    if i < len(before) or j < len(after):
        if not groups:
            return None
        (first_i, _), (first_j, _) = groups[-1]
        groups[-1] = ((first_i, len(before)), (first_j, len(after)))
    return groups


def _is_part(left: sympy.Expr, right: sympy.Expr) -> bool:
    """Whether `left` times further sizes may become `right`: their quotient is a larger number, or whole sizes."""
    quotient = sympy.cancel(right / left) if left != 0 else sympy.nan
    if quotient.is_number:
        return bool(quotient > 1)
    return bool(sympy.denom(quotient) == 1)


def _spell(graph: fx.Graph, node: fx.Node, groups: list[Group]) -> Any:
    """Ops that do what the view `node` does, inserted before it. Works from the last group to keep numbers valid."""
    result: Any = node.args[0]
    shape: Any = node.args[1]
    with graph.inserting_before(node):
        for (first_i, end_i), (first_j, end_j) in reversed(groups):
            if end_i - first_i > 1:
                result = _call(graph, node, _FLATTEN, (result, first_i, end_i - 1))
            if end_j - first_j > 1:
                result = _call(graph, node, _UNFLATTEN, (result, first_i, list(shape[first_j:end_j])))
    return result


def _call(graph: fx.Graph, like: fx.Node, target: Any, arguments: tuple[Any, ...]) -> fx.Node:
    node = graph.call_function(target, arguments)
    node.meta = {key: value for key, value in like.meta.items() if key not in ("val", "tensor_meta")}
    values = fx.map_arg(arguments, lambda argument: argument.meta["val"])
    node.meta["val"] = target(*values)
    return node


def _sizes(node: Any) -> list[sympy.Expr]:
    sizes = node.meta["val"].shape
    return [sympy.Integer(size) if isinstance(size, int) else sympy.expand(size.node.expr) for size in sizes]


def _text(sizes: Sequence[sympy.Expr]) -> str:
    return f"[{', '.join(map(str, sizes))}]"
