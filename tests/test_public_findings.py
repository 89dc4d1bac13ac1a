"""The smallest cases of what programs in the manner of public collections have found: NumPy is the oracle."""

import warnings

import numpy as np
import pytest

import lazynp as lnp


@pytest.mark.parametrize("dtypes", ["f4 f8 f8", "f2 f4 f4", "i4 i2 f4", "f8 f4 i8", "u1 f8 c8", "f4 f4 f4"])
def test_interp_of_other_dtypes(dtypes):
    """The search for float32 among float64 read the memory of one as the other; results are doubles whatever the arguments are."""
    arguments = [np.asarray(x).astype(t) for x, t in zip((np.arange(10) / 3, [0, 1, 3], [0, 10, 20]), dtypes.split(), strict=True)]
    ours, theirs = lnp.jit(np.interp, strict=True)(*arguments), np.interp(*arguments)
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-15)


DTYPES = {
    "average": (lambda a, b: np.average(a, 0, b[:, 0]), "f8 f4", "u1 f4", "i4 i4", "? f4", "c8 f8", "f2 f4"),
    "average, weights of the same shape": (lambda a, b: np.average(a, 1, b), "f8 f4", "u1 f4", "? ?"),
    "angle": (lambda a, b: np.angle(a), "u1 f8", "i2 f8", "? f8", "f2 f8", "c8 f8"),
    "angle in degrees": (lambda a, b: np.angle(a, deg=True), "u1 f8", "f4 f8", "c8 f8"),
    "least squares": (lambda a, b: np.linalg.lstsq(a, b), "c8 c8", "u1 f4", "f4 f4", "f4 f8", "i4 i4"),
}


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_of_mixed_arguments(name):
    function, *kinds = DTYPES[name]
    numbers = np.random.default_rng(0).random((2, 6, 3)) * 5 + 1
    for kind in kinds:
        arguments = [x.astype(t) for x, t in zip(numbers, kind.split(), strict=True)]
        ours, theirs = lnp.jit(function, strict=True)(*arguments), function(*arguments)
        for x, y in zip(*((r if isinstance(r, tuple) else (r,)) for r in (ours, theirs)), strict=True):
            assert (kind, np.asarray(x).dtype) == (kind, np.asarray(y).dtype)
            np.testing.assert_allclose(x, y, rtol=1e-13 if np.asarray(y).dtype.char in "dD" else 1e-3 if "f2" in kind else 1e-5)


def test_gradient_of_truth_values_is_refused():
    with pytest.raises(TypeError, match="numpy boolean subtract"), lnp.config(lazy_threshold=0):
        lnp.gradient(lnp.ones(4, bool))


@pytest.mark.parametrize("places", [(0, 5), (-1, 2)])
def test_reduceat_beyond_the_end(places):
    with pytest.raises(IndexError, match=r"out-of-bounds in maximum.reduceat \[0, 4\)"):
        lnp.jit(lambda x: np.maximum.reduceat(x, places), strict=True)(np.arange(4.0))


def mask_behind_a_number(f, m):
    for i, other in enumerate((2, 0, 1)):
        f[i, m] = f[other, m] * 2
    f[0, m] += 1
    return f[1, m].sum(), f[2, ~m].mean()


def mask_behind_slices(f, m):
    f[1:, m] = -1
    f[:, :, m[0]] = 7
    f[..., m[1]] = f[0, 0, 0]
    f[0, :, m[2]] = 5
    f[:, m[:, 0]] = 3


def mask_behind_a_loop_variable(f, m):
    total = 0.0
    for i in range(len(f)):
        f[i, m] *= i
        total += f[i, m].sum()
    return total


@pytest.mark.parametrize("function", [mask_behind_a_number, mask_behind_slices, mask_behind_a_loop_variable])
def test_masks_behind_other_items_compile(function):
    """Obstacles of a lattice: `outgoing[i, wall] = f[opposite, wall]`."""
    ours, theirs = np.random.default_rng(0).random((2, 3, 4, 5))[[0, 0]]
    mask = np.random.default_rng(1).random((4, 5)) < 0.4
    results = [lnp.jit(function, strict=True)(ours, mask), function(theirs, mask)]
    np.testing.assert_array_equal(ours, theirs)
    if results[1] is not None:
        np.testing.assert_allclose(*results, rtol=1e-14)


def test_a_mask_of_another_shape_behind_a_number_is_refused():
    with pytest.raises(IndexError, match="boolean index did not match indexed array along axis 1"):
        lnp.jit(lambda x, m: x[0, m])(np.ones((3, 4)), np.ones(5, bool))


def rolls_by_an_argument(x, shifts):
    return np.roll(x, shifts[0]), np.roll(x, shifts[1], axis=1), np.roll(x, (shifts[1], 1), axis=(0, 1))


def rolls_by_the_loop_variable(x, shifts):
    for i in range(9):
        x = np.roll(x, i, axis=0) * 1.5 + np.roll(x, shifts[i % 3], axis=1)
    return x


@pytest.mark.parametrize("function", [rolls_by_an_argument, rolls_by_the_loop_variable])
def test_rolls_by_traced_numbers_compile(function):
    x, shifts = np.arange(12.0).reshape(3, 4), np.array([-5, 1, 7])
    ours, theirs = lnp.jit(function, strict=True)(x, shifts), function(x, shifts)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def membership(n):
    g = np.zeros(90, int)
    for r in range(90):
        g[r] = sum(v not in g for v in range(1, n))
    return g


def texts(n):
    g = np.zeros(90, int)
    for r in range(90):
        g[r] = len(str(g)) + n
    return g


def lists_of_values(n):
    g = np.zeros(90, int)
    while g[-1] == 0:
        k = g.tolist().count(0)
        g[90 - k] = k + n
    return g


@pytest.mark.parametrize("function", [membership, texts, lists_of_values])
def test_values_that_a_loop_changes_are_not_those_before_it(function):
    """Arrays whose values were known before the loop were asked for them in every turn, with the answer of the first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lnp.PerformanceWarning)
        np.testing.assert_array_equal(lnp.jit(function)(5), function(5))


def test_appends_of_loops_in_loops_that_are_given_up():
    """What the inner loop had appended when the outer one turned out not to be one loop stayed in the list."""

    def collected(m):
        out = []
        top = 0
        while top < 40:
            for j in range(12):
                out.append(m[0, j])
            top += 1
        return np.array(out)

    m = np.arange(12.0)[None]
    np.testing.assert_array_equal(lnp.jit(collected)(m), collected(m))


def branch_appends(x):
    out = []
    if x[0] > 0:
        for j in range(12):
            out.append(x[j])
    return np.array(out)


def turns_of_branches_append(x):
    out = []
    for i in range(20):
        if x[i % 3] > 0:
            for j in range(12):
                out.append(x[j] * i)
    return np.array(out)


def rows_of_turns(x):
    rows = []
    for i in range(20):
        row = []
        for j in range(12):
            row.append(x[j] * i)
        rows.append(row)
    return np.array(rows)


def list_read_in_turns(x):
    out, s = [], 0.0
    for i in range(4):
        for j in range(12):
            out.append(x[j] * i)
        s += sum(out)
    return s


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("function", [branch_appends, turns_of_branches_append, rows_of_turns, list_read_in_turns])
def test_appends_of_loops_in_bodies(function, sign):
    """A loop inside a branch appended whether or not the branch was taken, to memory that was not there."""
    x = sign * (np.arange(12.0) + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lnp.PerformanceWarning)
        np.testing.assert_array_equal(lnp.jit(function)(x), function(x))


def test_loop_variables_as_rows_of_inner_loops():
    """A loop read what is only a loop variable around it in another shape, which has no memory."""

    def pivoted(a):
        for c in range(len(a)):
            p = c + int(np.argmax(a[c:, c]))
            if a[p, c] == 0:
                break
            a[[c, p]] = a[[p, c]]
        return a

    m = np.random.default_rng(0).random((12, 12))
    np.testing.assert_array_equal(lnp.jit(pivoted, strict=True)(m.copy()), pivoted(m.copy()))


LAYOUTS = {
    "C": lambda: np.arange(12.0).reshape(3, 4),
    "F": lambda: np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "steps": lambda: np.arange(24.0).reshape(3, 8)[:, ::2],
    "backwards": lambda: np.arange(12.0)[::-1].reshape(12),
    "line with steps": lambda: np.arange(24.0)[::2],
}
WAYS = {
    "reshape": lambda b: b.reshape(2, 6),
    "reshape, of a size to be found": lambda b: np.reshape(b, (6, -1)),
    "reshape in Fortran's order": lambda b: b.reshape(2, 6, order="F"),
    "reshape of the transpose": lambda b: b.T.reshape(2, 6),
    "ravel": lambda b: b.ravel(),
    "ravel in Fortran's order": lambda b: b.ravel("F"),
    "flatten": lambda b: b.flatten(),
    "ascontiguousarray": np.ascontiguousarray,
    "asfortranarray": np.asfortranarray,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_a_view_depends_on_the_layout_of_arguments(layout, way):
    """In a trace every argument lay in C order: results could not be made, and writes reached arguments that NumPy had copied."""

    def written(b):
        part = WAYS[way](b)
        part[-1:] = 99
        return b, part, WAYS[way](b)

    ours, theirs = LAYOUTS[layout](), LAYOUTS[layout]()
    compiled = lnp.jit(written, strict=True)
    compiled(LAYOUTS["C"]().reshape(ours.shape))  # another signature
    actual, expected = compiled(ours), written(theirs)
    np.testing.assert_array_equal(ours, theirs)
    for x, y in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(x, y)
        assert np.shares_memory(x, ours) == np.shares_memory(y, theirs)


def test_arguments_of_another_layout_and_read_only_ones_have_their_own_programs():
    def doubled(b):
        b[0] *= 2
        return b

    function = lnp.jit(doubled)
    locked = np.arange(4.0)
    locked.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        function(locked)
    np.testing.assert_array_equal(function(np.arange(8.0)[::2] + 1), [2, 3, 5, 7])
    np.testing.assert_array_equal(function(np.arange(4.0)[::-1]), [6, 2, 1, 0])


LOCKED = [np.diag, lambda b: np.diagonal(b * 2), lambda b: (b.diagonal(1), b + 1), lambda b: np.broadcast_to(b * 2, (2, 3, 4))]


@pytest.mark.parametrize("function", LOCKED)
def test_results_that_nobody_may_write_to(function):
    """Diagonals that a compiled function returned could be written to."""
    b = np.arange(12.0).reshape(3, 4)
    for given in (b, lnp.lazy(b)):
        ours, theirs = lnp.jit(function)(given), function(b)
        pairs = zip(ours, theirs, strict=True) if isinstance(theirs, tuple) else [(ours, theirs)]
        for x, y in pairs:
            np.testing.assert_array_equal(x, y)
            assert x.flags.writeable == y.flags.writeable


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
@pytest.mark.parametrize("index", [0, -1, np.int64(1)])
@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_taken_at_one_place_is_a_copy(mode, index, axis):
    """take of one number was a view: writes reached the array."""

    def written(b):
        part = np.take(b, index, axis=axis, mode=mode)
        part[0] = 99
        return part

    expected = np.arange(12.0).reshape(3, 4)
    part = written(expected)
    compiled, lazy = expected.copy(), lnp.lazy(expected)
    np.testing.assert_array_equal(lnp.jit(written)(compiled), part)
    taken = lnp.take(lazy, index, axis=axis, mode=mode)
    taken[0] = 99
    for left in (compiled, lazy):
        np.testing.assert_array_equal(left, expected)


def test_parts_of_numbers_are_numbers():
    assert [type(part) for part in lnp.jit(lambda x: (np.real(2), np.imag(2.5), np.real(True)))(np.ones(2))] == [int, float, int]


@pytest.mark.parametrize("columns", [lambda j: slice(j, None), lambda j: slice(None, j + 1)])
def test_products_of_a_size_that_depends_on_the_turn_again(columns):
    """The second call of such a loop raised NameError: C asked for the size before the loop."""

    def turned(a):
        for j in range(len(a)):
            a[:2, columns(j)] = a[:2, :2] @ a[:2, columns(j)]
        return a

    a = np.random.default_rng(0).random((17, 17)) / 2
    compiled = lnp.jit(turned, strict=True)
    for _ in range(3):
        np.testing.assert_allclose(compiled(a.copy()), turned(a.copy()), rtol=1e-12)
