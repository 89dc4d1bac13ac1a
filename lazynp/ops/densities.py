"""Log-densities and distribution functions in standard form (location 0, scale 1), as formulas over nodes. Names and shapes are SciPy's.

A row of FAMILIES says the support, which shape parameters are valid, and what is known in closed form; lazynp/api/families.py makes
`pdf`, `logcdf` and so on of it. Sources: Johnson, Kotz & Balakrishnan, "Continuous Univariate Distributions"; SciPy's documentation,
whose parameters these are.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from lazynp.ir.node import Node
from lazynp.ops import elementwise as ew
from lazynp.ops import special as sp

Formula = Callable[..., Any]

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_ROOT_HALF = math.sqrt(0.5)


class Family(NamedTuple):
    """logpdf(y, *shapes); the others likewise or None. lower, upper: the support, numbers or functions of the shapes.
    inside: a point of the support for elements that lie outside of it; valid(*shapes) -> node, None: always;
    usual: valid shape parameters, ones if not given."""

    name: str
    shapes: tuple[str, ...]
    logpdf: Formula
    lower: Any = -math.inf
    upper: Any = math.inf
    inside: Any = 1.0
    valid: Formula | None = None
    usual: tuple[float, ...] = ()
    discrete: bool = False
    cdf: Formula | None = None
    sf: Formula | None = None
    logcdf: Formula | None = None
    logsf: Formula | None = None
    ppf: Formula | None = None
    isf: Formula | None = None


FAMILIES: dict[str, Family] = {}


def family(name: str, shapes: str, logpdf: Formula, **facts: Any) -> None:
    names = tuple(shapes.split())
    facts.setdefault("valid", all_positive if names else None)
    FAMILIES[name] = Family(name, names, logpdf, **facts)


def both(first: Node, *rest: Node) -> Node:
    """All conditions at once."""
    for other in rest:
        first = ew.logical_and(first, other)
    return first


def all_positive(*shapes: Node) -> Node:
    return both(*[ew.greater(s, 0) for s in shapes])


def _whole(n: Node) -> Node:
    return ew.equal(ew.floor(n), n)


def _share(p: Node) -> Node:
    return both(ew.greater_equal(p, 0), ew.less_equal(p, 1))


def _log_difference(p: Node, q: Node) -> Node:
    """log(exp(p) - exp(q))."""
    return p + ew.log1p(-ew.exp(q - p))


# --- on the whole line ---------------------------------------------------------------------------------------------------


def _normal(y: Node) -> Node:
    return y * y * -0.5 - _HALF_LOG_TAU


def _t(y: Node, df: Node) -> Node:
    half = df * 0.5
    at_infinity = ew.isinf(df)
    df, half = ew.where(at_infinity, 1.0, df), ew.where(at_infinity, 0.5, half)
    density = sp.gammaln(half + 0.5) - sp.gammaln(half) - 0.5 * ew.log(df * math.pi) - (half + 0.5) * ew.log1p(y * y / df)
    return ew.where(at_infinity, _normal(y), density)


def _logistic(y: Node) -> Node:
    low = -ew.absolute(y)
    return low - 2.0 * ew.log1p(ew.exp(low))


family("norm", "", _normal, cdf=sp.ndtr, sf=lambda y: sp.ndtr(-y), logcdf=sp.log_ndtr, logsf=lambda y: sp.log_ndtr(-y),
       ppf=sp.ndtri, isf=lambda q: -sp.ndtri(q))  # fmt: skip
family("t", "df", _t, cdf=lambda y, df: sp.stdtr(df, y), sf=lambda y, df: sp.stdtr(df, -y))
family("cauchy", "", lambda y: -math.log(math.pi) - ew.log1p(y * y), cdf=lambda y: ew.arctan2(1.0, -y) / math.pi,
       sf=lambda y: ew.arctan2(1.0, y) / math.pi, ppf=lambda q: ew.tan(math.pi * q - math.pi / 2))  # fmt: skip
family("laplace", "", lambda y: math.log(0.5) - ew.absolute(y),
       cdf=lambda y: ew.where(ew.greater(y, 0), 1.0 - 0.5 * ew.exp(-ew.absolute(y)), 0.5 * ew.exp(-ew.absolute(y))),
       sf=lambda y: ew.where(ew.greater(y, 0), 0.5 * ew.exp(-ew.absolute(y)), 1.0 - 0.5 * ew.exp(-ew.absolute(y))))  # fmt: skip
family("logistic", "", _logistic, cdf=ew.expit, sf=lambda y: ew.expit(-y), logcdf=sp.log_expit, logsf=lambda y: sp.log_expit(-y),
       ppf=sp.logit, isf=lambda q: -sp.logit(q))  # fmt: skip
family("gumbel_r", "", lambda y: -y - ew.exp(-y), cdf=lambda y: ew.exp(-ew.exp(-y)), logcdf=lambda y: -ew.exp(-y),
       sf=lambda y: -ew.expm1(-ew.exp(-y)), ppf=lambda q: -ew.log(-ew.log(q)))  # fmt: skip
family("gumbel_l", "", lambda y: y - ew.exp(y), cdf=lambda y: -ew.expm1(-ew.exp(y)), sf=lambda y: ew.exp(-ew.exp(y)),
       logsf=lambda y: -ew.exp(y), ppf=lambda q: ew.log(-ew.log1p(-q)))  # fmt: skip
family("hypsecant", "", lambda y: math.log(1 / math.pi) - ew.logaddexp(y, -y) + math.log(2.0))
family("skewnorm", "a", lambda y, a: _normal(y) + math.log(2.0) + sp.log_ndtr(a * y), valid=ew.isfinite)
family("gennorm", "beta", lambda y, b: ew.log(b * 0.5) - sp.gammaln(1.0 / b) - ew.power(ew.absolute(y), b))
family("loggamma", "c", lambda y, c: c * y - ew.exp(y) - sp.gammaln(c))
family("vonmises", "kappa",
       lambda y, k: ew.square(ew.sin(y * 0.5)) * k * -2.0 - math.log(2 * math.pi) - ew.log(sp.i0e(k)),
       valid=lambda k: ew.greater_equal(k, 0))  # fmt: skip
family("moyal", "", lambda y: -0.5 * (y + ew.exp(-y)) - _HALF_LOG_TAU)

# --- on the positive half-line -------------------------------------------------------------------------------------------


def _lognormal(y: Node, s: Node) -> Node:
    start = ew.equal(y, 0)
    log = ew.log(ew.where(start, 1.0, y))
    return ew.where(start, -math.inf, ew.square(log / s) * -0.5 - log - ew.log(s) - _HALF_LOG_TAU)


def _f(y: Node, dfn: Node, dfd: Node) -> Node:
    n, m = dfn * 0.5, dfd * 0.5
    return m * ew.log(dfd) + n * ew.log(dfn) + sp.xlogy(n - 1.0, y) - (n + m) * ew.log(dfd + dfn * y) - sp.betaln(n, m)


def _inverse_gaussian(y: Node, mu: Node) -> Node:
    start = ew.equal(y, 0)
    y = ew.where(start, 1.0, y)
    return ew.where(start, -math.inf, -_HALF_LOG_TAU - 1.5 * ew.log(y) - ew.square(y / mu - 1.0) / (2.0 * y))


def _inverse_gamma(y: Node, a: Node) -> Node:
    start = ew.equal(y, 0)
    y = ew.where(start, 1.0, y)
    return ew.where(start, -math.inf, -(a + 1.0) * ew.log(y) - sp.gammaln(a) - 1.0 / y)


family("expon", "", lambda y: -y, lower=0, cdf=lambda y: -ew.expm1(-y), sf=lambda y: ew.exp(-y), logsf=lambda y: -y,
       ppf=lambda q: -ew.log1p(-q), isf=lambda q: -ew.log(q))  # fmt: skip
family("gamma", "a", lambda y, a: sp.xlogy(a - 1.0, y) - y - sp.gammaln(a), lower=0,
       cdf=lambda y, a: sp.gammainc(a, y), sf=lambda y, a: sp.gammaincc(a, y))  # fmt: skip
family("chi2", "df", lambda y, df: sp.xlogy(df * 0.5 - 1.0, y) - y * 0.5 - sp.gammaln(df * 0.5) - df * (0.5 * math.log(2.0)), lower=0,
       cdf=lambda y, df: sp.gammainc(df * 0.5, y * 0.5), sf=lambda y, df: sp.gammaincc(df * 0.5, y * 0.5))  # fmt: skip
family("chi", "df",
       lambda y, df: math.log(2.0) * (1.0 - df * 0.5) - sp.gammaln(df * 0.5) + sp.xlogy(df - 1.0, y) - y * y * 0.5, lower=0,
       cdf=lambda y, df: sp.gammainc(df * 0.5, y * y * 0.5), sf=lambda y, df: sp.gammaincc(df * 0.5, y * y * 0.5))  # fmt: skip
family("f", "dfn dfd", _f, lower=0, cdf=lambda y, n, m: sp.betainc(n * 0.5, m * 0.5, 1.0 / (1.0 + m / (n * y))),
       sf=lambda y, n, m: sp.betainc(m * 0.5, n * 0.5, m / (m + n * y)))  # fmt: skip
family("lognorm", "s", _lognormal, lower=0, cdf=lambda y, s: sp.ndtr(ew.log(y) / s), sf=lambda y, s: sp.ndtr(-ew.log(y) / s),
       logcdf=lambda y, s: sp.log_ndtr(ew.log(y) / s), logsf=lambda y, s: sp.log_ndtr(-ew.log(y) / s),
       ppf=lambda q, s: ew.exp(s * sp.ndtri(q)))  # fmt: skip
family("invgauss", "mu", _inverse_gaussian, lower=0)
family("invgamma", "a", _inverse_gamma, lower=0, cdf=lambda y, a: sp.gammaincc(a, 1.0 / y), sf=lambda y, a: sp.gammainc(a, 1.0 / y))
family("weibull_min", "c", lambda y, c: ew.log(c) + sp.xlogy(c - 1.0, y) - ew.power(y, c), lower=0,
       cdf=lambda y, c: -ew.expm1(-ew.power(y, c)), sf=lambda y, c: ew.exp(-ew.power(y, c)), logsf=lambda y, c: -ew.power(y, c),
       ppf=lambda q, c: ew.power(-ew.log1p(-q), 1.0 / c))  # fmt: skip
family("halfnorm", "", lambda y: 0.5 * math.log(2 / math.pi) - y * y * 0.5, lower=0, cdf=lambda y: sp.erf(y * _ROOT_HALF),
       sf=lambda y: sp.erfc(y * _ROOT_HALF))  # fmt: skip
family("halfcauchy", "", lambda y: math.log(2 / math.pi) - ew.log1p(y * y), lower=0, cdf=lambda y: 2 / math.pi * ew.arctan(y),
       sf=lambda y: 2 / math.pi * ew.arctan2(1.0, y), ppf=lambda q: ew.tan(math.pi / 2 * q))  # fmt: skip
family("halflogistic", "", lambda y: math.log(2.0) - y - 2.0 * ew.log1p(ew.exp(-y)), lower=0, cdf=lambda y: ew.tanh(y * 0.5))
family("rayleigh", "", lambda y: sp.xlogy(1.0, y) - y * y * 0.5, lower=0, cdf=lambda y: -ew.expm1(y * y * -0.5),
       sf=lambda y: ew.exp(y * y * -0.5), logsf=lambda y: y * y * -0.5)  # fmt: skip
family("maxwell", "", lambda y: 0.5 * math.log(2 / math.pi) + sp.xlogy(2.0, y) - y * y * 0.5, lower=0,
       cdf=lambda y: sp.gammainc(1.5, y * y * 0.5), sf=lambda y: sp.gammaincc(1.5, y * y * 0.5))  # fmt: skip
family("lomax", "c", lambda y, c: ew.log(c) - (c + 1.0) * ew.log1p(y), lower=0, cdf=lambda y, c: -ew.expm1(-c * ew.log1p(y)),
       sf=lambda y, c: ew.exp(-c * ew.log1p(y)), logsf=lambda y, c: -c * ew.log1p(y))  # fmt: skip
family("pareto", "b", lambda y, b: ew.log(b) - (b + 1.0) * ew.log(y), lower=1, inside=2.0, cdf=lambda y, b: 1.0 - ew.power(y, -b),
       sf=lambda y, b: ew.power(y, -b), ppf=lambda q, b: ew.power(1.0 - q, -1.0 / b))  # fmt: skip
family("nakagami", "nu",
       lambda y, nu: math.log(2.0) + sp.xlogy(nu, nu) - sp.gammaln(nu) + sp.xlogy(2.0 * nu - 1.0, y) - nu * y * y, lower=0,
       cdf=lambda y, nu: sp.gammainc(nu, nu * y * y), sf=lambda y, nu: sp.gammaincc(nu, nu * y * y))  # fmt: skip

# --- on an interval ------------------------------------------------------------------------------------------------------


def _truncated_mass(a: Node, b: Node) -> Node:
    """log of the normal probability of (a, b), from whichever tail keeps its digits."""
    upper = ew.greater(a, 0)
    a, b = ew.where(upper, -b, a), ew.where(upper, -a, b)
    tail = ew.less_equal(b, 0)
    in_tail = _log_difference(sp.log_ndtr(ew.where(tail, b, -1.0)), sp.log_ndtr(ew.where(tail, a, -2.0)))
    return ew.where(tail, in_tail, ew.log1p(-sp.ndtr(ew.where(tail, -1.0, a)) - sp.ndtr(-ew.where(tail, 1.0, b))))


def _truncated_cdf(y: Node, a: Node, b: Node) -> Node:
    return ew.exp(_truncated_mass(a, y) - _truncated_mass(a, b))


family("uniform", "", lambda y: y * 0.0, lower=0, upper=1, inside=0.5, cdf=lambda y: y, sf=lambda y: 1.0 - y, ppf=lambda q: q)
family("beta", "a b", lambda y, a, b: sp.xlog1py(b - 1.0, -y) + sp.xlogy(a - 1.0, y) - sp.betaln(a, b), lower=0, upper=1, inside=0.5,
       cdf=lambda y, a, b: sp.betainc(a, b, y), sf=lambda y, a, b: sp.betaincc(a, b, y))  # fmt: skip
family("truncnorm", "a b", lambda y, a, b: _normal(y) - _truncated_mass(a, b), usual=(0.0, 1.0), lower=lambda a, b: a, upper=lambda a, b: b,
       inside=lambda a, b: ew.where(ew.isfinite(a), a, ew.where(ew.isfinite(b), b, 0.0)), valid=lambda a, b: ew.less(a, b),
       cdf=_truncated_cdf, sf=lambda y, a, b: ew.exp(_truncated_mass(y, b) - _truncated_mass(a, b)))  # fmt: skip
family("powerlaw", "a", lambda y, a: ew.log(a) + sp.xlogy(a - 1.0, y), lower=0, upper=1, inside=0.5, cdf=lambda y, a: ew.power(y, a),
       ppf=lambda q, a: ew.power(q, 1.0 / a))  # fmt: skip
family("arcsine", "", lambda y: -math.log(math.pi) - 0.5 * (sp.xlogy(1.0, y) + sp.xlog1py(1.0, -y)), lower=0, upper=1, inside=0.5,
       cdf=lambda y: 2 / math.pi * ew.arcsin(ew.sqrt(y)))  # fmt: skip
family("semicircular", "", lambda y: math.log(2 / math.pi) + 0.5 * sp.xlog1py(1.0, -y * y), lower=-1, upper=1, inside=0.0,
       cdf=lambda y: 0.5 + 1 / math.pi * (y * ew.sqrt(1.0 - y * y) + ew.arcsin(y)))  # fmt: skip

# --- on the integers -----------------------------------------------------------------------------------------------------


def _binomial(k: Node, n: Node, p: Node) -> Node:
    ways = sp.gammaln(n + 1.0) - sp.gammaln(k + 1.0) - sp.gammaln(n - k + 1.0)
    return ways + sp.xlogy(k, p) + sp.xlog1py(n - k, -p)


def _beta_binomial(k: Node, n: Node, a: Node, b: Node) -> Node:
    return -ew.log(n + 1.0) - sp.betaln(n - k + 1.0, k + 1.0) + sp.betaln(k + a, n - k + b) - sp.betaln(a, b)


def _negative_binomial(k: Node, n: Node, p: Node) -> Node:
    return sp.gammaln(n + k) - sp.gammaln(k + 1.0) - sp.gammaln(n) + n * ew.log(p) + sp.xlog1py(k, -p)


family("bernoulli", "p", lambda k, p: sp.xlogy(k, p) + sp.xlog1py(1.0 - k, -p), lower=0, upper=1, inside=0.0, valid=_share, discrete=True,
       cdf=lambda k, p: 1.0 - p)  # fmt: skip
family("binom", "n p", _binomial, lower=0, upper=lambda n, p: n, inside=0.0, discrete=True,
       valid=lambda n, p: both(ew.greater_equal(n, 0), _whole(n), _share(p)), cdf=lambda k, n, p: sp.betainc(n - k, k + 1.0, 1.0 - p),
       sf=lambda k, n, p: sp.betainc(k + 1.0, n - k, p))  # fmt: skip
family("poisson", "mu", lambda k, mu: sp.xlogy(k, mu) - sp.gammaln(k + 1.0) - mu, lower=0, inside=0.0, discrete=True,
       valid=lambda mu: ew.greater_equal(mu, 0), cdf=lambda k, mu: sp.gammaincc(k + 1.0, mu),
       sf=lambda k, mu: sp.gammainc(k + 1.0, mu))  # fmt: skip
family("geom", "p", lambda k, p: sp.xlog1py(k - 1.0, -p) + ew.log(p), lower=1, discrete=True, usual=(0.5,),
       valid=lambda p: both(ew.greater(p, 0), ew.less_equal(p, 1)), cdf=lambda k, p: -ew.expm1(ew.log1p(-p) * k),
       sf=lambda k, p: ew.exp(ew.log1p(-p) * k), logsf=lambda k, p: ew.log1p(-p) * k)  # fmt: skip
family("nbinom", "n p", _negative_binomial, lower=0, inside=0.0, discrete=True,
       valid=lambda n, p: both(ew.greater(n, 0), ew.greater(p, 0), ew.less_equal(p, 1)),
       cdf=lambda k, n, p: sp.betainc(n, k + 1.0, p), sf=lambda k, n, p: sp.betainc(k + 1.0, n, 1.0 - p))  # fmt: skip
family("betabinom", "n a b", _beta_binomial, lower=0, upper=lambda n, a, b: n, inside=0.0, discrete=True,
       valid=lambda n, a, b: both(ew.greater_equal(n, 0), _whole(n), ew.greater(a, 0), ew.greater(b, 0)))  # fmt: skip
family("logser", "p", lambda k, p: k * ew.log(p) - ew.log(k) - ew.log(-ew.log1p(-p)), lower=1, discrete=True,
       usual=(0.5,), valid=lambda p: both(ew.greater(p, 0), ew.less(p, 1)))  # fmt: skip
family("dlaplace", "a", lambda k, a: ew.log(ew.tanh(a * 0.5)) - a * ew.absolute(k), inside=0.0, discrete=True)
