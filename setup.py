"""The compiled module is optional: without a C compiler lazynp installs and runs, with slower calls on small arrays."""

import numpy
from setuptools import Extension, setup

MODULES = {"_hotpaths": ("_hotpaths", "_present"), "_direct": ("_direct",)}


def extension(name: str, parts: tuple[str, ...]) -> Extension:
    sources = [f"lazynp/{part}.c" for part in parts]
    return Extension(f"lazynp.{name}", sources, include_dirs=[numpy.get_include()], depends=["lazynp/_hotpaths.h"], optional=True)


setup(ext_modules=[extension(name, parts) for name, parts in MODULES.items()])
