"""The examples of the documentation give what they print."""

import doctest
from pathlib import Path

import pytest

import lazynp

DOCS = Path(lazynp.__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["derivatives.md", "loops.md"])
def test_examples(page):
    failed, tried = doctest.testfile(str(DOCS / page), module_relative=False)
    assert tried
    assert not failed
