"""The compiled module is optional: without a C compiler lazynp installs and runs, with slower calls on small arrays."""

import numpy
from setuptools import Extension, setup

setup(ext_modules=[Extension("lazynp._hotpaths", ["lazynp/_hotpaths.c"], include_dirs=[numpy.get_include()], optional=True)])
