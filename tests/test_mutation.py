"""What writes into arrays, on views of every kind: the same values everywhere, the same exceptions and warnings as NumPy's."""

import warnings

import numpy as np
import pytest

import lazynp as lnp

VIEWS = {
    "whole": "a", "transposed": "a.T", "rows": "a[1:4]", "steps": "a[::2]", "backwards": "a[::-1, ::-1]", "column": "a[:, 2]",
    "backward steps": "a[4:0:-2, 1::3]", "reshaped": "a.reshape(3, 10)", "ravelled": "a.ravel()", "diagonal": "a.diagonal()",
    "writeable diagonal": "n.einsum('ii->i', a[:, :5])", "nested": "a[1:][:, 1:][::2][..., ::-1]", "new axis": "a[:, None, 1:3]",
    "axes swapped": "n.swapaxes(a.reshape(5, 2, 3), 0, 2)", "broadcast": "n.broadcast_to(a[0], (3, 6))", "empty": "a[2:2]",
    "point": "a[2, 3, ...]", "one": "a[1:2, 1:2]", "imaginary part": "a.imag", "rotated": "n.rot90(a)", "split": "n.split(a, 5)[2]",
    "as integers": "a.view('i8')",
}  # fmt: skip

WRITES = [
    line.strip()
    for line in """
    v.fill(7) ; v.fill(2.5) ; n.put(v, [0, 1], 5) ; n.put(v, [0, 0, 2], [1, 2]) ; n.put(v, 99, 5) ; n.put(v, [99], 5, mode='wrap') ;
    n.put(v, [-100], 5, mode='clip') ; n.put(v, [0, 1], 1j) ; n.put(v, [1.5], 1) ; v.put([[0, 1], [2, 3]], v.ravel()[:2] * 2) ;
    n.put(v, [], []) ; n.place(v, v > 3, [1, 2, 3]) ; n.place(v, v > 3, []) ; n.place(v, v > 1e9, 5) ; n.place(v, v > 3, 1j) ;
    n.place(v, [True], 5) ; n.place(v, v, 2) ; n.putmask(v, v > 3, [1, 2, 3]) ; n.putmask(v, v, v * 2) ; n.putmask(v, [True], 1) ;
    n.putmask(v, v > 3, n.arange(100.0)) ; v[v > 3] = 5 ; v[v > 3] = v[v > 3] * 2 ; n.copyto(v, v[::-1]) ; n.copyto(v, 2.5) ;
    n.copyto(v, 1j) ; n.copyto(v, 1j, casting='unsafe') ; n.copyto(v, v * 1.5, where=v > 3) ; n.copyto(v, 5, where=v) ;
    n.copyto(v, n.ones((7, 7)), where=v > 3) ; n.copyto(v, v.T, casting='no') ; v.sort() ; v.sort(0) ; v.sort(5) ; v.sort(kind='stable') ;
    v.partition(1) ; n.add.at(v, [0, 0, 1], 2) ; n.add.at(v, [0, 0, 1], 2.5) ; n.multiply.at(v, ([0, 0], [1, 1]), 3) ;
    n.negative.at(v, ...) ; n.maximum.at(v, slice(0, 2), 9) ; n.add.at(v, [9], 1) ; n.power.at(v, v > 3, 2) ; n.ldexp.at(v, [0, 0, 1], 3) ;
    v.flat[3] ; v.flat[::3] = [1, 2] ;
    v.flat[[0, 2]] = v.ravel()[:3] ; v.flat[99] = 1 ; v.flat = [1, 2, 3] ; v.shape = (-1,) ; v.shape = (7, 7) ; v.shape = (2, -1) ;
    v.shape = v.shape[::-1] ; v.resize((2, -1)) ; v.resize((3, 10)) ; v.resize(v.size) ; n.resize(v, (3, 3)) ; n.add(v[::-1], v, out=v) ;
    n.add(v, 1, out=v[::-1]) ; n.multiply(v, v, out=v[1:]) ; n.subtract(v[1:], v[:-1], out=v[:-1]) ; n.negative(v, out=v.T) ;
    n.maximum.accumulate(v, out=v) ; v += v[::-1] ; v *= v ; v[1:] = v[:-1] ; v[:-1] = v[1:] ; v[::-1] = v ; v[...] = v.T ;
    v[[0, 1]] = v[[1, 0]] ; v /= 2 ; v //= 2 ; v += 1.5 ; v += 1j ; v[()] = 5 ; v[None] = 5 ; v[..., 0] = 9 ; v[0] = v[1] ;
    v[0] = None ; v[0] = [1, 2, 3, 4, 5, 6, 7] ; v.byteswap(True) ; v.setflags(write=False) ; v.dtype = 'u1' ; v.real = 4 ; v.imag = 4 ;
    n.fill_diagonal(v, 9) ; n.fill_diagonal(v, [1, 2], wrap=True) ; n.random.default_rng(0).shuffle(v) ;
    n.random.default_rng(0).shuffle(v, axis=1) ; n.random.RandomState(0).shuffle(v) ; n.random.default_rng(0).permuted(v, axis=0, out=v) ;
    n.random.default_rng(0).random(out=v) ; n.nan_to_num(v, copy=False) ; n.add.reduce(v, out=v[0]) ; n.dot(v, v, out=v) ;
    n.round(v, out=v) ; n.copyto(v[1:], v[:-1]) ; v.base is None ; v.flags.writeable ; v.strides ; n.asarray(v) is v ;
    n.array(v, copy=False) is v ; n.shares_memory(v, a) ; n.may_share_memory(v, v[:1])
    """.replace("\n", " ").split(" ; ")
]  # fmt: skip

EXCUSED = {
    ("new axis", "v.strides"): "an axis of size 1 that was inserted has another stride",
    ("point", "n.dot(v, v, out=v)"): "a product of numbers is a number although it is given an array",
    ("point", "n.maximum.accumulate(v, out=v)"): "NumPy 2.4 reads wild memory",
    ("empty", "v[[0, 1]] = v[[1, 0]]"): "which of two wrong indices is named",
    ("imaginary part", "v.base is None"): "the zeros of a real array",
}
"""What differs, and why."""


def outcome(namespace, view, statement):
    """(error, result, the array, a reader of what it was before, the view), warnings."""
    values = (np.arange(30) * 7 % 11.0).reshape(5, 6).copy()
    space = {"n": namespace, "a": values if namespace is np else lnp.lazy(values)}
    space["v"], before = eval(view, space), space["a"] * 2 + 1
    result = error = None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            try:
                result = eval(compile(statement, "<statement>", "eval"), space)
            except SyntaxError:
                exec(statement, space)
        except Exception as raised:
            error = type(raised).__name__, str(raised).split("\n")[0]
        found = [plain(x) for x in (result, space["a"], before, space["v"])]
    return error, found, {(w.category, str(w.message)) for w in said if "lazynp" not in w.category.__module__}


def plain(value):
    if hasattr(value, "dtype"):
        array = np.asarray(value)
        return array.dtype, array.shape, np.nan_to_num(array).tolist() if array.dtype.kind in "fc" else array.tolist()
    return value


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.filterwarnings("ignore")
def test_writes(view):
    wrong = []
    for statement in WRITES:
        if (view, statement) in EXCUSED:
            continue
        expected = outcome(np, VIEWS[view], statement)
        with lnp.config(backend="reference", lazy_threshold=0):
            found = outcome(lnp, VIEWS[view], statement)
        if found != expected:
            wrong.append(f"{statement}: {found} instead of {expected}")
    assert not wrong, f"{len(wrong)} of them\n" + "\n".join(wrong[:9])
