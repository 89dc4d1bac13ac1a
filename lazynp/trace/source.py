"""From a Python function to one with its loops and branches rewritten: finds the source, rewrites it, compiles it with the user's own file
name and line numbers, and puts the function's variables, closure and defaults back. Cached per code object, and on disk for as long as the
file does not change."""

import ast
import dis
import hashlib
import inspect
import linecache
import marshal
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType
from typing import Any, NamedTuple

from lazynp.backends import diskcache
from lazynp.errors import is_ours
from lazynp.trace.pieces import RUNTIME
from lazynp.trace.syntax import Refused, bare, rewritten


class Rewritten(NamedTuple):
    """code: the new code, or None with the reason why there is none."""

    code: CodeType | None
    reason: str


_known: dict[CodeType, Rewritten] = {}
_trees: dict[str, tuple[list[str], ast.Module]] = {}
_FACTORY = "_lazynp_factory"
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)


def with_control(function: FunctionType, runtime: Any) -> FunctionType | None:
    """The function with its loops, branches and calls going through the runtime; None where its source cannot be used."""
    found = rewritten_code(function)
    if found.code is None:
        return None
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    cells[RUNTIME] = CellType(runtime)
    closure = tuple([cells[name] for name in found.code.co_freevars])
    copy = FunctionType(found.code, function.__globals__, function.__name__, function.__defaults__, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    copy.__module__ = function.__module__
    return copy


def rewritten_code(function: FunctionType) -> Rewritten:
    """The rewritten code of a function, from the cache if it was seen before."""
    code = function.__code__
    found = _known.get(code)
    if found is None:
        name = _name_on_disk(code)
        stored = diskcache.get(name, _CODE) if name else None
        if stored is not None:
            found = Rewritten(*marshal.loads(stored))
        else:
            try:
                found = Rewritten(_rewrite(function), "")
            except Refused as reason:
                found = Rewritten(None, str(reason))
            if name:
                diskcache.put(name, _CODE, marshal.dumps(tuple(found)))
        _known[code] = found
    return found


_CODE = ".code"


def _name_on_disk(code: CodeType) -> str:
    """Under which rewritten code is kept: made of the code, its file and this Python. Empty for what comes from no file."""
    try:
        file = os.stat(code.co_filename)
    except OSError:
        return ""
    facts = (sys.version, file.st_size, file.st_mtime_ns, list(_facts(code)))
    return "source-" + hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _facts(code: CodeType) -> Iterator[Any]:
    """What tells a function from all others of its file."""
    yield code.co_filename, code.co_qualname, code.co_firstlineno, code.co_code, code.co_linetable, code.co_freevars
    for inner in code.co_consts:
        if type(inner) is CodeType:
            yield from _facts(inner)


def has_control(code: CodeType) -> bool:
    """Whether code, or a function inside it, has a jump: a loop, a branch or a logical operator."""
    if any(op in _JUMPS for op in code.co_code[::2]):
        return True
    return any(has_control(c) for c in code.co_consts if type(c) is CodeType)


def is_library(code: CodeType) -> bool:
    """Whether a function belongs to lazynp, to the standard library or to an installed package: those are run as they are."""
    name = code.co_filename
    return is_ours(code) or name.startswith(_LIBRARIES) or f"{os.sep}site-packages{os.sep}" in name or name.startswith("<frozen")


_LIBRARIES = tuple(
    {os.path.join(p, "") for p in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__))}
)


# --- finding the source ------------------------------------------------------------------------------------------------


def _rewrite(function: FunctionType) -> CodeType:
    code = function.__code__
    for tree in _trees_of(function):
        new = rewritten(tree)
        if _fingerprint(_compiled(bare(tree), function)) == _fingerprint(code):
            return _named(_compiled(new, function), code)
    raise Refused(f"its source has changed ({code.co_filename}, line {code.co_firstlineno})")


def _named(new: CodeType, code: CodeType) -> CodeType:
    """The new code, and the bodies inside it, under the name of the user's function: tracebacks show it."""
    inner = [_named(c, code) if type(c) is CodeType and c.co_name.startswith("_lazynp_") else c for c in new.co_consts]
    return new.replace(co_consts=tuple(inner), co_name=code.co_name, co_qualname=code.co_qualname)


def _fingerprint(code: CodeType) -> Any:
    """What edited source would change. Not all bytecode: calls of methods of imported modules compile differently inside the factory."""
    operators = [pair for pair in zip(code.co_code[::2], code.co_code[1::2], strict=True) if pair[0] in _OPERATORS]
    values = [repr(c) for c in code.co_consts if type(c) is not CodeType]
    inner = [_fingerprint(c) for c in code.co_consts if type(c) is CodeType]
    return code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars, values, operators, inner


_OPERATORS = frozenset(
    [dis.opmap[name] for name in ("BINARY_OP", "COMPARE_OP", "CONTAINS_OP", "IS_OP", "UNARY_INVERT", "UNARY_NEGATIVE") if name in dis.opmap]
)


def _compiled(tree: Any, function: FunctionType) -> CodeType:
    """The code of a definition in the place of the function."""
    module = ast.fix_missing_locations(ast.Module([_factory(tree, function)], []))
    return _find(compile(module, function.__code__.co_filename, "exec", dont_inherit=True), tree)


def _trees_of(function: FunctionType) -> Iterator[Any]:
    """The definition of a function or lambda as a tree with the positions of its file, first as far as its code reaches (what follows there
    may be without effect), then as far as its source does. Raises Refused."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        raise Refused(f"its source is not available ({code.co_filename})")
    if code.co_name == "<lambda>":
        yield _lambda_in(_whole(code.co_filename, lines), code)
        return
    first = code.co_firstlineno
    for block in (lambda: lines[first - 1 : _last_line(code)], lambda: inspect.getblock(lines[first - 1 :])):
        try:
            tree = ast.parse(_padded(block()))
        except (SyntaxError, IndexError, ValueError, IndentationError):
            continue
        ast.increment_lineno(tree, first - 2)
        yield from _definition_in(tree, code)
    yield from _definition_in(_whole(code.co_filename, lines), code)


def _last_line(code: CodeType) -> int:
    """The last line that has code: by the positions, without the tokens of the source."""
    inner = [_last_line(c) for c in code.co_consts if type(c) is CodeType]
    return max([code.co_firstlineno, *inner, *[end or 0 for _, end, _, _ in code.co_positions()]])


def _definition_in(tree: Any, code: CodeType) -> Iterator[Any]:
    """The definition of a function in a tree, if it is there."""
    for node in _around(tree, code.co_firstlineno):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name and _matches(node.args, code):
            if min([node.lineno, *[d.lineno for d in node.decorator_list]]) == code.co_firstlineno:
                yield node
                return


def _around(tree: Any, line: int) -> Iterator[Any]:
    """The nodes of a tree that may reach over a line; walking through all of a long file takes longer than reading it."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        first = min([getattr(node, "lineno", 0), *[d.lineno for d in getattr(node, "decorator_list", ())]])
        if first <= line <= (getattr(node, "end_lineno", None) or line):
            yield node
            waiting += ast.iter_child_nodes(node)


def _padded(block: list[str]) -> str:
    """An indented definition as a module: one line more, columns as they are."""
    indented = block[0][:1] in (" ", "\t")
    return ("if 1:\n" if indented else "\n") + "".join(block)


def _whole(filename: str, lines: list[str]) -> ast.Module:
    """The tree of a file."""
    known = _trees.get(filename)
    if known is None or known[0] is not lines:
        try:
            known = _trees[filename] = (lines, ast.parse("".join(lines)))
        except SyntaxError:
            raise Refused(f"its source cannot be parsed ({filename})") from None
    return known[1]


def _lambda_in(tree: ast.Module, code: CodeType) -> ast.Lambda:
    """The lambda whose body spans the columns of the code."""
    places = [p for p in code.co_positions() if p[0] is not None and p[2] is not None and p[0] != 0]
    found = []
    for node in _around(tree, code.co_firstlineno):
        if isinstance(node, ast.Lambda) and node.lineno <= code.co_firstlineno <= (node.end_lineno or 0) and _matches(node.args, code):
            body = node.body
            inside = all(
                (body.lineno, body.col_offset) <= (p[0], p[2]) and (p[1], p[3]) <= (body.end_lineno, body.end_col_offset)  # type: ignore[operator]
                for p in places
                if p[2] != p[3]
            )
            if inside:
                found.append(node)
    if len(found) > 1:  # the innermost
        found.sort(key=lambda n: ((n.end_lineno or 0) - n.lineno, (n.end_col_offset or 0) - n.col_offset))
        found = [n for n in found if not any(m is not n and m in list(ast.walk(n)) for m in found)]
    if len(found) != 1:
        raise Refused(f"its source cannot be told from others on the line ({code.co_filename}, line {code.co_firstlineno})")
    return found[0]


def _matches(arguments: ast.arguments, code: CodeType) -> bool:
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None]
    count = (
        code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    )
    return [_demangled(n) for n in code.co_varnames[:count]] == [_demangled(n) for n in names]


def _demangled(name: str) -> str:
    """_Class__name as it stands in the source: __name."""
    head, separator, tail = name.partition("__")
    return "__" + tail if separator and tail and head.startswith("_") and len(head) > 1 else name


# --- compiling it --------------------------------------------------------------------------------------------------------


def _factory(tree: Any, function: FunctionType) -> ast.stmt:
    """def factory(runtime, *free variables): def function ... : gives the new code the free variables of the old one."""
    names = [RUNTIME, *function.__code__.co_freevars]
    if "__class__" in names:
        raise Refused("it uses __class__")
    inner: Any = tree if isinstance(tree, ast.FunctionDef) else ast.copy_location(ast.Expr(tree), tree)
    owner = _class_of(tree, function)
    own_name: list[ast.stmt] = []
    if isinstance(tree, ast.FunctionDef) and tree.name not in names and not owner:
        own_name = [ast.copy_location(ast.Global([tree.name]), tree)]  # a function that calls itself finds itself where the old one did
    if owner:
        names = [_demangled(n) for n in names]
        inner = ast.copy_location(ast.ClassDef(owner, [], [], [inner], []), tree)
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg(n) for n in names], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.copy_location(ast.FunctionDef(_FACTORY, arguments, [*own_name, inner], []), tree)


def _class_of(tree: Any, function: FunctionType) -> str:
    """The class by whose name Python mangles private names in the function; empty where it has none."""
    private = any(
        name.startswith("__") and not name.endswith("__")
        for node in ast.walk(tree)
        for name in (getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "arg", "") or "")
        if type(name) is str
    )
    parts = [p for p in function.__qualname__.split(".")[:-1] if p != "<locals>"]
    return parts[-1] if private and parts else ""


def _find(module: CodeType, tree: Any) -> CodeType:
    """The code of the rewritten function inside the compiled factory."""
    name = tree.name if isinstance(tree, ast.FunctionDef) else "<lambda>"
    (factory,) = [c for c in module.co_consts if type(c) is CodeType and c.co_name == _FACTORY]
    scopes = [factory, *[c for c in factory.co_consts if type(c) is CodeType]]
    for scope in scopes:
        for inner in scope.co_consts:
            if type(inner) is CodeType and inner.co_name == name and inner is not factory:
                return inner
    raise Refused("its rewritten form was not found")
