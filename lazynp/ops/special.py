"""Special functions: SciPy's own ufuncs as library steps that broadcast like elementwise ops, with their derivatives.

A row gives the local derivative of each argument as a function of (output, *arguments), as in elementwise.py. Sources: Abramowitz & Stegun
chapters 5 to 9 and 17; NIST DLMF 10.6, 10.29 for the Bessel functions. SciPy is imported when the first of them is used.
"""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lazynp.ir.node import Node
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import broadcast, broadcast_shape
from lazynp.ops.quadrature import betainc_derivative, exponential_factor, gammainc_derivative

Partial = Callable[..., Any]
SPECIAL: dict[str, Op] = {}
"""The name in scipy.special -> its op."""


def scipy_ufunc(name: str) -> np.ufunc:
    """The ufunc of scipy.special, without the dispatch that newer versions wrap around some. Raises ImportError without SciPy."""
    public = getattr(import_module("scipy.special"), name)
    if isinstance(public, np.ufunc):
        return public
    inner = import_module("scipy.special._ufuncs")
    return getattr(inner, name, None) or getattr(inner, "_" + name)  # type: ignore[no-any-return]


def _dtypes(name: str, types: tuple[Any, ...]) -> tuple[np.dtype, ...]:
    known = tuple([t if isinstance(t, np.dtype) else np.dtype(t) if t is complex else np.dtype(float) for t in types])
    known = tuple([t if t.kind in "fc" else np.dtype(float) for t in known])
    weak = [isinstance(t, np.dtype) and t.kind in "fc" for t in types]
    if any(weak):  # Python numbers and integers follow the floating arguments, as they do in SciPy's double and single loops
        common = np.result_type(*[k for k, w in zip(known, weak, strict=True) if w])
        known = tuple([common if not isinstance(t, np.dtype) else k for t, k in zip(types, known, strict=True)])
    return ew.loop_dtypes(scipy_ufunc(name), known)


def _special(name: str, *partials: Partial | None, fused: bool = False) -> Op:
    """fused: the prelude of the C backend has lz_special_<name> for single and double precision; else it is a step between kernels."""

    def door(op: Op, *operands: Any) -> Node:
        dtypes = _dtypes(name, tuple([ew.operand_type(x) for x in operands]))
        nodes = [ew.as_node(x, dtype) for x, dtype in zip(operands, dtypes, strict=False)]
        shape = broadcast_shape(*[n.shape for n in nodes])
        return op.make(tuple([broadcast(n, shape) for n in nodes]))

    def infer(*types: ArrayType) -> ArrayType:
        ew.same_shape(*types)
        return ArrayType(types[0].shape, ew.loop_dtypes(scipy_ufunc(name), tuple([t.dtype for t in types]))[-1])

    def numpy(*args: Any) -> Any:
        with np.errstate(all="ignore"):
            return scipy_ufunc(name)(*args)

    kept = tuple([_missing(name, k) if p is None else p for k, p in enumerate(partials)])
    facts: dict[str, Any] = {"kind": Kind.ELEMENTWISE, "cost": 40.0, "c": _helper_of(name)} if fused else {"kind": Kind.LIBRARY}
    op = register(Op(name=f"special.{name}", numpy=numpy, infer=infer, door=door, partials=kept, source="scipy.special", **facts))
    SPECIAL[name] = op
    return op


def _helper_of(name: str) -> Callable[..., str | None]:
    """The C of a fused function: none for complex arguments."""

    def text(*dtypes: np.dtype) -> str | None:
        suffix = {"f": "f32", "d": "f64"}.get(dtypes[0].char)
        return suffix and f"lz_special_{name}_{suffix}({', '.join([f'{{{k}}}' for k in range(len(dtypes))])})"

    return text


def _missing(name: str, position: int) -> Partial:
    def missing(*values: Any) -> Any:
        raise TypeError(f"lazynp: scipy.special.{name} has no derivative by its argument {position}")

    return missing


_ROOT = 2 / math.sqrt(math.pi)
_NORMAL = 1 / math.sqrt(2 * math.pi)

# --- error functions, normal distribution --------------------------------------------------------------------------------

erf = _special("erf", lambda y, x: ew.exp(-x * x) * _ROOT, fused=True)
erfc = _special("erfc", lambda y, x: ew.exp(-x * x) * -_ROOT, fused=True)
erfcx = _special("erfcx", lambda y, x: 2.0 * x * y - _ROOT)
erfi = _special("erfi", lambda y, x: ew.exp(x * x) * _ROOT)
erfinv = _special("erfinv", lambda y, x: ew.exp(y * y) / _ROOT)
erfcinv = _special("erfcinv", lambda y, x: ew.exp(y * y) / -_ROOT)
dawsn = _special("dawsn", lambda y, x: 1.0 - 2.0 * x * y)
ndtr = _special("ndtr", lambda y, x: ew.exp(x * x * -0.5) * _NORMAL, fused=True)
log_ndtr = _special("log_ndtr", lambda y, x: ew.exp(x * x * -0.5 - y) * _NORMAL)
ndtri = _special("ndtri", lambda y, x: ew.exp(y * y * 0.5) / _NORMAL)

# --- gamma and beta functions ----------------------------------------------------------------------------------------------

zeta = _special("zeta", None, lambda y, s, q: -s * zeta(s + 1.0, q))
digamma = _special("digamma", lambda y, x: zeta(2.0, x), fused=True)
gammaln = _special("gammaln", lambda y, x: digamma(x), fused=True)
gamma = _special("gamma", lambda y, x: y * digamma(x))
rgamma = _special("rgamma", lambda y, x: -y * digamma(x))
beta = _special("beta", lambda y, a, b: y * (digamma(a) - digamma(a + b)), lambda y, a, b: y * (digamma(b) - digamma(a + b)))
betaln = _special("betaln", lambda y, a, b: digamma(a) - digamma(a + b), lambda y, a, b: digamma(b) - digamma(a + b))
gammainc = _special("gammainc", lambda y, a, x: _gamma_moved(a, x), lambda y, a, x: _gamma_density(a, x))
gammaincc = _special("gammaincc", lambda y, a, x: -_gamma_moved(a, x), lambda y, a, x: -_gamma_density(a, x))
gammaincinv = _special(
    "gammaincinv", lambda x, a, p: -_gamma_moved(a, x) / _gamma_density(a, x), lambda x, a, p: 1.0 / _gamma_density(a, x)
)
gammainccinv = _special(
    "gammainccinv", lambda x, a, q: -_gamma_moved(a, x) / _gamma_density(a, x), lambda x, a, q: -1.0 / _gamma_density(a, x)
)
betainc = _special(
    "betainc",
    lambda y, a, b, x: _beta_moved(a, b, x, 1, 0),
    lambda y, a, b, x: _beta_moved(a, b, x, 0, 1),
    lambda y, a, b, x: _beta_density(a, b, x),
)
betaincc = _special(
    "betaincc",
    lambda y, a, b, x: -_beta_moved(a, b, x, 1, 0),
    lambda y, a, b, x: -_beta_moved(a, b, x, 0, 1),
    lambda y, a, b, x: -_beta_density(a, b, x),
)
betaincinv = _special(
    "betaincinv",
    lambda x, a, b, p: -_beta_moved(a, b, x, 1, 0) / _beta_density(a, b, x),
    lambda x, a, b, p: -_beta_moved(a, b, x, 0, 1) / _beta_density(a, b, x),
    lambda x, a, b, p: 1.0 / _beta_density(a, b, x),
)
betainccinv = _special(
    "betainccinv",
    lambda x, a, b, q: -_beta_moved(a, b, x, 1, 0) / _beta_density(a, b, x),
    lambda x, a, b, q: -_beta_moved(a, b, x, 0, 1) / _beta_density(a, b, x),
    lambda x, a, b, q: -1.0 / _beta_density(a, b, x),
)
stdtr = _special("stdtr", lambda y, df, t: _t_moved(df, t), lambda y, df, t: _t_density(df, t))
binom = _special(
    "binom",
    lambda y, n, k: y * (digamma(n + 1.0) - digamma(n - k + 1.0)),
    lambda y, n, k: y * (digamma(n - k + 1.0) - digamma(k + 1.0)),
)
poch = _special("poch", lambda y, a, m: y * (digamma(a + m) - digamma(a)), lambda y, a, m: y * digamma(a + m))


def _t_density(df: Node, t: Node) -> Node:
    shift = gammaln(df * 0.5 + 0.5) - gammaln(df * 0.5) - 0.5 * ew.log(df * math.pi)
    return ew.exp(shift - (df * 0.5 + 0.5) * ew.log1p(t * t / df))


def _t_moved(df: Node, t: Node) -> Node:
    """The distribution function is betainc(df/2, 1/2, df/(df + t*t)) / 2 below 0, and 1 minus it above."""
    total = df + t * t
    half, x = df * 0.5, df / total
    by_x = ew.exp(ew.log(x) * (half - 1.0) - betaln(half, 0.5)) * ew.absolute(t) / (total * ew.sqrt(total))
    return ew.where(ew.greater(t, 0.0), -0.5, 0.5) * (_beta_moved(half, 0.5, x, 1, 0) * 0.5 + by_x)


def _gamma_density(a: Node, x: Node) -> Node:
    return ew.exp(xlogy(a - 1.0, x) - x - gammaln(a))


def _beta_density(a: Node, b: Node, x: Node) -> Node:
    return ew.exp(xlogy(a - 1.0, x) + xlog1py(b - 1.0, -x) - betaln(a, b))


def _moved(name: str, derivative: Callable[..., Any], *partials: Callable[..., Node]) -> Op:
    """The derivatives of an incomplete function by its parameters. orders: how often by each."""

    def door(op: Op, *operands: Any, orders: tuple[int, ...]) -> Node:
        dtypes = _dtypes(name, tuple([ew.operand_type(x) for x in operands]))
        nodes = [ew.as_node(x, dtype) for x, dtype in zip(operands, dtypes, strict=False)]
        shape = broadcast_shape(*[n.shape for n in nodes])
        return op.make(tuple([broadcast(n, shape) for n in nodes]), orders=orders)

    def infer(*types: ArrayType, orders: tuple[int, ...]) -> ArrayType:
        ew.same_shape(*types)
        return ArrayType(types[0].shape, types[0].dtype)

    def numpy(*args: Any, orders: tuple[int, ...]) -> Any:
        return np.asarray(derivative(*args, orders), args[0].dtype)

    op = Op(name=f"special.{name}.moved", kind=Kind.LIBRARY, attrs=("orders",), numpy=numpy, infer=infer, door=door, partials=partials)
    return register(op)


def _polygamma(order: int, x: Node) -> Node:
    return digamma(x) if order == 0 else zeta(order + 1.0, x) * ((-1.0) ** (order + 1) * math.factorial(order))


def _density_moved(density: Node, x: Node, orders: tuple[int, ...], slope: Callable[[tuple[int, ...]], Any]) -> Node:
    """A density's derivative by its parameters; 0 at the lower end of its support, as for a parameter above 1."""
    return ew.where(ew.equal(x, 0.0), 0.0, density * exponential_factor(orders, slope))


def _gamma_density_moved(node: Node, a: Node, x: Node) -> Node:
    def slope(orders: tuple[int, ...]) -> Node:
        return ew.log(x) - digamma(a) if orders[0] == 1 else -_polygamma(orders[0] - 1, a)

    return _density_moved(_gamma_density(a, x), x, node.orders, slope)


def _beta_density_moved(node: Node, a: Node, b: Node, x: Node) -> Node:
    def slope(orders: tuple[int, ...]) -> Node:
        shared = _polygamma(sum(orders) - 1, a + b)
        if all(orders):
            return shared
        own = a if orders[0] else b
        found = shared - _polygamma(sum(orders) - 1, own)
        return found if sum(orders) > 1 else found + (ew.log(x) if orders[0] else ew.log1p(-x))

    return _density_moved(_beta_density(a, b, x), x, node.orders, slope)


_gammainc_moved = _moved(
    "gammainc",
    gammainc_derivative,
    lambda node, a, x: _gammainc_moved(a, x, orders=(node.orders[0] + 1,)),
    _gamma_density_moved,
)
_betainc_moved = _moved(
    "betainc",
    betainc_derivative,
    lambda node, a, b, x: _beta_moved(a, b, x, node.orders[0] + 1, node.orders[1]),
    lambda node, a, b, x: _beta_moved(a, b, x, node.orders[0], node.orders[1] + 1),
    _beta_density_moved,
)


def _gamma_moved(a: Node, x: Node) -> Node:
    return _gammainc_moved(a, x, orders=(1,))


def _beta_moved(a: Any, b: Any, x: Any, by_a: int, by_b: int) -> Node:
    return _betainc_moved(a, b, x, orders=(by_a, by_b))


# --- logistic function, entropies -------------------------------------------------------------------------------------------

logit = _special("logit", lambda y, x: 1.0 / (x * (1.0 - x)), fused=True)
log_expit = _special("log_expit", lambda y, x: ew.expit(-x), fused=True)
xlogy = _special("xlogy", lambda z, x, y: ew.log(y), lambda z, x, y: _zero_at_zero(x, x / y), fused=True)
xlog1py = _special("xlog1py", lambda z, x, y: ew.log1p(y), lambda z, x, y: _zero_at_zero(x, x / (1.0 + y)), fused=True)
entr = _special("entr", lambda y, x: -1.0 - ew.log(x), fused=True)
rel_entr = _special("rel_entr", lambda z, x, y: _log_ratio(x, y) + 1.0, lambda z, x, y: -_zero_at_zero(x, x / y))
kl_div = _special("kl_div", lambda z, x, y: _log_ratio(x, y), lambda z, x, y: 1.0 - _zero_at_zero(x, x / y))
exp10 = _special("exp10", lambda y, x: y * math.log(10.0))
expi = _special("expi", lambda y, x: ew.exp(x) / x)
exp1 = _special("exp1", lambda y, x: -ew.exp(-x) / x)
spence = _special("spence", lambda y, x: ew.log(x) / (1.0 - x))
ellipk = _special("ellipk", lambda y, m: (ellipe(m) / (1.0 - m) - y) / (2.0 * m))
ellipe = _special("ellipe", lambda y, m: (y - ellipk(m)) / (2.0 * m))


def _zero_at_zero(x: Node, slope: Node) -> Node:
    """A slope by y of a function that is 0 for x = 0 and every y."""
    return ew.where(ew.equal(x, 0.0), 0.0, slope)


def _log_ratio(x: Node, y: Node) -> Node:
    return ew.where(ew.equal(x, 0.0), -math.inf, ew.log(x / y))


# --- Bessel functions: derivatives are means of the neighbouring orders ----------------------------------------------------

jv = _special("jv", None, lambda y, v, x: (jv(v - 1.0, x) - jv(v + 1.0, x)) * 0.5)
yv = _special("yv", None, lambda y, v, x: (yv(v - 1.0, x) - yv(v + 1.0, x)) * 0.5)
iv = _special("iv", None, lambda y, v, x: (iv(v - 1.0, x) + iv(v + 1.0, x)) * 0.5)
kv = _special("kv", None, lambda y, v, x: (kv(v - 1.0, x) + kv(v + 1.0, x)) * -0.5)
ive = _special("ive", None, lambda y, v, x: (ive(v - 1.0, x) + ive(v + 1.0, x)) * 0.5 - ew.sign(x) * y)
kve = _special("kve", None, lambda y, v, x: y - (kve(v - 1.0, x) + kve(v + 1.0, x)) * 0.5)
j0 = _special("j0", lambda y, x: -j1(x))
j1 = _special("j1", lambda y, x: (j0(x) - jv(2.0, x)) * 0.5)
y0 = _special("y0", lambda y, x: -y1(x))
y1 = _special("y1", lambda y, x: (y0(x) - yv(2.0, x)) * 0.5)
i0 = _special("i0", lambda y, x: i1(x))
i1 = _special("i1", lambda y, x: (i0(x) + iv(2.0, x)) * 0.5)
i0e = _special("i0e", lambda y, x: i1e(x) - ew.sign(x) * y)
i1e = _special("i1e", lambda y, x: (i0e(x) + ive(2.0, x)) * 0.5 - ew.sign(x) * y)
k0 = _special("k0", lambda y, x: -k1(x))
k1 = _special("k1", lambda y, x: (k0(x) + kv(2.0, x)) * -0.5)
k0e = _special("k0e", lambda y, x: y - k1e(x))
k1e = _special("k1e", lambda y, x: y - (k0e(x) + kve(2.0, x)) * 0.5)
