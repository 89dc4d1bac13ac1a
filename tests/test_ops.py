"""Every op of the table against NumPy, against calculus and against its compiled form. A new op is tested by existing."""

from typing import Any

import numpy as np
import pytest
from cases import LEAVES, Case, build, cases, desired, generator, leaves, outputs, sample

from lazynp.backends import c, toolchain
from lazynp.backends.reference import evaluate
from lazynp.ir import canonical
from lazynp.ir.node import Graph, Node, constant, toposort
from lazynp.ir.op import Kind, Op, all_ops
from lazynp.ir.verify import verify
from lazynp.ops import elementwise as ew
from lazynp.ops import factors
from lazynp.ops.contraction import matmul
from lazynp.ops.indexing import scatter
from lazynp.ops.library import inv, random_draw, searchsorted
from lazynp.ops.movement import broadcast, reshape
from lazynp.ops.opaque import DERIVATIVES, numpy_call
from lazynp.ops.reduction import reduce_add
from lazynp.transform.batch import batch
from lazynp.transform.derive import differentiable, pullback, pushforward

TESTED = [op for op in all_ops() if op.name not in LEAVES]


def assert_near(actual: Any, expected: Any, ulps: float, what: str = "", normwise: bool = False, signs: bool = True) -> None:
    """Shape, dtype and values: NaN, infinities and signs of zero alike, the rest within so many units in the last place.
    normwise: units of the largest element, for sums; the sign of a zero is then open, as it is without `signs`."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    assert actual.dtype == expected.dtype, f"{what}: dtype {actual.dtype}, expected {expected.dtype}"
    if expected.dtype.kind not in "fc" or ulps == 0:
        np.testing.assert_array_equal(actual, expected, what)
        return
    with np.errstate(all="ignore"):
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(np.isfinite(actual), finite, what)
        size = np.abs(expected[finite])
        gap = np.abs(actual[finite] - expected[finite])
        unit = np.spacing(np.maximum(size.max(initial=0) if normwise else size, np.finfo(size.dtype).tiny))
    assert np.all(gap <= ulps * unit), f"{what}: off by {np.max(gap / unit)} ulp: {actual[finite]} for {expected[finite]}"
    if expected.dtype.kind == "f":
        np.testing.assert_array_equal(actual[~finite], expected[~finite], what)
        zero = (expected == 0) & (signs and not normwise)
        np.testing.assert_array_equal(np.signbit(actual[zero]), np.signbit(expected[zero]), what)


def describe(op: Op, case: Case) -> str:
    inner = ", ".join([f"{a.dtype}{a.shape}" for a in case.args] + [f"{k}={v}" for k, v in case.attrs.items()])
    return f"{op.name}({inner})"


def outcome(compute: Any) -> Any:
    """The values, or the class of the exception."""
    try:
        return compute()
    except (TypeError, ValueError, IndexError, OverflowError, np.linalg.LinAlgError) as error:
        return type(error)


def same_error(found: Any, wanted: Any) -> bool:
    """NumPy's class or a subclass; NumPy's private subclasses of TypeError count as TypeError."""
    if not (isinstance(found, type) and isinstance(wanted, type)):
        return False
    return issubclass(found, TypeError if issubclass(wanted, TypeError) else wanted)


EXTREMA = {"maximum", "minimum", "fmax", "fmin"}
"""Which of 0.0 and -0.0 is the larger: NumPy's own answer depends on the memory layout."""
CANCELLING = {"special.gammaln", "special.digamma", "logaddexp", "logaddexp2"}
"""The larger argument plus a correction: where the two cancel, the digits of the correction are all there is."""


def tolerance(op: Op) -> dict[str, Any]:
    """How closely two computations of an op agree: moved values exactly, functions elementwise, sums and factorisations normwise."""
    if op.kind in (Kind.MOVE, Kind.GATHER, Kind.UPDATE):
        return {"ulps": 0}
    if op.kind is Kind.ELEMENTWISE and op.name not in CANCELLING:
        return {"ulps": 4, "signs": op.name not in EXTREMA}
    return {"ulps": 64, "normwise": True}


# --- (1) the reference is NumPy --------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", TESTED, ids=str)
def test_reference_is_numpy(op: Op) -> None:
    """Values, dtypes and exception classes, over dtypes, layouts and special values."""
    computed = 0
    for case in cases(op):
        what = describe(op, case)
        expected = outcome(lambda case=case: desired(case))
        actual = outcome(lambda case=case: evaluate(build(op, case), list(case.args)))
        if isinstance(expected, type) or isinstance(actual, type):
            assert same_error(actual, expected), f"{what}: {actual}, NumPy: {expected}"
            continue
        computed += 1
        for one, other in zip(actual, expected, strict=True):
            assert_near(one, other, what=what, **tolerance(op))
    assert computed


# --- (4) C is the reference ------------------------------------------------------------------------------------------


def compiled(graph: Graph, name: str) -> Any:
    """A function of the inputs' arrays that runs the graph's program, as the runtime would build it."""
    compiler = toolchain.find_compiler()
    if compiler is None:
        pytest.skip(f"no C compiler here: {toolchain.missing_reason()}")
    form = canonical.take_apart(graph.outputs, {})
    graph_ = canonical.specific(form).graph
    program = c.compile(graph_, canonical.digest(graph_, name, compiler.fingerprint))
    places = [graph.inputs.index(leaf) for leaf in form.leaves]
    return lambda arrays: program.run([arrays[place] for place in places], ())


def block(x: Any) -> np.ndarray:
    """C-contiguous, as the runtime passes arrays to programs."""
    return np.array(x, order="C")


@pytest.mark.parametrize("op", TESTED, ids=str)
def test_compiled_is_numpy(op: Op) -> None:
    """Every case of an op as one program: values (special ones too), dtypes."""
    inputs: list[Node] = []
    values: list[np.ndarray] = []
    outs: list[Node] = []
    expected: list[tuple[str, np.ndarray]] = []
    for case in cases(op):
        found = outcome(lambda case=case: desired(case)) if case.compiled else None
        if isinstance(found, list):
            graph = build(op, case)
            inputs += graph.inputs
            values += map(block, case.args)
            outs += graph.outputs
            expected += [(describe(op, case), value) for value in found]
    results = compiled(Graph(tuple(inputs), tuple(outs)), op.name)(values)
    for result, (what, value) in zip(results, expected, strict=True):
        assert_near(result, value, what=what, **tolerance(op))


def failing(op: Op) -> list[Case]:
    return [case for case in cases(op) if isinstance(outcome(lambda case=case: desired(case)), type)]


@pytest.mark.parametrize("op", [op for op in TESTED if op.kind is Kind.LIBRARY and failing(op)], ids=str)
def test_compiled_raises_what_numpy_raises(op: Op) -> None:
    """Errors found when the program runs: a singular matrix."""
    for case in failing(op):
        run = compiled(build(op, case), op.name)
        with pytest.raises(outcome(lambda case=case: desired(case))):
            run(list(map(block, case.args)))


# --- (2) derivatives -------------------------------------------------------------------------------------------------

STEP = 1e-6
HERMITIAN = {"cholesky", "eigh", "eigvalsh"}


def smooth_cases(op: Op) -> list[Case]:
    """Cases in double precision, away from jumps, at which every value is finite."""
    if op is ew.stop_gradient:  # its derivative is not that of its values: tests/test_grad.py
        return []
    rng = generator(op)
    if op.kind is Kind.ELEMENTWISE and op.ufunc is not None:
        return [case for dtype in "dD" if (case := drawn_case(op, rng, np.dtype(dtype))) is not None]
    found = [case for case in cases(op) if any(a.dtype.char in "dD" for a in case.args)]
    found = [case for case in found if all(a.size and double(a) and np.all(np.isfinite(a)) for a in case.args)]
    found = [case for case in found if not refused(case)]
    return [case for case in found if isinstance(values := outcome(lambda case=case: desired(case)), list) and all(map(double, values))]


def refused(case: Case) -> bool:
    """numpy.maximum.at, draws from families that do not move with their parameters and NumPy's own routines have no derivative."""
    return case.attrs.get("combine") is ew.maximum or case.attrs.get("method") == "gamma" or opaque(case)


def lacks_partial(op: Op, position: int) -> bool:
    """Whether a special function has no derivative by an argument (the order of a Bessel function)."""
    return op.partials is not None and getattr(op.partials[position], "__name__", "") == "missing"


def opaque(case: Case) -> bool:
    """A call of a NumPy routine that does more than move elements."""
    return case.attrs.get("function", "numpy.partition").rpartition(".")[2] not in DERIVATIVES


def double(x: np.ndarray) -> bool:
    """Of double precision, or without a derivative."""
    return x.dtype.kind not in "fc" or x.dtype.char in "dD"


def drawn_case(op: Op, rng: np.random.Generator, dtype: np.dtype) -> Case | None:
    """One elementwise case from the op's own domain; None where NumPy has no loop for the dtype."""
    assert op.draw is not None and op.ufunc is not None
    args = []
    for position in range(op.ufunc.nin):
        x = op.draw(rng, (3, 4), position)
        if dtype.kind == "c" and x.dtype.kind == "f":
            x = x + 1j * op.draw(rng, (3, 4), position)
        args.append(x)
    return None if isinstance(outcome(lambda: op.ufunc(*args)), type) else Case(tuple(args), {}, None)


def smooth_outputs(op: Op, inputs: list[Node], attrs: dict[str, Any]) -> list[Node]:
    """The op's floating outputs as smooth functions of arbitrary inputs: Hermitian arguments, vectors freed of their phase."""
    if op.name in HERMITIAN:
        inputs = [(inputs[0] + factors.adjoint(inputs[0])) * 0.5]
    outs = list(outputs(op(*inputs, **attrs)))
    if op.name == "eigh":
        weights = np.arange(1.0, outs[0].shape[-1] + 1)
        outs[1] = matmul(outs[1] * constant(weights.astype(outs[1].dtype)), factors.adjoint(outs[1]))
    if op.name == "eig":
        values, vectors = outs
        outs = [values, matmul(vectors * broadcast(reshape(values, (*values.shape[:-1], 1, 3)), vectors.shape), inv(vectors))]
    if op.name == "svd":
        u, s, vh = outs
        outs = [s, matmul(u * constant(np.arange(1.0, s.shape[-1] + 1).astype(u.dtype)), vh)]
    return [out for out in outs if differentiable(out.type)]


def inner(pairs: Any) -> Node:
    """Re(sum(conj(a) * b)) over all pairs; None counts as zero."""
    total = constant(0.0)
    for a, b in pairs:
        if a is not None and b is not None:
            product = (ew.conjugate(a) if a.dtype.kind == "c" else a) * b
            total = total + reduce_add(ew.real(product) if product.dtype.kind == "c" else product)
    return total


def types_agree(nodes: Any, primals: Any) -> bool:
    return all(node is None or node.type == primal.type for node, primal in zip(nodes, primals, strict=True))


@pytest.mark.parametrize("op", TESTED, ids=str)
def test_derivatives(op: Op) -> None:
    """<ct, J t> == <vjp ct, t>; J t against central differences; both ways to the second derivative, and its differences."""
    if op.name == "loop":
        pytest.skip("the limits of the loop are inputs here: tests/test_loops.py differentiates loops whose number of turns is known")
    rng = generator(op)
    tested = 0
    for case in smooth_cases(op):
        what = describe(op, case)
        inputs = leaves(case.args)
        outs = smooth_outputs(op, inputs, case.attrs)
        places = [k for k, leaf in enumerate(inputs) if differentiable(leaf.type) and not lacks_partial(op, k)]
        wrt = [inputs[k] for k in places]
        if not outs:
            continue
        tested += 1
        t, u, ct = (leaves([sample(rng, n.shape, n.dtype) for n in nodes]) for nodes in (wrt, wrt, outs))
        forward, backward = pushforward(outs, wrt, t), pullback(outs, ct, wrt)
        assert types_agree(forward, outs), what
        assert types_agree(backward, wrt), what
        first, first_back = inner(zip(ct, forward, strict=True)), inner(zip(backward, t, strict=True))
        second = inner(zip(pullback([first], [constant(1.0)], wrt), u, strict=True))
        second_forward = pushforward([first_back], wrt, u)[0] or constant(0.0)
        values = [sample(rng, n.shape, n.dtype) for n in (*t, *u, *ct)]
        graph = Graph((*inputs, *t, *u, *ct), (inner(zip(ct, outs, strict=True)), first, first_back, second, second_forward))
        verify(graph)

        def at(step: float, along: int, case: Case = case, graph: Graph = graph, values: Any = values, places: Any = places) -> Any:
            args = list(case.args)
            for number, place in enumerate(places):
                args[place] = args[place] + step * values[along * len(places) + number]
            return [float(v) for v in evaluate(graph, [*args, *values])]

        _, one, back, two, two_forward = at(0.0, 0)
        assert one == pytest.approx(back, rel=1e-9, abs=1e-9), f"{what}: jvp and vjp disagree"
        assert one == pytest.approx((at(STEP, 0)[0] - at(-STEP, 0)[0]) / (2 * STEP), rel=1e-5, abs=1e-5), f"{what}: wrong derivative"
        assert two == pytest.approx(two_forward, rel=1e-8, abs=1e-8), f"{what}: second derivatives disagree"
        assert two == pytest.approx((at(STEP, 1)[1] - at(-STEP, 1)[1]) / (2 * STEP), rel=1e-4, abs=1e-4), f"{what}: wrong second derivative"

    if not tested:
        pytest.skip(f"{op.name} has no floating-point result of floating-point arguments: nothing to derive")


# --- (3) batching ----------------------------------------------------------------------------------------------------

BATCH = 3


def batched_args(op: Op, case: Case, which: tuple[int, ...]) -> list[np.ndarray]:
    """For the arguments listed, three examples: the case's own, permuted along every axis, and its own again."""
    found = list(case.args)
    for place in which:
        x = case.args[place]
        found[place] = np.stack([x, x if fragile(op, place, x) else x[tuple([slice(None, None, -1)] * x.ndim)], x])
    return found


def fragile(op: Op, place: int, x: np.ndarray) -> bool:
    """What cannot be turned around and stay a valid argument: what is searched, the state of a generator."""
    return (op is searchsorted and place == 0) or (x.dtype == np.uint64 and x.size == len(cases(random_draw)[0].args[0]))


def single(op: Op, case: Case, args: list[np.ndarray], which: tuple[int, ...], number: int) -> list[np.ndarray]:
    example = [a[number] if place in which else a for place, a in enumerate(args)]
    return evaluate(build(op, case._replace(args=tuple(example))), example)


@pytest.mark.parametrize("op", [op for op in TESTED if any(case.args for case in cases(op))], ids=str)
def test_batched_is_a_stacked_loop(op: Op) -> None:
    """Every argument batched alone, and all of them, over the dtypes and layouts of the op's cases."""
    tested = 0
    parts: list[tuple[Graph, list[np.ndarray], list[np.ndarray], str]] = []
    for case in cases(op):
        subsets = {(k,) for k in range(len(case.args))} | {tuple(range(len(case.args)))}
        for which in sorted(subsets):
            args = batched_args(op, case, which)
            expected = [outcome(lambda n=n, a=args, w=which, case=case: single(op, case, a, w, n)) for n in range(BATCH)]
            if any(isinstance(e, type) for e in expected):
                continue
            variables, inputs = leaves(case.args), leaves(args)
            outs = outputs(op(*variables, **case.attrs))
            places = {variables[k]: inputs[k] for k in which}
            found = batch(outs, places, BATCH)
            rest = [inputs[k] if k in which else variables[k] for k in range(len(inputs))]
            values = [node if node is not None else broadcast(out, (BATCH, *out.shape)) for node, out in zip(found, outs, strict=True)]
            graph = Graph(tuple(rest), tuple(values))
            verify(graph)
            what = f"{describe(op, case)} batched in {which}"
            wanted = [np.stack([e[k] for e in expected]) for k in range(len(outs))]
            for actual, value in zip(evaluate(graph, args), wanted, strict=True):
                assert_near(actual, value, what=what, **tolerance(op))
            tested += 1
            if case.compiled and any(a.dtype == float for a in args):
                parts.append((graph, args, wanted, what))
    assert tested
    compiled_agrees(op, parts)


def compiled_agrees(op: Op, parts: list[tuple[Graph, list[np.ndarray], list[np.ndarray], str]]) -> None:
    """The graphs as one program."""
    if not parts:
        return
    whole = Graph(tuple([i for g, *_ in parts for i in g.inputs]), tuple([o for g, *_ in parts for o in g.outputs]))
    results = iter(compiled(whole, f"{op.name} batched")([block(a) for _, args, *_ in parts for a in args]))
    for _, _, wanted, what in parts:
        for value in wanted:
            assert_near(next(results), value, what=f"{what}, compiled", **tolerance(op))


@pytest.mark.parametrize("op", [random_draw, scatter, numpy_call], ids=str)
def test_no_derivative_is_an_error(op: Op) -> None:
    """An op without a derivative says so, instead of giving zero."""
    for case in [case for case in cases(op) if refused(case)]:
        inputs = leaves(case.args)
        wrt = [leaf for leaf in inputs if differentiable(leaf.type)]
        outs = [o for o in outputs(op(*inputs, **case.attrs)) if differentiable(o.type)]
        if wrt and outs:
            with pytest.raises(TypeError, match="has no derivative"):
                pullback(outs, outs, wrt)
            with pytest.raises(TypeError, match="has no derivative"):
                pushforward(outs, wrt, wrt)


@pytest.mark.parametrize("op", [op for op in TESTED if op.kind in (Kind.ELEMENTWISE, Kind.REDUCE, Kind.ACCUMULATE)], ids=str)
@pytest.mark.parametrize("dtype", ["e", "f"])
def test_derivatives_keep_the_dtype(op: Op, dtype: str) -> None:
    """Half and single precision stay what they are, in tangents and cotangents, and so does every node between."""
    for case in [one for one in cases(op) if one.args and all(a.dtype.char == dtype or a.dtype.kind in "biu" for a in one.args)]:
        inputs = leaves(case.args)
        wrt = [leaf for leaf in inputs if differentiable(leaf.type)]
        outs = [] if isinstance(outcome(lambda case=case, inputs=inputs: op(*inputs, **case.attrs)), type) else [op(*inputs, **case.attrs)]
        outs = [o for o in outs if wrt and o.dtype.char == dtype]
        results = [*pullback(outs, outs, wrt), *pushforward(outs, wrt, wrt)]
        wider = [n for n in toposort([r for r in results if r is not None]) if n.dtype.kind == "f" and n.dtype.char != dtype]
        assert not wider, f"{describe(op, case)}: {wider}"
