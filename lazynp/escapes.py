"""Whether the number that a line of the user's program makes is only computed with, there and wherever its variable is read.

Then nobody can tell whether it is known yet, and a loop that takes a step by what it has summed stays one program. A number that goes
anywhere else (an argument of a function, a list, an index, a result) is NumPy's at once: C code reads the value out of a float
without asking. The source says where a number goes; where there is none, it may go anywhere.
"""

import ast
import builtins
import linecache
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from types import CodeType, FrameType, ModuleType
from typing import Any

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module, ast.ClassDef)
_CONVERSIONS = frozenset({"abs", "bool", "complex", "float", "format", "int", "print", "repr", "round", "str"})
"""Functions that take lazy numbers as they take NumPy's."""
_READERS = frozenset({"eval", "exec", "globals", "locals", "vars"})
_CHOICES = frozenset({"max", "min"})
"""Functions that may return what they were given."""

_known: dict[tuple[int, int], tuple[CodeType, bool | None]] = {}
"""What has been found about an instruction; None when it has run once. The code is kept so that its id stays its own."""
_MOST_KNOWN = 1 << 14


def is_only_computed_with(frame: FrameType) -> bool:
    """Whether the number that the frame's instruction is making goes nowhere else. Not where it runs for the first time: most lines run
    once, and reading the source takes longer than a program more."""
    code, instruction = frame.f_code, frame.f_lasti
    key = id(code), instruction
    known = _known.get(key)
    if known is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = code, None
        return False
    if known[1] is None:
        known = _known[key] = code, _stays(code, instruction, frame.f_globals)
    return bool(known[1])


def _stays(code: CodeType, instruction: int, names: dict[str, Any]) -> bool:
    if code.co_filename.startswith(("<frozen", *_INSTALLED)):
        return False
    source = _source(code.co_filename)
    node = None if source is None else source.operation(code, instruction)
    return node is not None and source is not None and _Paths(source, names).stay(node)


class _Source:
    """The syntax tree of a file. `parents`: of each node; `operations`: the expressions and statements by where they begin and end."""

    def __init__(self, text: str) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self.operations: dict[tuple[int | None, ...], ast.AST] = {}
        waiting: list[ast.AST] = [ast.parse(text)]
        for node in waiting:
            if isinstance(node, (ast.expr, ast.AugAssign)):  # a statement that is only an expression begins and ends where that does
                self.operations[node.lineno, node.end_lineno, node.col_offset, node.end_col_offset] = node
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                waiting.append(child)

    def operation(self, code: CodeType, instruction: int) -> ast.AST | None:
        """What the instruction computes; None if the file is not the code's, or no longer."""
        node = self.operations.get(next(islice(code.co_positions(), instruction // 2, None)))
        if node is None:
            return None
        scope = self.scope(node)
        name = getattr(scope, "name", "<lambda>" if isinstance(scope, ast.Lambda) else "<module>")
        return node if name == code.co_name or code.co_name.startswith("<") else None

    def scope(self, node: ast.AST) -> ast.AST:
        """The function, class or module in whose text a node stands."""
        while not isinstance(node, _SCOPES):
            node = self.parents[node]
        return node


@lru_cache(maxsize=256)
def _source(filename: str) -> _Source | None:
    text = "".join(linecache.getlines(filename))
    try:
        return _Source(text) if text else None
    except (SyntaxError, ValueError):
        return None


class _Paths:
    """The ways that a number takes through the text of a function. names: its globals."""

    def __init__(self, source: _Source, names: dict[str, Any]) -> None:
        self.source = source
        self.names = names
        self.seen: set[tuple[ast.AST, str]] = set()

    def stay(self, node: ast.AST) -> bool:
        """Whether the value of an expression, or of `x += y`, is only computed with."""
        if isinstance(node, ast.AugAssign):
            return self.target_stays(node.target)
        parent = self.source.parents[node]
        match parent:
            case ast.BinOp() | ast.UnaryOp() | ast.AugAssign() | ast.FormattedValue() | ast.Expr() | ast.If() | ast.While() | ast.Assert():
                return True
            case ast.Attribute() | ast.Compare():
                return not any(isinstance(op, (ast.Is, ast.IsNot)) for op in getattr(parent, "ops", ()))
            case ast.IfExp() if node is parent.test:
                return True
            case ast.IfExp() | ast.BoolOp():
                return self.stay(parent)
            case ast.NamedExpr():
                return self.target_stays(parent.target) and self.stay(parent)
            case ast.Assign():
                return all(self.target_stays(target) for target in parent.targets)
            case ast.Tuple():
                return self.element_stays(node, parent)
            case ast.keyword():
                return self.argument_stays(self.source.parents[parent])
            case ast.Call():
                return self.argument_stays(parent)
        return False

    def target_stays(self, target: ast.AST) -> bool:
        """Whether what is assigned here is, wherever it is read."""
        if not isinstance(target, ast.Name):
            return False
        scope = self.source.scope(target)
        if (scope, target.id) in self.seen:
            return True
        self.seen.add((scope, target.id))
        if isinstance(scope, ast.ClassDef) or (isinstance(scope, ast.Module) and not self.is_program()):
            return False
        nodes = [node for node in ast.walk(scope) if _names(node, target.id)]
        return all(map(self.reading_stays, nodes)) and any(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) for node in nodes)

    def reading_stays(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id not in _READERS and (not isinstance(node.ctx, ast.Load) or self.stay(node))

    def is_program(self) -> bool:
        """Whether the file is the program, whose variables nobody imports; in a notebook other cells read them."""
        return self.names.get("__name__") == "__main__" and "__file__" in self.names

    def element_stays(self, node: ast.AST, display: ast.Tuple) -> bool:
        """`a, b = x.min(), x.max()`."""
        assignment = self.source.parents[display]
        if not isinstance(assignment, ast.Assign):
            return False
        return all(self.target_stays(target) for target in _counterparts(assignment, display, node))

    def argument_stays(self, call: ast.AST) -> bool:
        """Whether the function takes lazy numbers and keeps none: of lazynp, of math, a conversion."""
        assert isinstance(call, ast.Call)
        function = call.func
        if isinstance(function, ast.Name):
            if function.id in self.names or function.id not in _CONVERSIONS | _CHOICES or not hasattr(builtins, function.id):
                return False
            return function.id in _CONVERSIONS or self.stay(call)
        while isinstance(function, ast.Attribute):
            function = function.value
        module = self.names.get(function.id) if isinstance(function, ast.Name) else None
        return isinstance(module, ModuleType) and (module.__name__.split(".")[0] == "lazynp" or module.__name__ == "math")


def _names(node: ast.AST, name: str) -> bool:
    """Whether a node reads, writes or declares a variable of this name, or may read any."""
    if isinstance(node, ast.Name):
        return node.id == name or node.id in _READERS
    return isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names


def _counterparts(assignment: ast.Assign, display: ast.Tuple, element: ast.AST) -> Iterator[ast.AST]:
    """The targets that get an element of the tuple; the targets themselves where they get all of it."""
    place = next(k for k, node in enumerate(display.elts) if node is element)
    for target in assignment.targets:
        matches = isinstance(target, ast.Tuple) and len(target.elts) == len(display.elts)
        yield target.elts[place] if matches else target  # type: ignore[attr-defined]
