"""`z[m] = f(z[m])` in compiled programs, and comparisons of moduli, which often make the mask."""

import numpy as np
import pytest

import lazynp


@pytest.mark.parametrize("shape", [(1000,), (7, 131), (5, 4, 129), (3,)])
@pytest.mark.parametrize("share", [0.0, 0.002, 0.5, 1.0])
def test_masked_updates_of_dear_values(shape, share):
    """Blocks without a true element are left alone; the others become what NumPy makes of them."""

    def update(x, c, m):
        for _ in range(5):
            x[m] = np.exp(np.sin(x[m])) * 0.3 + x[m] * c[m]
            m &= x < 2
        return x

    rng = np.random.default_rng(3)
    x, c, m = rng.uniform(size=shape), rng.uniform(size=shape), rng.uniform(size=shape) < share
    expected = update(x.copy(), c, m.copy())
    np.testing.assert_allclose(lazynp.jit(update, strict=True)(x.copy(), c, m.copy()), expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["c16", "c8"])
def test_moduli_compared_without_their_roots(dtype):
    """abs(z) < r says what the modulus itself says, also where the two are equal to the last bit, and for special values."""
    rng = np.random.default_rng(5)
    z = (rng.normal(size=500) + 1j * rng.normal(size=500)).astype(dtype)
    special = np.array([0, -0.0, np.nan, np.inf, -np.inf, 1e30, 1e-30, 1])
    z = np.concatenate([z, *[np.array([complex(a, b) for b in special], dtype) for a in special]])
    modulus = np.asarray(lazynp.jit(np.abs)(z))

    def compared(z, r):
        return np.abs(z) < r, np.abs(z) <= r, np.abs(z) > r, np.abs(z) >= r

    for r in (modulus, np.nextafter(modulus, modulus.dtype.type(np.inf)), np.ones_like(modulus), -modulus):
        for found, expected in zip(lazynp.jit(compared)(z, r), (modulus < r, modulus <= r, modulus > r, modulus >= r), strict=True):
            np.testing.assert_array_equal(found, expected)
