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
