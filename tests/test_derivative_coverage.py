"""docs/derivatives_coverage.md is made of the tables that the tests run over: `python tests/test_derivative_coverage.py --write`.

A function stands in it because tests/test_differentiable.py checks its value, its derivatives (reverse, forward, of second order) and,
here, that vmap of it is a stacked loop and that its values and derivatives, compiled, are the interpreter's; an op because
tests/test_ops.py checks the same; a function of SciPy's because of test_scipy_linalg.py, test_special.py or test_distributions.py."""

import functools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

import test_distributions
import test_scipy_linalg
import test_special
from cases import cases, leaves
from differentiable import ROWS, Row
from test_differentiable import IDS, Checked, as_tuple
from test_ops import TESTED, inner, lacks_partial, smooth_cases, smooth_outputs

import lazynp
from lazynp.backends import c, toolchain
from lazynp.backends.reference import evaluate
from lazynp.ir import canonical
from lazynp.ir.node import Graph, constant, toposort
from lazynp.ir.op import Kind, Op
from lazynp.runtime.storage import bound
from lazynp.transform.derive import differentiable, pullback, pushforward

PAGE = Path(__file__).parent.parent / "docs" / "derivatives_coverage.md"

ONE_BY_ONE = {
    "arange", "average", "cov", "geomspace", "gradient", "linalg.eig", "linalg.eigvals", "nonzero", "piecewise", "polyfit",
    "polymul", "real_if_close", "roots", "trim_zeros", "x[True]", "x[mask of x]",
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


NAMES = sorted({row.name for row in ROWS})


def first_order(c: Checked) -> list[Any]:
    """Values, tangents and cotangents."""
    return [*c.outs, *pushforward(c.outs, c.wrt, c.t), *pullback(c.outs, c.ct, c.wrt)]


def second_order(c: Checked) -> list[Any]:
    """The gradient of <ct, J t>, and the tangent of the gradient of <ct, f>."""
    along = inner(zip(c.ct, pushforward(c.outs, c.wrt, c.t), strict=True))
    gradient = [node for node in pullback(c.outs, c.ct, c.wrt) if node is not None]
    return [*pullback([along], [constant(1.0)], c.wrt), *pushforward(gradient, c.wrt, c.u)]


@functools.cache
def derivatives_of(name: str, order: int = 1) -> tuple[Graph, tuple[numpy.ndarray, ...]]:
    """One graph of the derivatives of all rows of a name, and what its inputs are."""
    inputs: list[Any] = []
    values: list[numpy.ndarray] = []
    outputs: list[Any] = []
    for row in [row for row in ROWS if row.name == name and row.order >= order]:
        checked = Checked(row)
        wanted = [node for node in (first_order if order == 1 else second_order)(checked) if node is not None]
        known = dict(zip([*checked.wrt, *checked.t, *checked.u, *checked.ct], [*checked.args, *checked.directions], strict=True))
        outside = {node: bound(node) for node in toposort(wanted) if node not in known and bound(node) is not None}
        inputs += [*known, *outside]
        values += [numpy.array(v, order="C") for v in (*known.values(), *outside.values())]
        outputs += wanted
    return Graph(tuple(inputs), tuple(outputs)), tuple(values)


@functools.cache
def program_of(name: str, order: int = 1) -> tuple[Any, list[int]]:
    """The compiled program of that graph, and which of its inputs it takes."""
    compiler = toolchain.find_compiler()
    if compiler is None:
        pytest.skip(f"no C compiler here: {toolchain.missing_reason()}")
    graph = derivatives_of(name, order)[0]
    form = canonical.take_apart(graph.outputs, {})
    known = canonical.specific(form).graph
    return c.compile(known, canonical.digest(known, name, compiler.fingerprint)), [graph.inputs.index(leaf) for leaf in form.leaves]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_compiled_derivatives_are_the_interpreters(name: str, order: int) -> None:
    graph, values = derivatives_of(name, order)
    if not graph.outputs:
        pytest.skip("linear or piecewise constant: there is no second derivative")
    program, places = program_of(name, order)
    with numpy.errstate(all="ignore"):
        expected = evaluate(graph, list(values))
    for found, wanted in zip(program.run([values[place] for place in places], ()), expected, strict=True):
        numpy.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10)
    assert steps_of(name) == written_steps(name), "run: python tests/test_derivative_coverage.py --write"


# --- layouts and precision of arguments -----------------------------------------------------------------------------------


def strided(a: Any) -> numpy.ndarray:
    """The same values, every other element of a block, backwards along the last axis."""
    a = numpy.asarray(a)
    if not a.ndim:
        return a
    view = numpy.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)[..., ::-2]
    view[...] = a
    return view


def single(a: Any) -> numpy.ndarray:
    a = numpy.asarray(a)
    return a.astype({"d": "f", "D": "F"}.get(a.dtype.char, a.dtype))


def cotangents(row: Row, args: list[numpy.ndarray]) -> list[numpy.ndarray]:
    outputs, pull = lazynp.vjp(lambda *a: as_tuple(row.function(lazynp, *a)), *args)
    ones = tuple([numpy.ones_like(o) if numpy.asarray(o).dtype.kind in "fc" else o for o in map(numpy.asarray, outputs)])
    return [numpy.asarray(g) for g in pull(ones)]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_layout_and_precision_of_arguments(row: Row) -> None:
    """Views in any layout have the gradients of their values, single precision has gradients of single precision."""
    with lazynp.config(backend="reference"), numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = cotangents(row, [numpy.array(a) for a in row.args])
        for found, wanted in zip(cotangents(row, [strided(a) for a in row.args]), plain, strict=True):
            numpy.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-10)
        for found, arg in zip(cotangents(row, [single(a) for a in row.args]), row.args, strict=True):
            assert found.dtype == single(arg).dtype


# --- the page ------------------------------------------------------------------------------------------------------------


def steps_of(name: str) -> str:
    """What the compiled program of a name's values and derivatives leaves to Python: NumPy's and SciPy's routines."""
    steps = program_of(name)[0].blueprint.steps
    return ", ".join(sorted({step_name(op, attributes) for op, attributes, *_ in steps})) or "kernels"


def written_steps(name: str) -> str:
    """The same, as the page has it."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |")]
    return lines[0].split("|")[-2].strip() if lines else "no row"


def step_name(op: Any, attributes: dict[str, Any]) -> str:
    name = attributes["function"].rpartition(".")[2].strip("_") if "function" in attributes else str(getattr(op, "name", op))
    return name


def function_rows(steps: Callable[[str], str]) -> list[str]:
    lines = []
    for name in sorted({row.name for row in ROWS}):
        rows = [row for row in ROWS if row.name == name]
        kinds = "".join([k for k in "fc" if any(numpy.asarray(a).dtype.kind == k for row in rows for a in row.args)])
        second = "yes" if any(row.order == 2 for row in rows) else "-"
        batched = "some one by one" if name in ONE_BY_ONE else "yes"
        types = {"f": "real", "c": "complex", "fc": "real, complex"}[kinds]
        lines.append(f"| `{name}` | {types} | {len(rows)} | yes | yes | {second} | {batched} | {steps(name)} |")
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


def special_rows() -> list[str]:
    """The compositions; the elementwise functions are ops of the graph."""
    return [f"| `special.{name}` | yes | yes | yes | - | as its parts |" for name in sorted(test_special.CALLS)]


def linalg_rows() -> list[str]:
    names = sorted({name for name, _, _ in test_scipy_linalg.ROWS})
    batched = {name: "-" if name in test_scipy_linalg.ONE_BY_ONE else "yes" for name in names}
    return [f"| `linalg.{name}` | yes | yes | yes | {batched[name]} |" for name in names]


def stats_rows() -> list[str]:
    methods: dict[str, set[str]] = {}
    for name, method, *_ in (*test_distributions.CALLS, *test_distributions.VECTORS):
        methods.setdefault(name, set()).add(method)
    batched = {name: "yes" if name in test_distributions.FAMILIES else "-" for name in methods}
    return [
        f"| `stats.{name}` | yes | yes | yes | {batched[name]} | {', '.join(sorted(found))} |" for name, found in sorted(methods.items())
    ]


def page(steps: Callable[[str], str]) -> str:
    functions, ops, special, matrices, densities = function_rows(steps), op_rows(), special_rows(), linalg_rows(), stats_rows()
    return f"""\
# Coverage of derivatives

Made by `python tests/test_derivative_coverage.py --write` from the tables that the tests run over, so every "yes" is a test that passes:
the inner-product identity of reverse and forward mode, differences of values, the same one order higher, `vmap` against a loop,
compiled code against NumPy. "Some one by one": vmap runs some call example by example, because it looks at values.

* **calls**: how many are checked: 0-d, empty, broadcast, strided, batched arguments among them. Every one is also differentiated
  with complex, empty, 0-d and stride-0 arguments, where NumPy takes them (tests/test_input_kinds.py), with strided ones and in single
  precision.
* **C**: what the compiled program of all calls, with their tangents and cotangents, runs: `kernels`, or these routines of NumPy and SciPy
  as steps between kernels. Derivatives of second order are compiled and compared as well.

## {len(functions)} functions of NumPy

| function | arguments | calls | reverse | forward | second order | vmap | C |
|---|---|---:|---|---|---|---|---|
{chr(10).join(functions)}

## {len(matrices)} functions of `lazynp.scipy.linalg`

Compiled programs run SciPy's and NumPy's routines as steps.

| function | reverse | forward | second order | vmap |
|---|---|---|---|---|
{chr(10).join(matrices)}

## {len(densities)} distributions of `lazynp.scipy.stats`

Derivatives by the argument, location, scale and shapes. vmap: of the (log-)density.

| distribution | reverse | forward | second order | vmap | methods |
|---|---|---|---|---|---|
{chr(10).join(densities)}

## `lazynp.scipy.special`

Elementwise functions are the operations `special.*` below.

| composition | reverse | forward | second order | vmap | C |
|---|---|---|---|---|---|
{chr(10).join(special)}

## {len(ops)} operations of the graph

"-" under the derivatives: integers, booleans, random draws, or piecewise constant. Loops are in tests/test_loops.py.

| operation | kind | reverse | forward | second order | vmap | C |
|---|---|---|---|---|---|---|
{chr(10).join(ops)}
"""


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(written_steps), "run: python tests/test_derivative_coverage.py --write"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(steps_of), encoding="utf-8")
    else:
        print(page(steps_of))
