"""`import lazynp.ma`, `from lazynp.testing import assert_allclose`: the modules that are NumPy's own, found under lazynp's name."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import numpy


class _NumpysOwn:
    """Finds lazynp.<name> where lazynp has no such module and NumPy shares its own. A finder and a loader by its methods: the classes of
    importlib.abc import pathlib and urllib, a tenth of the time of `import lazynp`."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "lazynp" or not name or name.startswith("_"):
            return None
        top = name.partition(".")[0]
        own = PathFinder.find_spec(f"lazynp.{top}", import_module("lazynp").__path__)
        if own is not None or PathFinder.find_spec(f"numpy.{top}", numpy.__path__) is None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> Any:
        module = import_module("numpy" + spec.name.removeprefix("lazynp"))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The import system has given the module a specification of ours; NumPy's comes back."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Ask first: the usual finder would load a submodule of a shared package from its file once more, and put it in NumPy's place."""
    if not any(isinstance(finder, _NumpysOwn) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NumpysOwn())
