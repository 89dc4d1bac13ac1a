"""How results lie in memory: strides and flags are NumPy's, also where operands are not in C order."""

import itertools
import warnings

import numpy as np
import pytest

import lazynp as lnp
from lazynp.backends.reference import evaluate
from lazynp.ir.node import Graph, constant
from lazynp.ops.indexing import update
from lazynp.ops.movement import Step, permute, reshape

LAYOUTS = {
    "C": lambda a: a,
    "transposed": lambda a: a.transpose(),
    "turned": lambda a: a.transpose((1, 0, 2)),
    "rotated": lambda a: a.transpose((1, 2, 0)),
    "reversed": lambda a: a[::-1],
    "stepped": lambda a: a[:, ::2],
    "reversed and transposed": lambda a: a[:, :, ::-1].transpose(),
    "repeated": lambda a: a[0, :, None].T,
    "one axis of size 1": lambda a: a[:, :1].transpose((2, 1, 0)),
    "plane": lambda a: a[:, 1].T,
    "empty": lambda a: a[:, :0].transpose(),
}

ONE = {
    "add a number": lambda xp, x: x + 1,
    "sqrt": lambda xp, x: xp.sqrt(x),
    "less": lambda xp, x: x < 3,
    "ufunc in C order": lambda xp, x: xp.negative(x, order="C"),
    "copy": lambda xp, x: xp.copy(x),
    "copy method": lambda xp, x: x.copy(),
    "copy as it is": lambda xp, x: x.copy("K"),
    "copy in F order": lambda xp, x: x.copy("F"),
    "copy, any order": lambda xp, x: x.copy("A"),
    "array": lambda xp, x: xp.array(x),
    "array in F order": lambda xp, x: xp.array(x, order="F"),
    "asarray in C order": lambda xp, x: xp.asarray(x, order="C"),
    "astype": lambda xp, x: x.astype(np.float32),
    "astype in C order": lambda xp, x: x.astype(np.int64, order="C"),
    "zeros_like": lambda xp, x: xp.zeros_like(x),
    "full_like": lambda xp, x: xp.full_like(x, 2),
    "empty_like in F order": lambda xp, x: xp.empty_like(x, order="F"),
    "cumsum": lambda xp, x: xp.cumsum(x, axis=0),
    "where": lambda xp, x: xp.where(x > 1, x, 0),
    "clip": lambda xp, x: xp.clip(x, 1, 2),
    "sort": lambda xp, x: xp.sort(x, axis=0),
    "asfortranarray, add": lambda xp, x: xp.asfortranarray(x) + 1,
    "ascontiguousarray": lambda xp, x: xp.ascontiguousarray(x),
    "round": lambda xp, x: xp.round(x, 1),
    "sum": lambda xp, x: x.sum(axis=0),
    "sum over the last axis": lambda xp, x: x.sum(axis=-1),
    "sum, kept axes": lambda xp, x: x.sum(axis=-1, keepdims=True),
    "max over two axes": lambda xp, x: xp.max(x * 1.0, axis=(0, -1), initial=0),
    "mean": lambda xp, x: x.mean(axis=0) if x.size else x,
    "flatten": lambda xp, x: x.flatten("F"),
    "ravel": lambda xp, x: (x + 1).ravel("A"),
}


def steps(x):
    """Strides along axes of more than one element; NumPy calls the others arbitrary."""
    return [s for n, s in zip(x.shape, x.strides, strict=True) if n > 1]


def same_layout(actual, expected):
    assert actual.shape == expected.shape
    assert not expected.size or steps(actual) == steps(expected)
    if expected.size:
        assert (actual.flags.c_contiguous, actual.flags.f_contiguous) == (expected.flags.c_contiguous, expected.flags.f_contiguous)
    assert np.array_equal(np.asarray(actual), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ONE)
def test_one_operand(name, layout):
    values = np.arange(24.0).reshape(2, 3, 4)
    view = LAYOUTS[layout]
    if name.startswith("empty_like"):
        expected, actual = ONE[name](np, view(values)), ONE[name](lnp, view(lnp.lazy(values)))
        assert steps(actual) == steps(expected)
    else:
        same_layout(ONE[name](lnp, view(lnp.lazy(values))), ONE[name](np, view(values)))


@pytest.mark.parametrize(("left", "right"), list(itertools.product(["C", "transposed", "turned", "rotated", "stepped"], repeat=2)))
def test_two_operands(left, right):
    """Operands of different layouts: where they disagree NumPy takes C order."""
    cube = np.arange(27.0).reshape(3, 3, 3)

    def total(x):
        a, b = LAYOUTS[left](x), LAYOUTS[right](x)
        a, b = a[:, : b.shape[1]], b[:, : a.shape[1]]
        return a[: len(b)] + b[: len(a)]

    try:
        expected = total(cube)
    except ValueError:
        return  # the shapes do not fit
    same_layout(total(lnp.lazy(cube)), expected)


def test_plain_operands_in_fortran_order():
    values = np.asfortranarray(np.arange(70_000.0).reshape(7, 10_000))
    same_layout(lnp.sqrt(values), np.sqrt(values))


def test_setting_a_flag_concerns_one_array():
    with lnp.config(lazy_threshold=0):
        a = lnp.lazy(np.arange(3.0)) + 0
        view = a[:2]
        a.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            a[0] = 1
        view[...] = 5
        assert a.tolist() == [5, 5, 2]
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag to True"):
            a[1:].flags.writeable = True
    a.flags["WRITEABLE"] = True
    a += 1
    assert a.tolist() == [6, 6, 3]


def test_a_read_only_array_does_not_stop_the_others():
    a = lnp.lazy(np.zeros(3)) + 1
    np.asarray(a)
    a.setflags(write=False)
    a.flags.writeable = True
    a[:] = 2
    assert (lnp.lazy(np.ones(2)) + 1).tolist() == [2, 2]
    assert a.tolist() == [2, 2, 2]


def test_an_interpreted_update_writes_views_of_c_order():
    """The interpreter copies the base of an update, whose order in memory may be another: the region is a view of C order."""
    with lnp.config(backend="reference"):
        x = lnp.lazy(np.arange(6.0).reshape(2, 3))
        y = (x.T + 1).T * 1  # computed in the order of the transposed operand
        y.reshape(-1)[1:3] = -1
        y[0, 0] = 9
        assert y.tolist() == [[9, -1, -1], [4, 5, 6]]


def test_an_interpreted_update_of_a_transposed_constant():
    """The base of `update` is a transposed array in the graph itself."""
    base = permute(constant(np.arange(6.0).reshape(2, 3)), (1, 0))
    node = update(base, constant(np.array([7.0, 8.0, 9.0, 1.0, 2.0, 3.0])), (Step(reshape, ((6,),)),))
    [found] = evaluate(Graph((), (node,)), [])
    assert found.tolist() == [[7, 8], [9, 1], [2, 3]]


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like", "full_like"])
@pytest.mark.parametrize(
    "options", [{}, {"order": "F"}, {"shape": (3, 200, 200)}, {"shape": (400, 200), "order": "F"}, {"dtype": np.int8}], ids=str
)
def test_arrays_like_large_ones_of_numpys_and_of_ours(name, options):
    rest = (7,) if name == "full_like" else ()
    for plain in (np.zeros((300, 300)), np.zeros((300, 400)).T):
        expected = getattr(np, name)(plain, *rest, **options)
        for actual in (getattr(lnp, name)(plain, *rest, **options), getattr(lnp, name)(lnp.sqrt(plain), *rest, **options)):
            assert (actual.shape, actual.dtype, actual.strides) == (expected.shape, expected.dtype, expected.strides)


REPEATED = {
    "broadcast_arrays": lambda n, x: n.broadcast_arrays(x * 2, n.ones((3, 1)))[0],
    "a view of it": lambda n, x: n.broadcast_arrays(x * 2, n.ones((3, 1)))[0][1:].T[1],
    "meshgrid": lambda n, x: n.meshgrid(x * 2, n.arange(3.0), copy=False)[0],
    "as it is": lambda n, x: n.broadcast_arrays(x * 2, n.ones((3, 4)))[1],
}
WRITES = {
    "assign": lambda n, a: a.__setitem__(0, 7), "advanced": lambda n, a: a.__setitem__(a > 1, -1), "out": lambda n, a: n.add(a, 1, out=a),
    "operator": lambda n, a: a.__imul__(3), "flag": lambda n, a: a.flags.writeable, "set flag": lambda n, a: a.setflags(write=True),
    "fill": lambda n, a: a.fill(5), "copyto": lambda n, a: n.copyto(a, 4),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("name", REPEATED)
def test_what_repeats_is_written_to_with_numpys_warnings(threshold, name, write):
    """numpy.broadcast_arrays deprecates writing to its results, and still lets it happen."""

    def outcome(n):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            repeated = REPEATED[name](n, n.arange(4.0))
            told = WRITES[write](n, repeated)
        values = np.asarray(repeated).tolist()
        return values, np.shape(told), [w.category for w in caught]

    assert outcome(lnp) == outcome(np)


def test_meshgrid_without_copies_shares_memory(threshold):
    x = lnp.arange(4.0) + 1
    across, _ = lnp.meshgrid(x, lnp.arange(3.0), copy=False)
    along, _ = lnp.meshgrid(x, lnp.arange(3.0), copy=False, sparse=True)
    apart, _ = lnp.meshgrid(x, lnp.arange(3.0), sparse=True)
    x[0] = 9
    assert across[:, 0].tolist() == [9, 9, 9]
    assert (along[0, 0], apart[0, 0]) == (9, 1)


def test_resize_to_as_many_elements_stays_a_view(all_lazy):
    x = lnp.arange(6.0) + 0
    view = x[:]
    view.resize((2, 3))
    view[1, 0] = 9
    assert x.tolist() == [0, 1, 2, 9, 4, 5]


@pytest.mark.parametrize("view", ["ravel", "reshape", "expand_dims"])
def test_writes_to_a_view_that_numpy_made(view):
    """Lines whose work is short are NumPy's: what they return has a storage of its own, over memory that another storage has too."""
    function, arguments = getattr(lnp, view), {"ravel": (), "reshape": (-1,), "expand_dims": (0,)}[view]
    with lnp.config(lazy_threshold=8, backend="reference"):
        for _ in range(6):
            x = lnp.array(np.ones((2, 3, 2)))
            x[()] = 2.0
            shown = function(x, *arguments)
            shown[shown > 1] = 9
            assert x.min() == 9
            shown += 1
            assert x.max() == 10


def test_the_transpose_of_a_vector_is_a_view(all_lazy):
    x = lnp.arange(5.0) + 1
    assert x.T is not x
    assert x.T.base is x
