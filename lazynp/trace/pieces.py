"""Pieces of syntax trees, and statements said in another way: what `trace/syntax.py` rewrites functions with."""

import ast
from typing import Any

RUNTIME = "_lazynp_control"
"""The free variable through which rewritten code reaches the runtime."""


def named(name: str, at: ast.AST, store: bool = False) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Store() if store else ast.Load()), at)


def runtime(attribute: str, at: ast.AST) -> ast.Attribute:
    """A name of the runtime, at the first line: a call of an attribute that spans several lines is said to be at the last of them."""
    found = ast.copy_location(ast.Attribute(named(RUNTIME, at), attribute, ast.Load()), at)
    if found.end_lineno != found.lineno:
        found.end_lineno, found.end_col_offset = found.lineno, found.col_offset
    return found


def runtime_call(attribute: str, arguments: list[ast.expr], at: ast.AST) -> ast.Call:
    return ast.copy_location(ast.Call(runtime(attribute, at), arguments, []), at)


def constant(value: Any, at: ast.AST) -> ast.expr:
    if isinstance(value, (tuple, list, set)):
        values = sorted(value) if isinstance(value, set) else value
        return ast.copy_location(ast.Tuple([constant(v, at) for v in values], ast.Load()), at)
    return ast.copy_location(ast.Constant(value), at)


def thunk(expression: ast.expr) -> ast.expr:
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.copy_location(ast.Lambda(nothing, expression), expression)


def negated(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def without_not(test: ast.expr) -> tuple[Any, bool]:
    """The test without `not`, and whether there was one."""
    denied = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return (test.operand if denied else test), denied  # type: ignore[attr-defined]


def binds(node: ast.AST) -> bool:
    """Whether an expression has an effect that a lambda would keep to itself."""
    return any(isinstance(n, ast.NamedExpr) for n in ast.walk(node))


def binds_later(test: ast.expr) -> bool:
    """Whether a logical operator may assign names in operands after the first, which may not be evaluated."""
    return isinstance(test, ast.BoolOp) and any(map(binds, test.values))


def truth_kept(flag: str, value: ast.expr) -> Any:
    """A statement that keeps the truth of an expression."""
    if not binds_later(without_not(value)[0]):
        return ast.copy_location(ast.Assign([named(flag, value, store=True)], negated(negated(value))), value)
    kept = [[ast.copy_location(ast.Assign([named(flag, value, store=True)], constant(truth, value)), value)] for truth in (True, False)]
    return ast.copy_location(ast.If(value, *kept), value)


def falls_through(statements: list[Any]) -> bool:
    """Whether control can reach the end of a block."""
    if not statements:
        return True
    last = statements[-1]
    if isinstance(last, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
        return False
    if isinstance(last, ast.If):
        return falls_through(last.body) or falls_through(last.orelse)
    return True


def only_raises(statements: list[Any]) -> bool:
    """Whether a block raises an error and does nothing else that matters."""
    return isinstance(statements[-1], ast.Raise) and all(isinstance(s, (ast.Assign, ast.Expr, ast.AnnAssign)) for s in statements[:-1])


def checked(node: ast.Assert) -> ast.If:
    """assert test, message: `if not test: raise AssertionError(message)`."""
    test = negated(node.test)
    error = ast.Call(named("AssertionError", node), [node.msg] if node.msg else [], [])
    return ast.fix_missing_locations(ast.copy_location(ast.If(test, [ast.Raise(error)], []), node))


def raise_first(node: ast.If) -> None:
    """if test: ... else: raise ..., the other way round."""
    node.test = negated(node.test)
    node.body, node.orelse = node.orelse, node.body


def test_inside(node: ast.While) -> None:
    """A condition that assigns names is part of the turn: `while True: if not condition: break`."""
    test = negated(node.test)
    node.body = [ast.copy_location(ast.If(test, [ast.copy_location(ast.Break(), node.test)], []), node.test), *node.body]
    node.test = constant(True, node)


def else_clause(node: Any, broken: str) -> tuple[Any, Any]:
    """for ... else: a flag that every break of the loop sets, and a branch on it."""
    for block, position in _breaks(node.body):
        at = block[position]
        block.insert(position, ast.copy_location(ast.Assign([named(broken, at, store=True)], constant(True, at)), at))
    flag = ast.copy_location(ast.Assign([named(broken, node, store=True)], constant(False, node)), node)
    test = negated(named(broken, node))
    unless = ast.copy_location(ast.If(test, node.orelse, []), node.orelse[0])
    node.orelse = []
    return flag, unless


def _breaks(statements: list[Any]) -> list[tuple[list[Any], int]]:
    """(block, position) of each break of the loop whose body this is, the last one of a block first."""
    found: list[tuple[list[Any], int]] = []
    stack = [statements]
    while stack:
        block = stack.pop()
        for position in range(len(block) - 1, -1, -1):
            node = block[position]
            if isinstance(node, ast.Break):
                found.append((block, position))
            inner = [node, *getattr(node, "handlers", []), *getattr(node, "cases", [])]
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                continue
            for part in inner:
                fields = ("orelse",) if isinstance(part, (ast.For, ast.While)) else ("body", "orelse", "finalbody")
                stack += [getattr(part, f) for f in fields if isinstance(getattr(part, f, None), list)]
    return found
