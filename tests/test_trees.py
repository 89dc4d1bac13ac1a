"""Trees that are taken apart without optree are as optree's."""

import pickle
import subprocess
import sys
from collections import OrderedDict, namedtuple

import optree
import pytest

from lazynp.trace import trees

Point = namedtuple("Point", "x y")

TREES = {
    "leaf": 1.5,
    "tuple": (1, (2, 3), ()),
    "list": [1, [2], []],
    "dict": {"b": 1, "a": [2, None], "c": {}},
    "none": None,
    "nones": [None, 1, {"x": None}],
    "text": ("abc", b"x"),
    "numbers as keys": {2: 1, 1: (3,)},
    "named tuple": [Point(1, 2)],
    "ordered": OrderedDict(b=1, a=2),
    "object": (object, 1),
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
@pytest.mark.parametrize("none_is_leaf", [False, True], ids=["plain", "none is a leaf"])
def test_trees_are_taken_apart_as_by_optree(tree, none_is_leaf):
    flatten = trees.flatten_with_none if none_is_leaf else trees.flatten
    leaves, structure = flatten(tree)
    wanted, _ = optree.tree_flatten(tree, none_is_leaf=none_is_leaf)
    assert leaves == wanted
    again = trees.unflatten(structure, leaves)
    assert again == tree and type(again) is type(tree)
    assert flatten(tree)[1] == structure and hash(flatten(tree)[1]) == hash(structure)
    assert pickle.loads(pickle.dumps(structure)) == structure
    if not isinstance(tree, type(None)):
        assert structure != flatten([tree])[1]


def test_structures_do_not_depend_on_the_order_of_keys_but_give_it_back():
    one, two = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    (leaves, structure), (others, other) = trees.flatten(one), trees.flatten(two)
    assert leaves == others == [1, 2] and structure == other and hash(structure) == hash(other)
    assert list(trees.unflatten(other, [1, 2])) == ["b", "a"]


def test_wrong_numbers_of_leaves_are_errors():
    structure = trees.flatten([1, (2,)])[1]
    for leaves, message in (([1], "Too few leaves for Tree.*expected: 2, got: 1"), ([1, 2, 3], "Too many leaves")):
        with pytest.raises(ValueError, match=message):
            trees.unflatten(structure, leaves)


def test_maps_over_several_trees():
    assert trees.map_leaves(lambda a, b: a + b, {"x": 1, "y": (2,)}, {"y": (3,), "x": 4}) == {"x": 5, "y": (5,)}
    with pytest.raises(ValueError, match="key"):
        trees.map_leaves(lambda a, b: a, {"x": 1}, {"z": 1})


def test_registered_classes_are_taken_apart():
    class Pair:
        def __init__(self, first, second):
            self.first, self.second = first, second

    optree.register_pytree_node(Pair, lambda p: ((p.first, p.second), None), lambda _, found: Pair(*found), namespace="lazynp")
    leaves, structure = trees.flatten({"pair": Pair(1, 2)})
    assert leaves == [1, 2]
    assert trees.unflatten(structure, [3, 4])["pair"].second == 4


def test_plain_arguments_do_not_load_optree():
    text = (
        "import sys, numpy as np, lazynp\n"
        "f = lazynp.jit(lambda p, x: {'y': [p['a'] * x]}, strict=True)\n"
        "assert f({'a': np.ones(3)}, x=np.ones(3))['y'][0].sum() == 3\n"
        "print('optree' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.strip() == "False"
