"""Derivatives of the regularised incomplete gamma and beta functions by their parameters, of any order, in NumPy.

Both are integrals of a density up to x, so a derivative by parameters is the integral of the density times a polynomial in the derivatives
of its logarithm (`exponential_factor`). The integral over everything is constant: the side of x that most of the density is not on is
taken, where the first derivative's integrand has one sign. Along log t, or the logit, integrands fall off exponentially or faster, and
the double exponential substitutions of Takahasi & Mori 1974 make the trapezoidal rule exact up to rounding.
"""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

Orders = tuple[int, ...]
"""The order of a derivative by each parameter."""

_BLOCK = 4096
"""Elements at a time: the quadrature takes 185 points for each."""


def exponential_factor(orders: Orders, slope: Callable[[Orders], Any]) -> Any:
    """(The derivative of exp(h) of these orders) / exp(h), where slope(orders) is that of h: Faa di Bruno's formula, for numbers, arrays
    or nodes. Zero orders: 1."""
    known: dict[Orders, Any] = {}
    for wanted in np.ndindex(*[n + 1 for n in orders]):
        known[wanted] = _factor(wanted, slope, known)
    return known[orders]


def _factor(orders: Orders, slope: Callable[[Orders], Any], known: dict[Orders, Any]) -> Any:
    axis = next((k for k, n in enumerate(orders) if n), None)
    if axis is None:
        return 1.0
    rest = tuple([n - (k == axis) for k, n in enumerate(orders)])
    total: Any = 0.0
    for part in np.ndindex(*[n + 1 for n in rest]):
        factor = known[tuple([n - m for n, m in zip(rest, part, strict=True)])]
        count = math.prod([math.comb(n, m) for n, m in zip(rest, part, strict=True)])
        total = total + slope(tuple([m + (k == axis) for k, m in enumerate(part)])) * factor * count
    return total


def _half_line() -> tuple[np.ndarray, np.ndarray]:
    """Points and weights for integrands on (0, inf) that fall off like exp(-r)."""
    k = np.linspace(-4.6, 4.6, 185)
    r = np.exp(k - np.exp(-k))
    return r, r * (1 + np.exp(-k)) * (k[1] - k[0])


def _unit_interval() -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on (0, 1), dense at its ends."""
    k = np.linspace(-3.4, 3.4, 137)
    r = 1 / (1 + np.exp(-np.pi * np.sinh(k)))
    return r, r[::-1] * r * np.pi * np.cosh(k) * (k[1] - k[0])


_TAIL, _TAIL_WEIGHTS = _half_line()
_INSIDE, _INSIDE_WEIGHTS = _unit_interval()


def _blocked(compute: Callable[..., Any], valid: Any, *args: Any) -> np.ndarray:
    """compute(*args) where it is valid, a block of elements at a time; 0 at the ends of the support, set by the caller, elsewhere."""
    out = np.zeros(valid.shape)
    places = np.flatnonzero(valid)
    flat = [np.broadcast_to(a, valid.shape).reshape(-1) for a in args]
    for start in range(0, len(places), _BLOCK):
        chosen = places[start : start + _BLOCK]
        out.reshape(-1)[chosen] = compute(*[a[chosen] for a in flat])
    return out


def _special() -> Any:
    return import_module("scipy.special")


def _weighted(weight: Any, orders: Orders, slope: Callable[[Orders], Any]) -> Any:
    """The integrand; 0 where the weight is, also where its logarithm is infinite."""
    return np.where(weight == 0, 0, weight * exponential_factor(orders, slope))


# --- gamma -----------------------------------------------------------------------------------------------------------


def gammainc_derivative(a: Any, x: Any, orders: Orders) -> np.ndarray:
    """The derivative of gammainc(a, x) by a, in double precision; nan where a <= 0 or x < 0."""
    a, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(x, float))
    with np.errstate(all="ignore"):
        inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        out = _blocked(lambda a, x: _gamma_series(orders[0], a, x), inside & (x <= 1), a, x)
        out += _blocked(lambda a, x: _gamma_tail(orders, a, x), inside & (x > 1), a, x)
        return np.where((a > 0) & (x >= 0), out, np.nan)


def _gamma_series(order: int, a: Any, x: Any) -> Any:
    """Of x**a / gamma(a + 1) * (1 + sum((-x)**k / k! * a / (a + k))), DLMF 8.7.1."""
    sp = _special()

    def slope(orders: Orders) -> Any:
        return np.log(x) - sp.digamma(a + 1) if orders[0] == 1 else -sp.polygamma(orders[0] - 1, a + 1)

    k = np.arange(1, 30)
    powers, shifted = np.cumprod(-x[:, None] / k, axis=-1), a[:, None] + k
    total = 0.0
    for n in range(order + 1):
        ratio = a[:, None] / shifted if n == 0 else -k * (-1) ** n * math.factorial(n) / shifted ** (n + 1)
        series = (n == 0) + np.sum(powers * ratio, axis=-1)
        total = total + math.comb(order, n) * series * exponential_factor((order - n,), slope)
    return np.exp(a * np.log(x) - sp.gammaln(a + 1)) * total


def _gamma_tail(orders: Orders, a: Any, x: Any) -> Any:
    """Over log t from log x on, away from the bulk."""
    sp = _special()
    side = np.where(x > np.exp(sp.digamma(a)), 1.0, -1.0)
    width = 1 / np.maximum(abs(x - a), np.sqrt(x))
    log_t = np.log(x)[:, None] + (side * width)[:, None] * _TAIL
    parameter = a[:, None]

    def slope(wanted: Orders) -> Any:
        return log_t - sp.digamma(parameter) if wanted[0] == 1 else -sp.polygamma(wanted[0] - 1, parameter)

    weight = np.exp(_log_gamma_weight(np.exp(log_t), parameter))
    return -side * width * np.sum(_weighted(weight, orders, slope) * _TAIL_WEIGHTS, axis=-1)


def _log_gamma_weight(t: Any, a: Any) -> Any:
    """log(t**a * exp(-t) / gamma(a)) without cancellation of large terms: at t = a by Stirling's series (DLMF 5.11.1), from there by
    u - log1p(u), u = t / a - 1, whose series for small u is one in z = u / (2 + u)."""
    u = (t - a) / a
    z = u / (2 + u)
    series = np.zeros_like(u)
    for k in range(12, 0, -1):
        series = 1 / (2 * k + 1) + z * z * series
    fall = np.where(abs(u) < 0.5, u * z - 2 * z**3 * series, u - np.log1p(u))
    i = 1 / (a * a)
    correction = (1 / 12 - i * (1 / 360 - i * (1 / 1260 - i * (1 / 1680 - i * (1 / 1188 - i * (691 / 360360)))))) / a
    direct = a * np.log(a) - a - _special().gammaln(a)
    return np.where(a < 12, direct, 0.5 * np.log(a / (2 * np.pi)) - correction) - a * fall


# --- beta ------------------------------------------------------------------------------------------------------------


def betainc_derivative(a: Any, b: Any, x: Any, orders: Orders) -> np.ndarray:
    """The derivative of betainc(a, b, x) by a and b, in double precision; nan where a <= 0, b <= 0 or x is not in [0, 1]."""
    a, b, x = np.broadcast_arrays(*[np.asarray(v, float) for v in (a, b, x)])
    known = (a > 0) & (b > 0) & (x >= 0) & (x <= 1)
    with np.errstate(all="ignore"):
        inside = known & (x > 0) & (x < 1) & np.isfinite(a) & np.isfinite(b)
        logit, low = _special().logit(x), x < a / (a + b)
        above = _blocked(lambda a, b, y: _beta_tail(orders, a, b, y), inside & ~low, a, b, logit)
        below = _blocked(lambda a, b, y: _beta_tail(orders[::-1], b, a, -y), inside & low, a, b, logit)
        return np.where(known, below - above, np.nan)


def _beta_tail(orders: Orders, a: Any, b: Any, logit: Any) -> Any:
    """The integral over the logit of t from this one to infinity: to 0, on to where only (1 - t)**b matters, and the rest."""
    sp = _special()
    first, second = a[:, None], b[:, None]
    log_beta = sp.betaln(first, second)

    def integrand(y: Any) -> Any:
        log_t, log_rest = -np.logaddexp(0, -y), -np.logaddexp(0, y)

        def slope(wanted: Orders) -> Any:
            shared = sp.polygamma(sum(wanted) - 1, first + second)
            if all(wanted):
                return shared
            own, log = (first, log_t) if wanted[0] else (second, log_rest)
            return shared - sp.polygamma(sum(wanted) - 1, own) + (log if sum(wanted) == 1 else 0.0)

        return _weighted(np.exp(first * log_t + second * log_rest - log_beta), orders, slope)

    middle = np.maximum(logit, 0.0)
    far = np.maximum(middle, np.log((a + b) / b) + 3)
    total = np.sum(integrand(far[:, None] + _TAIL / second) * _TAIL_WEIGHTS, axis=-1) / b
    for start, end in ((logit, middle), (middle, far)):
        length = end - start
        total = total + length * np.sum(integrand(start[:, None] + length[:, None] * _INSIDE) * _INSIDE_WEIGHTS, axis=-1)
    return total
