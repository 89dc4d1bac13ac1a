"""Arrays of middling size: NumPy's own in everything that a program can see, except that what grows out of them is lazy."""

import copy
import operator
import os
import pickle
import subprocess
import sys

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import native
from lazynp.array import is_pending
from lazynp.native import watched

pytestmark = pytest.mark.skipif(watched is native._Unwatched, reason="the compiled module was not built")

GROWTH = {
    "outer product": lambda np, x: x[:, None] * x,
    "pairwise differences": lambda np, x: x.reshape(100, 3)[:, None] - x.reshape(100, 3).repeat(3, axis=0),
    "comparison": lambda np, x: x[:, None] < x,
    "power": lambda np, x: x[:, None] ** x,
    "ufunc": lambda np, x: np.add(x[:, None], x),
    "with NumPy's array": lambda np, x: x[:, None] + numpy.ones(300),
    "from NumPy's array": lambda np, x: numpy.ones((300, 1)) + x,
    "three axes": lambda np, x: x[:50, None, None] + x[:50, None] + x[:50],
    "after functions": lambda np, x: (np.sin(x) + 1)[:, None] * np.cos(x),
    "lazy index": lambda np, x: x[np.arange(100_000) % 300],
    "drawn": lambda np, x: np.random.default_rng(0).random((300, 3))[:, None] - x.reshape(100, 3),
}


@pytest.mark.parametrize("name", GROWTH)
def test_what_grows_by_broadcasting_is_recorded(name):
    ours, numpys = [GROWTH[name](module, module.linspace(0.1, 1, 300)) for module in (np, numpy)]
    assert is_pending(ours)
    assert ours.dtype == numpys.dtype
    numpy.testing.assert_allclose(numpy.asarray(ours), numpys, rtol=1e-14)


def fresh():
    return np.arange(64.0) + 1


BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow, divmod, operator.lt,
    operator.le, operator.eq, operator.ne, operator.gt, operator.ge, operator.iadd, operator.isub, operator.imul, operator.itruediv,
    operator.ifloordiv, operator.imod, operator.ipow,
]  # fmt: skip
OTHERS = {
    "number": 2.5, "int": 3, "scalar": numpy.float32(2), "itself": None, "array": numpy.arange(64), "list": [1.0] * 64,
    "small": numpy.ones(1), "matrix": numpy.ones((64, 1)), "complex": 1j,
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("operate", BINARY)
def test_operators_are_numpys(operate, other):
    results = []
    for x in (fresh(), numpy.arange(64.0) + 1):
        y = x if OTHERS[other] is None else OTHERS[other]
        try:
            results.append((operate(x, y), x))
            if operate.__name__[0] != "i":
                results[-1] += (operate(y, x),)
        except Exception as error:
            results.append((type(error), str(error)))
    ours, numpys = results
    assert len(ours) == len(numpys)
    for a, b in zip(ours, numpys, strict=True):
        numpy.testing.assert_equal(a, b)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
    if operate.__name__[0] == "i" and isinstance(ours[0], numpy.ndarray) and isinstance(numpys[0], numpy.ndarray):
        assert (ours[0] is ours[1]) == (numpys[0] is numpys[1])


def test_it_is_an_array_like_numpys():
    x = fresh()
    assert type(x) is watched and isinstance(x, np.ndarray) and isinstance(x, numpy.ndarray)
    assert x.base is None and x.flags.owndata and x[1:].base is x and np.shares_memory(x, x[::2])
    assert repr(x) == repr(numpy.asarray(x)) and str(x) == str(numpy.asarray(x)) and f"{x[0]:.1f}" == "1.0"
    assert type(x[3]) is numpy.float64 and type(x.sum()) is numpy.float64 and type(np.sum(x)) is numpy.float64
    assert type(numpy.sin(x)) is numpy.ndarray and type(numpy.asarray(x)) is numpy.ndarray
    assert x.astype(float, copy=False) is x and np.asarray(x) is x and np.add(x, 1, out=x) is x
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x)), pickle.loads(pickle.dumps(x, protocol=5))):
        assert (twin == x).all() and not np.shares_memory(twin, x)
    with pytest.raises(TypeError, match=r"^unhashable type: 'numpy\.ndarray'$"):
        hash(x)
    x[x > 3] = 0
    assert x.sum() == 5
    x += np.ones(100_000).sum()
    assert x[0] == 100_002


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_other_classes_decide_for_themselves():
    class Own(numpy.ndarray):
        pass

    class Stranger:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "stranger"

    x = fresh()
    assert type(x + x.view(Own)) is Own and type(np.add(x, x.view(Own))) is Own
    assert x + Stranger() == "stranger"
    assert type(x + numpy.ma.masked_array(x)) is numpy.ma.MaskedArray
    assert type(numpy.matrix(x) + x) is numpy.matrix


def test_without_the_compiled_module():
    program = (
        "import lazynp as np; x = np.linspace(0, 1, 300); print(type(x).__module__, float((np.sin(x)[:, None] * x).sum()), np.sum([1, 2]))"
    )
    environment = {**os.environ, "LAZYNP_NATIVE": "0"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    x = numpy.linspace(0, 1, 300)
    module, total, three = run.stdout.split()
    assert module == "numpy" and three == "3"
    assert float(total) == pytest.approx((numpy.sin(x)[:, None] * x).sum(), rel=1e-12)


def test_captured_loops_take_them():
    @lazynp.jit(strict=True)
    def solve(a, b):
        x = np.zeros(len(b))
        for i in range(len(b)):
            x[i] = (b[i] - np.dot(a[i, :i], x[:i])) / a[i, i]
        return x

    a = np.tril(np.random.default_rng(0).random((40, 40))) + 40 * np.eye(40)
    b = np.linspace(1, 2, 40)
    assert type(a) is watched and type(b) is watched
    numpy.testing.assert_allclose(numpy.asarray(solve(a, b)), numpy.linalg.solve(a, b), rtol=1e-12)

    table = np.linspace(0, 1, 50)

    @lazynp.jit(strict=True)
    def look_up(indices):
        total = 0.0
        for k in range(len(indices)):
            total = total + table[indices[k]]
        return total

    picks = np.arange(100) % 50
    numpy.testing.assert_allclose(float(look_up(picks)), numpy.asarray(table)[numpy.asarray(picks)].sum())
