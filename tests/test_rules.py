"""Every rewrite rule, tested by itself: its pattern, filled with random inputs, is a graph; what it becomes must have the same value.

exact: the same bytes (or the last two digits, for rules about `power`); stable: nowhere further from the truth, which is computed with
900 digits; fast: equal up to rounding where nothing is extreme."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from highprecision import true_values

import lazynp
from lazynp.backends.reference import evaluate
from lazynp.ir.node import Graph, Node, constant, input_, new_input
from lazynp.ir.op import Pattern
from lazynp.ir.rewrite import Moved, Rule, Var, rewrite
from lazynp.ir.types import ArrayType
from lazynp.ir.verify import verify
from lazynp.ops import elementwise as ew
from lazynp.ops import reduction as red
from lazynp.ops.contraction import contract
from lazynp.ops.indexing import gather, update
from lazynp.ops.library import det
from lazynp.ops.movement import Step, broadcast, diagonal, embed_diagonal, follow, join, pad, permute, reshape, slice_
from lazynp.ops.structured import call, item
from lazynp.optimize.contract import contraction
from lazynp.optimize.diagonals import diagonals
from lazynp.optimize.fast import fast
from lazynp.optimize.fold import fold
from lazynp.optimize.moves import moves
from lazynp.optimize.passes import algebra, logsumexp, softmax
from lazynp.optimize.simplify import simplify, undetach
from lazynp.optimize.stabilize import stabilize

SETS = (undetach, simplify, moves, fold, stabilize, diagonals, contraction, softmax, logsumexp, fast)
RULES = [rule for rules in SETS for rule in rules]
PATTERNED = [rule for rule in RULES if rule.pattern is not None]
SHAPE = (3, 4)
F8, F4, I8, BOOL, C16 = (np.dtype(code) for code in ("f8", "f4", "i8", "?", "c16"))
_DIAGONAL = (Step(reshape, ((16,),)), Step(slice_, ((0,), (5,), (4,))))
_REGION = (Step(slice_, ((1, 0), (1, 2), (2, 2))),)


# --- filling patterns ------------------------------------------------------------------------------------------------


class Filling:
    """Nodes for the variables of a pattern, all inputs of one dtype."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.bound: dict[str, Any] = {}
        self.inputs: list[Node] = []

    def fill(self, pattern: Any, shape: tuple[int, ...] = SHAPE) -> Any:
        if isinstance(pattern, Var):
            if pattern.name not in self.bound:
                self.bound[pattern.name] = self._variable(pattern, shape)
            return self.bound[pattern.name]
        if isinstance(pattern, Moved):
            return _spread(self.fill(pattern.args[0], shape), shape)
        if isinstance(pattern, Pattern):
            assert pattern.op is not None
            shapes = [_argument_shape(pattern.op, i, shape) for i in range(len(pattern.args))]
            args = [self.fill(a, s) for a, s in zip(pattern.args, shapes, strict=True)]
            return pattern.op(*args, **{name: self._attribute(name, value) for name, value in pattern.attrs.items()})
        return pattern

    def _variable(self, pattern: Var, shape: tuple[int, ...]) -> Any:
        if pattern.name == "shifted":
            x = self.fill(Var("x"), shape)
            return x - _spread(red.reduce_maximum(x, (1,)), shape) if x.dtype == self.dtype else x
        conditions = (self.dtype, BOOL) if pattern.name in ("any_",) else (self.dtype,)
        for dtype in (*conditions, BOOL):
            for candidate in (new_input(ArrayType(shape, dtype)), constant(0.5, dtype)):
                if pattern.accepts is None or pattern.accepts(candidate):
                    self.inputs += [candidate] if candidate.op is input_ else []
                    return candidate
        raise LookupError(f"{pattern} takes no {self.dtype}")

    def _attribute(self, name: str, value: Any) -> Any:
        return {"axes": (1,), "path": _REGION}[name] if isinstance(value, Var) else value


def _argument_shape(op: Any, position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    if op is det:
        return (4, 4)
    return (2, 2) if op is update and position == 1 else shape


def _spread(reduced: Node, shape: tuple[int, ...]) -> Node:
    return broadcast(reshape(reduced, (*reduced.shape, 1)), shape)


def _filled(rule: Rule, dtype: np.dtype) -> tuple[list[Node], Node]:
    """The rule's formula over inputs of that dtype. Raises LookupError where it is for other dtypes only."""
    filling = Filling(dtype)
    try:
        before = filling.fill(rule.pattern)
    except TypeError as error:
        raise LookupError(f"the formula has no loop for {dtype}") from error
    if rule.apply(before) is None:
        raise LookupError(f"{rule} leaves {dtype} alone")
    return filling.inputs, before


def _fitting(rule: Rule) -> list[np.dtype]:
    found = []
    for dtype in (F8, F4, I8, BOOL, C16):
        with contextlib.suppress(LookupError):
            _filled(rule, dtype)
            found.append(dtype)
    return found


def _run(output: Node, inputs: list[Node], values: list[np.ndarray]) -> np.ndarray:
    return evaluate(Graph(tuple(inputs), (output,)), values)[0]


def _specials(dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    if dtype.kind == "b":
        return rng.random(SHAPE) < 0.5
    if dtype.kind == "i":
        return rng.choice([-(2**63), 2**63 - 1, -3, -1, 0, 1, 2, 7], SHAPE).astype(dtype)
    huge, small = (1e30, 1e-40) if dtype == F4 else (3.7e200, 1e-310)
    numbers = rng.choice([np.inf, -np.inf, np.nan, -0.0, 0.0, 1.0, -1.0, small, -huge, 2.5, 0.3, -0.7], SHAPE).astype(dtype)
    if dtype.kind == "c":
        numbers.imag = rng.choice([0.0, -0.0, 2.0, np.inf], SHAPE)
    return numbers


# --- exact -----------------------------------------------------------------------------------------------------------

_DIGITS = {"third_power": 2, "second_power": 1, "inverse_power": 1}
"""Rules whose two sides are both right but rounded differently, in ulp."""


_EXACT = [rule for rule in PATTERNED if rule.level == "exact"]


@pytest.mark.parametrize(("rule", "dtype"), [(rule, dtype) for rule in _EXACT for dtype in _fitting(rule)], ids=str)
def test_exact_rule(rule: Rule, dtype: np.dtype) -> None:
    inputs, before = _filled(rule, dtype)
    after = rule.apply(before)
    assert after is not None
    verify(Graph(tuple(inputs), (before, after)))
    assert after.type == before.type
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = [_specials(n.dtype, rng) if n.type.shape == SHAPE else rng.normal(size=n.type.shape).astype(n.dtype) for n in inputs]
        _same_bits(_run(before, inputs, values), _run(after, inputs, values), _DIGITS.get(rule.name, 0))


@pytest.mark.parametrize("rule", _EXACT, ids=repr)
def test_exact_rule_fits_some_dtype(rule: Rule) -> None:
    assert _fitting(rule)


def _same_bits(before: np.ndarray, after: np.ndarray, digits: int) -> None:
    assert before.dtype == after.dtype and before.shape == after.shape
    if before.dtype.kind == "c":
        _same_bits(before.real, after.real, digits)
        _same_bits(before.imag, after.imag, digits)
        return
    if before.dtype.kind == "f":
        finite = np.isfinite(before)
        np.testing.assert_array_equal(np.signbit(before[~np.isnan(before)]), np.signbit(after[~np.isnan(after)]))
        if digits:
            np.testing.assert_array_max_ulp(before[finite], after[finite], digits)
            before, after = before[~finite], after[~finite]
    np.testing.assert_array_equal(before, after)


# --- stable ----------------------------------------------------------------------------------------------------------

_DOMAIN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log1p_of": lambda x: np.abs(x),
    "log1p_of_negative": lambda x: -np.abs(x),
}
"""Where the formula has a real value, for rules that need it."""

_STABLE = [r for r in PATTERNED if r.level == "stable" and r.name != "log_determinant"]


def _draws(rng: np.random.Generator) -> list[np.ndarray]:
    return [
        rng.normal(size=SHAPE) * 3,
        rng.normal(size=SHAPE) * 10.0 ** rng.integers(-20, -5, SHAPE),
        rng.uniform(-40, 40, SHAPE),
        rng.choice([-1000.0, 1000.0, -745.5, 709.9, 0.5, 0.0], SHAPE),
    ]


@pytest.mark.parametrize("rule", _STABLE, ids=repr)
def test_stable_rule(rule: Rule) -> None:
    inputs, before = _filled(rule, F8)
    after = rule.apply(before)
    assert after is not None
    verify(Graph(tuple(inputs), (before, after)))
    rng = np.random.default_rng(2)
    domain = _DOMAIN.get(rule.name, lambda x: x)
    for draw in range(4):
        values = [domain(_draws(rng)[draw]) for _ in inputs]
        truth = true_values(before, dict(zip(inputs, values, strict=True)))
        largest = max(float(np.max(np.abs(v))) for v in values)
        _no_worse(_run(before, inputs, values), _run(after, inputs, values), truth, largest)


def _no_worse(before: np.ndarray, after: np.ndarray, truth: np.ndarray, largest: float) -> None:
    """Each element is as near to the truth as before, or as near as one rounding of the inputs (of size `largest`) allows."""
    for index in np.ndindex(truth.shape):
        true = truth[index]
        if true.is_nan():
            continue
        nearest = float(true)
        if not np.isfinite(nearest):
            assert after[index] == nearest or after[index] == before[index]
            continue
        allowed = 2.0**-50 * (1 + largest) * abs(nearest) + 5e-308
        assert _distance(after[index], true) <= max(_distance(before[index], true), allowed), (index, before[index], after[index], nearest)


def _distance(value: Any, true: Any) -> float:
    return abs(float(type(true)(float(value)) - true)) if np.isfinite(value) else np.inf


@pytest.mark.filterwarnings("ignore:overflow encountered in det")
def test_determinant_overflows_but_its_logarithm_does_not() -> None:
    x = new_input(ArrayType((300, 300), F8))
    before = ew.log(ew.absolute(det(x)))
    (after,) = rewrite([before], stabilize)
    value = np.eye(300) * 1e5
    assert np.isinf(_run(before, [x], [value])) and np.isclose(_run(after, [x], [value]), 300 * np.log(1e5))


def test_log_of_a_softmax_shifted_by_hand_is_finite() -> None:
    x = new_input(ArrayType(SHAPE, F8))
    shifted = ew.exp(x - _spread(red.reduce_maximum(x, (1,)), SHAPE))
    before = ew.log(shifted / _spread(red.reduce_add(shifted, (1,)), SHAPE))
    (after,) = rewrite([before], stabilize)
    value = np.array([[0, 1000, -1000, 5.0]] * 3)
    assert np.isinf(_run(before, [x], [value])).any()
    np.testing.assert_allclose(_run(after, [x], [value]), value - 1000)


# --- fast ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [r for r in PATTERNED if r.level == "fast"], ids=repr)
def test_fast_rule(rule: Rule) -> None:
    inputs, before = _filled(rule, F8)
    after = rule.apply(before)
    assert after is not None
    rng = np.random.default_rng(3)
    values = [rng.uniform(0.5, 2.0, n.type.shape) for n in inputs]
    np.testing.assert_allclose(_run(after, inputs, values), _run(before, inputs, values), rtol=1e-13, atol=1e-15)


# --- rules that look at the node -------------------------------------------------------------------------------------

_A = new_input(ArrayType((3, 4), F8))
_B = new_input(ArrayType((4, 5), F8))
_C = new_input(ArrayType((2, 3, 4), F8))
_ROW = new_input(ArrayType((1, 4), F8))
_N = new_input(ArrayType((3, 4), I8))
_S = new_input(ArrayType((), F8))
_INPUTS = [_A, _B, _C, _ROW, _N, _S]


def _product(xs: Any = (0, 1), ys: Any = (1, 2), out: Any = (0, 2), x: Node = _A, y: Node = _B) -> Node:
    return contract(x, y, xs, ys, out)


_WINDOW = {"starts": (1, 0), "steps": (1, 1), "sizes": (2, 4)}
_ROWS = (Step(slice_, ((1, 0), (1, 1), (2, 4))),)
_ALL = (Step(slice_, ((0, 0), (1, 1), (3, 4))),)
_BODY_IN = new_input(ArrayType((3, 4), F8))
_BODY = Graph((_BODY_IN,), (ew.sin(_BODY_IN), _BODY_IN * 3.0))

EXAMPLES: dict[str, list[Node]] = {
    "fewer_casts": [ew.cast(ew.cast(_A, np.complex128), np.float64), ew.cast.make((_A,), to=F8), ew.cast(ew.cast(ew.less(_N, 3), I8), F8)],
    "known_condition": [ew.where(True, _A, 2.0), ew.where(False, _A, 2.0)],
    "same_operands": [ew.maximum(_A, _A), ew.bitwise_and(_N, _N)],
    "one_permute": [permute(permute(_C, (1, 2, 0)), (2, 0, 1)), permute(permute(_C, (1, 2, 0)), (1, 0, 2))],
    "one_reshape": [reshape.make((reshape(_C, (6, 4)),), out_shape=(4, 6)), reshape.make((_A,), out_shape=(3, 4))],
    "one_broadcast": [
        broadcast.make((broadcast(_ROW, (3, 4)),), out_shape=(2, 3, 4)),
        broadcast.make((reshape(_A, (1, 3, 4)),), out_shape=(2, 3, 4)),
    ],
    "one_slice": [
        slice_(slice_(_C, (0, 2, 1), (1, -1, 1), (2, 3, 3)), (1, 1, 0), (-1, 1, 2), (2, 2, 2)),
        slice_.make((_A,), starts=(0, 0), steps=(1, 1), sizes=(3, 4)),
    ],
    "slice_of_broadcast": [slice_(broadcast(_ROW, (2, 3, 4)), (1, 1, 3), (1, 1, -2), (1, 2, 2))],
    "view_of_scalar": [permute(broadcast(_S, (2, 3)), (1, 0)), reshape(broadcast(_S, (2, 3)), (6,)), diagonal(broadcast(_S, (3, 3)), 0, 1)],
    "slice_of_pad": [slice_(pad(_A, starts=(1, 0), steps=(2, 1), out_shape=(9, 4)), (1, 0), (2, 1), (3, 4))],
    "nothing_padded": [
        pad(_A, starts=(0, 0), steps=(1, 1), out_shape=(3, 4)),
        pad(ew.filled((2,), 0, F8), starts=(1,), steps=(1,), out_shape=(4,)),
    ],
    "join_of_repeated": [join(ew.filled((2,), 3, F8), ew.filled((4,), 3, F8), axis=0)],
    "nothing_written": [update(_A, slice_(_A, **_WINDOW), path=_ROWS), update(_A, ew.sin(_A), path=_ALL)],
    "written_twice": [update(update(_A, ew.sin(slice_(_A, **_WINDOW)), path=_ROWS), ew.cos(slice_(_A, **_WINDOW)), path=_ROWS)],
    "on_the_circle": [
        ew.exp(ew.multiply(ew.cast(_A, np.complex128), 1j)),
        ew.exp(ew.divide(ew.negative(ew.multiply(-0.5j, ew.cast(_A, np.complex128))), ew.filled((3, 4), 8 + 0j, np.complex128))),
    ],
    "second_complex_power": [ew.power(ew.cast(_A, np.complex128), 2)],
    "read_back": [
        slice_(update(_A, ew.sin(slice_(_A, **_WINDOW)), path=_ROWS), **_WINDOW),
        reshape(
            slice_(update(_A, ew.filled((4,), 2, F8), path=(Step(slice_, ((1, 0), (1, 1), (1, 4))), Step(reshape, ((4,),)))),
                   (1, 0), (1, 1), (1, 4)), (4,)),
    ],
    "compute_before_repeating": [
        ew.exp(broadcast(_ROW, (3, 4))),
        broadcast(_ROW, (2, 3, 4)) + broadcast(_A, (2, 3, 4)),
        broadcast(_S, (3,)) * ew.filled((3,), 2, F8),
    ],
    "compute_before_reshaping": [ew.exp(reshape(_A, (3, 1, 4))), reshape(_A, (3, 1, 4)) * 2.0, ew.cast(reshape(_A, (3, 1, 4)), np.float32)],
    "inlined": [item(call(_A, body=_BODY), index=1) + item(call(_A, body=_BODY), index=0)],
    "folded": [
        ew.exp(constant(2.0)) * _A,
        red.reduce_add(constant(np.arange(4.0)), (0,)) * _A,
        permute(constant(np.arange(12.0).reshape(4, 3)), (1, 0)) + _A,
        ew.power(constant(np.arange(4)), constant(np.array([2, 1, 0, 3]))) * _N,
    ],
    "uniform_constant": [constant(np.ones(4)) + constant(np.arange(4.0))],
    "log_of_chosen": [
        ew.log(gather(ew.exp(_A), constant(np.array([2, 0])), constant(np.array([1, 1])), axes=(0, 1), position=0)),
        ew.log(slice_(ew.expit(_A), **_WINDOW)),
    ],
    "sum_of_repeated": [
        red.reduce_add(broadcast(_ROW, (3, 4)), (0,)),
        red.reduce_add(broadcast(_ROW, (2, 3, 4)), (0, 1, 2)),
        red.reduce_add(broadcast(_S, (3, 4))),
    ],
    "permuted_operand": [_product((1, 0), (1, 2), x=permute(_A, (1, 0))), _product((0, 1), (2, 1), y=permute(_B, (1, 0)))],
    "repeated_operand": [_product(x=broadcast(_ROW, (3, 4)), xs=(0, 1)), _product((3, 0, 1), out=(0, 3, 2), x=broadcast(_A, (4, 3, 4)))],
    "single_labels": [_product(x=_ROW), contract(_ROW, _A, (0, 1), (2, 1), (0, 2))],
    "lonely_labels": [contract(_A, _B, (0, 1), (1, 2), (2,))],
    "nothing_summed": [contract(_A, _B, (0, 1), (1, 2), (2, 0, 1)), contract(_A, _A, (0, 1), (0, 1), (1, 0))],
    "negated_operand": [_product(x=-_A), _product(y=-_B)],
    "matrix_product_of": [
        red.reduce_add(broadcast(reshape(_A, (3, 4, 1)), (3, 4, 5)) * broadcast(reshape(_B, (1, 4, 5)), (3, 4, 5)), (1,)),
        red.reduce_add(broadcast(_B, (3, 4, 5)) * broadcast(reshape(_A, (3, 4, 1)), (3, 4, 5)), (1,)),
    ],
    "diagonal_factor": [
        _product(x=embed_diagonal(reshape(_ROW, (4,)), axis1=0, axis2=1)),
        contract(_A, update(ew.filled((4, 4), 0, F8), reshape(_ROW, (4,)), _DIAGONAL), (0, 1), (2, 1), (2, 0)),
    ],
    "one_hot_factor": [
        _product(x=gather(embed_diagonal(ew.filled((4,), 1, F8), axis1=0, axis2=1), constant(np.array([3, -1, 0])), axes=(0,), position=0))
    ],
    "diagonal_of_product": [diagonal(_product(y=slice_(_B, (0, 0), (1, 1), (4, 3))), axis1=0, axis2=1)],
    "scalar_factor": [_product(x=_A * 2.5)],
    "better_order": [
        contract(_product(), slice_(_B, (0, 0), (1, 1), (1, 5)), (0, 1), (2, 1), (0,)),
        contract(slice_(_A, (0, 0), (1, 1), (1, 3)), _product(), (0, 1), (1, 2), (0, 2)),
    ],
    "squarings": [ew.power(_A, 5), ew.power(_A, 64), ew.power(_A, 13), ew.power(_A, -1.5), ew.power(_A, -0.5), ew.power(_A, 2.5)],
}  # fmt: skip


@pytest.mark.parametrize("rule", [r for r in RULES if r.pattern is None], ids=repr)
@pytest.mark.filterwarnings("ignore:Casting complex values")
def test_rule_on_examples(rule: Rule) -> None:
    (home,) = [rules for rules in SETS if rule in rules.all]
    rng = np.random.default_rng(4)
    values = [rng.integers(0, 3, n.type.shape) if n is _N else np.asarray(rng.uniform(0.5, 1.5, n.type.shape)) for n in _INPUTS]
    for before in EXAMPLES[rule.name]:
        fired: list[Rule] = []
        (after,) = rewrite([before], home.only(rule), lambda r, b, a, fired=fired: fired.append(r))
        assert rule in fired, f"{rule} does not fit {before}"
        verify(Graph(tuple(_INPUTS), (after,)))
        expected, found = _run(before, _INPUTS, values), _run(after, _INPUTS, values)
        assert expected.dtype == found.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rules_are_named_explained_and_unique() -> None:
    assert all(rule.reason and rule.line > 0 for rule in RULES)
    patterned = [repr(rule) for rule in PATTERNED]
    assert len(set(patterned)) == len(patterned) and len(RULES) >= 100
    assert {rule.name for rule in algebra} <= {rule.name for rule in RULES}


def test_follow_rebuilds_what_moved_saw() -> None:
    x = new_input(ArrayType(SHAPE, F8))
    node = _spread(red.reduce_add(x, (1,)), SHAPE)
    steps = ((reshape, ((3, 1),)), (broadcast, (SHAPE,)))
    assert follow(red.reduce_add(x, (1,)), steps) is node


PHASES = {
    "i t": lambda t: 1j * t,
    "wave": lambda t: -2j * np.pi * t / 8,
    "minus": lambda t: -(t * 2.5j),
    "quotient": lambda t: 2j * t / t,
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("phase", PHASES)
def test_phases(phase, dtype) -> None:
    """exp(iy) through cosines and sines: NumPy's values, also of zeros of both signs, infinities and NaN."""
    t = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, 5.5, 1e5], dtype)
    with np.errstate(all="ignore"):
        expected = np.exp(PHASES[phase](t))
        found = lazynp.jit(lambda t: np.exp(PHASES[phase](t)))(t)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=2e-15 if dtype is np.float64 else 1e-6, atol=np.finfo(dtype).eps)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found.imag)[known], np.signbit(expected.imag)[known])
