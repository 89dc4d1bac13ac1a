"""The compiled module is optional: without a C compiler lazynp installs and runs, with slower calls on small arrays."""

import numpy
from setuptools import Extension, setup

MODULES = ("_hotpaths", "_direct")

setup(
    ext_modules=[Extension(f"lazynp.{name}", [f"lazynp/{name}.c"], include_dirs=[numpy.get_include()], optional=True) for name in MODULES]
)
