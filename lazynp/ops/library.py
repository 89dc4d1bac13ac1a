"""Opaque routines: linear algebra, Fourier transforms, sorting, random draws. A row gives NumPy's function and the result type."""

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops import factors
from lazynp.ops.batching import Given, moved_first, moved_from_first, spread, spread_all, unrolled
from lazynp.ops.indexing import add_along, take_along
from lazynp.ops.movement import broadcast, join, reshape, slice_
from lazynp.ops.structured import item


def _lapack_dtype(*dtypes: np.dtype) -> np.dtype:
    """The dtype LAPACK works in: float32, float64, complex64 or complex128. Raises NumPy's TypeError for float16."""
    common = np.result_type(*dtypes)
    if common == np.float16:
        raise TypeError("array type float16 is unsupported in linalg")
    return common if common.kind in "fc" else np.dtype(np.float64)


def _linalg_door(op: Op, *operands: Node, **attrs: Any) -> Node:
    dtype = _lapack_dtype(*[x.dtype for x in operands])
    return op.make(tuple([ew.as_node(x, dtype) for x in operands]), **attrs)


def _real(dtype: np.dtype) -> np.dtype:
    return np.empty(0, dtype).real.dtype


def routine(name: str, numpy: Callable[..., Any], infer: Callable[..., Any], **facts: Any) -> Op:
    """A LIBRARY row."""
    return register(Op(name=name, kind=Kind.LIBRARY, numpy=numpy, infer=infer, **facts))


def linalg(name: str, infer: Callable[..., Any], numpy: Callable[..., Any] | None = None, **facts: Any) -> Op:
    """A row of numpy.linalg; arguments are cast to the dtype LAPACK works in."""
    facts.setdefault("raises", True)
    return routine(name, numpy or getattr(np.linalg, name), infer, door=_linalg_door, **facts)


def _like(x: ArrayType, *rest: ArrayType) -> ArrayType:
    return x


def _column_solve(a: Any, b: Any) -> Any:
    return np.linalg.solve(a, b)


inv = linalg("inv", _like, vjp=factors.inv_vjp, jvp=factors.inv_jvp)
"""(..., n, n) -> (..., n, n). Raises LinAlgError when singular."""
cholesky = linalg("cholesky", _like, vjp=factors.cholesky_vjp, jvp=factors.cholesky_jvp, source="Murray 2016, arXiv:1602.07527")
"""(..., n, n) -> the lower factor. Raises LinAlgError when not positive definite."""


def _solve_infer(a: ArrayType, b: ArrayType) -> ArrayType:
    if a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"solve: shapes {a.shape} and {b.shape} do not fit")
    return b


def _batched_solve(node: Node, given: Given, size: int) -> Node:
    """The examples' right sides are columns for one matrix that they share: it is factored once."""
    a, b = node.args
    if given[0] is not None:
        return solve.make(spread_all(node, given, size))
    sides = given[1]
    assert sides is not None
    columns = moved_from_first(sides, b.ndim - 1)
    found = solve.make((a, reshape(columns, (*b.shape[:-1], size * b.shape[-1]))))
    return moved_first(reshape(found, columns.shape), b.ndim - 1)


solve = linalg("solve", _solve_infer, _column_solve, vjp=factors.solve_vjp, jvp=factors.solve_jvp, batch=_batched_solve)
"""(..., n, n), (..., n, k) with equal batch axes -> (..., n, k). Raises LinAlgError when singular."""
det = linalg("det", lambda a: ArrayType(a.shape[:-2], a.dtype), raises=False, vjp=factors.det_vjp, jvp=factors.det_jvp)
adjugate = linalg("adjugate", _like, factors.adjugate_numpy, raises=False, vjp=factors.adjugate_vjp, jvp=factors.adjugate_jvp)
"""(..., n, n) -> the transposed matrix of cofactors: a adjugate(a) = det(a) 1."""
slogdet = linalg(
    "slogdet",
    lambda a: (ArrayType(a.shape[:-2], a.dtype), ArrayType(a.shape[:-2], _real(a.dtype))),
    lambda a: tuple(np.linalg.slogdet(a)),
    raises=False,
    vjp=factors.slogdet_vjp,
    jvp=factors.slogdet_jvp,
)
eigh = linalg(
    "eigh",
    lambda a: (ArrayType(a.shape[:-1], _real(a.dtype)), a),
    lambda a: tuple(np.linalg.eigh(a)),
    vjp=factors.eigh_vjp,
    jvp=factors.eigh_jvp,
    source="Giles 2008, section 3.1",
)
eigvalsh = linalg("eigvalsh", lambda a: ArrayType(a.shape[:-1], _real(a.dtype)), vjp=factors.eigvalsh_vjp, jvp=factors.eigvalsh_jvp)


def _swapped(a: ArrayType, rcond: Any) -> ArrayType:
    return ArrayType((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)


pinv = linalg(
    "pinv",
    _swapped,
    lambda a, rcond: np.linalg.pinv(a, rcond),
    attrs=("rcond",),
    vjp=factors.pinv_vjp,
    jvp=factors.pinv_jvp,
    source="Golub & Pereyra 1973, doi:10.1137/0710036",
)
"""(..., m, n) -> (..., n, m). rcond: singular values below this share of the largest count as zero; None: NumPy's default."""
lstsq = linalg(
    "lstsq",
    lambda a, b, rcond: ArrayType((a.shape[-1], b.shape[-1]), b.dtype),
    lambda a, b, rcond: np.linalg.lstsq(a, b, rcond)[0],
    attrs=("rcond",),
    vjp=factors.lstsq_vjp,
    jvp=factors.lstsq_jvp,
    batch=unrolled,
)
"""(m, n), (m, k) -> (n, k): the least squares solution of least norm."""


def _complex(dtype: np.dtype) -> np.dtype:
    return np.result_type(dtype, np.complex64)


def _eig_numpy(a: Any) -> tuple[Any, Any]:
    values, vectors = np.linalg.eig(a)
    return values.astype(_complex(a.dtype)), vectors.astype(_complex(a.dtype))


eig = linalg(
    "eig",
    lambda a: (ArrayType(a.shape[:-1], _complex(a.dtype)), ArrayType(a.shape, _complex(a.dtype))),
    _eig_numpy,
    vjp=factors.eig_vjp,
    jvp=factors.eig_jvp,
    source="Boeddeker et al. 2019, arXiv:1701.00392",
)
"""(..., n, n) -> eigenvalues and columns of length one, always complex: NumPy's are real where all eigenvalues are."""


def _qr_infer(a: ArrayType) -> tuple[ArrayType, ArrayType]:
    *batch, m, n = a.shape
    k = min(m, n)
    return ArrayType((*batch, m, k), a.dtype), ArrayType((*batch, k, n), a.dtype)


def _svd_infer(a: ArrayType) -> tuple[ArrayType, ArrayType, ArrayType]:
    *batch, m, n = a.shape
    k = min(m, n)
    return ArrayType((*batch, m, k), a.dtype), ArrayType((*batch, k), _real(a.dtype)), ArrayType((*batch, k, n), a.dtype)


qr = linalg(
    "qr",
    _qr_infer,
    lambda a: tuple(np.linalg.qr(a)),
    raises=False,
    vjp=factors.qr_vjp,
    jvp=factors.qr_jvp,
    source="Roberts & Roberts 2020, arXiv:2009.10071",
)
svd = linalg(
    "svd",
    _svd_infer,
    lambda a: tuple(np.linalg.svd(a, full_matrices=False)),
    vjp=factors.svd_vjp,
    jvp=factors.svd_jvp,
    source="Wan & Zhang 2019, arXiv:1909.02659",
)
"""The thin decomposition."""

# --- sorting ---------------------------------------------------------------------------------------------------------


def _order(node: Node) -> Node:
    """The permutation that sorts, equal elements in their order: which of them moves where is then no accident of the algorithm."""
    return argsort(node.args[0], node.axis, "stable")


sort = routine(
    "sort",
    lambda x, axis, method: np.sort(x, axis, method),
    lambda x, axis, method: x,
    vjp=lambda ct, node, index: add_along(node.shape, ct, _order(node), node.axis),
    jvp=lambda tangents, node: take_along(tangents[0], _order(node), node.axis),
    attrs=("axis", "method"),
    door=lambda op, x, axis, method=None: op.make((x,), axis=axis % x.ndim, method=method),
)
argsort = routine(
    "argsort",
    lambda x, axis, method: np.argsort(x, axis, method),
    lambda x, axis, method: ArrayType(x.shape, np.dtype(np.intp)),
    attrs=("axis", "method"),
    door=lambda op, x, axis, method=None: op.make((x,), axis=axis % x.ndim, method=method),
)


def _batched_search(node: Node, given: Given, size: int) -> Any:
    """One sorted line serves values of any shape; each example's own line is searched by itself."""
    sorted_, values = node.args
    return searchsorted(sorted_, spread(values, given[1], size), side=node.side) if given[0] is None else unrolled(node, given, size)


def _search_door(op: Op, sorted_: Any, values: Any, side: str) -> Node:
    """Both are compared as numbers of one dtype, which is all that C knows of them."""
    dtype = np.result_type(sorted_.dtype, values.dtype)
    return op.make((ew.as_node(sorted_, dtype), ew.as_node(values, dtype)), side=side)


searchsorted = routine(
    "searchsorted",
    lambda sorted_, values, side: np.searchsorted(sorted_, values, side),
    lambda sorted_, values, side: ArrayType(values.shape, np.dtype(np.intp)),
    attrs=("side",),
    door=_search_door,
    batch=_batched_search,
)

# --- Fourier transforms ----------------------------------------------------------------------------------------------


@cache
def _fourier_dtype(function: Callable[..., Any], x: np.dtype) -> np.dtype:
    """Of the output: NumPy is asked. Raises its TypeError."""
    return function(np.ones(2, x)).dtype  # type: ignore[no-any-return]


def _resized(x: ArrayType, axis: int, n: Any, dtype: np.dtype) -> ArrayType:
    return ArrayType((*x.shape[:axis], n, *x.shape[axis + 1 :]), dtype)


_ADJOINT_NORM = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The normalisation with which the inverse transform is the adjoint."""


def _cut_or_pad(x: Node, axis: int, n: Any) -> Node:
    """x with n elements along the axis: the first ones, or all and zeros after them."""
    size = x.shape[axis]
    if size == n:
        return x
    if size > n:
        sizes = tuple([n if a == axis else s for a, s in enumerate(x.shape)])
        return slice_(x, (0,) * x.ndim, (1,) * x.ndim, sizes)
    gap = tuple([n - size if a == axis else s for a, s in enumerate(x.shape)])
    return join(x, ew.filled(gap, 0, x.dtype), axis=axis)


def _adjoint(inverse: Op) -> Callable[..., Node]:
    """The adjoint of a full transform is the inverse one, up to its norm; then what was cut or padded is undone."""

    def transpose(ct: Node, node: Node, index: int) -> Node:
        x = node.args[0]
        back = inverse(ct, node.n, node.axis, _ADJOINT_NORM[node.norm])
        return ew.recast(_cut_or_pad(back, node.axis, x.shape[node.axis]), x.dtype)

    return transpose


def _half_weights(n: int, axis: int, like: Node, inner: float) -> Node:
    """1 for the frequencies of a real signal of length n that are their own mirror image (0, n/2), `inner` for the others."""
    weights = np.full(n // 2 + 1, inner, _real(like.dtype))
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return ew.constant(weights.reshape([-1 if a == axis else 1 for a in range(like.ndim)]))


def _rfft_transpose(ct: Node, node: Node, index: int) -> Node:
    """Half of the spectrum stands for all of it: irfft counts inner frequencies twice."""
    x, n, axis = node.args[0], node.n, node.axis
    back = irfft(ct * _half_weights(n, axis, ct, 0.5), n, axis, _ADJOINT_NORM[node.norm])
    return ew.recast(_cut_or_pad(back, axis, x.shape[axis]), x.dtype)


def _irfft_transpose(ct: Node, node: Node, index: int) -> Node:
    x, n, axis = node.args[0], node.n, node.axis
    spectrum = rfft(ct, n, axis, _ADJOINT_NORM[node.norm])
    back = spectrum * _half_weights(n, axis, spectrum, 2.0)
    return ew.recast(_cut_or_pad(back, axis, x.shape[axis]), x.dtype)


def _fourier(name: str, length: Callable[[Any], Any], transpose: Callable[..., Node]) -> Op:
    function = getattr(np.fft, name)

    def infer(x: ArrayType, n: Any, axis: int, norm: str | None, size: Any) -> ArrayType:
        return _resized(x, axis, size, _fourier_dtype(function, x.dtype))

    def door(op: Op, x: Node, n: Any = None, axis: int = -1, norm: str | None = None) -> Node:
        n = x.shape[axis] if n is None else n
        return op.make((x,), n=n, axis=axis % x.ndim, norm=norm, size=length(n))

    return routine(
        name,
        lambda x, n, axis, norm, size: function(x, n, axis, norm),
        infer,
        attrs=("n", "axis", "norm", "size"),
        dims=frozenset({"n", "size"}),
        transpose=transpose,
        door=door,
    )


fft: Op = _fourier("fft", lambda n: n, lambda ct, node, index: _adjoint(ifft)(ct, node, index))
ifft: Op = _fourier("ifft", lambda n: n, _adjoint(fft))
rfft = _fourier("rfft", lambda n: n // 2 + 1, _rfft_transpose)
irfft = _fourier("irfft", lambda n: n, _irfft_transpose)
"""n: the length of irfft's output; for the others that of the input, cropped or padded with zeros. size: the length of the output."""

# --- random ----------------------------------------------------------------------------------------------------------


def _words(state: Any) -> list[np.ndarray]:
    """A generator's state (nested dict of ints, floats and arrays) as 64-bit words, in the order of its keys."""
    if isinstance(state, dict):
        return [words for key in sorted(state) for words in _words(state[key])]
    if isinstance(state, np.ndarray):
        return [state.astype(np.uint64)]
    if isinstance(state, float):
        return [np.array([state]).view(np.uint64)]
    return [] if isinstance(state, str) else [np.array([int(state) & (2**64 - 1), int(state) >> 64], np.uint64)]


def _unwords(like: Any, words: np.ndarray, start: int) -> tuple[Any, int]:
    """The inverse of `_words` for a state of the same form, from a position on: (state, the position after it)."""
    if isinstance(like, dict):
        restored = {}
        for key in sorted(like):
            restored[key], start = _unwords(like[key], words, start)
        return restored, start
    if isinstance(like, np.ndarray):
        return words[start : start + like.size].astype(like.dtype), start + like.size
    if isinstance(like, float):
        return float(words[start : start + 1].view(np.float64)[0]), start + 1
    if isinstance(like, str):
        return like, start
    return int(words[start]) | int(words[start + 1]) << 64, start + 2


def _state_of(source: Any) -> Any:
    return np.random.RandomState.get_state(source, legacy=False) if isinstance(source, np.random.RandomState) else source.state


def pack_state(source: Any) -> np.ndarray:
    """The state of a bit generator, or of a RandomState (which keeps a spare normal number), as a 1-d uint64 array."""
    return np.concatenate(_words(_state_of(source)))


def unpack_state(source: Any, packed: np.ndarray) -> None:
    """Give a bit generator or RandomState the state that `pack_state` read from one of its class."""
    state, _ = _unwords(_state_of(source), packed, 0)
    if isinstance(source, np.random.RandomState):
        np.random.RandomState.set_state(source, state)  # not the method that a subclass has
    else:
        source.state = state


class _Sources(threading.local):
    """Generators to draw with, one per class and thread: making one costs more than a small draw."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[Any, Any]] = {}

    def of(self, name: str) -> tuple[Any, Any]:
        """(what has the methods, what has the state) for "PCG64" or "RandomState:MT19937"."""
        if name not in self.known:
            legacy, _, bits = name.rpartition(":")
            bit_generator = getattr(np.random, bits)(0)
            source: Any = np.random.RandomState(bit_generator) if legacy else np.random.Generator(bit_generator)
            self.known[name] = source, source if legacy else bit_generator
        return self.known[name]


sources = _Sources()
UNSIZED = frozenset({"permutation", "permuted", "shuffle"})
"""Methods without a `size`."""


def _draw(
    state: Any, *parameters: Any, method: str, generator: str, size: Any, out_dtype: np.dtype, names: tuple[str, ...], options: Any
) -> tuple[Any, Any]:
    source, keeper = sources.of(generator)
    unpack_state(keeper, state)
    named = dict(zip(names, parameters, strict=True) if names else ()) | dict(options)
    if method == "shuffle":
        drawn = np.array(named.pop("x"))
        source.shuffle(drawn, **named)
        return pack_state(keeper), drawn
    if method not in UNSIZED:
        named.setdefault("size", size)
    if method in _DTYPED and isinstance(source, np.random.Generator):
        named.setdefault("dtype", out_dtype)
    drawn = getattr(source, method)(*(() if names else parameters), **named)
    return pack_state(keeper), np.asarray(drawn, out_dtype)


_DTYPED = ("random", "standard_normal", "standard_exponential", "standard_gamma", "integers")


def _by_location_and_scale(drawn: Node, location: Node, scale: Node) -> tuple[Any, ...]:
    return 1.0, (drawn - location) / scale


def _by_scale(drawn: Node, scale: Node) -> tuple[Any, ...]:
    return (drawn / scale,)


def _by_ends(drawn: Node, low: Node, high: Node) -> tuple[Any, ...]:
    share = (drawn - low) / (high - low)
    return 1.0 - share, share


_PATHWISE = {
    **dict.fromkeys(("normal", "laplace", "logistic", "gumbel"), _by_location_and_scale),
    **dict.fromkeys(("exponential", "rayleigh"), _by_scale),
    "uniform": _by_ends,
}
"""Families that move with their parameters: the derivative of the draw while the underlying random numbers stay."""


def _pathwise(node: Node) -> tuple[list[Node], tuple[Any, ...]]:
    """(the parameters in the shape of the draw, the draw's derivative by each). Raises TypeError for other families."""
    if node.method not in _PATHWISE:
        raise TypeError(f"lazynp: random_draw of {node.method!r} has no derivative by its parameters")
    drawn = item(node, 1)
    parameters = [broadcast(parameter, drawn.shape) for parameter in node.args[1:]]
    return parameters, _PATHWISE[node.method](drawn, *parameters)


def _draw_vjp(cts: tuple[Any, ...], node: Node, index: int) -> Node | None:
    ct = cts[1]
    if ct is None or index == 0:
        return None
    parameters, partials = _pathwise(node)
    part, spread = ct * partials[index - 1], parameters[index - 1]
    return part if spread is node.args[index] else broadcast.transpose(part, spread, 0)  # type: ignore[misc]


def _draw_jvp(tangents: tuple[Any, ...], node: Node) -> tuple[Any, ...]:
    parameters, partials = _pathwise(node)
    total = None
    for tangent, partial, parameter in zip(tangents[1:], partials, parameters, strict=True):
        if tangent is not None:
            part = ew.recast(broadcast(tangent, parameter.shape) * partial, node.out_dtype)
            total = part if total is None else total + part
    return None, total


random_draw = routine(
    "random_draw",
    _draw,
    lambda state, *parameters, method, generator, size, out_dtype, names, options: (state, ArrayType(size, out_dtype)),
    vjp=_draw_vjp,
    jvp=_draw_jvp,
    batch=unrolled,
    attrs=("method", "generator", "size", "out_dtype", "names", "options"),
    dims=frozenset({"size"}),
    door=lambda op, *args, names=(), options=(), **attrs: op.make(args, names=names, options=options, **attrs),
)
"""random_draw(state, *parameters): numpy.random.Generator(<generator> in that state).<method>(*parameters, size) -> (new state, draw).
Pure, and bit-identical to NumPy: two draws from one state are one node, so a caller threads the state.
generator: the bit generator's class, after "RandomState:" for the legacy methods. names: of the parameters, where they are not all
positional, with `options` the static keywords. size: the shape of the draw."""


def draw(state: Node, *parameters: Node, method: str, generator: str, size: Any, out_dtype: np.dtype) -> tuple[Node, Node]:
    """The new state and the draw."""
    node = random_draw(state, *parameters, method=method, generator=generator, size=size, out_dtype=out_dtype)
    return item(node, 0), item(node, 1)
