"""Lists to which both branches append: `if c: a.append(x)`, `else: a.append(y)` appends one value, which is x or y. So the list is not part
of the choice, and a loop may collect it.
"""

from __future__ import annotations

import ast
from typing import Any


def joined(function: Any) -> Any:
    """The definition, changed in place: what both branches append last is appended after them."""
    return _Appends().visit(function)


class _Appends(ast.NodeTransformer):
    def __init__(self) -> None:
        self.count = 0

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        calls = [_appended(side) for side in (node.body, node.orelse)]
        if calls[0] is None or calls[1] is None or calls[0].func.value.id != calls[1].func.value.id:
            return node
        self.count += 1
        name = f"appended.{self.count}"  # no name of the source
        for side, call in zip((node.body, node.orelse), calls, strict=True):
            side[-1] = ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], call.args[0]), side[-1])
        call = ast.Call(calls[0].func, [ast.Name(name, ast.Load())], [])
        return [ast.fix_missing_locations(n) for n in (node, ast.copy_location(ast.Expr(call), node))]


def _appended(side: list[ast.stmt]) -> Any:
    """The call of a variable's `append` with which a branch ends."""
    call = side[-1].value if side and isinstance(side[-1], ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
        return None
    plain = call.func.attr == "append" and len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Starred)
    return call if plain else None
