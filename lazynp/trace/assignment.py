"""Definite assignment: where a function reads a variable that some way to that place does not assign.

Python looks when it gets there. A traced loop or branch assigns some variables on one way only; what was assigned is kept beside the
truth value that tells whether it was, and these reads ask for both (`read_maybe` in `trace/maybe.py`).
"""

import ast
from collections.abc import Iterable
from typing import Any

from lazynp.trace.scopes import assigned

State = set[str] | None
"""The names that are certainly assigned; None where control does not come."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def mark_reads(function: Any, others: set[str]) -> set[str]:
    """Sets `maybe = True` on the names (nodes) of a function's tree that may be read before they are assigned, and returns which these
    are. others: names that are not variables of the function itself. Names that are deleted somewhere are left out."""
    deleted = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Del)}
    deleted |= {n.name for n in ast.walk(function) if isinstance(n, ast.ExceptHandler) and n.name}
    marks = _Marks(assigned(function.body) - others - deleted)
    arguments = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    marks.block(function.body, arguments, [])
    return marks.found


def _both(a: State, b: State) -> State:
    return b if a is None else a if b is None else a & b


class _Marks:
    """The forward analysis. `breaks`: for the innermost loop, the states in which a `break` leaves it."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.found: set[str] = set()

    def block(self, statements: Iterable[ast.stmt], state: State, breaks: list[State]) -> State:
        for statement in statements:
            if state is None:
                break
            state = self.statement(statement, state, breaks)
        return state

    def statement(self, node: Any, state: set[str], breaks: list[State]) -> State:
        if isinstance(node, ast.If):
            state = self.reads([node.test], state)
            return _both(self.block(node.body, state, breaks), self.block(node.orelse, state, breaks))
        if isinstance(node, (ast.For, ast.While)):
            return self._loop(node, state, breaks)
        if isinstance(node, ast.Try):
            return self._try(node, state, breaks)
        if isinstance(node, ast.With):
            return self.block(node.body, self.reads(node.items, state), breaks)
        if isinstance(node, ast.Match):
            self.reads([node.subject], state)
            after: State = state
            for case in node.cases:
                after = _both(after, self.block(case.body, state | assigned([case.pattern]), breaks))
            return after
        state = self.reads([node], state)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._read(node.target, state)
        if isinstance(node, ast.Break):
            breaks.append(state)
        ends = isinstance(node, (ast.Return, ast.Raise, ast.Break, ast.Continue))
        return None if ends else state | assigned([node])

    def _loop(self, node: Any, state: set[str], breaks: list[State]) -> State:
        """What only a turn or the `else` assigns counts as unassigned: in a trace the two are ways through branches."""
        inner: list[State] = []
        if isinstance(node, ast.For):
            endless = False
            head = self.reads([node.iter], state)
            self.block(node.body, head | assigned([node.target]), inner)
        else:
            endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
            head = self.reads([node.test], state)
            self.block(node.body, head, inner)
        through = None if endless else self.block(node.orelse, head, breaks)
        return None if through is None and not inner else head

    def _try(self, node: ast.Try, state: set[str], breaks: list[State]) -> State:
        after = self.block(node.orelse, self.block(node.body, state, breaks), breaks)
        for handler in node.handlers:
            after = _both(after, self.block(handler.body, state, breaks))
        finally_ = self.block(node.finalbody, state, breaks)
        return None if after is None or finally_ is None else after | finally_

    def reads(self, nodes: Iterable[ast.AST], state: set[str]) -> set[str]:
        """Marks the names that the nodes read here; the state with what they bind for certain."""
        stack: list[tuple[ast.AST, frozenset[str], bool]] = [(node, frozenset(), True) for node in nodes]
        bound = set()
        while stack:
            node, hidden, certain = stack.pop()
            if isinstance(node, _SCOPES):
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in hidden:
                self._read(node, state)
            if isinstance(node, ast.NamedExpr) and certain and isinstance(node.target, ast.Name):
                bound.add(node.target.id)
            if isinstance(node, _COMPREHENSIONS):
                hidden |= assigned([generator.target for generator in node.generators])
            certain = certain and not isinstance(node, (ast.BoolOp, ast.IfExp, *_COMPREHENSIONS))
            stack += [(child, hidden, certain) for child in ast.iter_child_nodes(node)]
        return state | bound

    def _read(self, node: ast.Name, state: set[str]) -> None:
        if node.id in self.names and node.id not in state:
            node.maybe = True  # type: ignore[attr-defined]
            self.found.add(node.id)
