"""Explicit loops of functions whose source is not available: compiled as they are, unless they may change what nobody sees."""

import numpy as np
import pytest

import lazynp
from lazynp import scan

X = np.linspace(0.1, 1.0, 5)


def without_source(text, **variables):
    """The function `f` of a text that no file holds."""
    exec(text, space := {"np": np, "scan": scan, "lazynp": lazynp, **variables})
    return space["f"]


FORMS = {
    "scan": "scan.scan(lambda c, t: (np.sin(c) * t, c * scale), x, np.linspace(0.5, 1.0, 100), checkpoint=how)[1].sum()",
    "fori_loop": "scan.fori_loop(0, 100, lambda i, c: np.sin(c) * 1.1 + i * shift[0], x, checkpoint=how).sum()",
    "while_loop": "scan.while_loop(lambda c: c[0] < 5.0, lambda c: helped(c), x, limit=20).sum()",
    "cond": "scan.cond(x.sum() > 0.0, lambda v: v[0] * v[1], lambda v: v[1], x)",
    "map": "scan.map(lambda v: max(len(x), 2) * v**2, x).sum()",
}


@pytest.mark.parametrize("how", [False, True, 7])
@pytest.mark.parametrize("form", FORMS)
def test_forms(form, how):
    f = without_source(
        f"def helped(c):\n    return c * 1.5 + 1.0\nshift = [0.01]\ndef f(x, scale=2.0):\n    return {FORMS[form]}\n", how=how
    )
    expected = lazynp.grad(
        without_source(
            f"shift = [0.01]\ndef helped(c):\n    return c * 1.5 + 1.0\ndef f(x, scale=2.0):\n    return {FORMS[form]}\n", how=False
        )
    )(X)
    np.testing.assert_allclose(lazynp.grad(f)(X), expected, rtol=1e-12)
    np.testing.assert_allclose(lazynp.jit(lazynp.grad(f), strict=True)(X), expected, rtol=1e-12)
    np.testing.assert_allclose(lazynp.jit(f, strict=True)(X), f(X), rtol=1e-12)


def test_checkpoint_keeps_less():
    text = "def f(x):\n    return scan.fori_loop(0, 400, lambda i, c: np.sin(c), x, checkpoint=how).sum()\n"
    x = np.ones(1000)
    kept = [lazynp.jit(lazynp.grad(without_source(text, how=how))).memory_plan(x).temporaries for how in (False, True)]
    assert kept[1] * 3 < kept[0]


CHANGES = {
    "draw": "c + np.random.rand()",
    "generator": "c + generator.random()",
    "print": "(print(end=''), c)[1]",
    "list": "(seen.append(1), c + 1.0)[1]",
    "dict": "(table.update(n=table['n'] + 1), c + 1.0)[1]",
    "helper": "counted(c)",
    "object": "keeper.kept(c)",
}


class Keeper:
    """An object that remembers how often it was asked."""

    def __init__(self):
        self.times = 0

    def kept(self, c):
        self.times += 1
        return c + 1.0


@pytest.mark.filterwarnings("ignore::lazynp.PerformanceWarning")
@pytest.mark.parametrize("change", CHANGES)
def test_what_would_change_once_for_all_turns(change):
    """Every turn does it, as without jit."""
    seen, table, keeper = [], {"n": 0}, Keeper()
    generator = np.random.default_rng(0)
    f = without_source(
        "def counted(c):\n    seen.append(2)\n    return c + 1.0\n"
        f"def f(x):\n    return scan.fori_loop(0, 40, lambda i, c: {CHANGES[change]}, x)\n",
        seen=seen, table=table, keeper=keeper, generator=generator,
    )  # fmt: skip
    np.random.seed(3)
    result = lazynp.jit(f)(X)
    state = len(seen), table["n"], keeper.times
    with pytest.raises(lazynp.CaptureError):
        lazynp.jit(f, strict=True)(X)
    seen.clear()
    keeper.times = table["n"] = 0
    np.random.seed(3)
    generator.bit_generator.state = np.random.default_rng(0).bit_generator.state
    np.testing.assert_array_equal(result, f(X))
    assert state == (len(seen), table["n"], keeper.times)


@pytest.mark.parametrize("transform", [lambda f: f, lazynp.jit, lambda f: lambda x: lazynp.grad(lambda v: f(v)[0].sum())(x)])
def test_negative_lengths(transform):
    with pytest.raises(ValueError, match="length"):
        transform(lambda x: scan.scan(lambda c, _: (c, c), x, None, length=-1))(X)
