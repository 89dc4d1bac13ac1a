"""Other packages take lazynp's arrays: each row runs one piece of a package on lazy arrays and on NumPy's, and compares the results."""

import copy
import hashlib
import importlib
import io
import json
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import zlib

import numpy
import pytest

import lazynp
import lazynp as np
from lazynp import native

RNG = numpy.random.default_rng(7)
X, Y = RNG.random(50), RNG.random(50)
M = RNG.random((12, 8))
S = M[:8] @ M[:8].T + 8 * numpy.eye(8)


def rosenbrock(np):
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_gradient(np):
    def gradient(x):
        inner = x[1:-1]
        ends = np.array([-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[-1] - x[-2] ** 2)])
        middle = 200 * (inner - x[:-2] ** 2) - 400 * (x[2:] - inner**2) * inner - 2 * (1 - inner)
        return np.concatenate((ends[:1], middle, ends[1:]))

    return gradient


def minimize(method):
    def row(np, array):
        optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
        gradient = None if method == "Nelder-Mead" else rosenbrock_gradient(np)
        hess = (lambda x: array(optimize.rosen_hess(numpy.asarray(x)))) if method in WITH_HESSIANS else None
        found = optimize.minimize(rosenbrock(np), array(numpy.full(4, 0.5)), jac=gradient, hess=hess, method=method)
        return found.x, found.fun

    return row


def least_squares(np, array):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    x, y = array(X), array(2.5 * numpy.exp(-1.3 * X))
    return optimize.least_squares(lambda p: p[0] * np.exp(p[1] * x) - y, array(numpy.array([1.0, 0.0]))).x


def curve_fit(np, array):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    return optimize.curve_fit(lambda x, a, b: a * np.exp(b * x), array(X), array(2.5 * numpy.exp(-1.3 * X)), p0=[1.0, 0.0])[0]


def root(np, array):
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    return optimize.root(
        lambda x: np.array([x[0] + 0.5 * (x[0] - x[1]) ** 3 - 1.0, 0.5 * (x[1] - x[0]) ** 3 + x[1]]), array(numpy.zeros(2))
    ).x


def solve_ivp(np, array):
    integrate = pytest.importorskip("scipy.integrate", reason="SciPy is not installed")

    def lorenz(t, u):
        return np.array([10 * (u[1] - u[0]), u[0] * (28 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]])

    return integrate.solve_ivp(lorenz, (0, 0.5), array(numpy.ones(3)), rtol=1e-8).y[:, -1]


def quad(np, array):
    return pytest.importorskip("scipy.integrate", reason="SciPy is not installed").quad(lambda x: np.exp(-(x**2)), 0, 1)[0]


def linalg(np, array):
    linalg = pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    s = array(S)
    return linalg.solve(s, array(numpy.ones(8))), linalg.cholesky(s), linalg.expm(s * 0.01), linalg.eigh(s)[0], linalg.lu(s)[1]


def fft(np, array):
    fft = pytest.importorskip("scipy.fft", reason="SciPy is not installed")
    return fft.fft(array(X)), fft.rfft2(array(M)), fft.dct(array(X))


def signal(np, array):
    signal = pytest.importorskip("scipy.signal", reason="SciPy is not installed")
    return signal.convolve(array(X), array(Y)), signal.lfilter([1.0, 0.5], [1.0, -0.2], array(X)), signal.savgol_filter(array(X), 5, 2)


def ndimage(np, array):
    ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy is not installed")
    return ndimage.gaussian_filter(array(M), 1.5), ndimage.sobel(array(M)), ndimage.label(array(M) > 0.5)[0]


def stats(np, array):
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    return stats.norm.logpdf(array(X)), stats.pearsonr(array(X), array(Y)).statistic, stats.ttest_ind(array(X), array(Y)).pvalue


def interpolate(np, array):
    interpolate = pytest.importorskip("scipy.interpolate", reason="SciPy is not installed")
    knots = array(numpy.linspace(0, 1, 50))
    return interpolate.CubicSpline(knots, array(Y))(array(X)), interpolate.interp1d(knots, array(Y))(array(X))


def sparse(np, array):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    matrix = sparse.csr_array(numpy.where(M > 0.6, M, 0))
    return matrix @ array(numpy.ones(8)), sparse.csr_array(array(numpy.where(M > 0.6, M, 0))).toarray(), sparse.diags(array(X)).diagonal()


def sparse_solve(np, array):
    pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import cg, spsolve

    return spsolve(csc_array(S), array(numpy.ones(8))), cg(S, array(numpy.ones(8)), rtol=1e-10)[0]


def special(np, array):
    special = pytest.importorskip("scipy.special", reason="SciPy is not installed")
    return special.erf(array(X)), special.logsumexp(array(M), axis=1), special.gammaln(array(X) + 1)


def distance(np, array):
    distance = pytest.importorskip("scipy.spatial.distance", reason="SciPy is not installed")
    return distance.cdist(array(M), array(M[:3])), distance.pdist(array(M))


def pandas_frame(np, array):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"x": array(X), "y": array(Y)})
    frame["z"] = frame["x"] * array(Y) + 1
    return frame.to_numpy(), frame.mean().to_numpy(), pandas.Series(array(X)).rolling(3).sum().to_numpy()


def scikit_learn(np, array):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.preprocessing import StandardScaler

    m, labels = array(M), array((M[:, 0] > 0.5).astype(int))
    means = KMeans(2, n_init=1, random_state=0).fit(m).cluster_centers_
    return (
        StandardScaler().fit_transform(m), LinearRegression().fit(m, array(M[:, 0])).predict(m), numpy.abs(PCA(2).fit_transform(m)),
        LogisticRegression().fit(m, labels).predict_proba(m), means,
    )  # fmt: skip


def matplotlib_figures(np, array):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4)
    (line,) = axes[0, 0].plot(array(X), array(Y))
    points = axes[0, 1].scatter(array(X), array(Y), c=array(X), s=array(Y) * 9)
    counts, edges, _ = axes[0, 2].hist(array(X), bins=7)
    bars = axes[0, 3].bar(array(numpy.arange(8)), array(M[0]))
    image = axes[1, 0].imshow(array(M))
    axes[1, 1].contour(array(M))
    axes[1, 2].fill_between(array(numpy.sort(X)), array(Y), array(Y) + 1)
    axes[1, 3].errorbar(array(X), array(Y), yerr=array(Y) * 0.1)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    plt.close(figure)
    return line.get_xydata(), points.get_offsets(), counts, edges, [b.get_height() for b in bars], image.get_array()


def numba_function(np, array):
    numba = pytest.importorskip("numba", reason="numba is not installed")

    @numba.njit
    def total(x):
        s = 0.0
        for v in x:
            s += v
        return s

    return total(numpy.asarray(array(X)))


def torch_tensor(np, array):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor = torch.from_dlpack(array(BIG))
    return (
        torch.from_dlpack(array(X)).numpy(), torch.as_tensor(numpy.asarray(array(M))).sum().item(), torch.as_tensor(array(BIG)).numpy(),
        (tensor + array(BIG)).numpy(), (tensor * array(BIG)).numpy(), numpy.asarray(np.from_dlpack(tensor)), torch.tensor(array(M)).numpy(),
    )  # fmt: skip


def dlpack(np, array):
    return numpy.from_dlpack(array(X))


def buffer(np, array):
    return numpy.frombuffer(memoryview(numpy.asarray(array(X)))), bytes(array(X).tobytes())[:8] == X.tobytes()[:8]


def pickled(np, array):
    return pickle.loads(pickle.dumps(array(M) * 2)), pickle.loads(pickle.dumps({"a": array(X)}, 5))["a"]


def copied(np, array):
    x = array(M)
    shallow, deep = copy.copy(x), copy.deepcopy([x])[0]
    x[0] = 9
    return shallow, deep, x


def joblib_parallel(np, array):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    tasks = [joblib.delayed(numpy.sum)(array(M) * k) for k in range(4)]
    return joblib.Parallel(2, backend="threading")(tasks), joblib.Parallel(2, backend="loky")(tasks)


BIG = RNG.random(80_000)
"""Lazy also at the default threshold."""


def large_arrays(np, array):
    ndimage, signal_ = (
        pytest.importorskip("scipy.ndimage", reason="SciPy is not installed"),
        pytest.importorskip("scipy.signal", reason="SciPy is not installed"),
    )
    stats_ = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    x = array(BIG) * 2
    return (
        ndimage.uniform_filter1d(x, 5), signal_.fftconvolve(x, array(X), "same"), stats_.describe(x).variance, numpy.fft.rfft(x),
        numpy.sort(x), numpy.histogram(x, 20)[0], numpy.concatenate([x, BIG]), BIG + x, numpy.add(BIG, x, out=numpy.empty(BIG.size)),
    )  # fmt: skip


def large_frames(np, array):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"x": array(BIG), "group": array((BIG * 4).astype(int))})
    frame["y"] = frame["x"] * array(BIG) + array(BIG)
    frame.loc[frame["x"] > 0.5, "y"] = 0.0
    return (
        frame.groupby("group")["y"].mean().to_numpy(),
        (array(BIG) * 2 + frame["x"]).to_numpy(),
        pandas.Series(array(BIG)).describe().to_numpy(),
    )


def large_estimators(np, array):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.linear_model import Ridge
    from sklearn.metrics import mean_squared_error
    from sklearn.preprocessing import StandardScaler

    data, target = array(BIG).reshape(-1, 4) + 1, array(BIG[::4] * 3)
    fitted = Ridge().fit(data, target)
    return StandardScaler().fit_transform(data), fitted.coef_, mean_squared_error(target, fitted.predict(data))


def bytes_of_memory(np, array):
    x = array(BIG) + 1
    if native.Buffer is native._NoBuffer and sys.version_info < (3, 12):
        x = numpy.asarray(x)
    return hashlib.sha256(x).hexdigest(), numpy.frombuffer(x), memoryview(x).nbytes, len(zlib.compress(x)), io.BytesIO(x).getbuffer().nbytes


class OnAnotherDevice:
    """An array as CuPy's: it answers NumPy's protocols itself and is not converted without being asked to."""

    __array_priority__ = 100

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return f"{ufunc.__name__} on the device"

    def __array_function__(self, function, types, args, kwargs):
        return f"{function.__name__} on the device"

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly.")

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **options):
        raise BufferError("CUDA memory is not the host's")


DEVICE_PROGRAMS = {
    "from_dlpack": lambda np, x, d: np.from_dlpack(d),
    "asarray": lambda np, x, d: np.asarray(d),
    "array": lambda np, x, d: np.array(d),
    "operator": lambda np, x, d: x + d,
    "reflected": lambda np, x, d: np.multiply(d, x),
    "matmul": lambda np, x, d: x @ d,
    "comparison": lambda np, x, d: x < d,
    "ufunc": lambda np, x, d: np.sin(d),
    "function": lambda np, x, d: np.sum(d),
    "mixed function": lambda np, x, d: np.concatenate([x, d]),
    "write": lambda np, x, d: x.__setitem__(slice(None), d),
    "float": lambda np, x, d: float(d),
}


@pytest.mark.parametrize("name", DEVICE_PROGRAMS)
def test_arrays_of_another_device(name, threshold):
    """Answers and errors, with their messages, are what NumPy's are."""

    def outcome(namespace):
        try:
            return DEVICE_PROGRAMS[name](namespace, namespace.array(BIG), OnAnotherDevice())
        except Exception as error:
            return type(error), str(error)

    assert outcome(np) == outcome(numpy)


def scalars(np, array):
    x = array(X)
    total = np.sum(x)
    first = x[0]
    return (
        math.sqrt(first), round(float(total), 6), f"{total:.4f}", f"{first:8.3e}", int(total), list(range(10))[: int(np.argmax(x)) % 10],
        json.dumps({"total": float(total), "all": x.tolist()[:2]}), {first: 1}[first], hash(first) == hash(X[0]), round(total, 3),
        isinstance(first, float), divmod(total, 2), max(x), sorted(x)[0], sum(x), "abc"[np.argmin(array(numpy.array([3, 1, 2])))],
    )  # fmt: skip


def text(np, array):
    return str(array(M[:2, :2])), repr(array(M[:2, :2])), np.array2string(array(X[:4]), precision=3)


WITH_HESSIANS = ("dogleg", "trust-ncg", "trust-krylov", "trust-exact")
METHODS = ("CG", "BFGS", "Newton-CG", "L-BFGS-B", "TNC", "SLSQP", "Nelder-Mead", "trust-constr", *WITH_HESSIANS)
PIECES = (
    least_squares, curve_fit, root, solve_ivp, quad, linalg, fft, signal, ndimage, stats, interpolate, sparse, sparse_solve, special,
    distance, pandas_frame, scikit_learn, matplotlib_figures, numba_function, torch_tensor, dlpack, buffer, pickled, copied,
    joblib_parallel, scalars, text, large_arrays, large_frames, large_estimators, bytes_of_memory,
)  # fmt: skip
ROWS = [pytest.param(minimize(m), id=f"scipy.optimize.minimize {m}") for m in METHODS]
ROWS += [pytest.param(piece, id=piece.__name__) for piece in PIECES]


def same(actual, expected):
    if isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            same(a, b)
    elif isinstance(expected, str):
        assert actual == expected
    else:
        assert numpy.shape(actual) == numpy.shape(expected)
        numpy.testing.assert_allclose(numpy.asarray(actual), numpy.asarray(expected), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:delta_grad == 0.0:UserWarning")
def test_same_as_with_numpy(row, threshold):
    same(row(np, np.array), row(numpy, numpy.array))


_WITH_DISPATCH = """
import numpy, sklearn
import lazynp
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import KernelCenterer, MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler

def results(array):
    m, t = array(M), array(M @ [1.0, 2.0, 3.0, 4.0])
    yield from (PCA(2, svd_solver="full").fit_transform(m) ** 2, Ridge(solver="svd").fit(m, t).predict(m))
    yield from (scaler.fit_transform(m) for scaler in (StandardScaler(), MaxAbsScaler(), MinMaxScaler(), Normalizer()))
    yield from (KernelCenterer().fit_transform(m @ m.T), cosine_similarity(m), euclidean_distances(m))
    yield GaussianMixture(2, random_state=0, init_params="random").fit(m).predict(m)
    assert abs(r2_score(t, t * 1.1) - 0.99) < 0.005

M = numpy.random.default_rng(0).normal(size=(60, 4))
with sklearn.config_context(array_api_dispatch=True), lazynp.config(lazy_threshold=0):
    for ours, expected in zip(results(lazynp.lazy), results(numpy.array), strict=True):
        assert type(ours).__module__ == "lazynp"
        assert numpy.allclose(numpy.asarray(ours), expected)
"""


def test_scikit_learn_with_array_api_dispatch():
    """scikit-learn asks the arrays for their namespace. It wants all of them from one: everything is lazy here."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}  # read when SciPy is imported
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WITH_DISPATCH], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


_MIXED = """
import numpy, sklearn, lazynp as np
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.preprocessing import MinMaxScaler

def results(namespace):
    x = namespace.asarray(numpy.random.default_rng(0).normal(size=(7000, 12)))
    y = x @ namespace.arange(12.0)
    yield from (Ridge(solver="svd").fit(x, y).coef_, MinMaxScaler().fit_transform(x)[:5], mean_squared_error(y, y * 1.1))

with sklearn.config_context(array_api_dispatch=True):
    for ours, expected in zip(results(np), results(numpy), strict=True):
        assert numpy.allclose(numpy.asarray(ours), expected)
"""


def test_scikit_learn_with_array_api_dispatch_of_large_and_small_arrays():
    """Of the matrix and the vector only one is large enough to be lazy."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _MIXED], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_cython_memoryviews(tmp_path, threshold):
    """A compiled Cython function that takes a typed memoryview, on the memory of a lazy array."""
    build = pytest.importorskip("Cython.Build", reason="Cython is not installed")
    setuptools = pytest.importorskip("setuptools", reason="setuptools is not installed")
    (tmp_path / "totals.pyx").write_text(
        "def double_in_place(double[:] x):\n    cdef Py_ssize_t k\n    for k in range(x.shape[0]):\n        x[k] *= 2\n"
    )
    extension = build.cythonize([setuptools.Extension("totals", [str(tmp_path / "totals.pyx")])], quiet=True)
    distribution = setuptools.Distribution({"ext_modules": extension})
    command = distribution.get_command_obj("build_ext")
    command.build_lib = command.build_temp = str(tmp_path)
    command.ensure_finalized()
    command.run()
    sys.path.insert(0, str(tmp_path))
    try:
        double_in_place = importlib.import_module("totals").double_in_place
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("totals", None)
    x = np.array(X) + 1
    double_in_place(numpy.asarray(x))
    same(x, (X + 1) * 2)
    if sys.version_info >= (3, 12) or native.Buffer is not native._NoBuffer:
        double_in_place(x)
        same(x, (X + 1) * 4)


def test_xarray_keeps_the_lazy_type():
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    with lazynp.config(lazy_threshold=0):
        data = xarray.DataArray(np.array(M), dims=("x", "y"))
        result = (data * 2 + 1).isel(x=slice(1, 5))
        assert type(result.data) is not numpy.ndarray and isinstance(result.data, lazynp.ndarray)
        same(result.mean("x").to_numpy(), (M[1:5] * 2 + 1).mean(0))


def test_memory_mapped_files(tmp_path):
    path = tmp_path / "m.npy"
    numpy.save(path, M)
    mapped = np.load(path, mmap_mode="r+")
    with lazynp.config(lazy_threshold=0):
        same(np.sum(mapped * 2), M.sum() * 2)
    mapped[0, 0] = 5
    mapped.flush()
    assert numpy.load(path)[0, 0] == 5


def test_a_notebook_shows_an_array_without_computing_it():
    with lazynp.config(lazy_threshold=0):
        x = np.array(M) + 1
        before = lazynp.stats()["program_runs"] + lazynp.stats()["interpreted"]
        shown = x._repr_html_()
        assert "(12, 8)" in shown and "float64" in shown
        assert lazynp.stats()["program_runs"] + lazynp.stats()["interpreted"] == before


def in_child(x):
    return float(np.sum(np.exp(x) * 2))


def test_compiled_code_that_compares_types_first():
    """docs/ecosystem.md says so: no protocol is asked, and numpy.asarray(x) is what it takes."""
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    solver = importlib.import_module("scipy.sparse.linalg").splu(sparse.csc_array(S))
    x = lazynp.lazy(numpy.ones(8)) * 2
    with pytest.raises(TypeError, match="must be numpy.ndarray"):
        solver.solve(x)
    numpy.testing.assert_allclose(S @ solver.solve(numpy.asarray(x)), 2 * numpy.ones(8))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot start processes by {method}")
    with multiprocessing.get_context(method).Pool(2) as pool:
        same(pool.map(in_child, [np.array(M), lazynp.lazy(X), X]), [numpy.exp(M).sum() * 2, numpy.exp(X).sum() * 2, numpy.exp(X).sum() * 2])


def test_eight_threads_on_shared_lazy_arrays(threshold):
    shared = np.array(M) * 2
    f = lazynp.jit(lambda x: np.sum(x * x, axis=0))
    wrong = []

    def work(k):
        for _ in range(20):
            wrong.extend(not numpy.allclose(numpy.asarray(r), e) for r, e in ((shared + k, M * 2 + k), (f(shared), (4 * M * M).sum(0))))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(wrong) and not any(thread.is_alive() for thread in threads)
