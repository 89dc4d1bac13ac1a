"""A program's own source on lazynp: its import statements of NumPy mean lazynp, those of the libraries it uses do not.

Own source is the program and every module below the program's directory, except what is installed there (site-packages). The
import statements are replaced in the syntax tree; all positions stay, so a traceback shows the program's own lines. Imports by
call, `importlib.import_module("numpy")`, are left alone.
"""

import ast
import builtins
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, FrameType, ModuleType
from typing import Any

MODULES = {"numpy": "lazynp", "numpy.linalg": "lazynp.linalg", "numpy.fft": "lazynp.fft", "numpy.random": "lazynp.random"}
"""NumPy's modules of which lazynp has its own; `import numpy.testing as t` stays NumPy's."""

_LEAVING_MAIN = "__lazynp_leaving_main__"
_INSTALLED = frozenset({"site-packages", "dist-packages"})


class _Imports(ast.NodeTransformer):
    """Replaces the imports of NumPy, at any depth."""

    def visit_Import(self, node: ast.Import) -> ast.Import:
        node.names = [new for name in node.names for new in self._replaced(name)]
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.level == 0:
            node.module = MODULES.get(node.module or "", node.module)
        return node

    def _replaced(self, name: ast.alias) -> list[ast.alias]:
        """`import numpy.testing` binds "numpy" to lazynp, but first imports the submodule, which may be missing."""
        target = MODULES.get(name.name, name.name)
        if name.asname is not None or not name.name.startswith("numpy."):
            bound = name.asname or ("numpy" if name.name == "numpy" else None)
            return [ast.copy_location(ast.alias(target, bound), name)]
        return [ast.copy_location(ast.alias(n, "numpy"), name) for n in (target, "lazynp")]


def compile_source(source: bytes, path: str, on_lazynp: bool = True, watch_main: bool = False) -> CodeType:
    """The code of a program's file. watch_main: `main()` reports its frame when it ends. Raises SyntaxError as Python does."""
    tree: Any = compile(source, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    if on_lazynp:
        tree = _Imports().visit(tree)
    if watch_main:
        for function in _functions_called_main(tree):
            function.body = _with_report(function.body)
    return compile(tree, path, "exec", dont_inherit=True)


def _functions_called_main(tree: ast.Module) -> Iterator[Any]:
    """`def main` of the module, also below an `if` or `try`, but not inside a class or function."""
    pending: list[Any] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name == "main":
                yield node
        elif not isinstance(node, ast.ClassDef):
            pending.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.excepthandler)))


def _with_report(body: list[ast.stmt]) -> list[ast.stmt]:
    """try: body  finally: report(). The docstring and every line number stay; a profile function would slow down every call."""
    start = 1 if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else 0
    if start == len(body):
        return body
    call = ast.Expr(ast.Call(ast.Name(_LEAVING_MAIN, ast.Load()), [], []))
    guarded = ast.Try(body=body[start:], handlers=[], orelse=[], finalbody=[call])
    last = body[-1]
    for node in ast.walk(call):
        if isinstance(node, (ast.stmt, ast.expr)):
            node.lineno = node.end_lineno = last.end_lineno or last.lineno
            node.col_offset = node.end_col_offset = last.end_col_offset or 0
    return [*body[:start], ast.copy_location(guarded, body[start])]


def watch_main(on_leaving: Callable[[FrameType], None]) -> None:
    """From now on a `main()` compiled with watch_main calls on_leaving(its frame) when it returns or raises."""
    setattr(builtins, _LEAVING_MAIN, lambda: on_leaving(sys._getframe(1)))


class _OwnLoader(SourceFileLoader):
    """Compiles from the source each time: a .pyc of the replaced imports must not be found by a plain Python, nor the reverse."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile_source(self.get_data(path), path)


class OwnModules:
    """A finder for the modules in one directory: the program's own. Found where Python would find them."""

    def __init__(self, directory: str) -> None:
        self.directory = os.path.join(os.path.realpath(directory), "")

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec with a loader that replaces imports, or None: not an own module, the next finder's turn."""
        if fullname.partition(".")[0] in ("numpy", "lazynp"):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or not self._owns(spec.loader.path):
            return None
        spec.loader = _OwnLoader(spec.loader.name, spec.loader.path)
        return spec

    def _owns(self, path: str) -> bool:
        real = os.path.realpath(path)
        if not real.startswith(self.directory) or real.startswith(_standard_library()):
            return False
        return _INSTALLED.isdisjoint(real[len(self.directory) :].split(os.sep))


def _standard_library() -> str:
    return os.path.join(os.path.realpath(os.path.dirname(os.__file__)), "")


def use_own_modules(directory: str) -> None:
    """From now on modules imported from the directory use lazynp. Built-in and frozen modules keep their precedence."""
    place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(place, OwnModules(directory))  # type: ignore[arg-type]


@contextmanager
def without_lazynp() -> Iterator[None]:
    """Inside, `import lazynp` raises ModuleNotFoundError as where it is not installed: a comparison needs NumPy's own answer."""
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "lazynp"}
    for name in hidden:
        del sys.modules[name]
    sys.modules["lazynp"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.update(hidden)
