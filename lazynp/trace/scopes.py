"""Which names a piece of a function assigns, and which are still needed at a place: the state of captured loops and branches."""

import ast
from collections.abc import Iterable
from typing import Any

_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def assigned(statements: Iterable[ast.AST]) -> set[str]:
    """The names that statements bind or delete in the scope they stand in."""
    names: set[str] = set()
    stack = list(statements)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            stack += [*node.decorator_list]
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            names |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.ExceptHandler) and node.name:
                names.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names |= {(a.asname or a.name).split(".")[0] for a in node.names}
            elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
                names.add(node.name)
            elif isinstance(node, ast.MatchMapping) and node.rest:
                names.add(node.rest)
            stack += ast.iter_child_nodes(node)
    return names


def read(nodes: Iterable[ast.AST | None]) -> set[str]:
    """Every name that is read in nodes or in functions, lambdas and comprehensions inside them."""
    return {n.id for node in nodes if node is not None for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def declared(function: ast.AST, kind: type) -> set[str]:
    """The names in the function's own `global` or `nonlocal` statements."""
    found: set[str] = set()
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        if isinstance(node, kind):
            found |= set(node.names)  # type: ignore[attr-defined]
        elif not isinstance(node, _NESTED):
            stack += ast.iter_child_nodes(node)
    return found


def contains(statements: Iterable[ast.AST], kinds: tuple[type, ...], into_loops: bool = True) -> bool:
    """Whether one of the kinds occurs in the statements, outside of nested functions; in nested loops only with `into_loops`."""
    stack = list(statements)
    while stack:
        node = stack.pop()
        if isinstance(node, kinds):
            return True
        if isinstance(node, _NESTED):
            continue
        if isinstance(node, (ast.For, ast.While)) and not into_loops:
            stack += node.orelse
        else:
            stack += ast.iter_child_nodes(node)
    return False


def jumps(statements: Iterable[ast.AST]) -> bool:
    """Whether control may leave the statements otherwise than at their end."""
    statements = list(statements)
    return ends_loops(statements) or contains(statements, (ast.Continue,), into_loops=False)


def ends_loops(statements: Iterable[ast.AST]) -> bool:
    """Whether a loop with these statements may end before its last turn."""
    statements = list(statements)
    return contains(statements, (ast.Return,)) or contains(statements, (ast.Break,), into_loops=False)


def only_appended(statements: Iterable[ast.AST]) -> set[str]:
    """The names of which the statements do nothing but `name.append(...)`."""
    statements = list(statements)
    appends = [n.func.value.id for s in statements for n in ast.walk(s) if _is_append(n)]
    reads = [n.id for s in statements for n in ast.walk(s) if isinstance(n, ast.Name)]
    return {name for name in appends if appends.count(name) == reads.count(name)}


def _is_append(node: Any) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == "append" and isinstance(node.func.value, ast.Name) and len(node.args) == 1 and not node.keywords


class Liveness:
    """Backward analysis of a function: `after[id(node)]` are the names that may be read after a loop or branch before they are assigned,
    `head[id(loop)]` those at the head of each turn. Names that nested functions use, and those in `always`, are needed everywhere."""

    def __init__(self, function: Any, always: set[str]) -> None:
        self.after: dict[int, set[str]] = {}
        self.head: dict[int, set[str]] = {}
        self.always = always | {
            name for node in ast.walk(function) if isinstance(node, _NESTED) and node is not function for name in read([node])
        }
        body = [ast.Return(function.body)] if isinstance(function, ast.Lambda) else function.body
        self._block(body, set(self.always), _Targets(set(), set()))

    def _block(self, statements: list[Any], live: set[str], jumps: "_Targets") -> set[str]:
        for statement in reversed(statements):
            live = self._statement(statement, live, jumps)
        return live

    def _statement(self, node: Any, live: set[str], jumps: "_Targets") -> set[str]:
        if isinstance(node, ast.Return):
            return self.always | read([node.value])
        if isinstance(node, ast.Raise):
            return self.always | read([node]) | jumps.caught
        if isinstance(node, ast.Break):
            return set(jumps.broken)
        if isinstance(node, ast.Continue):
            return set(jumps.continued)
        if isinstance(node, ast.If):
            self.after[id(node)] = set(live)
            return read([node.test]) | self._block(node.body, live, jumps) | self._block(node.orelse, live, jumps)
        if isinstance(node, (ast.For, ast.While)):
            return self._loop(node, live, jumps)
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr, ast.AugAssign)):
            kept = live if isinstance(node, ast.AugAssign) else live - _rebound(node)
            extra = read([node.target]) | _names(node.target) if isinstance(node, ast.AugAssign) else set()
            return kept | self.always | read([node]) | extra
        if isinstance(node, ast.Delete):  # what is not bound cannot be deleted
            return live | read([node]) | {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.Try):
            everything = live | jumps.caught | read([node]) | assigned([node])
            inner = jumps._replace_caught(everything)
            for block in (node.finalbody, node.orelse, *[h.body for h in node.handlers], node.body):
                self._block(block, set(everything), inner)
            return everything
        if isinstance(node, ast.With):
            return read([i.context_expr for i in node.items]) | self._block(node.body, live, jumps)
        if isinstance(node, ast.Match):
            blocks = [self._block(case.body, live, jumps) | read([case.pattern, case.guard]) for case in node.cases]
            return read([node.subject]) | live.union(*blocks)
        return live | read([node])

    def _loop(self, node: Any, live: set[str], jumps: "_Targets") -> set[str]:
        self.after[id(node)] = set(live)
        at_end = self._block(node.orelse, live, jumps)
        head = set(at_end)
        while True:
            test = read([node.test]) if isinstance(node, ast.While) else set()
            inner = _Targets(live, head | test, jumps.caught)
            body = self._block(node.body, head | test, inner)
            if isinstance(node, ast.For):
                body = (body - _names(node.target)) | read([node.target]) | self.always
            grown = head | body | test
            if grown == head:
                break
            head = grown
        self.head[id(node)] = set(head)
        return head | (read([node.iter]) if isinstance(node, ast.For) else set())


class _Targets:
    """The names needed where `break`, `continue` and exceptions lead."""

    def __init__(self, broken: set[str], continued: set[str], caught: set[str] | None = None) -> None:
        self.broken, self.continued, self.caught = broken, continued, caught or set()

    def _replace_caught(self, caught: set[str]) -> "_Targets":
        return _Targets(self.broken, self.continued, caught)


def _names(target: ast.AST | None) -> set[str]:
    """The names that an assignment to a target binds."""
    if isinstance(target, ast.Name):
        return {target.id}
    if isinstance(target, (ast.Tuple, ast.List)):
        return {name for element in target.elts for name in _names(element)}
    return _names(target.value) if isinstance(target, ast.Starred) else set()


def _rebound(node: Any) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
    return {name for target in targets for name in _names(target)}
