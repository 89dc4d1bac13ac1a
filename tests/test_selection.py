"""`x[mask]` while its size is not known: the same answers as NumPy's, and no elements computed where none are needed."""

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import PerformanceWarning
from lazynp.selection import Selection

RNG = numpy.random.default_rng(0)
X, C = RNG.random((9, 11)), RNG.random((9, 11))


def same(actual, expected):
    if isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            same(a, b)
        return
    actual, expected = numpy.asarray(actual), numpy.asarray(expected)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    numpy.testing.assert_allclose(actual, expected, rtol=1e-13)


def write_back(np, x, c):
    m = x > 0.3
    x[m] = x[m] ** 2 + c[m]
    x[x > 0.8] = 1.0 / x[x > 0.8]
    x[~m] -= 1
    x[m] *= 2
    return x


def reduce(np, x, c):
    m = c > 0.4
    s = np.exp(x[m]) * 2
    return s.sum(), x[m].mean(), np.std(x[m]), (x[m] > 0.5).any(), np.prod(x[m] + 0.5), np.all(x[m] < 1), np.sum(x[m] * c[m])


def integers(np, x, c):
    m = x > 0.3
    w = (x * 9).astype(int)
    w[m] = w[m] // 2
    w[~m] = 7 % (w[~m] + 1)
    return w, w[m].sum(), (w[m] * 1.5).sum()


TRACED = [write_back, reduce, integers]


def elements(np, x, c):
    m = x > 0.3
    return x[m], len(x[m]), x[m].shape, np.sort(x[m]), x[m][1:3], x[m].max(), np.median(x[m]), list(x[m])[:3], x[m].astype("f4")


def two_masks(np, x, c):
    m, n = x > 0.3, x <= 0.7
    k = int(np.sum(m))
    y = x.copy()
    y[m] = c.ravel()[:k]
    return x[m][: int(n.sum())] + 0, np.concatenate((x[m], x[n])), x[m] @ c[m], y, divmod(x[m], 0.25)


def alias(np, x, c):
    s = x[x > 0.3]
    t = s
    s += 1
    s[0] = 5
    return t, x, s is t


def changed_after(np, x, c):
    s = x[x > 0.3]
    x[:] = 0
    return s, s.sum()


def mask_changes(np, x, c):
    m = x > 0.3
    s = x[m] * 2
    m[:] = ~m
    s = s[: int(m.sum())]
    x[m] = 4
    return s, x


def broadcast_write(np, x, c):
    x[x > 0.3] = c[0, 0]
    x[x < 0.1] = [7.0]
    return x


@pytest.mark.parametrize(
    "program", [*TRACED, elements, two_masks, alias, changed_after, mask_changes, broadcast_write], ids=lambda p: p.__name__
)
def test_as_numpy(program, threshold):
    same(program(np, np.array(X), np.array(C)), program(numpy, X.copy(), C.copy()))


@pytest.mark.parametrize("program", TRACED, ids=lambda p: p.__name__)
def test_traced_without_a_fallback(program):
    same(lazynp.jit(lambda x, c: program(np, x, c), strict=True)(X.copy(), C.copy()), program(numpy, X.copy(), C.copy()))


def test_what_needs_the_elements_runs_in_lazy_mode():
    f = lazynp.jit(lambda x, c: elements(np, x, c)[0])
    with pytest.warns(PerformanceWarning, match="a traced array is needed"):
        same(f(X.copy(), C.copy()), X[X > 0.3])


def test_gradient_through_a_selection():
    def loss(np, x):
        y = x * 1.0
        y[x > 0.5] = np.log(y[x > 0.5])
        return np.sum(y) + np.mean(x[x < 0.2] ** 2)

    x = X[0]
    expected = numpy.where(x > 0.5, 1 / x, 1) + numpy.where(x < 0.2, 2 * x / max(int((x < 0.2).sum()), 1), 0)
    same(lazynp.grad(lambda x: loss(np, x))(x), expected)


def test_nothing_is_computed_to_write_back():
    with lazynp.config(lazy_threshold=0):
        x = np.array(X)
        s = x[x > 0.3] * 2
        assert type(s) is Selection and isinstance(s, np.ndarray)
        before = lazynp.stats()["program_runs"] + lazynp.stats()["interpreted"]
        x[x > 0.3] = s
        assert type(s) is Selection and s._array is None
        assert lazynp.stats()["program_runs"] + lazynp.stats()["interpreted"] == before
        same(x, numpy.where(X > 0.3, X * 2, X))


def test_no_elements():
    x = X - 2
    with lazynp.config(lazy_threshold=0):
        y = np.array(x)
        same([y[y > 0].sum(), y[y > 0].size, y[y > 0]], [x[x > 0].sum(), x[x > 0].size, x[x > 0]])
        with pytest.raises(ValueError, match="zero-size array to reduction operation maximum"):
            y[y > 0].max()


def test_elements_computed_beside_pending_operands(all_lazy):
    """Reading them runs the queue, which writes x in place: what was read from x before that must be read again."""
    x = np.array([2.0])
    np.add(x, x, out=x)
    wide = np.where(x > 0, x, np.zeros(3))
    same(np.where(wide > 0, wide, x[numpy.array([True])]), numpy.full(3, 4.0))
    y = np.array([3.0])
    y += y
    tall = y * np.ones(2)
    same(np.add(tall, [np.sum(y), y[0]]), numpy.full(2, 12.0))


def test_a_loop_variable_is_written_where_a_mask_says() -> None:
    def escape(np, c):
        count = np.zeros(c.shape, int)
        z = np.zeros_like(c)
        for turn in range(40):
            inside = np.abs(z) < 2
            count[inside] = turn
            z[inside] = z[inside] ** 2 + c[inside]
        return count

    c = numpy.linspace(-2, 0.5, 40) + 1j * numpy.linspace(-1, 1, 30)[:, None]
    with lazynp.config(unroll_nodes=0):  # not written out
        assert numpy.array_equal(lazynp.jit(lambda c: escape(lazynp, c), strict=True)(c), escape(numpy, c))


L, W = RNG.integers(0, 4, 9), RNG.random((9, 11, 2))
ROWS = {
    "mean of rows": lambda np, x: x[labels(np) == 1].mean(axis=0),
    "all": lambda np, x: (x[labels(np) == 2].sum(), np.std(x[labels(np) == 0], axis=-2)),
    "other axes": lambda np, x: x[labels(np) == 1].sum(axis=1).sum(),
    "with a row": lambda np, x: ((x[labels(np) == 1] - x[0]) ** 2).sum(axis=1).mean(),
    "with itself": lambda np, x: (x[x[:, 0] > 0.3] * x[x[:, 0] > 0.3]).mean(0),
    "of each label": lambda np, x: np.array([x[labels(np) == k].sum(axis=0) for k in range(6)]),
    "by two axes": lambda np, x: (np.asarray(W) * x[0, 0])[x > 0.4].mean(axis=0),
    "none": lambda np, x: (x[x[:, 0] > 5].sum(axis=0), np.any(x[x[:, 0] > 5], axis=0)),
}


def labels(np):
    return np.asarray(L)


@pytest.mark.parametrize("name", ROWS)
def test_rows_by_a_mask_are_not_computed_under_jit(name):
    def f(x):
        return ROWS[name](np, x + 0)

    same(np.jit(f, strict=True)(X), ROWS[name](numpy, X))


def test_rows_written_back_through_their_mask():
    def f(x):
        m = x[:, 1] > 0.5
        x[m] = x[m] * 2 + 1
        x[m] += C[0]
        x[x[:, 0] > 0.7] = 0
        return x

    same(np.jit(f, strict=True)(X.copy()), f(X.copy()))


def test_the_gradient_through_selected_rows():
    def f(x):
        return np.sum(x[x[:, 0] > 0.3].mean(axis=0) ** 2)

    chosen = X[:, :1] > 0.3
    mean = X[chosen[:, 0]].mean(axis=0)
    same(np.jit(np.grad(f), strict=True)(X), chosen * 2 * mean / chosen.sum())


def test_loops_end_when_arrays_are_close():
    def f(x, y):
        for k in range(100):
            new, turns = x * 0.5 + y, k
            if numpy.allclose(new, x):
                break
            x = new
        return x, turns, numpy.array_equal(x, x), numpy.array_equal(x, y[:2]), numpy.array_equal(x, y)

    x, y = numpy.ones(5), numpy.arange(5.0)
    same(np.jit(f, strict=True)(x, y), f(x, y))


def spans(x, limits):
    total = 0
    for k in range(len(limits)):
        total = total + x[x >= limits[k]].max() - numpy.min(x[x >= limits[k]])
    return total


EXTREMES = {
    "greatest": lambda x, limits: x[x > limits[0]].max(),
    "of a function": lambda x, limits: numpy.max(2 * x[x > limits[0]] + 1),
    "of rows": lambda x, limits: x.reshape(-1, 5)[x[::5] > limits[0]].min(),
    "in a loop": spans,
}


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i2", "u4"])
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_compile(name, dtype):
    function, rng = EXTREMES[name], numpy.random.default_rng(0)
    x, limits = rng.integers(0, 90, 100).astype(dtype), numpy.array([5, 30, 60], dtype)
    compiled = lazynp.jit(function, strict=True)
    for values in (x, x[::-1].copy(), numpy.where(x > 80, numpy.array(numpy.nan if dtype[0] == "f" else 7, dtype), x)):
        expected, actual = function(values, limits), compiled(values, limits)
        assert (type(actual), repr(actual)) == (type(expected), repr(expected))


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_of_nothing(name):
    """NumPy's error, from Python, which repeats the call."""
    x, limits = numpy.arange(100.0), numpy.array([50.0, 200.0, 300.0])
    compiled = lazynp.jit(EXTREMES[name])
    with pytest.raises(ValueError, match="zero-size array to reduction operation"):
        compiled(x - 1000.0, limits)
    if name == "in a loop":
        with pytest.raises(ValueError, match="zero-size array to reduction operation"):
            compiled(x, limits)
