"""`import lazynp.ma`, `from lazynp.testing import assert_allclose`: the modules that are NumPy's own, found under lazynp's name."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from lazynp.api.table import SHARED


class _NumpysOwn(MetaPathFinder, Loader):
    """Finds lazynp.<name> where lazynp has no such module and NumPy shares its own."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        shared = package == "lazynp" and any(name == m or name.startswith(m + ".") or m.startswith(name + ".") for m in SHARED)
        return ModuleSpec(fullname, self, is_package=True) if shared else None

    def create_module(self, spec: ModuleSpec) -> Any:
        module = import_module("numpy" + spec.name.removeprefix("lazynp"))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The import system has given the module a specification of ours; NumPy's comes back."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Ask after all other finders."""
    if not any(isinstance(finder, _NumpysOwn) for finder in sys.meta_path):
        sys.meta_path.append(_NumpysOwn())
