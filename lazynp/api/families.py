"""scipy.stats: log-densities and distribution functions as formulas (lazynp/ops/densities.py), everything else through SciPy.

A distribution is an object, as SciPy's: `norm.logpdf(x, loc, scale)`, `norm(loc, scale).logpdf(x)`. Every array may be a variable:
the argument, location, scale and the shape parameters.
"""

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from lazynp.api.dispatch import implements, offered, synced, wrapped
from lazynp.api.multivariate import MULTIVARIATE
from lazynp.array import wrap
from lazynp.ir.node import Node
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.densities import FAMILIES, Family, both

_FLOAT = np.dtype(float)


DISTRIBUTIONS = (*FAMILIES, *MULTIVARIATE)
"""The names in scipy.stats of distributions that are formulas here."""


def stats(name: str) -> Any:
    """lazynp's object for a public name of scipy.stats. Raises AttributeError for a name that SciPy does not have."""
    original = getattr(import_module("scipy.stats"), name)
    if name in FAMILIES:
        return Distribution(name, original, _methods(FAMILIES[name]))
    if name in MULTIVARIATE:
        return Distribution(name, original, MULTIVARIATE[name])
    return offered(original, None)


class Distribution:
    """A distribution of scipy.stats: the methods that are formulas, and SciPy's own for the rest."""

    def __init__(self, name: str, original: Any, formulas: dict[str, Callable[..., Any]]) -> None:
        self.name = name
        self._original = original
        self._formulas = formulas

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._original, name)
        if callable(value):
            named = _named(value, f"{self.name}.{name}")
            value = implements(named)(self._formulas[name]) if name in self._formulas else synced(named)
        self.__dict__[name] = value
        return value

    def __call__(self, *args: Any, **kwargs: Any) -> "Frozen":
        return Frozen(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<lazynp.scipy.stats.{self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return stats, (self.name,)


class Frozen:
    """A distribution with its parameters: `frozen.logpdf(x)` is `distribution.logpdf(x, *parameters)`."""

    def __init__(self, family: Distribution, args: tuple[Any, ...], kwds: dict[str, Any]) -> None:
        self.family, self.args, self.kwds = family, args, kwds

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        method = getattr(self.family, name)
        if not callable(method):
            return method
        if name in ("rvs", "stats", "interval", "moment", "expect", "entropy", "mean", "median", "std", "var", "support", "cov"):
            frozen = getattr(self.family._original(*self.args, **self.kwds), name)
            return lambda *args, **kwargs: wrapped(frozen(*args, **kwargs))
        return lambda *args, **kwargs: method(*args, *self.args, **self.kwds, **kwargs)


def _named(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A method of SciPy's as a function that knows the distribution: in messages and in the count of fallbacks."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    call.__name__, call.__doc__, call.__module__ = name, method.__doc__, "scipy.stats"
    return call


# --- from a row to methods -----------------------------------------------------------------------------------------------


class Standard:
    """The arguments of one call in standard form.

    y: the argument without location and scale, in double precision; scale, log_scale: None for 1; valid: where the parameters are in their
    ranges, None: everywhere. Elsewhere they are replaced by usual ones, so that nothing warns of values that the result does not have."""

    def __init__(self, row: Family, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        names = (*row.shapes, "loc") if row.discrete else (*row.shapes, "loc", "scale")
        given = _bound(row.name, names, len(row.shapes), args, kwargs)
        loc, scale = given.get("loc", 0), given.get("scale", 1)
        y = node_of(x)
        if not _is(loc, 0):
            y = y - node_of(loc)
        valid = []
        self.log_scale = None
        self.scale = None
        if not _is(scale, 1):
            wide = ew.as_node(node_of(scale), _FLOAT)
            valid.append(ew.greater(wide, 0))
            self.scale = ew.where(valid[0], wide, 1.0)
            y = y / self.scale
            self.log_scale = ew.log(self.scale)
        shapes = [ew.as_node(node_of(given[name]), _FLOAT) for name in row.shapes]
        if row.valid is not None:
            known = row.valid(*shapes)
            valid.append(known)
            shapes = [ew.where(known, shape, usual) for shape, usual in zip(shapes, row.usual or (1.0,) * len(shapes), strict=True)]
        self.y = ew.as_node(y, _FLOAT)
        self.shapes = shapes
        self.valid = both(*valid) if valid else None
        self.row = row
        self.loc = loc

    def bound(self, end: Any) -> Any:
        return end(*self.shapes) if callable(end) else end

    def kept(self, outside: Node | None) -> Node:
        """y, moved into the support where it is outside."""
        return self.y if outside is None else ew.where(outside, self.bound(self.row.inside), self.y)

    def checked(self, value: Node) -> Node:
        return value if self.valid is None else ew.where(self.valid, value, math.nan)

    def outside(self) -> Node | None:
        """Where the density is zero."""
        tests = []
        if self.row.lower != -math.inf:
            tests.append(ew.less(self.y, self.bound(self.row.lower)))
        if self.row.upper != math.inf:
            tests.append(ew.greater(self.y, self.bound(self.row.upper)))
        if self.row.discrete:
            tests.append(ew.not_equal(ew.floor(self.y), self.y))
        found = None
        for test in tests:
            found = test if found is None else ew.logical_or(found, test)
        return found


def _bound(family: str, names: tuple[str, ...], needed: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    given = dict(zip(names, args, strict=False)) | kwargs
    if len(args) > len(names) or not set(given) <= set(names) or not set(names[:needed]) <= set(given):
        raise TypeError(f"{family} takes the parameters {', '.join(names)}; given were {len(args)} by position and {sorted(kwargs)}")
    return given


def _is(value: Any, number: int) -> bool:
    return type(value) in (int, float) and value == number


def _logpdf(row: Family) -> Callable[..., Any]:
    def lazy(x: Any, *args: Any, **kwargs: Any) -> Any:
        s = Standard(row, x, args, kwargs)
        outside = s.outside()
        value = row.logpdf(s.kept(outside), *s.shapes)
        if s.log_scale is not None:
            value = value - s.log_scale
        if outside is not None:
            value = ew.where(outside, ew.where(ew.not_equal(s.y, s.y), math.nan, -math.inf) if row.discrete else -math.inf, value)
        return wrap(s.checked(value))

    return lazy


def _cumulative(row: Family, formula: Callable[..., Any], at_lower: float, at_upper: float) -> Callable[..., Any]:
    """A function of y with known values outside of the support."""

    def lazy(x: Any, *args: Any, **kwargs: Any) -> Any:
        s = Standard(row, x, args, kwargs)
        y = ew.floor(s.y) if row.discrete else s.y
        s.y = y
        below = above = None
        if row.lower != -math.inf:
            below = (ew.less if row.discrete else ew.less_equal)(y, s.bound(row.lower))
        if row.upper != math.inf:
            above = ew.greater_equal(y, s.bound(row.upper))
        outside = below if above is None else above if below is None else ew.logical_or(below, above)
        value = formula(s.kept(outside), *s.shapes)
        if row.discrete:
            value = ew.where(ew.equal(y, y), value, math.nan)
        if above is not None:
            value = ew.where(above, at_upper, value)
        if below is not None:
            value = ew.where(below, at_lower, value)
        return wrap(s.checked(value))

    return lazy


def _inverse(row: Family, formula: Callable[..., Any]) -> Callable[..., Any]:
    """Quantiles: nan outside of [0, 1], the ends of the support at 0 and 1 come from the formula."""

    def lazy(q: Any, *args: Any, **kwargs: Any) -> Any:
        s = Standard(row, 0.0, args, kwargs)
        q = ew.as_node(node_of(q), _FLOAT)
        inside = both(ew.greater_equal(q, 0), ew.less_equal(q, 1))
        value = formula(ew.where(inside, q, 0.5), *s.shapes)
        value = value if s.scale is None else value * s.scale
        value = value if _is(s.loc, 0) else value + node_of(s.loc)
        return wrap(s.checked(ew.where(inside, value, math.nan)))

    return lazy


def _methods(row: Family) -> dict[str, Callable[..., Any]]:
    log = _logpdf(row)
    found = {"logpmf" if row.discrete else "logpdf": log, "pmf" if row.discrete else "pdf": _exponential(log)}
    if row.cdf is not None:
        found["cdf"] = _cumulative(row, row.cdf, 0.0, 1.0)
    if row.sf is not None:
        found["sf"] = _cumulative(row, row.sf, 1.0, 0.0)
    log_cdf, log_sf = row.logcdf or _logarithm(row.cdf), row.logsf or _logarithm(row.sf)
    if log_cdf is not None:
        found["logcdf"] = _cumulative(row, log_cdf, -math.inf, 0.0)
    if log_sf is not None:
        found["logsf"] = _cumulative(row, log_sf, 0.0, -math.inf)
    if row.ppf is not None:
        found["ppf"] = _inverse(row, row.ppf)
    if row.isf is not None:
        found["isf"] = _inverse(row, row.isf)
    return found


def _exponential(log: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: wrap(ew.exp(node_of(log(*args, **kwargs))))


def _logarithm(formula: Callable[..., Any] | None) -> Callable[..., Any] | None:
    return None if formula is None else lambda *args: ew.log(formula(*args))
