"""Valid arguments for every op of the table: what tests/test_ops.py runs on.

`cases(op)` needs nothing for an elementwise op, a reduction or an accumulation: its ufunc says what it accepts and what it means. Ops whose
attributes have a meaning of their own (movement, library, indexing) have a row in `TABLE`: a function of a random generator that
yields `Case(args, attrs, expected)`; expected is NumPy's own answer, written without the op's code.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import lazynp.ops.matrices  # noqa: F401  (its ops are among those tested)
from lazynp.ir.body import canonical_bodies
from lazynp.ir.node import Graph, Node, new_dim, new_input
from lazynp.ir.op import Kind, Op
from lazynp.ir.types import ArrayType
from lazynp.ops import contraction, indexing, library, matrices, movement, opaque, reduction, special, structured
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import Step
from lazynp.ops.structured import item

DTYPES = [np.dtype(code) for code in "?bhilBHILefdFD"]
FLOATS = [np.dtype(code) for code in "efd"]
_REGISTERED = (contraction, ew, indexing, library, matrices, movement, opaque, reduction, special, structured)
"""Imported so that every op stands in the table."""


class Case(NamedTuple):
    """args: arrays; attrs of the op; expected: an array, a tuple of them, or a function without arguments that gives or raises it.
    compiled: whether the C backend has to show it, too: every dtype, but not every layout of every dtype (each is one more kernel)."""

    args: tuple[np.ndarray, ...]
    attrs: dict[str, Any]
    expected: Any
    compiled: bool = True


def generator(op: Op) -> np.random.Generator:
    """The same numbers for an op in every run."""
    return np.random.default_rng(zlib.crc32(op.name.encode()))


def leaves(arrays: Any) -> list[Node]:
    """Input leaves of the arrays' types."""
    return [new_input(ArrayType(np.shape(a), np.asarray(a).dtype)) for a in arrays]


def outputs(node: Node) -> tuple[Node, ...]:
    """The node's values: itself, or its items."""
    if isinstance(node.type, ArrayType):
        return (node,)
    return tuple([item(node, k) for k in range(len(node.type))])


def build(op: Op, case: Case) -> Graph:
    """The graph of one case; inputs in the order of its arguments. Raises what the op's door raises."""
    inputs = leaves(case.args)
    return Graph(tuple(inputs), outputs(op(*inputs, **case.attrs)))


def desired(case: Case) -> list[np.ndarray]:
    """NumPy's answer. Raises what NumPy raises."""
    with np.errstate(all="ignore"):
        value = case.expected() if callable(case.expected) else case.expected
    return [np.asarray(v) for v in value] if isinstance(value, tuple) else [np.asarray(value)]


# --- values ----------------------------------------------------------------------------------------------------------


def sample(rng: np.random.Generator, shape: Any, dtype: Any) -> np.ndarray:
    """Ordinary values of a dtype: small, of both signs, zeros among the integers."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -5, 8, shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.uniform(-2, 2, shape) + 1j * rng.uniform(-2, 2, shape)).astype(dtype)
    return rng.uniform(-2, 2, shape).astype(dtype)


def specials(dtype: Any) -> np.ndarray:
    """The values at which functions go wrong."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array([True, False])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        values = [0, 1, 2, 3, 7, info.max, info.max - 1, info.min] + ([-1, -2, -7] if dtype.kind == "i" else [])
        return np.array(values, dtype)
    real = np.array([0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2.5, 3, 1e-3, 10.75, -33.0, np.nan, np.inf, -np.inf], np.empty(0, dtype).real.dtype)
    if dtype.kind == "f":
        return real
    finite = real[np.isfinite(real)]
    return np.append(finite + 1j * finite[::-1], complex(np.nan, 1)).astype(dtype)


def layouts(rng: np.random.Generator, dtype: Any) -> list[np.ndarray]:
    """One array per memory layout that matters: 0-d, empty, strided, backwards, transposed, and one with special values."""
    return [
        sample(rng, (), dtype),
        sample(rng, (0, 3), dtype),
        sample(rng, (3, 8), dtype)[:, ::2],
        sample(rng, (9,), dtype)[::-1],
        sample(rng, (4, 3), dtype).T,
        specials(dtype),
    ]


# --- elementwise -----------------------------------------------------------------------------------------------------

_SECOND_OUTPUTS = {
    "modf_fraction": lambda x: np.modf(x)[0],
    "modf_integer": lambda x: np.modf(x)[1],
    "frexp_mantissa": lambda x: np.frexp(x)[0],
    "frexp_exponent": lambda x: np.frexp(x)[1],
}


def _expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.exp.resolve_dtypes((x.dtype, None))[1])))


def _complex(re: np.ndarray, im: np.ndarray) -> np.ndarray:
    out = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re, im, np.complex64))
    out.real, out.imag = re, im
    return out


def _conditions(rng: np.random.Generator) -> Iterator[Case]:
    for dtype in DTYPES:
        for x in layouts(rng, dtype):
            c, y = sample(rng, x.shape, bool), sample(rng, x.shape, rng.choice(DTYPES))
            yield Case((c, x, y), {}, lambda c=c, x=x, y=y: np.where(c, x, y))
    c, x, y = sample(rng, (4, 1), bool), sample(rng, (3,), float), sample(rng, (), np.float32)
    yield Case((c, x, y), {}, np.where(c, x, y))


def _casts(rng: np.random.Generator) -> Iterator[Case]:
    for source in DTYPES:
        for to in DTYPES:
            if not (source.kind == "c" and to.kind != "c"):  # numpy warns: part of complex values is lost
                x = sample(rng, (5,), source)
                x = np.abs(x) if to.kind == "u" and source.kind != "b" else x  # negative to unsigned is undefined for floats
                yield Case((x,), {"to": to}, x.astype(to), "d" in source.char + to.char or "l" in source.char + to.char)


def _parts(read: Callable[..., Any]) -> Callable[..., Iterator[Case]]:
    def rows(rng: np.random.Generator) -> Iterator[Case]:
        for dtype in ("F", "D"):
            for x in layouts(rng, dtype):
                yield Case((x,), {}, read(x))

    return rows


def _assemblies(rng: np.random.Generator) -> Iterator[Case]:
    for dtype in ("f", "d"):
        for x in layouts(rng, dtype):
            y = sample(rng, x.shape, dtype)
            yield Case((x, y), {}, _complex(x, y))


def elementwise(op: Op, rng: np.random.Generator) -> Iterator[Case]:
    """Every dtype and layout for one argument; for several, equal dtypes, mixed dtypes, broadcasting and all pairs of specials."""
    function = _SECOND_OUTPUTS.get(op.name) or (_expit if op.name == "expit" else op.ufunc)
    assert op.ufunc is not None and function is not None
    for dtype in DTYPES:
        if op.ufunc.nin == 1:
            rows = [(x,) for x in layouts(rng, dtype)]
        else:
            other = rng.choice(DTYPES)
            rows = [(x, sample(rng, x.shape, dtype)) for x in layouts(rng, dtype)]
            rows += [(sample(rng, (4, 1), dtype), sample(rng, (3,), other)), (sample(rng, (), other), sample(rng, (2, 3), dtype))]
            rows += [(specials(dtype)[:, None], specials(dtype))]
        for args in rows:
            yield Case(args, {}, lambda args=args: function(*args), dtype.char in "dl" or args is rows[-1])


# --- reductions, accumulations ---------------------------------------------------------------------------------------

_LINES = [((4, 3, 5), (0, 2)), ((4, 3, 5), (1,)), ((4, 3, 5), (0, 1, 2)), ((7,), (0,)), ((0, 3), (0,)), ((3, 0), (0,)), ((1, 6), (0,))]


def _fold_dtype(ufunc: np.ufunc, dtype: np.dtype) -> Any:
    """In what NumPy folds without widening: the loop's own dtype, or its choice where the loop's result is a boolean."""
    result = ufunc.resolve_dtypes((dtype, dtype, None))[2]
    return None if result.kind == "b" and ufunc in (np.logical_and, np.logical_or, np.logical_xor) else result


def _reduced(op: Op, x: np.ndarray, axes: tuple[int, ...]) -> Any:
    assert op.scalar is not None and op.scalar.ufunc is not None
    ufunc = op.scalar.ufunc
    dtype = _fold_dtype(ufunc, x.dtype)
    for axis in sorted(axes, reverse=True):
        x = ufunc.reduce(x, axis=axis, dtype=dtype)
    return x


def reductions(op: Op, rng: np.random.Generator) -> Iterator[Case]:
    for dtype in DTYPES:
        for shape, axes in _LINES:
            x = sample(rng, shape, dtype)
            yield Case((x,), {"axes": axes}, lambda x=x, axes=axes: _reduced(op, x, axes), dtype.char in "dl" or len(axes) == 2)
        for x in (sample(rng, (4, 12), dtype)[::-1, ::3], sample(rng, (5, 4), dtype).T):
            yield Case((x,), {"axes": (1,)}, lambda x=x: _reduced(op, x, (1,)), dtype.char in "dl")
        x = specials(dtype)
        yield Case((x,), {"axes": (0,)}, lambda x=x: _reduced(op, x, (0,)))


def accumulations(op: Op, rng: np.random.Generator) -> Iterator[Case]:
    assert op.scalar is not None and op.scalar.ufunc is not None
    ufunc = op.scalar.ufunc
    for dtype in DTYPES:
        for x, axis in (
            (sample(rng, (4, 3), dtype), 0),
            (sample(rng, (4, 6), dtype)[:, ::-2], 1),
            (sample(rng, (0,), dtype), 0),
            (specials(dtype), 0),
        ):
            yield Case((x,), {"axis": axis}, lambda x=x, axis=axis: ufunc.accumulate(x, axis=axis, dtype=_fold_dtype(ufunc, x.dtype)))


def arg_reductions(op: Op, rng: np.random.Generator) -> Iterator[Case]:
    function = getattr(np, op.name)
    for dtype in DTYPES:
        for x, axis in ((sample(rng, (4, 3), dtype), 0), (sample(rng, (4, 3), dtype)[:, ::-1], 1), (specials(dtype), 0)):
            yield Case((x,), {"axis": axis}, function(x, axis))
    yield Case((np.zeros((3, 0)),), {"axis": 1}, lambda: function(np.zeros((3, 0)), 1))


# --- movement --------------------------------------------------------------------------------------------------------

Rows = Iterator[Case]
_MOVED = [np.dtype(code) for code in "?bHleDd"]


def _of(*rows: Callable[[np.random.Generator, np.dtype], Case]) -> Callable[[np.random.Generator], Rows]:
    """Each row for several dtypes."""

    def all_rows(rng: np.random.Generator) -> Rows:
        for dtype in _MOVED:
            for row in rows:
                yield row(rng, dtype)

    return all_rows


def _moving(shape: tuple[int, ...], expected: Callable[[np.ndarray], Any], **attrs: Any) -> Callable[..., Case]:
    def row(rng: np.random.Generator, dtype: np.dtype) -> Case:
        x = sample(rng, shape, dtype)
        return Case((x,), attrs, expected(x))

    return row


def _after(rng: np.random.Generator, dtype: np.dtype) -> Case:
    x = sample(rng, (2, 3), dtype)
    return Case((x, sample(rng, (4,), float)), {}, x)


def _placed(x: np.ndarray, shape: tuple[int, ...], where: Any) -> np.ndarray:
    out = np.zeros(shape, x.dtype)
    out[where] = x
    return out


def _embedded(x: np.ndarray) -> np.ndarray:
    out = np.zeros((x.shape[1], x.shape[0], x.shape[1]), x.dtype)
    for k in range(x.shape[1]):
        out[k, :, k] = x[:, k]
    return out


def _overlapped(x: np.ndarray, length: int) -> np.ndarray:
    out = np.zeros((length,), x.dtype)
    for start in range(x.shape[0]):
        out[start : start + x.shape[1]] += x[start]
    return out


def _joins(rng: np.random.Generator) -> Rows:
    for dtype in _MOVED:
        for axis, shapes in ((0, [(2, 3), (0, 3), (1, 3)]), (1, [(2, 3), (2, 1)])):
            xs = tuple([sample(rng, shape, dtype) for shape in shapes])
            yield Case(xs, {"axis": axis}, np.concatenate(xs, axis))


_EINSUMS = ["ij,jk->ik", "i,i->", "i,j->ij", "bij,bjk->bik", "ij,k->i", "ij,ij->ji", ",i->i", "bij,jk->kbi", "ijk,kj->"]
_SIZES = dict(zip("ijkb", (4, 3, 5, 2), strict=True))


def _contractions(rng: np.random.Generator) -> Rows:
    for dtype in DTYPES:
        for text in _EINSUMS:
            x, y, out = text.replace("->", ",").split(",")
            args = tuple([sample(rng, tuple([_SIZES[letter] for letter in labels]), dtype) for labels in (x, y)])
            attrs = {name: tuple(map("ijkb".index, labels)) for name, labels in (("xs", x), ("ys", y), ("out", out))}
            yield Case(args, attrs, np.einsum(text, *args))
    empty = np.zeros((2, 0)), np.zeros((0, 3))
    yield Case(empty, {"xs": (0, 1), "ys": (1, 2), "out": (0, 2)}, np.zeros((2, 3)))


# --- indexing --------------------------------------------------------------------------------------------------------


def _gathers(rng: np.random.Generator) -> Rows:
    for dtype in _MOVED:
        x = sample(rng, (5, 4, 3), dtype)
        i, j = rng.integers(-5, 5, (2, 3)), rng.integers(-3, 3, (2, 3))
        yield Case((x, i), {"axes": (0,), "position": 0}, x[i])
        yield Case((x, i, j), {"axes": (0, 2), "position": 0}, np.moveaxis(x, 1, 2)[i, j])
        yield Case((x, j), {"axes": (2,), "position": 2}, x[:, :, j])
        yield Case((x, np.array(2)), {"axes": (1,), "position": 1}, x[:, 2])
        yield Case((x, np.zeros((0,), np.int64)), {"axes": (0,), "position": 0}, x[np.zeros((0,), np.int64)])


def _scattered(x: np.ndarray, new: np.ndarray, i: np.ndarray, combine: Op | None) -> np.ndarray:
    out = x.copy()
    if combine is None:
        out[i] = new
    else:
        assert combine.ufunc is not None
        combine.ufunc.at(out, i, new)
    return out


def _scatters(rng: np.random.Generator) -> Rows:
    for dtype in _MOVED:
        x, i = sample(rng, (5, 3), dtype), np.array([1, -1, 1, 0])
        new = sample(rng, (4, 3), dtype)
        for combine in (None, ew.add, ew.maximum):
            yield Case((x, new, i), {"axes": (0,), "position": 0, "combine": combine}, _scattered(x, new, i, combine))
        if dtype.kind == "f":
            yield Case((x, new, i), {"axes": (0,), "position": 0, "combine": ew.subtract}, _scattered(x, new, i, ew.subtract))
        out = x.copy()
        out[:, [2, 0]] = new[:2, :2].repeat(3, 0)[:5]
        columns = new[:2, :2].repeat(3, 0)[:5]
        yield Case((x, columns, np.array([2, 0])), {"axes": (1,), "position": 1, "combine": None}, out)


def _updates(rng: np.random.Generator) -> Rows:
    for dtype in _MOVED:
        x, new = sample(rng, (5, 6), dtype), sample(rng, (3, 2), dtype)
        slice_step = Step(movement.slice_, ((1, 5), (2, -3), (2, 2)))
        yield Case((x, new[:2]), {"path": (slice_step,)}, _written(x, (slice(1, 5, 2), slice(5, None, -3)), new[:2]))
        turned = Step(movement.permute, ((1, 0),))
        yield Case((x, new[:2].T), {"path": (slice_step, turned)}, _written(x, (slice(1, 5, 2), slice(5, None, -3)), new[:2]))
        square = sample(rng, (4, 4), dtype)
        line = sample(rng, (4,), dtype)
        filled = square.copy()
        np.fill_diagonal(filled, line)
        yield Case((square, line), {"path": (Step(movement.diagonal, (0, 1)),)}, filled)


def _written(x: np.ndarray, where: Any, new: np.ndarray) -> np.ndarray:
    out = x.copy()
    out[where] = new
    return out


# --- library ---------------------------------------------------------------------------------------------------------

_LAPACK = [np.dtype(code) for code in "fdFD"]


def _matrices(shape: tuple[int, ...], expected: Callable[[Any], Any], prepare: Callable[[Any], Any] = lambda a: a) -> Any:
    def rows(rng: np.random.Generator) -> Rows:
        for dtype in _LAPACK:
            for batch in ((), (2,)):
                a = prepare(sample(rng, (*batch, *shape), dtype))
                yield Case((a,), {}, expected(a))

    return rows


def regular(a: np.ndarray) -> np.ndarray:
    return a + 4 * np.eye(a.shape[-1], dtype=a.dtype)


def hermitian(a: np.ndarray) -> np.ndarray:
    return (a + np.conj(np.swapaxes(a, -1, -2))) / 2


def positive(a: np.ndarray) -> np.ndarray:
    return a @ np.conj(np.swapaxes(a, -1, -2)) + np.eye(a.shape[-1], dtype=a.dtype)


def _both(*rows: Callable[[np.random.Generator], Rows]) -> Callable[[np.random.Generator], Rows]:
    return lambda rng: (case for one in rows for case in one(rng))


def _singular(function: Callable[[Any], Any], a: np.ndarray) -> Callable[[np.random.Generator], Rows]:
    return lambda rng: iter([Case((a,), {}, lambda: function(a))])


def _solves(rng: np.random.Generator) -> Rows:
    for dtype in _LAPACK:
        for batch in ((), (2,)):
            a, b = regular(sample(rng, (*batch, 3, 3), dtype)), sample(rng, (*batch, 3, 2), dtype)
            yield Case((a, b), {}, np.linalg.solve(a, b))
    yield Case((np.zeros((2, 2)), np.ones((2, 1))), {}, lambda: np.linalg.solve(np.zeros((2, 2)), np.ones((2, 1))))


_RANK_TWO = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])


def _cofactors(a: np.ndarray) -> np.ndarray:
    """The adjugate by minors."""
    out = np.empty_like(a)
    for i in range(3):
        for j in range(3):
            minor = np.delete(np.delete(a, j, -2), i, -1)
            out[..., i, j] = (-1) ** (i + j) * (minor[..., 0, 0] * minor[..., 1, 1] - minor[..., 0, 1] * minor[..., 1, 0])
    return out


def _not_finite() -> list[Case]:
    x = np.array([1.0, np.nan])
    return [Case((x,), {}, lambda: np.asarray_chkfinite(x))]


def _triangular_solves(rng: np.random.Generator) -> Rows:
    for dtype in _LAPACK:
        for batch, lower, unit in (((), True, False), ((2,), False, False), ((), False, True)):
            a, b = regular(sample(rng, (*batch, 3, 3), dtype)), sample(rng, (*batch, 3, 2), dtype)
            read = np.tril(a) if lower else np.triu(a)
            if unit:
                read = np.where(np.eye(3, dtype=bool), a.dtype.type(1), read)
            yield Case((a, b), {"lower": lower, "unit": unit}, np.linalg.solve(read, b))
    yield Case(
        (np.zeros((2, 2)), np.ones((2, 1))), {"lower": True, "unit": False}, lambda: np.linalg.solve(np.zeros((2, 2)), np.ones((2, 1)))
    )


def _factored(a: np.ndarray) -> tuple[np.ndarray, ...]:
    """Row exchanges, L and U by elimination with the largest pivot."""
    if a.ndim > 2:
        return tuple([np.stack(parts) for parts in zip(*[_factored(x) for x in a], strict=True)])
    m, k = len(a), min(a.shape)
    work, rows = a.copy(), np.arange(m)
    for j in range(k):
        pivot = j + int(np.argmax(abs(work[j:, j].real) + abs(work[j:, j].imag)))
        work[[j, pivot]], rows[[j, pivot]] = work[[pivot, j]], rows[[pivot, j]]
        work[j + 1 :, j] /= work[j, j]
        work[j + 1 :, j + 1 :] -= np.outer(work[j + 1 :, j], work[j, j + 1 :])
    lower = np.tril(work[:, :k], -1) + np.eye(m, k, dtype=a.dtype)
    return np.argsort(rows), lower, np.triu(work[:k])


def _row_orders(of_exchanges: bool) -> Callable[[np.random.Generator], Rows]:
    def rows(rng: np.random.Generator) -> Rows:
        exchanges = np.array([[2, 3, 2, 3], [0, 1, 2, 3], [3, 3, 3, 3]], np.int32)
        orders = np.array([[2, 3, 0, 1], [0, 1, 2, 3], [3, 0, 1, 2]])
        places = np.argsort(orders, axis=1)
        yield Case((exchanges,), {}, orders) if of_exchanges else Case((places,), {}, exchanges)

    return rows


def _sylvester(rng: np.random.Generator) -> Rows:
    for dtype in _LAPACK:
        for batch in ((), (2,)):
            a, b, x = [sample(rng, (*batch, *shape), dtype) for shape in ((3, 3), (2, 2), (3, 2))]
            a, b = regular(a), regular(b)
            yield Case((a, b, (a @ x + x @ b).astype(dtype)), {}, x)


def _exponential(a: np.ndarray) -> np.ndarray:
    """By the power series: for small matrices."""
    wide = a.astype(np.result_type(a.dtype, float))
    total = term = np.broadcast_to(np.eye(a.shape[-1], dtype=wide.dtype), a.shape)
    for k in range(1, 40):
        term = term @ wide / k
        total = total + term
    return total.astype(a.dtype)


def _of_powers(op: str) -> Callable[[np.random.Generator], Rows]:
    """The inverse functions of matrix powers, on positive definite matrices."""

    def rows(rng: np.random.Generator) -> Rows:
        for dtype in _LAPACK:
            for batch in ((), (2,)):
                x = hermitian(sample(rng, (*batch, 3, 3), dtype))
                w, v = np.linalg.eigh(positive(x))
                value = (v * (np.log(w) if op == "logm" else np.sqrt(w))[..., None, :]) @ np.conj(np.swapaxes(v, -1, -2))
                yield Case((positive(x),), {}, value.astype(dtype))

    return rows


def _pseudo_inverses(rng: np.random.Generator) -> Rows:
    for dtype in _LAPACK:
        for shape in ((3, 3), (2, 4, 3), (3, 5)):
            a = sample(rng, shape, dtype)
            yield Case((a,), {"rcond": None}, np.linalg.pinv(a))


def _least_squares(rng: np.random.Generator) -> Rows:
    for dtype in _LAPACK:
        for shape in ((3, 3), (5, 3), (3, 5)):
            a, b = sample(rng, shape, dtype), sample(rng, (shape[0], 2), dtype)
            yield Case((a, b), {"rcond": 1e-6}, np.linalg.lstsq(a, b, 1e-6)[0])


def _nearest_unitary(a: np.ndarray) -> np.ndarray:
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return u @ vh


def _complex_eig(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eig(a)
    wide = np.result_type(a, np.complex64)
    return values.astype(wide), vectors.astype(wide)


_UNIT = {"erfinv", "logit", "ndtri", "betainc", "betaincc", "ellipk", "ellipe",
         "gammaincinv", "gammainccinv", "betaincinv", "betainccinv"}  # fmt: skip
"""Special functions whose last argument lies in (0, 1); erfcinv's in (0, 2); the others are tested on positive numbers."""


def _specials(name: str) -> Callable[[np.random.Generator], Rows]:
    def rows(rng: np.random.Generator) -> Rows:
        function = special.scipy_ufunc(name)
        for dtype in (np.dtype("f"), np.dtype("d")):
            for shape in ((4,), (), (2, 0), (3, 2)):
                args = [rng.uniform(0.4, 2.6, shape).astype(dtype) for _ in range(function.nin)]
                if name in ("jv", "yv", "iv", "kv", "ive", "kve"):
                    args[0] = np.full(shape, 2, dtype)
                if name == "binom":
                    args[0] += 3
                if name == "zeta":
                    args[0] += 1.5
                if name in _UNIT or name == "erfcinv":
                    args[-1] = rng.uniform(0.1, 0.9, shape).astype(dtype)
                yield Case(tuple(args), {}, function(*args))

    return rows


_BY_PARAMETERS = {
    "gammainc": ([[0.5, 1.5, 3, 20], [0.25, 4, 2.5, 18]], {
        (1,): [-0.79794731678322294051, -0.072358750346507844269, -0.247117357483268238, -0.084785567496640080117],
        (2,): [0.80966154619286057935, -0.072384049144994972485, 0.048672459662824084797, 0.0089882821284841051391],
    }),
    "betainc": ([[0.5, 1.5, 3, 20], [0.5, 4, 2.5, 18], [0.25, 0.75, 0.5, 0.5]], {
        (1, 0): [-0.64613189443890102819, -0.011616334859966567305, -0.16991413923583446484, -0.060378898906881801377],
        (0, 1): [0.43075459629260068546, 0.011066410226764132553, 0.18874640178207323266, 0.063718214526748813113],
        (1, 1): [-0.32791405236516187554, 0.01334975113682267449, -0.019928596368450428079, -0.0033613709451049670332],
    }),
}  # fmt: skip
"""Arguments, and by orders the derivatives of difference formulas in 60 digits."""


def _derived_by_parameters(name: str) -> Callable[[np.random.Generator], Rows]:
    def rows(rng: np.random.Generator) -> Rows:
        args, known = _BY_PARAMETERS[name]
        for dtype in (np.dtype("f"), np.dtype("d")):
            for orders, values in known.items():
                for shape in ((4,), (2, 2)):
                    given = tuple([np.asarray(a, dtype).reshape(shape) for a in args])
                    yield Case(given, {"orders": orders}, np.asarray(values, dtype).reshape(shape))

    return rows


def _sorts(function: Callable[..., Any]) -> Callable[[np.random.Generator], Rows]:
    def rows(rng: np.random.Generator) -> Rows:
        for dtype in DTYPES:
            for x, axis in ((sample(rng, (4, 5), dtype), 0), (sample(rng, (4, 5), dtype), -1), (specials(dtype), 0)):
                yield Case((x,), {"axis": axis, "method": "stable"}, function(x, axis, "stable"))

    return rows


def _searches(rng: np.random.Generator) -> Rows:
    for dtype in "ildf":
        a, v = np.sort(sample(rng, (9,), dtype)), sample(rng, (2, 5), dtype)
        for side in ("left", "right"):
            yield Case((a, v), {"side": side}, np.searchsorted(a, v, side))


def _transforms(name: str) -> Callable[[np.random.Generator], Rows]:
    function = getattr(np.fft, name)
    kinds = {"fft": "fdFD", "ifft": "fdFD", "rfft": "fd", "irfft": "FD"}[name]

    def rows(rng: np.random.Generator) -> Rows:
        for dtype in kinds:
            for axis, n, norm in ((-1, 5, None), (0, 6, "ortho"), (1, 4, "forward"), (0, 9, "backward"), (-1, 8, "ortho")):
                x = sample(rng, (6, 5), dtype)
                yield Case((x,), {"n": n, "axis": axis, "norm": norm}, function(x, n, axis, norm))

    return rows


def _draws(rng: np.random.Generator) -> Rows:
    families = [("gamma", (2.0, 3.0)), ("normal", (0.5, 2.0)), ("gumbel", (0.5, 2.0)), ("uniform", (-1.0, 3.0)), ("exponential", (2.0,))]
    for method, parameters, dtype in (("standard_normal", (), "d"), ("random", (), "f"), *[(m, p, "d") for m, p in families]):
        bits = np.random.PCG64(3)
        state = library.pack_state(bits)
        drawn = getattr(np.random.Generator(bits), method)(
            *parameters, size=(3, 2), **({"dtype": np.dtype(dtype)} if not parameters else {})
        )
        attrs = {"method": method, "generator": "PCG64", "size": (3, 2), "out_dtype": np.dtype(dtype)}
        yield Case((state, *map(np.asarray, parameters)), attrs, (library.pack_state(bits), drawn))


def _numpy_calls(rng: np.random.Generator) -> Rows:
    x = sample(rng, (4, 6), float)
    one = {"gather": False, "shapes": ((4, 6),), "dtypes": (np.dtype(float),)}
    yield Case((x,), {"function": "numpy.partition", "options": (("axis", 0), ("kth", 2)), **one}, np.partition(x, 2, 0))
    two = {"gather": True, "shapes": ((6,),), "dtypes": (np.dtype(np.intp),)}
    yield Case((x[0], x[1]), {"function": "numpy.lexsort", "options": (), **two}, np.lexsort([x[0], x[1]]))
    several = {"gather": False, "shapes": ((7,), (8,)), "dtypes": (np.dtype(np.intp), np.dtype(float))}
    yield Case((x,), {"function": "numpy.histogram", "options": (("bins", 7),), **several}, np.histogram(x, 7))


# --- structured ------------------------------------------------------------------------------------------------------


def _calls(rng: np.random.Generator) -> Rows:
    x, y = leaves([np.zeros(3), np.zeros(3)])
    body = Graph((x, y), (ew.sin(x) * y, x + y))
    a, b = sample(rng, (3,), float), sample(rng, (3,), float)
    yield Case((a, b), {"body": body}, (np.sin(a) * b, a + b))


def _loops(rng: np.random.Generator) -> Rows:
    """x[i] is written, then read by the sum: a recurrence; ranges forward, backward, stepped and empty."""
    for start, stop, step in ((0, 4, 1), (3, -1, -1), (1, 4, 2), (2, 2, 1)):
        i = new_dim()
        x, total, w = leaves([np.zeros(4), np.zeros(()), np.zeros(4)])
        place = (Step(movement.slice_, ((i,), (1,), (1,))), Step(movement.reshape, ((),)))
        new = movement.follow(w, place) * ew.sin(total) + 1.0
        body = canonical_bodies([Graph((i, x, total, w), (indexing.update(x, new, place), total + new * movement.follow(x, place)))])[0]
        a, b, c = sample(rng, (4,), float), sample(rng, (), float), sample(rng, (4,), float)
        y, s = a.copy(), b
        for k in range(start, stop, step):
            value = c[k] * np.sin(s) + 1.0
            s = s + value * y[k]
            y[k] = value
        yield Case((np.array(start), np.array(stop), np.array(step), a, np.array(b), c), {"body": body}, (y, s))


def _whiles(rng: np.random.Generator) -> Rows:
    """Halve until small."""
    for first in (3.0, 0.01):
        x, limit = leaves([np.zeros(()), np.zeros(())])
        condition, body = canonical_bodies([Graph((x, limit), (ew.greater(x, limit),)), Graph((x, limit), (x * 0.5,))])
        value = first
        while value > 0.1:
            value *= 0.5
        yield Case((np.array(first), np.array(0.1)), {"condition": condition, "body": body, "limit": 8}, (value,))


def _branches(rng: np.random.Generator) -> Rows:
    for test in (True, False):
        x, y = leaves([np.zeros(3), np.zeros(3)])
        yes, no = canonical_bodies([Graph((x, y), (ew.sin(x) * y, x + y)), Graph((x, y), (x - y, y))])
        a, b = sample(rng, (3,), float), sample(rng, (3,), float)
        yield Case((np.array(test), a, b), {"yes": yes, "no": no}, (np.sin(a) * b, a + b) if test else (a - b, b))


TABLE: dict[str, Callable[[np.random.Generator], Rows]] = {
    "where": _conditions,
    "cast": _casts,
    "kept": _parts(lambda x: x),
    "early": _parts(lambda x: x),
    "real": _parts(np.real),
    "imag": _parts(np.imag),
    "complex": _assemblies,
    "outgrows": lambda rng: (
        Case((x,), {}, np.logical_not((x >= -(2.0**62)) & (x < 2.0**62)))
        for layout in layouts(rng, np.dtype(float))
        for x in (layout, np.sign(layout) * 2.0**62, layout * 2.0**80)
    ),
    "doubtful": lambda rng: (Case((x,), {}, x) for x in layouts(rng, np.dtype(bool))),
    "stop_gradient": lambda rng: (Case((x,), {}, x) for dtype in DTYPES for x in layouts(rng, dtype)),
    "permute": _of(_moving((2, 3, 4), lambda x: np.transpose(x, (2, 0, 1)), axes=(2, 0, 1))),
    "after": _of(_after),
    "reshape": _of(
        _moving((2, 6), lambda x: x.reshape(3, 4), out_shape=(3, 4)),
        _moving((0, 3), lambda x: x.reshape(3, 0, 2), out_shape=(3, 0, 2)),
        _moving((1,), lambda x: x.reshape(()), out_shape=()),
    ),
    "broadcast": _of(
        _moving((3, 1), lambda x: np.broadcast_to(x, (2, 3, 4)), out_shape=(2, 3, 4)),
        _moving((), lambda x: np.broadcast_to(x, (3,)), out_shape=(3,)),
        _moving((1,), lambda x: np.broadcast_to(x, (0,)), out_shape=(0,)),
    ),
    "slice": _of(
        _moving((5, 6), lambda x: x[1:4, 5::-2], starts=(1, 5), steps=(1, -2), sizes=(3, 3)),
        _moving((5,), lambda x: x[3:3], starts=(3,), steps=(1,), sizes=(0,)),
    ),
    "pad": _of(
        _moving((3, 2), lambda x: _placed(x, (5, 6), (slice(1, 4), slice(4, 0, -2))), starts=(1, 4), steps=(1, -2), out_shape=(5, 6)),
        _moving((2,), lambda x: _placed(x, (7,), slice(0, 6, 3)), starts=(0,), steps=(3,), out_shape=(7,)),
    ),
    "diagonal": _of(_moving((3, 4, 3), lambda x: np.diagonal(x, 0, 0, 2), axis1=0, axis2=2)),
    "embed_diagonal": _of(_moving((4, 3), _embedded, axis1=0, axis2=2)),
    "window": _of(_moving((7, 3), lambda x: np.lib.stride_tricks.sliding_window_view(x, 3, 0), axis=0, size=3)),
    "fold_windows": lambda rng: (_moving((5, 3), lambda x: _overlapped(x, 7), axis=0, length=7)(rng, np.dtype(d)) for d in "fdFDl"),
    "join": _joins,
    "contract": _contractions,
    "gather": _gathers,
    "scatter": _scatters,
    "update": _updates,
    "unset": lambda rng: iter([Case((), {"out_shape": s, "to": np.dtype(float)}, np.zeros(s)) for s in ((0,), (3, 0))]),
    "iota": lambda rng: iter([Case((), {"length": n}, np.arange(n)) for n in (0, 1, 7)]),
    "size": lambda rng: iter([Case((), {"value": n}, np.array(n)) for n in (0, 1, 7)]),
    "argmax": lambda rng: arg_reductions(reduction.argmax, rng),
    "argmin": lambda rng: arg_reductions(reduction.argmin, rng),
    "inv": _both(_matrices((3, 3), np.linalg.inv, regular), _singular(np.linalg.inv, np.zeros((2, 2)))),
    "cholesky": _both(_matrices((3, 3), np.linalg.cholesky, positive), _singular(np.linalg.cholesky, -np.eye(2))),
    "solve": _solves,
    "pinv": _pseudo_inverses,
    **{f"special.{name}.moved": _derived_by_parameters(name) for name in _BY_PARAMETERS},
    **{op.name: _specials(name) for name, op in special.SPECIAL.items()},
    "finite": lambda rng: iter([Case((x,), {}, x) for x in (sample(rng, (2, 3), d) for d in _LAPACK)] + _not_finite()),
    "solve_triangular": _triangular_solves,
    "lu": _both(
        *[_matrices(shape, _factored, prepare) for shape, prepare in (((3, 3), regular), ((4, 2), lambda a: a), ((2, 4), lambda a: a))]
    ),
    "exchanges": _row_orders(False),
    "order_of": _row_orders(True),
    "solve_sylvester": _sylvester,
    "expm": _matrices((3, 3), _exponential, lambda a: a / 4),
    "logm": _of_powers("logm"),
    "sqrtm": _of_powers("sqrtm"),
    "lstsq": _least_squares,
    "unitary": _both(
        *[_matrices(shape, _nearest_unitary, regular if shape == (3, 3) else lambda a: a) for shape in ((3, 3), (4, 2), (2, 4))]
    ),
    "eig": _matrices((3, 3), _complex_eig),
    "det": _matrices((3, 3), np.linalg.det),
    "adjugate": _both(_matrices((3, 3), _cofactors), lambda rng: iter([Case((_RANK_TWO,), {}, _cofactors(_RANK_TWO))])),
    "slogdet": _matrices((3, 3), lambda a: tuple(np.linalg.slogdet(a))),
    "eigh": _matrices((3, 3), lambda a: tuple(np.linalg.eigh(a)), hermitian),
    "eigvalsh": _matrices((3, 3), np.linalg.eigvalsh, hermitian),
    "qr": _both(*[_matrices(shape, lambda a: tuple(np.linalg.qr(a))) for shape in ((3, 3), (4, 2), (2, 4))]),
    "svd": _both(*[_matrices(shape, lambda a: tuple(np.linalg.svd(a, full_matrices=False))) for shape in ((3, 3), (4, 2), (2, 4))]),
    "sort": _sorts(np.sort),
    "argsort": _sorts(np.argsort),
    "searchsorted": _searches,
    "fft": _transforms("fft"),
    "ifft": _transforms("ifft"),
    "rfft": _transforms("rfft"),
    "irfft": _transforms("irfft"),
    "random_draw": _draws,
    "numpy_call": _numpy_calls,
    "call": _calls,
    "loop": _loops,
    "while_": _whiles,
    "cond": _branches,
}

LEAVES = ("const", "input", "dim", "item", "custom", "checkpointed", "odeint", "printed")
"""Without a meaning of their own: values are bound to them, or (item) every op with several outputs is read by it, or (custom) it is
taken apart before a program is made: tests/test_custom.py, or (odeint) it is as exact as a solver: tests/test_odes.py, or (printed) all it
does is an effect: tests/test_printing.py."""


def cases(op: Op) -> list[Case]:
    """Every case of an op. Raises NotImplementedError for an op that needs a row in TABLE and has none."""
    rng = generator(op)
    if op.name in TABLE:
        return list(TABLE[op.name](rng))
    if op.kind is Kind.ELEMENTWISE and op.ufunc is not None:
        return list(elementwise(op, rng))
    if op.kind is Kind.REDUCE:
        return list(reductions(op, rng))
    if op.kind is Kind.ACCUMULATE:
        return list(accumulations(op, rng))
    raise NotImplementedError(f"op {op.name!r} needs a row in TABLE of tests/cases.py: arguments, attributes and NumPy's answer")
