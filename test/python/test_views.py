"""How the dimensions of a view are grouped, from symbolic sizes."""

from __future__ import annotations

import pytest
import sympy
from ecf8._views import match_dimensions

B, S = sympy.symbols("b s", integer=True, positive=True)


@pytest.mark.parametrize(
    ("before", "after", "groups"),
    [
        ([B, S, 384], [B * S, 384], [((0, 2), (0, 1)), ((2, 3), (1, 2))]),
        ([B * S, 384], [B, S, 384], [((0, 1), (0, 2)), ((1, 2), (2, 3))]),
        ([B, S, 384], [B, S, 12, 32], [((0, 1), (0, 1)), ((1, 2), (1, 2)), ((2, 3), (2, 4))]),
        ([B, 12, S, 32], [12 * B, S, 32], [((0, 2), (0, 1)), ((2, 3), (1, 2)), ((3, 4), (2, 3))]),
        ([B, S], [B * S], [((0, 2), (0, 1))]),
        ([B, 6, 4], [B, 8, 3], [((0, 1), (0, 1)), ((1, 3), (1, 3))]),
        ([S, 4], [2 * S, 2], [((0, 2), (0, 2))]),
        ([B, S], [B, S, 1, 1], [((0, 1), (0, 1)), ((1, 2), (1, 4))]),
        ([B, 1, 1], [B], [((0, 3), (0, 1))]),
        ([1, S], [S], [((0, 2), (0, 1))]),
        ([S], [1, S], [((0, 1), (0, 2))]),
        ([B + 1, S], [(B + 1) * S], [((0, 2), (0, 1))]),
        ([B, S], [S, B], None),
        ([B, S], [B, S, 2], None),
        ([B], [S], None),
    ],
    ids=str,
)
def test_groups(before, after, groups):
    sizes = [[sympy.expand(sympy.sympify(size)) for size in side] for side in (before, after)]
    assert match_dimensions(*sizes) == groups
