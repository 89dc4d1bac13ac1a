"""Every row of tests/differentiable.py again with complex, empty, 0-d and repeated (stride 0) arguments, where NumPy takes them:
both modes agree, and complex derivatives with differences of values."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from differentiable import ROWS, Row
from test_differentiable import Checked, as_tuple, close
from test_ops import inner

from lazynp.transform.derive import pullback, pushforward

NAMES = sorted({row.name for row in ROWS})
NO_DERIVATIVE = {
    ("linalg.slogdet", "broadcast"): "the matrix is singular",
    ("linalg.qr", "broadcast"): "the matrix is singular",
    ("linalg.cond", "broadcast"): "the matrix is singular",
    ("linalg.svd", "complex"): "the row's projectors are those of real vectors: it depends on phases that LAPACK chooses",
    ("interp", "complex"): "NumPy drops the imaginary part of points",
}


def variants(row: Row) -> Iterator[tuple[str, list[numpy.ndarray]]]:
    args = [numpy.asarray(a) for a in row.args]
    yield "complex", [a if a.dtype.kind == "c" else a * (1 + 0.25j) for a in args]
    yield "empty", [a[:0] if a.ndim else a for a in args]
    yield "0-d", [a.reshape(-1)[0].copy() if a.size else a for a in args]
    yield "broadcast", [numpy.broadcast_to(a[..., :1], a.shape) if a.ndim and a.size else a for a in args]


def numpys(row: Row, args: list[numpy.ndarray]) -> tuple[Any, ...] | None:
    """NumPy's finite answer, or None."""
    try:
        found = as_tuple(row.function(numpy, *[numpy.array(a) for a in args]))
    except (TypeError, ValueError, IndexError, RuntimeError, ZeroDivisionError, numpy.linalg.LinAlgError):
        return None
    floating = [numpy.asarray(value) for value in found if numpy.asarray(value).dtype.kind in "fc"]
    return tuple(floating) if floating and all(numpy.all(numpy.isfinite(value)) for value in floating) else None


def check(row: Row, kind: str, args: list[numpy.ndarray]) -> None:
    c = Checked(row._replace(args=tuple(args)))
    forward, backward = pushforward(c.outs, c.wrt, c.t), pullback(c.outs, c.ct, c.wrt)
    one, back = c.values([inner(zip(c.ct, forward, strict=True)), inner(zip(backward, c.t, strict=True))])
    assert close(one, back, 1e-7), f"{kind} {row.args}: forward and reverse disagree"
    if kind == "complex":
        assert close(one, c.slope(inner(zip(c.ct, c.outs, strict=True)), 0), 2e-4), "wrong derivative"


@pytest.mark.parametrize("name", NAMES)
def test_both_modes_agree(name: str) -> None:
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in ROWS:
            for kind, args in variants(row) if row.name == name else ():
                if (name, kind) not in NO_DERIVATIVE and numpys(row, args) is not None:
                    check(row, kind, args)


def test_most_rows_take_every_kind() -> None:
    """The test above is one: of each kind it checks hundreds of calls."""
    taken = dict.fromkeys(("complex", "empty", "0-d", "broadcast"), 0)
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in ROWS:
            for kind, args in variants(row):
                taken[kind] += numpys(row, args) is not None
    assert min(taken.values()) > 300, taken
