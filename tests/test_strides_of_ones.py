"""Strides of axes of size 1, and of results that NumPy makes as views of something larger."""

import numpy as np
import pytest

import lazynp as lnp

SOURCES = {
    "as it is": lambda a: a,
    "transposed": lambda a: a.T,
    "column": lambda a: a[:, 2],
    "new axis": lambda a: a[:, None],
    "row of a transpose": lambda a: a.T[:1],
    "three axes": lambda a: a.reshape(5, 2, 3).transpose(2, 0, 1),
    "reversed": lambda a: a[::-1, ::2],
}
MADE = {
    "new axis at the end": lambda n, v: v[..., None],
    "new axis, then a row": lambda n, v: v[None][0],
    "expand_dims": lambda n, v: n.expand_dims(v, -1),
    "column by reshape": lambda n, v: v.reshape(-1, 1) if v.ndim == 1 else v.reshape(*v.shape, 1),
    "squeeze": lambda n, v: v[:1].squeeze(0),
    "tile of one": lambda n, v: n.tile(v, (1,) * v.ndim),
    "mean, kept": lambda n, v: n.mean(v, 0, keepdims=True),
    "mean of the last axis, kept": lambda n, v: v.mean(-1, keepdims=True),
    "sum of the last axis, kept": lambda n, v: v.sum(-1, keepdims=True),
    "std, kept": lambda n, v: n.std(v, 0, keepdims=True),
    "nanmax, kept": lambda n, v: n.nanmax(v, 0, keepdims=True),
    "average, kept": lambda n, v: n.average(v, 0, keepdims=True),
    "count_nonzero, kept": lambda n, v: n.count_nonzero(v, 0, keepdims=True),
    "median, kept": lambda n, v: n.median(v, 0, keepdims=True),
    "nanmedian, kept": lambda n, v: n.nanmedian(v, 0, keepdims=True),
    "quantiles, kept": lambda n, v: n.quantile(v, [0.2, 0.7], axis=0, keepdims=True),
    "unravel_index": lambda n, v: n.unravel_index(v.astype(int), (4, 5))[1],
    "histogram2d": lambda n, v: n.histogram2d(v.ravel(), v.ravel(), (2, 3))[0],
    "histogramdd": lambda n, v: n.histogramdd(n.stack([v.ravel()] * 2, 1), (2, 3))[0],
    "histogramdd of densities": lambda n, v: n.histogramdd(n.stack([v.ravel()] * 2, 1), (2, 3), density=True)[0],
}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", MADE)
def test_strides_are_numpys(name, source, traced, all_lazy):
    a = np.arange(30.0).reshape(5, 6) * 7 % 11
    expected = MADE[name](np, SOURCES[source](a))

    def program(x):
        return MADE[name](lnp, SOURCES[source](x))

    actual = lnp.jit(program)(a) if traced else program(lnp.lazy(a))
    assert (actual.strides, actual.shape) == (expected.strides, expected.shape)
    assert actual.flags.c_contiguous == expected.flags.c_contiguous
    np.testing.assert_allclose(np.asarray(actual), expected)
