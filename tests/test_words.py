"""What NumPy says of calls that it refuses, and which operation its warnings name: the same of lazy arrays and inside jit."""

import operator
import warnings

import numpy as np
import pytest

import lazynp as lnp

CALLS = """
x.max(dtype="f4")
x.sum(foo=1)
x.all(dtype=bool)
x.mean(initial=3)
x.prod(1, 2, 3, 4, 5, 6, 7)
x.cumsum(keepdims=True)
x.sum(keepdims=n._NoValue)
n.median(x, keepdims=n._NoValue)
n.linalg.norm(x, keepdims=None)
n.add.reduce(x, foo=2)
n.add.outer(x)
n.add.outer(x, x, x)
n.sqrt.outer(x, x)
operator.imatmul(x, 3)
operator.imatmul(x, None)
n.tile(x, 0.5)
n.tile(x, 2.0)
n.tile(x, (1.5, 2))
n.tile(x, n.array([2, 1]))
n.can_cast(x, "f4")
n.can_cast("i4", x)
n.logical_and(10**19, x)
n.logical_xor(x, -(10**25))
n.logical_or(x, 10**18)
n.polyval(i, True)
n.cross(x[:2], x[2:4])
n.hypot.reduce(-x, axis=())
n.gcd.reduce(-i, axis=())
n.add.reduce(-x, axis=())
n.hypot.reduceat(-x, [0, 1, 3])
n.add.reduceat(i, [0, 1, 3])
n.add(x * 1e300, x, out=n.zeros(6, "i8"), casting="unsafe")
n.sqrt(x - 9, out=n.zeros(6, "i8"), casting="unsafe")
n.add(x * 1e300, 0, out=n.zeros(6, "f4"))
n.add.at(x, [0, 1], [1, 2, 3])
n.add.reduce(x, 0, None, ...)
n.add.reduce(x, out=...)
n.add.reduceat(x, [0, 1], out=...)
n.add.accumulate(x, 0, None, ...)
n.maximum.reduce(x, 0, None, ..., True)
n.sum(x, out=...)
x.sum(out=...)
n.cumsum(x, out=...)
n.sqrt(n.float64(4), out=...)
h * 6e4
n.square(h * 6e4)
(x * 1e5).astype("f2")
n.mean(x[:0])
n.var(x[:1], ddof=1)
n.average(x, weights=x * 0)
n.average(x, weights=x)
n.sum(x / 0, dtype="i4")
n.cumsum(x / 0, dtype="i4")
n.bitwise_and.reduce(u, axis=())
n.histogram_bin_edges(x, weights=[1, 2])
operator.setitem(x, n.ones(3, bool), 1j)
operator.setitem(x, 9, "a")
n.broadcast_to(x[:3], (2, 3)).ravel("K")
n.broadcast_to(x[:3, None], (3, 2)).T.flatten("K")
x.reshape(2, 3).squeeze().base is x
n.einsum("i1", x[:4].reshape(2, 2))
n.pad(x, 2, constant_values=1j)
n.pad(i, 1, constant_values=2.5)
n.select([u > 1, u < 0], [u, 5])
n.select([u > 1], [u], 2.5)
n.interp(x / 0, [0, 1, 2], [3, 5, 4], period=2)
n.interp(x + 1j, [0, 1, 2], [3, 5, 4], period=2)
n.clip(x > 2, None, None)
n.concatenate([x * 1j, [1]], dtype="i1", casting="unsafe")
n.dot(-x, 2)
n.inner(-h, 2)
n.convolve(-x, [2, 1])
operator.setitem(x, [0, 1], "a")
operator.setitem(x, [0, 1], ["1", "2"])
operator.setitem(x, [0, 1], [1j, 2j])
operator.setitem(x, slice(2), [1j, 2])
operator.setitem(x, 0, n.complex128(1j))
operator.setitem(x, ..., n.array([1j, 2j]))
n.put_along_axis(x, i * 0, "a", 0)
n.put_along_axis(i, i * 0, 1j, 0)
n.block(x.reshape(2, 3).T).strides
""".strip().splitlines()


def outcome(call, *arrays):
    """(what is returned or raised, the warnings told)."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result = call(*arrays)
        except Exception as error:
            result = type(error).__name__, str(error)
        else:
            is_array = isinstance(result, lnp.ndarray) and not getattr(result, "_scalar", False)
            values = np.asarray(result)
            result = is_array, values.dtype, values.shape, np.signbit(values).tolist() if values.dtype.kind == "f" else None, str(values)
    return result, {str(w.message) for w in told if not issubclass(w.category, lnp.PerformanceWarning)}


@pytest.mark.parametrize("way", ["all lazy", "jit", "second call of jit"])
@pytest.mark.parametrize("call", CALLS)
def test_words_are_numpys(call, way, request):
    functions = [eval(f"lambda x, i, h, u: {call}", {"n": n, "operator": operator}) for n in (np, lnp)]
    given = np.arange(6.0), np.arange(6, dtype="i2"), np.arange(1, 7, dtype="f2"), np.arange(6, dtype="u1")
    expected = outcome(functions[0], *[a.copy() for a in given])
    if way == "all lazy":
        request.getfixturevalue("all_lazy")
        assert outcome(functions[1], *map(lnp.lazy, given)) == expected
        return
    compiled = lnp.jit(functions[1])
    if way == "second call of jit":
        outcome(compiled, *[a.copy() for a in given])
    assert outcome(compiled, *[a.copy() for a in given]) == expected


@pytest.mark.parametrize(
    ("name", "values", "index", "other", "word"),
    [
        ("power", [1e300, 2e300], [0, 1], 9, "at"),
        ("divide", [1.0, 2.0], [0], 0, "at"),
        ("divide", [1.0, 2.0], [0], 0.0, "divide"),
        ("multiply", [1e300], [0, 0], 1e300, "multiply"),
        ("floor_divide", [1, 2], [0], 0, "floor_divide"),
    ],
)
def test_at_warns_as_numpys_loop(name, values, index, other, word, all_lazy):
    x = lnp.lazy(np.array(values))
    with pytest.warns(RuntimeWarning, match=f"encountered in {word}$"):
        getattr(np, name).at(np.array(values), index, other)
    with pytest.warns(RuntimeWarning, match=f"encountered in {word}$"):
        getattr(lnp, name).at(x, index, other)
        np.asarray(x)
