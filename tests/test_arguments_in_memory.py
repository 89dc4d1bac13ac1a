"""Arguments of jit that are not in C order: read and written where they lie."""

import tracemalloc

import numpy as np
import pytest

import lazynp as lnp
from lazynp.ops.movement import follow_numpy
from lazynp.trace.laid import laid

CUBE = np.random.default_rng(0).normal(size=(8, 9, 10))

VIEWS = {
    "F order": np.asfortranarray(CUBE),
    "axes turned": CUBE.transpose(2, 0, 1),
    "every second": CUBE[::2],
    "every third, backward": CUBE[:, ::3, ::-1],
    "backward": CUBE[::-1, ::-1],
    "inside": CUBE[:, 1:-1, 2:-2],
    "inside, F order": np.asfortranarray(CUBE)[1:-1, ::2],
    "a plane": CUBE.reshape(8, 30, 3)[:, :, 1],
    "an axis of one": CUBE[:, None].T,
    "every second of a line": CUBE.ravel()[::2],
    "a line backward": CUBE.ravel()[::-3],
    "real part": (CUBE + 1j).real,
    "repeated": np.broadcast_to(CUBE[:, :1], CUBE.shape),
    "repeated along all": np.broadcast_to(np.float64(3), (4, 5)),
}
COPIED = {
    "a sparse column": np.zeros((30, 40))[:, 1],
    "overlapping": np.lib.stride_tricks.as_strided(CUBE.copy(), (5, 5), (8, 8)),
    "empty": CUBE.T[:0],
    "between elements": np.zeros(8, "i1,f8")["f1"],
}
READ = {
    "itself plus one": lambda n, x: x + 1,
    "sums": lambda n, x: [x.sum(axis) for axis in range(x.ndim)],
    "running sum": lambda n, x: n.cumsum(x, -1),
    "turned": lambda n, x: x.T * 2,
    "differences": lambda n, x: x[1:] - x[:-1],
    "sorted": lambda n, x: n.sort(x, 0),
    "one line": lambda n, x: x.reshape(-1) * 2,
    "one line as it lies": lambda n, x: x.ravel("K"),
    "a copy": lambda n, x: x.copy("K"),
    "normalised": lambda n, x: (x - x.mean(0)) / (x.std(0) + 1),
    "product": lambda n, x: n.tensordot(x, x, 1) if x.shape[0] == x.shape[-1] else n.tensordot(x, x.T, 1),
}


@pytest.mark.parametrize("name", VIEWS)
def test_block(name):
    view = VIEWS[name]
    how = laid(view)
    for block in (how.block(view), how.own_block(view)):
        assert block.shape == how.shape and block.flags.c_contiguous
        assert np.array_equal(follow_numpy(block, how.path), view)
    assert follow_numpy(how.block(view), how.path).__array_interface__["data"][0] == view.__array_interface__["data"][0]
    assert np.shares_memory(how.block(view), view)


@pytest.mark.parametrize("name", COPIED)
def test_no_block(name):
    view = COPIED[name]
    assert laid(view) is None
    assert np.array_equal(lnp.jit(lambda x: x + 1)(view), view + 1)


@pytest.mark.parametrize("name", VIEWS)
def test_reads_as_numpy(name):
    view = VIEWS[name]
    for read in READ.values():
        compiled = lnp.jit(lambda x, read=read: read(lnp, x))
        expected = read(np, view)
        for _ in range(3):  # the third call is made from C
            actual = compiled(view)
            for a, e in zip(actual, expected, strict=True) if isinstance(expected, list) else [(actual, expected)]:
                np.testing.assert_allclose(a, e, 1e-12, 1e-12)
                assert isinstance(a, np.generic) or a.strides == e.strides or 1 in e.shape


def twin(view):
    """The view with memory of its own all around it, and that memory."""
    whole = view if view.base is None else view.base
    memory = whole.copy("K")
    line = memory.ravel("K")
    begins = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return np.ndarray(view.shape, view.dtype, line, begins, view.strides), memory


@pytest.mark.parametrize("name", [name for name, view in VIEWS.items() if view.flags.writeable])
def test_writes_to_its_elements_only(name):
    def change(x):
        x[1:] = x[:-1] * 2
        x += 1

    compiled = lnp.jit(change)
    for _ in range(3):
        (ours, our_memory), (numpys, numpys_memory) = twin(VIEWS[name]), twin(VIEWS[name])
        compiled(ours)
        change(numpys)
        assert np.array_equal(our_memory, numpys_memory)


@pytest.mark.parametrize("name", VIEWS)
def test_views_of_an_argument_stay_views(name):
    view = VIEWS[name]
    itself, part, chosen = lnp.jit(lambda x: x), lnp.jit(lambda x: x[1:].T), lnp.jit(lambda x, c: x[:1] if c > 0 else x[1:2])
    for _ in range(3):
        assert itself(view) is view
        ours, numpys = part(view), view[1:].T
        assert ours.strides == numpys.strides and ours.__array_interface__["data"] == numpys.__array_interface__["data"]
        for c in (-1.0, 1.0):
            ours, numpys = chosen(view, np.float64(c)), view[:1] if c > 0 else view[1:2]
            assert np.array_equal(ours, numpys) and np.shares_memory(ours, numpys)


def test_memory_that_two_arguments_share():
    """Columns of one array overlap between their ends, and not in their elements."""

    def move(x, y):
        x[1:] = y[:-1]

    compiled = lnp.jit(move)
    for _ in range(3):
        ours, numpys = np.asfortranarray(CUBE[0]), np.asfortranarray(CUBE[0])
        compiled(ours[:, :5], ours[:, 3:8])
        move(numpys[:, :5], numpys[:, 3:8])
        assert np.array_equal(ours, numpys)
        compiled(ours.T[::-1, :5], ours.T[:, 3:8])
        move(numpys.T[::-1, :5], numpys.T[:, 3:8])
        assert np.array_equal(ours, numpys)


def test_unaligned():
    memory = np.zeros(8 * 20 + 1, np.uint8)
    view = memory[1:].view(np.float64).reshape(4, 5).T
    view[...] = np.arange(20.0).reshape(5, 4)
    compiled = lnp.jit(lambda x: x * 2)
    aligned = np.asfortranarray(view)
    for x in (view, aligned, view, aligned, view):
        assert np.array_equal(compiled(x), x * 2)


def test_other_sizes_of_the_same_strides():
    compiled = lnp.jit(lambda x: (x * 2).sum(0))
    wide = CUBE.reshape(-1, 10)
    for n in (5, 6, 7, 72, 5):
        np.testing.assert_allclose(compiled(wide[:n, 2:8]), (wide[:n, 2:8] * 2).sum(0), 1e-13)


@pytest.mark.parametrize("name", ["F order", "every second", "backward"])
def test_derivatives_and_donation(name):
    view = VIEWS[name]
    gradient = lnp.jit(lnp.grad(lambda x: (x**3).sum()))
    given = lnp.jit(lambda x: x * 2, donate=0)
    for _ in range(3):
        np.testing.assert_allclose(gradient(view), 3 * view**2, 1e-13)
        before = view.copy()
        assert np.array_equal(given(view), before * 2) and np.array_equal(view, before)
        with lnp.config(debug_nans=True):
            assert np.array_equal(given(view), before * 2)


def test_nothing_is_copied():
    x = np.asfortranarray(np.ones((300, 400)))
    total = lnp.jit(lambda x: (x * 2).sum())
    for view in (x, x[::2], x[:, 1:-1]):
        total(view), total(view)
        tracemalloc.start()
        total(view)
        assert tracemalloc.get_traced_memory()[1] < view.nbytes // 8
        tracemalloc.stop()
