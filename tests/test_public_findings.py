"""The smallest cases of what programs in the manner of public collections have found: NumPy is the oracle."""

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
