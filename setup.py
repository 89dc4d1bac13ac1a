"""The compiled modules are optional: without a C compiler lazynp installs and runs, with slower calls on small arrays."""

import compileall

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MODULES = {"_hotpaths": ("_hotpaths", "_present", "_short"), "_direct": ("_direct", "_arguments", "_results")}


def extension(name: str, parts: tuple[str, ...]) -> Extension:
    sources = [f"lazynp/{part}.c" for part in parts]
    headers = ["lazynp/_hotpaths.h", "lazynp/_direct.h"]
    return Extension(f"lazynp.{name}", sources, include_dirs=[numpy.get_include()], depends=headers, optional=True)


class Build(build_ext):
    """pip compiles the Python files of what it copies, but not of an editable installation: where Python may not write bytecode
    (PYTHONDONTWRITEBYTECODE), every process would compile them again, for 0.2 s."""

    def run(self) -> None:
        super().run()
        if self.inplace:
            compileall.compile_dir("lazynp", quiet=1)


setup(ext_modules=[extension(name, parts) for name, parts in MODULES.items()], cmdclass={"build_ext": Build})
