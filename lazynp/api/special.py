"""scipy.special: its elementwise functions as ops, and what is composed of them. Registered for SciPy's functions when first asked for."""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lazynp.api.dispatch import Unsupported, offered
from lazynp.api.reductions import max as max_
from lazynp.api.reductions import sum as sum_
from lazynp.api.shaping import lifted, squeeze
from lazynp.api.ufuncs import OBJECTS
from lazynp.array import wrap
from lazynp.operands import operand
from lazynp.ops import elementwise as ew
from lazynp.ops.special import SPECIAL

_exp, _log, _isfinite = OBJECTS[np.exp], OBJECTS[np.log], OBJECTS[np.isfinite]


def special(name: str) -> Any:
    """lazynp's function for a public name of scipy.special. Raises AttributeError for a name that SciPy does not have."""
    known = {"psi": "digamma", "jn": "jv"}.get(name, name)
    return offered(getattr(import_module("scipy.special"), name), COMPOSED.get(name) or (_of_op(known) if known in SPECIAL else None))


def _of_op(name: str) -> Callable[..., Any]:
    def lazy(*args: Any) -> Any:
        return wrap(SPECIAL[name](*[operand(a) for a in args]))

    return lazy


def _expit(x: Any) -> Any:
    return wrap(ew.expit(operand(x)))


def _polygamma(n: Any, x: Any) -> Any:
    """(-1)**(n+1) n! zeta(n+1, x); n a Python integer."""
    if not isinstance(n, (int, np.integer)):
        raise Unsupported
    if n == 0:
        return special("digamma")(x)
    return (-1.0) ** (n + 1) * math.factorial(n) * special("zeta")(float(n + 1), x)


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """Shifted by the maximum: Blanchard, Higham & Higham 2021, eq. 3.3."""
    x = lifted(a)
    if return_sign or x.dtype.kind != "f" or x.size == 0:
        raise Unsupported
    shift = _shift(x, axis)
    terms = _exp(x - shift)
    total = operand(sum_(terms if b is None else terms * b, axis=axis, keepdims=True))
    nothing = ew.equal(total, 0)  # all of them -inf: SciPy gives no warning either
    total = wrap(ew.where(nothing, -np.inf, ew.log(ew.where(nothing, 1.0, total)))) + shift
    return total if keepdims else squeeze(total, tuple(range(x.ndim)) if axis is None else axis)


def _shift(x: Any, axis: Any) -> Any:
    """The maximum, as a constant; 0 where it is infinite."""
    top = max_(x, axis=axis, keepdims=True)
    return wrap(ew.stop_gradient(ew.where(operand(_isfinite(top)), operand(top), 0.0)))


def _softmax(x: Any, axis: Any = None) -> Any:
    x = lifted(x)
    if x.dtype.kind != "f" or x.size == 0:
        raise Unsupported
    terms = _exp(x - _shift(x, axis))
    return terms / sum_(terms, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: Any = None) -> Any:
    x = lifted(x)
    if x.dtype.kind != "f" or x.size == 0:
        raise Unsupported
    off = x - _shift(x, axis)
    return off - _log(sum_(_exp(off), axis=axis, keepdims=True))


def _multigammaln(a: Any, d: Any) -> Any:
    """SciPy's own formula; d a Python integer."""
    gammaln = special("gammaln")
    terms = [gammaln(a - 0.5 * j) for j in range(int(d))]
    return sum(terms[1:], terms[0]) + 0.25 * d * (d - 1) * math.log(math.pi)


COMPOSED: dict[str, Callable[..., Any]] = {
    "expit": _expit, "polygamma": _polygamma, "logsumexp": _logsumexp, "softmax": _softmax, "log_softmax": _log_softmax,
    "multigammaln": _multigammaln,
}  # fmt: skip
