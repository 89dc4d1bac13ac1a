"""How exact lazynp.scipy.special is: values and derivatives against mpmath in 40 digits.

`python tests/test_special_accuracy.py --write` measures, and writes the bounds into docs/special_functions.md.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pytest

mpmath = pytest.importorskip("mpmath", reason="mpmath, which computes the digits to compare with, is not installed")
pytest.importorskip("scipy.special", reason="SciPy, whose functions these are, is not installed")

import lazynp as np
from lazynp.scipy import special

PAGE = Path(__file__).parents[1] / "docs" / "special_functions.md"
EPS = 2.0**-52
POINTS = 24


class Row(NamedTuple):
    """exact: of mpmath's numbers; domains: of each argument, low to high; by: the arguments that there are derivatives by."""

    name: str
    exact: Callable[..., Any]
    domains: tuple[tuple[float, float], ...]
    by: tuple[int, ...]


ROWS: list[Row] = []


def row(name: str, exact: Callable[..., Any], *domains: tuple[float, float], by: tuple[int, ...] | None = None) -> None:
    ROWS.append(Row(name, exact, domains, tuple(range(len(domains))) if by is None else by))


m = mpmath


def _lower(a: Any, x: Any) -> Any:
    return m.gammainc(a, 0, x, regularized=True)


def _upper(a: Any, x: Any) -> Any:
    return m.gammainc(a, x, m.inf, regularized=True)


def _beta(a: Any, b: Any, x: Any) -> Any:
    return m.betainc(a, b, 0, x, regularized=True)


def _beta_rest(a: Any, b: Any, x: Any) -> Any:
    return m.betainc(a, b, x, 1, regularized=True)


def _student(df: Any, t: Any) -> Any:
    return _beta(df / 2, m.mpf(1) / 2, df / (df + t * t)) / 2 if t < 0 else 1 - _beta(df / 2, m.mpf(1) / 2, df / (df + t * t)) / 2


def _inverse(function: Callable[..., Any], start: Callable[..., Any]) -> Callable[..., Any]:
    """The last argument that gives a value, from SciPy's as a first guess."""

    def exact(*args: Any) -> Any:
        *parameters, value = args
        guess = m.mpf(float(start(*[float(a) for a in args])))
        return m.findroot(lambda x: function(*parameters, x) - value, (guess, guess * (1 + m.mpf(10) ** -9)), tol=m.mpf(10) ** -70)

    return exact


ORDER = (0.25, 3.5)
UNIT = (0.02, 0.98)

row("erf", m.erf, (-3, 3))
row("erfc", m.erfc, (-3, 20))
row("erfcx", lambda x: m.exp(x * x) * m.erfc(x), (-2, 40))
row("erfi", m.erfi, (-4, 4))
row("erfinv", m.erfinv, (-0.999, 0.999))
row("erfcinv", lambda x: m.erfinv(1 - x), (0.001, 1.9))
row("dawsn", lambda x: m.sqrt(m.pi) / 2 * m.exp(-x * x) * m.erfi(x), (-6, 10))
row("ndtr", m.ncdf, (-20, 4))
row("log_ndtr", lambda x: m.log(m.ncdf(x)), (-20, 4))
row("ndtri", lambda p: m.sqrt(2) * m.erfinv(2 * p - 1), (0.001, 0.98))
row("gamma", m.gamma, (0.1, 60))
row("rgamma", m.rgamma, (0.1, 60))
row("gammaln", m.loggamma, (0.05, 300))
row("digamma", m.digamma, (0.05, 300))
row("polygamma", lambda x: m.polygamma(2, x), (0.05, 100))
row("zeta", m.zeta, (1.2, 12), (0.5, 20), by=(1,))
row("beta", m.beta, (0.2, 12), (0.2, 12))
row("betaln", lambda a, b: m.log(m.beta(a, b)), (0.2, 30), (0.2, 30))
row("gammainc", _lower, (0.1, 40), (0.1, 40))
row("gammaincc", _upper, (0.1, 40), (0.1, 40))
row("gammaincinv", _inverse(_lower, lambda a, p: special.gammaincinv(a, p)), (0.5, 30), UNIT)
row("gammainccinv", _inverse(_upper, lambda a, p: special.gammainccinv(a, p)), (0.5, 30), UNIT)
row("betainc", _beta, (0.2, 20), (0.2, 20), UNIT)
row("betaincc", _beta_rest, (0.2, 20), (0.2, 20), UNIT)
row("betaincinv", _inverse(_beta, lambda a, b, p: special.betaincinv(a, b, p)), (0.5, 20), (0.5, 20), UNIT)
row("betainccinv", _inverse(_beta_rest, lambda a, b, p: special.betainccinv(a, b, p)), (0.5, 20), (0.5, 20), UNIT)
row("stdtr", _student, (0.5, 40), (-8, 4))
row("binom", m.binomial, (12, 30), (0.5, 11))
row("poch", m.rf, (0.3, 12), (0.3, 6))
row("expit", lambda x: 1 / (1 + m.exp(-x)), (-30, 30))
row("logit", lambda x: m.log(x / (1 - x)), (0.001, 0.999))
row("log_expit", lambda x: -m.log1p(m.exp(-x)), (-30, 30))
row("xlogy", lambda x, y: x * m.log(y), (0.1, 9), (0.01, 50))
row("xlog1py", lambda x, y: x * m.log1p(y), (0.1, 9), (-0.9, 50))
row("entr", lambda x: -x * m.log(x), (0.001, 9))
row("rel_entr", lambda x, y: x * m.log(x / y), (0.1, 9), (0.1, 9))
row("kl_div", lambda x, y: x * m.log(x / y) - x + y, (0.1, 9), (0.1, 9))
row("exp10", lambda x: m.mpf(10) ** x, (-30, 30))
row("expi", m.ei, (0.5, 40))
row("exp1", m.e1, (0.01, 40))
row("spence", lambda x: m.polylog(2, 1 - x).real, (0.01, 9))
row("ellipk", m.ellipk, (0.01, 0.99))
row("ellipe", m.ellipe, (0.01, 0.99))
row("jv", m.besselj, ORDER, (0.2, 30), by=(1,))
row("yv", m.bessely, ORDER, (0.2, 30), by=(1,))
row("iv", m.besseli, ORDER, (0.2, 30), by=(1,))
row("kv", m.besselk, ORDER, (0.2, 30), by=(1,))
row("ive", lambda v, x: m.besseli(v, x) * m.exp(-x), ORDER, (0.2, 30), by=(1,))
row("kve", lambda v, x: m.besselk(v, x) * m.exp(x), ORDER, (0.2, 30), by=(1,))
for _order in (0, 1):
    row(f"j{_order}", lambda x, v=_order: m.besselj(v, x), (0.2, 30))
    row(f"y{_order}", lambda x, v=_order: m.bessely(v, x), (0.2, 30))
    row(f"i{_order}", lambda x, v=_order: m.besseli(v, x), (0.2, 30))
    row(f"k{_order}", lambda x, v=_order: m.besselk(v, x), (0.2, 30))
    row(f"i{_order}e", lambda x, v=_order: m.besseli(v, x) * m.exp(-x), (0.2, 30))
    row(f"k{_order}e", lambda x, v=_order: m.besselk(v, x) * m.exp(x), (0.2, 30))


def function(name: str) -> Callable[..., Any]:
    return (lambda x: special.polygamma(2, x)) if name == "polygamma" else getattr(special, name)


def points(row: Row) -> list[numpy.ndarray]:
    rng = numpy.random.default_rng(len(row.name) + 7 * len(row.domains))
    return [rng.uniform(low, high, POINTS) for low, high in row.domains]


def slope(exact: Callable[..., Any], args: list[Any], place: int) -> Any:
    """A five-point difference in 60 digits: exact to 40."""
    h = m.mpf(10) ** -11

    def at(k: int) -> Any:
        return exact(*[a + k * h if p == place else a for p, a in enumerate(args)])

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)


def error(found: Any, exact: list[Any]) -> float:
    """The largest relative error, in units of 2**-52. Numbers below the smallest normal one do not count."""
    gaps = [abs(m.mpf(float(f)) - e) / abs(e) for f, e in zip(found, exact, strict=True) if abs(e) > 1e-300]
    return float(max(gaps) / EPS)


def measured(row: Row) -> tuple[float, float]:
    """The errors of the compiled value and of the worst of the compiled derivatives."""
    arrays = points(row)
    f = function(row.name)
    value = np.jit(f)(*arrays)
    slopes = [np.jit(np.elementwise_grad(f, place))(*arrays) for place in row.by]
    with m.workdps(75):
        args = [[m.mpf(float(v)) for v in one] for one in zip(*arrays, strict=True)]
        by_value = error(value, [m.re(row.exact(*one)) for one in args])
        by_slope = [error(s, [m.re(slope(row.exact, one, place)) for one in args]) for s, place in zip(slopes, row.by, strict=True)]
    return by_value, max(by_slope)


def bound(units: float) -> int:
    """The next power of two above twice the error: other compilers' exp and log are not ours."""
    return 2 ** max(2, int(numpy.ceil(numpy.log2(2 * units + 1))))


def written() -> dict[str, tuple[int, int]]:
    rows = [line.split("|")[1:-1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): (int(cells[2]), int(cells[3])) for cells in rows}


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_errors_are_within_the_bounds_of_the_page(name: str) -> None:
    value, slope = measured(next(row for row in ROWS if row.name == name))
    of_value, of_slope = written()[name]
    assert value <= of_value
    assert slope <= of_slope


def test_the_page_has_every_function() -> None:
    assert set(written()) == {row.name for row in ROWS}


def page() -> str:
    lines = []
    for row in sorted(ROWS):
        value, slope = measured(row)
        print(row.name, value, slope, file=sys.stderr)
        places = ", ".join([f"{low:g} to {high:g}" for low, high in row.domains])
        lines.append(f"| `{row.name}` | {places} | {bound(value)} | {bound(slope)} |")
    return f"""\
# How exact special functions are

Bounds of the relative error of `lazynp.scipy.special` in compiled programs, in units of 2**-52 = 2.2e-16, at {POINTS} random points of
these domains, against mpmath in 40 digits and more. tests/test_special_accuracy.py checks them; it has written them, too: twice what
was measured, and up to a power of two. Near a zero of a function (`yv`, `j0`, `kl_div`), and where it varies fast (`ndtr` at -20), the
relative error of any method grows, because a point itself is known to one unit only. Derivatives: the worst over the arguments
that have one.

| function | arguments | value | derivative |
|---|---|---:|---:|
{chr(10).join(lines)}
"""


if __name__ == "__main__" and "--write" in sys.argv:
    PAGE.write_text(page(), encoding="utf-8")
