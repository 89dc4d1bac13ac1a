"""Every test runs with graph verification on and a compile cache of its own session."""

import os
import tempfile

import pytest

_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")  # tests that count compiles must not find another worker's
os.environ["LAZYNP_CACHE_DIR"] = os.path.join(tempfile.gettempdir(), f"lazynp-tests-{os.getuid()}", _worker)
os.environ.setdefault("LAZYNP_VERIFY", "1")
os.environ.setdefault("LAZYNP_COMPILE_AFTER", "1")  # test_array.py has the tests of the default

import lazynp as lnp


@pytest.fixture(params=[0, 16384], ids=["all-lazy", "default"])
def threshold(request):
    """Run a test with everything lazy and at the default size."""
    with lnp.config(lazy_threshold=request.param):
        yield request.param


@pytest.fixture
def all_lazy():
    """Everything is lazy, whatever its size."""
    with lnp.config(lazy_threshold=0):
        yield


@pytest.fixture
def compiled_lazy():
    """The same, through C from the first time on."""
    with lnp.config(lazy_threshold=0, compile_after=1):
        yield
