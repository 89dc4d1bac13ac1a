"""Random programs of views, writes, aliases and reductions, run on NumPy and on lazynp side by side: every live array must be equal.

Values are small integers in floating point, so that every operation is exact and equality is bit for bit. When a step raises in NumPy, the
same exception class must come out of lazynp.
"""

import math
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lazynp as lnp
from lazynp.runtime import storage

pytestmark = pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")

SHAPES = [(), (1,), (6,), (3, 4), (4, 1), (2, 3, 2), (0, 3), (5, 5)]
LARGE = [*SHAPES, (70000,), (300, 240), (300, 1), (240,), (2, 200, 200)]
"""Some of them, and what small ones broadcast to, are above the default threshold."""
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "less", "equal"]
UNARY = ["negative", "absolute", "sign", "square", "floor"]
REDUCTIONS = ["sum", "max", "min", "argmax", "cumsum", "prod"]
DTYPES = [np.float64, np.float64, np.float32, np.int64, np.int32, np.bool_, np.complex128]


class Pair:
    """The same array twice: NumPy's and ours."""

    def __init__(self, expected, actual):
        self.expected = expected
        self.actual = actual


class Machine:
    """Applies each step to both sides; the pool holds the live arrays."""

    def __init__(self, data, shapes):
        self.data = data
        self.shapes = shapes
        self.pool = []
        self.log = []

    def draw(self, strategy):
        return self.data.draw(strategy)

    def pick(self):
        return self.pool[self.draw(st.integers(0, len(self.pool) - 1))]

    def pick_two(self):
        """Two arrays that do not broadcast to more than a test can afford."""
        a, b = self.pick(), self.pick()
        return a, b if broadcast_size(np.shape(a.expected), np.shape(b.expected)) <= 2_000_000 else a

    def new(self):
        shape = self.draw(st.sampled_from(self.shapes))
        dtype = self.draw(st.sampled_from(DTYPES))
        seed = self.draw(st.integers(0, 50))
        values = np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)
        self.log.append(f"new {shape} {np.dtype(dtype)} seed {seed}")
        self.pool.append(Pair(values.copy(), lnp.array(values)))

    def both(self, text, function, keep=True):
        """function(namespace, side): run for NumPy, then for lazynp; equal exceptions, results join the pool."""
        self.log.append(text)
        with np.errstate(all="ignore"):
            try:
                expected, failure = function(np, "expected"), None
            except Exception as error:
                expected, failure = None, error
        if failure is None:
            with np.errstate(all="ignore"):
                actual = function(lnp, "actual")
            if keep:
                self.pool.append(Pair(expected, actual))
        else:
            with pytest.raises(type(failure)):
                function(lnp, "actual")
                check(lnp.zeros(0), np.zeros(0), "nothing raised")

    def index(self, shape):
        """A random basic index, now and then one that is wrong."""
        items = []
        for n in shape:
            kind = self.draw(st.integers(0, 5))
            if kind == 0:
                items.append(self.draw(st.integers(-n - 1, n)) if n else 0)
            elif kind <= 3:
                start = self.draw(st.one_of(st.none(), st.integers(-n - 1, n + 1)))
                stop = self.draw(st.one_of(st.none(), st.integers(-n - 1, n + 1)))
                items.append(slice(start, stop, self.draw(st.sampled_from([None, 1, 2, -1, -2]))))
            elif kind == 4:
                items.append(slice(None))
            else:
                items.append(None)
                items.append(slice(None))
        return tuple(items[: self.draw(st.integers(0, len(items)))])

    def fancy(self, shape):
        n = shape[0] if shape else 0
        if n and self.draw(st.booleans()):
            return np.array(self.draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=5)))
        return np.random.default_rng(self.draw(st.integers(0, 9))).integers(0, 2, shape).astype(bool)

    # --- steps ---

    def step_binary(self):
        a, b = self.pick_two()
        name = self.draw(st.sampled_from(BINARY))
        self.both(f"{name}", lambda xp, s: getattr(xp, name)(getattr(a, s), getattr(b, s)))

    def step_scalar(self):
        a, value = self.pick(), self.draw(st.sampled_from([2, -1, 0.5, True, 3.0]))
        self.both(f"{value} + 2 * x", lambda xp, s: value + getattr(a, s) * 2)

    def step_unary(self):
        a, name = self.pick(), self.draw(st.sampled_from(UNARY))
        self.both(name, lambda xp, s: getattr(xp, name)(getattr(a, s)))

    def step_view(self):
        a = self.pick()
        index = self.index(np.shape(a.expected))
        self.both(f"view {index}", lambda xp, s: getattr(a, s)[index])

    def step_transpose(self):
        a = self.pick()
        self.both("T", lambda xp, s: getattr(a, s).T)

    def step_reshape(self):
        """Whether a reshape is a view depends on the order in memory, which is NumPy's for most results."""
        a = self.pick()
        shape = self.draw(st.sampled_from([(-1,), (1, -1), (-1, 2), (3, -1)]))
        if np.shape(a.expected) and a.expected.strides != a.actual.strides:
            return
        self.both(f"reshape {shape}", lambda xp, s: getattr(a, s).reshape(shape))

    def step_alias(self):
        """A second name for the memory of an array, through one of NumPy's ways to it."""
        a = self.pick()
        ways = {
            "ravel": lambda xp, x: xp.ravel(x), "flip": lambda xp, x: xp.flip(x, 0), "swapaxes": lambda xp, x: xp.swapaxes(x, 0, -1),
            "real": lambda xp, x: xp.real(x), "diagonal": lambda xp, x: xp.diagonal(x), "squeeze": lambda xp, x: xp.squeeze(x),
            "broadcast_to": lambda xp, x: xp.broadcast_to(x, (2, *x.shape)), "expand_dims": lambda xp, x: xp.expand_dims(x, 0),
            "asarray": lambda xp, x: xp.asarray(x), "astype": lambda xp, x: x.astype(x.dtype, copy=False),
            "[...]": lambda xp, x: x[...], "atleast_2d": lambda xp, x: xp.atleast_2d(x), "imag": lambda xp, x: xp.imag(x),
        }  # fmt: skip
        way = self.draw(st.sampled_from(sorted(ways)))
        if way == "imag" and a.expected.dtype.kind != "c":
            return  # zeros
        if way == "ravel" and np.shape(a.expected) and a.expected.strides != a.actual.strides:
            return
        self.both(way, lambda xp, s: ways[way](xp, getattr(a, s)))

    def step_write(self):
        a, b = self.pick_two()
        index = self.index(np.shape(a.expected))

        def write(xp, s):
            getattr(a, s)[index] = getattr(b, s)

        self.both(f"write {index}", write, keep=False)

    def step_write_scalar(self):
        a = self.pick()
        index = self.index(np.shape(a.expected))

        def write(xp, s):
            getattr(a, s)[index] = 5

        self.both(f"write {index} = 5", write, keep=False)

    def step_inplace(self):
        a, b = self.pick_two()
        name = self.draw(st.sampled_from(["add", "multiply", "subtract"]))

        def write(xp, s):
            target = getattr(a, s)
            getattr(xp, name)(target, getattr(b, s), out=target)

        if isinstance(a.expected, np.ndarray):
            self.both(f"{name} out=", write, keep=False)

    def step_read_fancy(self):
        a = self.pick()
        index = self.fancy(np.shape(a.expected))
        self.both(f"x[{shown(index)}]", lambda xp, s: getattr(a, s)[index])

    def step_write_fancy(self):
        a = self.pick()
        index = self.fancy(np.shape(a.expected))

        def write(xp, s):
            getattr(a, s)[index] = 7

        self.both(f"x[{shown(index)}] = 7", write, keep=False)

    def step_where_mask(self):
        a = self.pick()

        def write(xp, s):
            x = getattr(a, s)
            x[x > 1] = -2

        if isinstance(a.expected, np.ndarray):
            self.both("x[x > 1] = -2", write, keep=False)

    def step_reduce(self):
        a, name = self.pick(), self.draw(st.sampled_from(REDUCTIONS))
        axis = self.draw(st.sampled_from([None, 0, -1]))
        if name in ("sum", "cumsum", "prod") and not is_exact(name, a.expected):
            return
        self.both(f"{name} axis={axis}", lambda xp, s: getattr(xp, name)(getattr(a, s), axis=axis))

    def step_copy(self):
        a = self.pick()
        self.both("copy", lambda xp, s: xp.array(getattr(a, s), copy=True))

    def step_join(self):
        a, b = self.pick_two()
        self.both("concatenate", lambda xp, s: xp.concatenate([getattr(a, s), getattr(b, s)]))

    def step_export(self):
        """A NumPy view of an array, kept and written to."""
        a = self.pick()
        if not isinstance(a.expected, np.ndarray) or a.expected.ndim == 0:
            return

        def write(xp, s):
            view = np.asarray(getattr(a, s))
            view[...] = view + 1

        self.both("asarray(x)[...] += 1", write, keep=False)

    def step_out_view(self):
        """A ufunc that writes into a view, which may overlap its inputs, where a mask says so."""
        a, b = self.pick_two()
        index, masked = self.index(np.shape(a.expected)), self.draw(st.booleans())
        name = self.draw(st.sampled_from(BINARY[:5]))

        def write(xp, s):
            target = getattr(a, s)[index]
            options = {"where": target > 0} if masked else {}
            getattr(xp, name)(target, getattr(b, s), out=target, **options)

        if isinstance(a.expected, np.ndarray) and isinstance(a.expected[index] if fits(a.expected, index) else None, np.ndarray):
            self.both(f"{name}(x{index}, y, out=x{index}, masked={masked})", write, keep=False)

    def step_random_draw(self):
        """Both sides draw from generators in the same state; `shuffle` writes in place."""
        a, seed = self.pick(), self.draw(st.integers(0, 99))
        kind = self.draw(st.sampled_from(["integers", "shuffle", "permutation", "choice"]))

        def draw(xp, s):
            rng, x = xp.random.default_rng(seed), getattr(a, s)
            if kind == "integers":
                return rng.integers(-3, 4, (3, 4)).astype(float)
            return rng.shuffle(x) if kind == "shuffle" else getattr(rng, kind)(x)

        if isinstance(a.expected, np.ndarray) and a.expected.ndim:
            self.both(f"{kind} seed {seed}", draw, keep=kind != "shuffle")

    def step_capture_and_mutate(self):
        """A NumPy array enters an expression and is written to afterwards: what was computed from it does not change."""
        a, seed = self.pick(), self.draw(st.integers(0, 50))
        values = np.random.default_rng(seed).integers(-3, 4, np.shape(a.expected)).astype(float)

        def capture(xp, s):
            outside = values.copy()
            result = getattr(a, s) + outside * 2
            outside[...] = 99
            return result

        self.both(f"x + 2 * outside, seed {seed}; outside[...] = 99", capture)

    def step_scatter(self):
        """`ufunc.at` and `put` with repeated indices."""
        a = self.pick()
        indices = self.draw(st.lists(st.integers(-3, 3), min_size=1, max_size=6))
        kind = self.draw(st.sampled_from(["at", "put"]))

        def write(xp, s):
            x = getattr(a, s)
            xp.add.at(x, indices, 2) if kind == "at" else xp.put(x, indices, [3, 4], mode="wrap")

        if isinstance(a.expected, np.ndarray):
            self.both(f"{kind} {indices}", write, keep=False)

    def step_where(self):
        a, b = self.pick_two()
        self.both("where", lambda xp, s: xp.where(getattr(a, s) > 0, getattr(a, s), getattr(b, s)))

    def step_sort_in_place(self):
        a = self.pick()
        if isinstance(a.expected, np.ndarray):
            self.both("x.sort()", lambda xp, s: getattr(a, s).sort(), keep=False)

    def step_check(self):
        a = self.pick()
        check(a.actual, a.expected, self.log)


STEPS = [getattr(Machine, name) for name in dir(Machine) if name.startswith("step_")]


def shown(index):
    return index.tolist() if index.size < 100 else f"{index.dtype} {index.shape}"


def broadcast_size(one, two):
    try:
        return math.prod(np.broadcast_shapes(one, two))
    except ValueError:
        return 0


def fits(x, index):
    try:
        x[index]
    except IndexError:
        return False
    return True


def is_exact(name, x):
    """Whether a sum or product is the same in any order: no partial result has to be rounded."""
    size = np.abs(np.asarray(x, complex if np.iscomplexobj(x) else float))
    with np.errstate(over="ignore"):
        largest = np.sum(size) if name != "prod" else np.prod(np.maximum(size, 1))
    return np.asarray(x).dtype.kind in "biu" or largest < 2.0 ** (24 if np.asarray(x).dtype in (np.float32, np.complex64) else 53)


def check(actual, expected, log):
    actual = np.asarray(actual)
    expected = np.asarray(expected)
    assert actual.dtype == expected.dtype, log
    assert actual.shape == expected.shape, log
    assert np.array_equal(actual, expected, equal_nan=True), (log, actual, expected)


def run(data, length, shapes=SHAPES):
    storage._main_queue._reset()  # an example that failed may have left work behind
    machine = Machine(data, shapes)
    machine.new()
    machine.new()
    for _ in range(length):
        if len(machine.pool) > 12:
            del machine.pool[0:4]
        data.draw(st.sampled_from([Machine.new, *STEPS]))(machine)
    for pair in machine.pool:
        check(pair.actual, pair.expected, machine.log)


MANY = int(os.environ.get("LAZYNP_TEST_PROGRAMS", 3000))
"""How many programs the slow tests make: two thirds at the default threshold, a third with everything lazy (a quarter of it compiled),
and as many as a fourth around a threshold of a few elements."""

COMMON = dict(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FRESH = {**COMMON, "derandomize": False, "database": None}


@settings(max_examples=400, **COMMON)
@given(st.data())
def test_interpreted_programs(data):
    """Storages, views, aliases and the queue, through the NumPy interpreter."""
    with lnp.config(lazy_threshold=0, backend="reference"):
        run(data, 50)


@settings(max_examples=30, **COMMON)
@given(st.data())
def test_compiled_programs(data):
    """The same through the C backend, compiled at once."""
    with lnp.config(lazy_threshold=0, compile_after=1):
        run(data, 10)


@settings(max_examples=100, **COMMON)
@given(st.data())
def test_programs_at_the_default_threshold(data):
    """Small arrays: computed at once, through NumPy."""
    run(data, 50)


@settings(max_examples=30, **COMMON)
@given(st.data())
def test_programs_of_small_and_large_arrays(data):
    """At the default threshold: some arrays are NumPy's own, others are lazy, and each writes into views of the other."""
    run(data, 30, LARGE)


@settings(max_examples=60, **COMMON)
@given(st.data())
def test_programs_around_the_threshold(data):
    """Everything small, and the threshold in the midst of it."""
    with lnp.config(lazy_threshold=8, backend="reference"):
        run(data, 50)


@pytest.mark.slow
@settings(max_examples=MANY // 4, **FRESH)
@given(st.data())
def test_many_interpreted_programs(data):
    with lnp.config(lazy_threshold=0, backend="reference"):
        run(data, 50)


@pytest.mark.slow
@settings(max_examples=MANY // 12, **FRESH)
@given(st.data())
def test_many_compiled_programs(data):
    with lnp.config(lazy_threshold=0, compile_after=1):
        run(data, 50)


@pytest.mark.slow
@settings(max_examples=MANY // 3, **FRESH)
@given(st.data())
def test_many_programs_at_the_default_threshold(data):
    run(data, 50)


@pytest.mark.slow
@settings(max_examples=MANY // 4, **FRESH)
@given(st.data())
def test_many_programs_of_small_and_large_arrays(data):
    run(data, 50, LARGE)


@pytest.mark.slow
@settings(max_examples=MANY // 12, **FRESH)
@given(st.data())
def test_many_compiled_programs_of_small_and_large_arrays(data):
    with lnp.config(compile_after=1):
        run(data, 50, LARGE)


@pytest.mark.slow
@settings(max_examples=MANY // 4, **FRESH)
@given(st.data())
def test_many_programs_around_the_threshold(data):
    with lnp.config(lazy_threshold=8, backend="reference"):
        run(data, 50)
