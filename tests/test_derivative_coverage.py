"""docs/derivatives_coverage.md is made of the tables that the tests run over: `python tests/test_derivative_coverage.py --write`.

A function stands in it because tests/test_differentiable.py checks its value, its derivatives (reverse, forward, of second order) and,
here, that vmap of it is a stacked loop; an op because tests/test_ops.py checks the same and its C."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy
import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from cases import cases, leaves
from differentiable import ROWS, Row
from test_differentiable import IDS, as_tuple
from test_ops import TESTED, lacks_partial, smooth_cases, smooth_outputs

import lazynp
from lazynp.backends.partition import has_c
from lazynp.functional.arguments import every_positional
from lazynp.functional.run import Run
from lazynp.ir.node import toposort
from lazynp.ir.op import Kind, Op
from lazynp.transform.derive import differentiable

PAGE = Path(__file__).parent.parent / "docs" / "derivatives_coverage.md"

ONE_BY_ONE = {
    "arange", "average", "cov", "diff", "geomspace", "gradient", "linalg.eig", "linalg.eigvals", "nonzero", "piecewise", "polyfit",
    "polymul", "real_if_close", "roots", "trapezoid", "trim_zeros", "x[True]", "x[mask of x]",
}  # fmt: skip
"""Functions of which some call looks at values: vmap runs it example by example, with a warning."""


def examples(row: Row) -> list[tuple[Any, ...]]:
    """The row's arguments, and others near them."""
    return [row.args, tuple([a * 0.97 if numpy.asarray(a).dtype.kind in "fc" else a for a in map(numpy.asarray, row.args)])]


@pytest.mark.parametrize("name", sorted(ONE_BY_ONE))
def test_one_by_one(name: str) -> None:
    rows = [row for row in ROWS if row.name == name]
    with lazynp.config(backend="reference"), pytest.warns(lazynp.PerformanceWarning, match="one after the other"):
        for row in rows:
            stacks = [numpy.stack(parts) for parts in zip(*examples(row), strict=True)]
            lazynp.vmap(lambda *args, row=row: as_tuple(row.function(lazynp, *args)))(*stacks)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_batched_is_a_stacked_loop(row: Row) -> None:
    both = examples(row)
    stacks = [numpy.stack(parts) for parts in zip(*both, strict=True)]
    with lazynp.config(backend="reference"), warnings.catch_warnings():
        warnings.simplefilter("ignore" if row.name in ONE_BY_ONE else "error", lazynp.PerformanceWarning)
        found = as_tuple(lazynp.vmap(lambda *args: as_tuple(row.function(lazynp, *args)))(*stacks))
        for number, args in enumerate(both):
            for one, other in zip(found, as_tuple(row.function(lazynp, *map(numpy.asarray, args))), strict=True):
                numpy.testing.assert_allclose(numpy.asarray(one)[number], numpy.asarray(other), rtol=1e-8, atol=1e-10)


# --- the page ------------------------------------------------------------------------------------------------------------


def steps_of(row: Row) -> set[str]:
    """The names of what is no C in the graph of a row: NumPy's and SciPy's routines, as steps of the program."""
    args = tuple([numpy.array(a) for a in row.args])
    run = Run("coverage", lambda *a: as_tuple(row.function(lazynp, *a)), every_positional("coverage", row.function, args), args, {})
    nodes = toposort(run.output_nodes()[0])
    return {n.function.rpartition(".")[2].strip("_") if n.op.name == "numpy_call" else n.op.name for n in nodes if _is_step(n)}


def _is_step(node: Any) -> bool:
    return node.op.kind is Kind.LIBRARY or (node.op.kind is Kind.ELEMENTWISE and not has_c(node))


def function_rows() -> list[str]:
    lines = []
    for name in sorted({row.name for row in ROWS}):
        rows = [row for row in ROWS if row.name == name]
        kinds = "".join([k for k in "fc" if any(numpy.asarray(a).dtype.kind == k for row in rows for a in row.args)])
        second = "yes" if any(row.order == 2 for row in rows) else "-"
        batched = "some one by one" if name in ONE_BY_ONE else "yes"
        steps = sorted(set().union(*[steps_of(row) for row in rows]))
        types = {"f": "real", "c": "complex", "fc": "real, complex"}[kinds]
        lines.append(f"| `{name}` | {types} | {len(rows)} | yes | yes | {second} | {batched} | {', '.join(steps) or 'kernels'} |")
    return lines


def derived(op: Op) -> bool:
    """Whether test_ops differentiates some case of the op."""
    for case in smooth_cases(op):
        inputs = leaves(case.args)
        if any(differentiable(n.type) and not lacks_partial(op, k) for k, n in enumerate(inputs)) and smooth_outputs(
            op, inputs, case.attrs
        ):
            return op.name != "loop"
    return False


def op_rows() -> list[str]:
    lines = []
    for op in sorted(TESTED, key=str):
        found = "yes" if derived(op) else "-"
        batched = "yes" if any(case.args for case in cases(op)) else "-"
        code = "step" if op.kind is Kind.LIBRARY else "kernels"
        lines.append(f"| `{op.name}` | {op.kind.value} | {found} | {found} | {found} | {batched} | {code} |")
    return lines


def page() -> str:
    functions, ops = function_rows(), op_rows()
    return f"""\
# Coverage of derivatives

Made by `python tests/test_derivative_coverage.py --write` from the tables that the tests run over, so every "yes" is a test that passes:
the inner-product identity of reverse and forward mode, differences of values, the same one order higher, `vmap` against a loop,
compiled code against NumPy. "Some one by one": vmap runs some call example by example, because it looks at values.
`lazynp.scipy.special` are the ops `special.*`; `lazynp.scipy.linalg` and `lazynp.scipy.stats` have tables of their own in
tests/test_scipy_linalg.py and tests/test_distributions.py.

* **calls**: how many are checked: 0-d, empty, broadcast, strided, batched arguments among them.
* **C**: `kernels`, or the routines of NumPy and SciPy that run as steps between kernels of the same program.

## {len(functions)} functions of NumPy

| function | arguments | calls | reverse | forward | second order | vmap | C |
|---|---|---:|---|---|---|---|---|
{chr(10).join(functions)}

## {len(ops)} operations of the graph

"-" under the derivatives: integers, booleans, random draws, or piecewise constant. Loops are in tests/test_loops.py.

| operation | kind | reverse | forward | second order | vmap | C |
|---|---|---|---|---|---|---|
{chr(10).join(ops)}
"""


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/test_derivative_coverage.py --write"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page())
