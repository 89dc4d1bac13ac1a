"""NumPy's test files, copied, with `import numpy` replaced by `import lazynp`; NumPy's private modules stay."""

import ast
import shutil
from pathlib import Path

import numpy

_POLYNOMIALS = ("chebyshev", "hermite", "hermite_e", "laguerre", "legendre", "polynomial", "polyutils")
REPLACED = (
    *("numpy", "numpy.linalg", "numpy.fft", "numpy.random", "numpy.testing", "numpy.polynomial"),
    *[f"numpy.polynomial.{name}" for name in _POLYNOMIALS],
)
"""The modules whose names a test takes from lazynp; all others stay NumPy's, and are given our arrays."""

_HELPERS = {"numpy.ma.testutils": "plain_testutils"}
"""Private helpers of NumPy's tests that look at types."""

PACKAGES = ("_core", "lib", "linalg", "fft", "random", "ma", "polynomial", "matrixlib")


def copy_suite(target: Path, use_lazynp: bool) -> None:
    """Copy the installed tests of every package, and NumPy's conftest.py, into `target`; rewritten if lazynp is to be tested."""
    source = Path(numpy.__file__).parent
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "conftest.py", target / "conftest.py")
    for package in PACKAGES:
        shutil.copytree(source / package / "tests", target / package / "tests", ignore=shutil.ignore_patterns("__pycache__", "__init__.py"))
    if use_lazynp:
        for file in sorted(target.glob("*/tests/*.py")):
            file.write_text(rewritten(file.read_text(encoding="utf-8")), encoding="utf-8")


def rewritten(source: str) -> str:
    """The source with its imports of NumPy's public modules turned into imports of lazynp. No line moves."""
    lines = source.splitlines()
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            new = _replacement(statement)
            if new != ast.unparse(statement):
                first, last = statement.lineno - 1, statement.end_lineno
                indent = lines[first][: statement.col_offset]
                lines[first:last] = [indent + new] + [""] * (last - first - 1)
    return "\n".join(lines) + "\n"


def _replacement(statement: ast.Import | ast.ImportFrom) -> str:
    if isinstance(statement, ast.ImportFrom):
        if statement.level or statement.module not in (*REPLACED, *_HELPERS):
            return ast.unparse(statement)
        return ast.unparse(
            ast.ImportFrom(_HELPERS.get(statement.module) or statement.module.replace("numpy", "lazynp", 1), statement.names, 0)
        )
    parts = [ast.unparse(ast.Import([_module(alias)])) for alias in statement.names]
    if any(alias.asname is None and alias.name.startswith("numpy.") for alias in statement.names):
        parts.append("import lazynp as numpy")  # `import numpy.x` binds the name numpy
    return "; ".join(parts)


def _module(alias: ast.alias) -> ast.alias:
    if alias.name not in REPLACED or (alias.asname is None and alias.name != "numpy"):
        return alias
    return ast.alias(alias.name.replace("numpy", "lazynp", 1), alias.asname or "numpy")
