"""Rewritten source is kept on disk for as long as the file and the code stay the same."""

import importlib.util
import os

import numpy as np
import pytest

import lazynp
from lazynp.backends import diskcache
from lazynp.trace import source

TEXT = """
def total(x):
    found = 0.0
    for k in range(x.shape[0]):
        if x[k] > 0:
            found += x[k]
    return found  # the end
    "unreachable"


def decorated(function):
    return function


@decorated
def nested(
    x,
    *, scale=2.0,
):
    double = lambda y: (y * scale if y.sum() > 0 else
                        -y)
    def inner(y):
        while y[0] < 100:
            y = y * 2
        return double(
            y
        )
    return inner(x)
    pass
"""


def module_of(text, path):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("kept_source", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entries():
    return {entry.key for entry in diskcache.entries() if entry.suffix == source._CODE}


def test_a_second_process_does_not_rewrite(tmp_path, monkeypatch):
    with lazynp.config(cache_dir=str(tmp_path / "cache")):
        first = module_of(TEXT, tmp_path / "kept_source.py")
        x = np.array([3.0, -1.0, 2.0])
        assert lazynp.jit(first.total, strict=True)(x) == 5.0
        np.testing.assert_array_equal(lazynp.jit(first.nested, strict=True)(x), first.nested(x))
        assert entries()
        monkeypatch.setattr(source, "_known", {})
        monkeypatch.setattr(source, "_rewrite", lambda function: pytest.fail("rewritten again"))
        assert lazynp.jit(first.total, strict=True)(x) == 5.0
        np.testing.assert_array_equal(lazynp.jit(first.nested, strict=True)(x), first.nested(x))


def test_an_edited_file_is_read_again(tmp_path, monkeypatch):
    with lazynp.config(cache_dir=str(tmp_path / "cache")):
        path = tmp_path / "kept_source.py"
        x = np.array([3.0, -1.0, 2.0])
        assert lazynp.jit(module_of(TEXT, path).total, strict=True)(x) == 5.0
        monkeypatch.setattr(source, "_known", {})
        edited = module_of(TEXT.replace("x[k] > 0", "x[k] < 0"), path)
        os.utime(path, ns=(1, 1))
        assert lazynp.jit(edited.total, strict=True)(x) == -1.0


def test_a_reason_against_is_kept_too(tmp_path, monkeypatch):
    with lazynp.config(cache_dir=str(tmp_path / "cache")):
        module = module_of("def f(x):\n    return [locals()['x'] for _ in range(2)]\n", tmp_path / "kept_source.py")
        reason = source.rewritten_code(module.f).reason
        assert "it uses locals()" in reason
        monkeypatch.setattr(source, "_known", {})
        monkeypatch.setattr(source, "_rewrite", lambda function: pytest.fail("rewritten again"))
        assert source.rewritten_code(module.f) == source.Rewritten(None, reason)
