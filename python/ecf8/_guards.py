"""Run-time checks of dynamic shapes: what torch.export assumed about them becomes `cf.assert` at the function's start.

The lowered code relies on these relations (two inputs with the same length, at most 512 tokens); without the checks a
call that breaks one would read outside its buffers.
"""

from __future__ import annotations

from typing import Any

import sympy
from torch_mlir import ir

from ._capture import Captured
from .errors import ModelImportError


def add_shape_checks(function: Any, program: Captured) -> None:
    """Inserts the checks into `function`, whose arguments are `program`'s placeholders after lowering."""
    block = function.regions[0].blocks[0]
    nodes = [node for node in program.program.graph.nodes if node.op == "placeholder"]
    inputs = [
        (argument, node)
        for argument, node, weight in zip(block.arguments, nodes, program.weight_names, strict=True)
        if weight is None
    ]
    with ir.InsertionPoint.at_block_begin(block), function.location:
        checks = _Checks(program)
        for index, (argument, node) in enumerate(inputs):
            for dim, size in enumerate(node.meta["val"].shape):
                if not isinstance(size, int):
                    checks.add(f"dimension {dim} of input {index}", checks.dim(argument, dim), size.node.expr)
        for symbol, value in checks.symbols.items():
            checks.add_range(symbol, value)


class _Checks:
    """Emits ops at the insertion point. Sizes are `index` values."""

    def __init__(self, program: Captured) -> None:
        self.symbols: dict[sympy.Symbol, Any] = {}
        self._ranges = program.program.range_constraints
        self._entry = program.name
        self._described: dict[sympy.Symbol, str] = {}
        self._index = ir.IndexType.get()

    def dim(self, argument: Any, dim: int) -> Any:
        return self._op("tensor.dim", [argument, self._constant(dim)], self._index)

    def add(self, what: str, size: Any, expression: sympy.Expr) -> None:
        """Checks that `size` is `expression`, or defines the one symbol that is new in it."""
        new = [symbol for symbol in expression.free_symbols if symbol not in self.symbols]
        if not new:
            self._assert("eq", size, self._value(expression), f"expected {what} to be {self._describe(expression)}")
            return
        symbol = new[0]
        factor, offset = expression.coeff(symbol, 1), expression.coeff(symbol, 0)
        linear = len(new) == 1 and expression == factor * symbol + offset and factor.is_Integer and factor > 0
        if not linear or not offset.is_Integer:
            raise ModelImportError(
                f"expected {what} of '{self._entry}' to be a dimension or a multiple of one, got {expression}"
            )
        rest = size
        if offset != 0:
            rest = self._op("arith.subi", [size, self._constant(int(offset))], self._index)
        if factor != 1:
            remainder = self._op("arith.remsi", [rest, self._constant(int(factor))], self._index)
            message = f"expected {what} to be {int(factor)} * n + {int(offset)}"
            self._assert("eq", remainder, self._constant(0), message)
            rest = self._op("arith.divsi", [rest, self._constant(int(factor))], self._index)
        self.symbols[symbol] = rest
        self._described[symbol] = what if expression == symbol else f"the size n behind {what}"

    def add_range(self, symbol: sympy.Symbol, value: Any) -> None:
        limits = self._ranges.get(symbol)
        if limits is None:
            return
        what = self._described[symbol]
        if limits.lower.is_Integer and limits.lower > 0:
            lower = int(limits.lower)
            self._assert("sge", value, self._constant(lower), f"expected {what} to be at least {lower}")
        if limits.upper.is_Integer and limits.upper < 2**62:
            upper = int(limits.upper)
            self._assert("sle", value, self._constant(upper), f"expected {what} to be at most {upper}")

    def _value(self, expression: sympy.Expr) -> Any:
        if expression.is_Integer:
            return self._constant(int(expression))
        if expression.is_Symbol:
            return self.symbols[expression]
        if isinstance(expression, (sympy.Add, sympy.Mul)):
            name = "arith.addi" if isinstance(expression, sympy.Add) else "arith.muli"
            values = [self._value(argument) for argument in expression.args]
            result = values[0]
            for value in values[1:]:
                result = self._op(name, [result, value], self._index)
            return result
        raise ModelImportError(
            f"expected dynamic sizes of entry point '{self._entry}' to be sums and products, got {expression}"
        )

    def _describe(self, expression: sympy.Expr) -> str:
        if expression.is_Symbol:
            return self._described[expression]
        return f"{expression} (where {', '.join(f'{s} is {self._described[s]}' for s in expression.free_symbols)})"

    def _constant(self, value: int) -> Any:
        attributes = {"value": ir.IntegerAttr.get(self._index, value)}
        return ir.Operation.create("arith.constant", results=[self._index], attributes=attributes).result

    def _assert(self, predicate: str, left: Any, right: Any, message: str) -> None:
        number = {"eq": 0, "sle": 3, "sge": 5}[predicate]
        attributes = {"predicate": ir.IntegerAttr.get(ir.IntegerType.get_signless(64), number)}
        bit = ir.IntegerType.get_signless(1)
        condition = ir.Operation.create("arith.cmpi", results=[bit], operands=[left, right], attributes=attributes)
        ir.Operation.create("cf.assert", operands=[condition.result], attributes={"msg": ir.StringAttr.get(message)})

    @staticmethod
    def _op(name: str, operands: list[Any], result: Any) -> Any:
        return ir.Operation.create(name, results=[result], operands=operands).result
