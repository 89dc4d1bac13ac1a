"""Lines whose work is short (operands.short_here): from their second turn on NumPy computes them, and nothing of what one sees changes.

Each case is a loop body that runs several times over arrays that are large; what it leaves behind is compared after every turn."""

import numpy
import pytest

import lazynp
from lazynp import native

N = 1 << 17


@pytest.fixture(autouse=True)
def patient():
    """The tests' own setting compiles everything at once: then no line is ever found to be short."""
    with lazynp.config(compile_after=100):
        yield


def _slices(np, x, y):
    y[3:] = np.maximum(x[3:], y[:-3] + 1)
    return x[::2] * 2, x[1:-1][1:], x[None, 5:], x[..., :-5], x[:]


def _in_place(np, x, y):
    x += y[::-1]
    x[5:] -= x[:-5]
    x *= 0.5
    y **= 2
    y /= 7.0
    return x, y


def _kept_before_the_write(np, x, y):
    before = x + 1
    view = x[10:]
    x[10:20] = -1.0
    return before, view, x


def _functions(np, x, y):
    return (
        np.where(x > y, x, 0.0),
        np.concatenate([x, y]),
        np.sum(x, axis=0),
        x.mean(),
        np.clip(y, 0.1, 0.5),
        np.cumsum(x),
        np.asarray(x) is x,
    )


def _views_of_functions(np, x, y):
    grid = np.reshape(x, (2, -1))
    turned = np.transpose(grid)
    x[0] = 41.0
    grid[1, 1] = 42.0
    return grid, turned, x


def _integers(np, x, y):
    k = (x * 100).astype(int)
    return k // 7, k % 7, k & 3, k | 1, k ^ 5, k << 2, k >> 1, -k, ~k, abs(k), k == 3, k <= 7, 3 - k, 2.0 / (k + 1), k**2


def _scalars(np, x, y):
    total = x.sum()
    return x * total, total * x, x - x[0], y + np.float32(1.5), y + 1j, x + numpy.arange(N)


def _numbers_of_numpy(np, x, y):
    """Their operators come to our arrays by __array_ufunc__."""
    half = numpy.float64(0.5)
    kept = half * x
    x[0] += half
    return kept, half - y, half / (y + 1), numpy.float32(2) ** x, half < y, numpy.add(x, y), numpy.exp(half * y), numpy.int64(3) + x


def _outputs(np, x, y):
    np.sqrt(np.abs(x), out=y)
    return np.add(x, y, out=x), np.multiply(x, 2.0, where=x > 0, out=y)


def _copies(np, x, y):
    z = x.copy()
    z[:] = y
    w = y.astype(numpy.float32)
    w[0] = 9
    return z, w, x, y, np.roll(x, 3), np.diff(y)


def _masks(np, x, y):
    m = x > 0.5
    z = x.copy()
    z[m] *= 0.5
    z[~m] += 0.25
    y[m] = z[m]
    y[y > 0.9] = 0.0
    x[m & (y > 0.1)] = np.sqrt(y[m & (y > 0.1)])
    grid = x.reshape(2, -1)
    grid[:, :-1][y.reshape(2, -1)[:, 1:] > 0.5] = -1.0
    return m, z, x, y, y[m].sum(), grid


def _places(np, x, y):
    k = (y * (N - 1)).astype(int) % N
    grid = x.reshape(512, -1)
    i, j = k % 512, k % grid.shape[1]
    picked = grid[i, j], x[k], x[-1 - k], grid[i[:300], 1:], x[k[::2]], x[k.reshape(4, -1)]
    few = y[:500] * 2.0
    picked += few[k % 500], few.reshape(5, 100)[k % 5, j % 100]
    x[k] = y
    x[k[:5]] += 1
    grid[i, j] = 2 * y
    y[numpy.arange(0, N, 7)] = x[::7]
    return *picked, x, y, k


def _integers_written(np, x, y):
    k = (x * 100).astype(int)
    k[k > 50] = 7.9
    k[x > 0.99] = y[x > 0.99]
    k[...] += 1
    return k


BODIES = (
    _masks,
    _places,
    _integers_written,
    _slices,
    _in_place,
    _kept_before_the_write,
    _functions,
    _views_of_functions,
    _integers,
    _scalars,
    _numbers_of_numpy,
    _outputs,
    _copies,
)


def _values(results):
    return [numpy.array(r) for r in results]


def _turns(np, body):
    rng = numpy.random.default_rng(4)
    x, y = np.array(rng.random(N)), np.array(rng.random(N))
    seen = []
    for _ in range(6):
        seen += _values([*body(np, x, y), x, y])
    return seen


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_same_as_numpy(body):
    expected, found = _turns(numpy, body), _turns(lazynp, body)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == theirs.dtype
        numpy.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_what_numpy_computes_is_ours():
    x = lazynp.zeros(N) + 1.0
    for _ in range(6):
        y = x * 2
        assert y[0] == 2
        view = y[1:]
        assert view.base is y
        assert type(y) is type(x) is type(view)
    y[1] = 5.0
    assert view[0] == 5.0


def test_errors_are_numpys_at_the_users_line():
    x = lazynp.zeros(N) + 1.0
    for _ in range(6):
        y = x + 1
        assert y[0] == 2
    for width in (3, N, 3):
        if width == N:
            assert (x + numpy.ones(width))[0] == 2
        else:
            with pytest.raises(ValueError, match="could not be broadcast together"):
                x + numpy.ones(width)
    with pytest.raises(TypeError, match="bad operand|ufunc"):
        x << 2.0


def test_operators_of_others_are_asked():
    class Other:
        __array_ufunc__ = None

        def __radd__(self, x):
            return "other"

    x = lazynp.zeros(N) + 1.0
    for _ in range(6):
        y = x + 1
        assert y[0] == 2
        assert x + Other() == "other"
        with pytest.raises(TypeError):
            x - Other()
    assert pow(x, 2)[0] == 1
    assert divmod(x, 1)[0][0] == 1


def test_readonly_stays_readonly():
    x = lazynp.broadcast_to(lazynp.ones(1), (N,))
    for _ in range(4):
        with pytest.raises(ValueError, match="read-only"):
            x += 1
        with pytest.raises(ValueError, match="read-only"):
            x[5:] = 3.0
    assert x[7] == 1


def test_pending_readers_see_the_old_contents():
    x = lazynp.arange(float(N))
    kept = []
    for _ in range(5):
        kept.append(x * 2)
        x += 1.0
        x[:] = x - 0.5
    for turn, early in enumerate(kept):
        assert early[3] == 2 * (3 + turn * 0.5)


def test_views_that_functions_make_know_their_arrays():
    x = lazynp.zeros(N) + 1.5
    for _ in range(5):
        grid, wide = lazynp.reshape(x, (2, -1)), lazynp.broadcast_to(x, (2, N))
        assert float(grid.sum()) == 1.5 * N
        assert float(wide.sum()) == 3 * N
        assert grid.base is x
        assert wide.base is x


def test_errors_of_indices_are_numpys():
    x = lazynp.zeros(N) + 1.0
    k = lazynp.arange(N)
    for turn in range(6):
        far = k + (turn == 4)
        if turn == 4:
            with pytest.raises(IndexError, match=f"index {N} is out of bounds"):
                x[far].sum()
            with pytest.raises(IndexError, match="boolean index did not match"):
                x[k[1:] > 3]
        else:
            assert float(x[far].sum()) == N
        with pytest.raises(ValueError, match="could not be broadcast|cannot assign|shape mismatch"):
            x[k > 5] = numpy.ones(3)


def test_work_that_waits_is_done_where_a_short_line_reads_it():
    """A loop that NumPy computes reads what a longer line has recorded: the line is not drawn back into a program."""
    x = lazynp.zeros(N) + 1.0
    for _ in range(4):
        y = (x + 1.0) * 0.5
        x = y + 0.0
    assert float(x[3]) == 1.0
    waits = lazynp.sin(x) + lazynp.cos(x) * lazynp.sin(2 * x) + lazynp.cos(x * 3)
    results = []
    for z in (waits, x):
        y = (z + 1.0) * 0.5
        results.append(float(y[0]))
    one = numpy.float64(1.0)
    expected = numpy.sin(one) + numpy.cos(one) * numpy.sin(2 * one) + numpy.cos(one * 3)
    numpy.testing.assert_allclose(results, [(expected + 1) * 0.5, 1.0], rtol=1e-14)


handler_name = numpy._core.multiarray.get_handler_name


@pytest.mark.skipif(native.Direct is None, reason="the compiled modules could not be built here: results lie where malloc puts them")
def test_results_lie_in_memory_that_is_kept():
    """What NumPy computes for a program that loops finds memory there; NumPy's own calls are left alone, also after an error."""
    x = lazynp.zeros(N) + 1.0
    for _ in range(6):
        y = x + x
        assert y[0] == 2
    rng = lazynp.random.default_rng(0)
    for made in (y, rng.random(N), rng.normal(0.0, 1.0, (2, N)), rng.uniform(size=N)):
        assert handler_name(made._storage.buffer) == "lazynp_results"
    with pytest.raises(ValueError, match="broadcast"):
        native.keeping(numpy.add, numpy.ones(N), numpy.ones(3))
    assert handler_name() == "default_allocator"
    assert handler_name(numpy.ones(N) + 1) == "default_allocator"
    kept = native.keeping(numpy.multiply, numpy.ones(N), 2.0)
    assert handler_name(kept) == "lazynp_results"
    kept.resize(2 * N, refcheck=False)
    assert kept[0] == 2
    assert kept[-1] == 0


@pytest.mark.parametrize("count", [100, 10_000, 100_000, 600_000, 3_000_000])
def test_kept_memory_of_all_sizes(count):
    rng = numpy.random.default_rng(0)
    held = []
    for turn in range(40):
        made = native.keeping(numpy.full, count + turn % 3, float(turn))
        if rng.random() < 0.3:
            held.append((made, turn))
    for made, turn in held:
        assert (made == turn).all()


def test_a_line_that_is_composed_of_many_nodes_is_short():
    """A convolution is 52 nodes, and one call of NumPy's."""
    x, w = lazynp.array(numpy.linspace(0, 1, N)), numpy.arange(7.0)
    for _ in range(3):
        found = lazynp.convolve(x, w, "same")
        pending = found._storage is not None and found._storage.node is not None
        numpy.testing.assert_allclose(numpy.asarray(found), numpy.convolve(numpy.asarray(x), w, "same"), rtol=1e-13)
    assert not pending
