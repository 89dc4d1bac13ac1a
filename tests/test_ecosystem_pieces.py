"""Single functions of other packages that take lazynp's arrays, beside NumPy's: with everything lazy, and with large arrays at the default.

Each piece is an expression of `a`, which makes the array of that side, and of `m`, the module.
"""

import importlib
import io
import warnings

import numpy
import pytest

import lazynp as np

RNG = numpy.random.default_rng(11)
X, Y, Z = RNG.random(60), RNG.random(60), RNG.random(60)
M, B = RNG.random((20, 6)), RNG.random((20, 1)) > 0.5
S = M.T @ M + 6 * numpy.eye(6)
T = numpy.linspace(0, 1, 60)
LABELS = (M[:, 0] > 0.5).astype(int)
LONG, WIDE = RNG.random(70_000), RNG.random((300, 250))
"""Lazy at the default threshold too."""


COORDINATES = RNG.random((2, 400)) * 200


def cube(v):
    return v**3 - v - 0.1


def ellipse(v):
    return np.sum((v - 0.3) ** 2 * np.array([1.0, 2.0, 3.0]))


def total(v):
    return np.sum(v) - 1.5


def oscillator(t, u):
    return np.array([u[1], -u[0] * (1 + u[0] ** 2)])


def ends(left, right):
    return np.array([left[0], right[0] - 1])


def ridge():
    return importlib.import_module("sklearn.linear_model").Ridge()


def sparse():
    return importlib.import_module("scipy.sparse")


MODULES = {
    "optimize": "scipy.optimize", "integrate": "scipy.integrate", "linalg": "scipy.linalg", "fft": "scipy.fft", "signal": "scipy.signal",
    "ndimage": "scipy.ndimage", "stats": "scipy.stats", "interpolate": "scipy.interpolate", "sparse": "scipy.sparse",
    "arpack": "scipy.sparse.linalg", "graph": "scipy.sparse.csgraph", "spatial": "scipy.spatial", "cluster": "scipy.cluster.hierarchy",
    "special": "scipy.special", "pandas": "pandas", "xarray": "xarray", "numexpr": "numexpr", "sympy": "sympy", "networkx": "networkx",
    "pillow": "PIL.Image", "numba": "numba", "jax": "jax", "strict": "array_api_strict", "compat": "array_api_compat", "torch": "torch",
    "linear": "sklearn.linear_model", "ensemble": "sklearn.ensemble", "svm": "sklearn.svm", "neighbors": "sklearn.neighbors",
    "bayes": "sklearn.naive_bayes", "clusters": "sklearn.cluster", "decomposition": "sklearn.decomposition", "metrics": "sklearn.metrics",
    "preprocessing": "sklearn.preprocessing", "selection": "sklearn.model_selection", "pipeline": "sklearn.pipeline",
    "mixture": "sklearn.mixture", "tree": "sklearn.tree", "process": "sklearn.gaussian_process", "manifold": "sklearn.manifold",
    "network": "sklearn.neural_network",
}  # fmt: skip

PIECES = {
    "optimize": """
        m.minimize(ellipse, a(M[0, :3]), method='Powell').x.round(3) ; m.minimize(ellipse, a(M[0, :3]), method='COBYLA').x.round(2) ;
        m.minimize(ellipse, a(M[0, :3]), bounds=m.Bounds(a(M[0, :3] * 0), a(M[0, :3] * 0 + 0.2))).x ;
        m.minimize(ellipse, a(M[0, :3]), constraints=[{'type': 'ineq', 'fun': total}, m.LinearConstraint(a(M[:1, :3]), 0.2, 2)]).x ;
        m.least_squares(lambda p: p[0] * a(X) + p[1] - a(Y), [1.0, 1.0], method='lm').x ;
        m.least_squares(lambda p: p[0] * a(X) + p[1] - a(Y), [1.0, 1.0], method='dogbox').x ;
        m.least_squares(lambda p: p[0] * a(LONG) + p[1] - a(LONG) ** 2, a(M[0, :2]), loss='soft_l1').x ;
        m.root(lambda v: cube(a(X)[:3]) + v, a(M[0, :3]), method='lm').x ;
        m.root(lambda v: v - a(X)[:3] * 0.5, a(M[0, :3]), method='broyden1').x.round(4) ;
        m.root(lambda v: v - a(X)[:3] * 0.5, a(M[0, :3]), method='krylov').x.round(4) ;
        m.root(lambda v: v - a(X)[:3] * 0.5, a(M[0, :3]), method='df-sane').x.round(4) ;
        m.fsolve(lambda v: cube(v) - a(X)[:3], a(M[0, :3]) + 1) ; m.brentq(lambda t: np.sum(a(X)) - 50 * t, 0, 9) ;
        m.minimize_scalar(lambda t: np.sum((a(X) - t) ** 2)).x ; m.newton(lambda t: t ** 2 - a(X), a(Y) + 1) ;
        m.linprog(a(-X[:3]), A_ub=a(M[:4, :3]), b_ub=a(X[:4] + 1), bounds=(0, 1)).fun ; m.nnls(a(M), a(X[:20]))[0] ;
        m.lsq_linear(a(M), a(X[:20]), bounds=(0, 1)).x ; m.linear_sum_assignment(a(S)) ; m.approx_fprime(a(M[0, :3]), ellipse) ;
        m.differential_evolution(ellipse, [(0, 1)] * 3, seed=1, maxiter=5, polish=False).x ;
        m.basinhopping(ellipse, a(M[0, :3]), niter=2, seed=1).x.round(4) ;
        m.curve_fit(lambda t, p, q: p * np.exp(-q * t), a(LONG), a(2 * numpy.exp(-LONG)), p0=[1, 1])[0]
    """,
    "integrate": """
        m.solve_ivp(lambda t, u: -a(LONG) * u, (0, 0.5), a(LONG), rtol=1e-05).y[::9999, -1] ;
        m.odeint(lambda u, t: -u * a(X[:2]), a(Y[:2]), a(T)) ; m.trapezoid(a(LONG)) ; m.simpson(a(Y), x=a(T)) ;
        m.cumulative_trapezoid(a(Y), a(T)) ; m.dblquad(lambda y, x: np.exp(-x * y), 0, 1, 0, 1)[0] ;
        m.solve_bvp(lambda x, y: np.vstack([y[1], -y[0]]), ends, a(T[::6]), a(numpy.zeros((2, 10)))).sol(0.5) ;
        m.solve_ivp(oscillator, (0, 1), a(X[:2]), method='RK45', t_eval=a(T[::20])).y ;
        m.solve_ivp(oscillator, (0, 1), a(X[:2]), method='RK23', t_eval=a(T[::20])).y ;
        m.solve_ivp(oscillator, (0, 1), a(X[:2]), method='DOP853', t_eval=a(T[::20])).y ;
        m.solve_ivp(oscillator, (0, 1), a(X[:2]), method='Radau', t_eval=a(T[::20])).y ;
        m.solve_ivp(oscillator, (0, 1), a(X[:2]), method='BDF', t_eval=a(T[::20])).y ;
        m.solve_ivp(oscillator, (0, 1), a(X[:2]), method='LSODA', t_eval=a(T[::20])).y
    """,
    "linalg": """
        m.qr(a(M))[1] ** 2 ; m.svd(a(M))[1] ; m.cho_solve(m.cho_factor(a(S)), a(X[:6])) ; m.lu_factor(a(S))[0] ; m.schur(a(S))[0] ;
        m.lstsq(a(M), a(X[:20]))[0] ; m.solve_triangular(a(S), a(X[:6])) ; m.solve_toeplitz(a(X[:6] + 3), a(Y[:6])) ; m.pinv(a(M)) ;
        m.toeplitz(a(X[:5])) ; m.block_diag(a(S), a(M)) ; m.kron(a(S), a(S)) if hasattr(m, 'kron') else 0 ; m.hankel(a(X[:4])) ;
        m.sqrtm(a(S)) ; m.logm(a(S)) ; m.norm(a(WIDE)) ; m.det(a(S)) ; m.inv(a(S)) ; m.null_space(a(M.T[:3, :5])) ** 2 ;
        m.solve_sylvester(a(S), a(S), a(S)) ; m.eigvalsh_tridiagonal(a(X[:6]), a(Y[:5])) ;
        m.solve_banded((1, 1), a(M[:3, :6] + 1), a(X[:6]))
    """,
    "fft": """
        m.rfft(a(LONG)) ; m.irfft(m.rfft(a(LONG))) ; m.fft2(a(WIDE)) ; m.dctn(a(WIDE)) ; m.fftshift(a(LONG)) ; m.fftfreq(9)
    """,
    "special": """
        m.expit(a(LONG)) ; m.gamma(a(LONG) + 1) ; m.jv(1, a(LONG)) ; m.softmax(a(WIDE), axis=1) ; m.comb(a(X * 9 + 9), 2) ;
        m.beta(a(X), a(Y))
    """,
    "signal": """
        m.welch(a(LONG))[1] ; m.periodogram(a(X))[1] ; m.spectrogram(a(LONG), nperseg=512)[2] ; m.stft(a(X), nperseg=16)[2] ;
        m.coherence(a(X), a(Y), nperseg=16)[1] ; m.filtfilt(*m.butter(2, 0.2), a(LONG)) ;
        m.sosfilt(m.butter(2, 0.2, output='sos'), a(X)) ; m.medfilt(a(X), 3) ; m.wiener(a(X), 3) ; m.firwin(9, 0.3) ;
        m.find_peaks(a(LONG))[0] ; m.resample(a(X), 30) ; m.decimate(a(X), 2) ; m.hilbert(a(X)) ; m.detrend(a(LONG)) ;
        m.correlate(a(X), a(Y)) ; m.convolve2d(a(WIDE), a(S[:3, :3]), 'same')
    """,
    "ndimage": """
        m.gaussian_filter(a(WIDE), 2) ; m.median_filter(a(M), 3) ; m.convolve(a(WIDE), a(S[:3, :3])) ; m.laplace(a(WIDE)) ;
        m.maximum_filter(a(WIDE), 3) ; m.generic_filter(a(M), np.mean, 3) ; m.zoom(a(M), 2) ; m.rotate(a(WIDE), 30, reshape=False) ;
        m.shift(a(M), 0.5) ; m.map_coordinates(a(WIDE), a(COORDINATES), order=1) ; m.affine_transform(a(M), a(numpy.eye(2))) ;
        m.binary_erosion(a(WIDE) > 0.2) ; m.distance_transform_edt(a(WIDE) > 0.1) ; m.label(a(WIDE) > 0.6)[0] ;
        m.center_of_mass(a(WIDE)) ; m.sum_labels(a(M), a(B * 1), [0, 1]) ; m.find_objects(m.label(a(M) > 0.7)[0])[0][0].stop
    """,
    "stats": """
        m.ks_2samp(a(X), a(Y)).pvalue ; m.mannwhitneyu(a(X), a(Y)).pvalue ; m.wilcoxon(a(X), a(Y)).pvalue ; m.shapiro(a(X)).pvalue ;
        m.f_oneway(a(X), a(Y), a(Z)).pvalue ; m.chisquare(a(X * 0 + 3)).pvalue ; m.normaltest(a(LONG)).pvalue ;
        m.linregress(a(X), a(Y)).slope ; m.norm.fit(a(LONG)) ; m.gaussian_kde(a(X))(a(T)) ; m.spearmanr(a(X), a(Y)).statistic ;
        m.kendalltau(a(X), a(Y)).statistic ; m.theilslopes(a(Y), a(X))[0] ; m.zscore(a(LONG)) ; m.skew(a(LONG)) ;
        m.kurtosis(a(WIDE), axis=1) ; m.iqr(a(LONG)) ; m.trim_mean(a(LONG), 0.1) ; m.sem(a(X)) ; m.gmean(a(X)) ;
        m.mode(a(LABELS)).mode ; m.rankdata(a(X)) ; m.entropy(a(X)) ; m.binned_statistic(a(LONG), a(LONG), 'mean', 9)[0] ;
        m.gamma.pdf(a(LONG), 2) ; m.beta.cdf(a(X), 2, 3) ; m.norm.ppf(a(X)) ; m.poisson.pmf(a(LABELS), 2) ; m.t.sf(a(LONG), 5) ;
        m.multivariate_normal(a(M[0]), a(S)).pdf(a(M)) ; m.bootstrap((a(X),), np.mean, n_resamples=99, rng=1).standard_error ;
        m.permutation_test((a(X), a(Y)), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis), n_resamples=99, rng=1).pvalue
    """,
    "interpolate": """
        m.PchipInterpolator(a(T), a(Y))(a(X)) ; m.Akima1DInterpolator(a(T), a(Y))(a(X)) ; m.make_interp_spline(a(T), a(Y))(a(X)) ;
        m.splev(a(X), m.splrep(a(T), a(Y))) ; m.UnivariateSpline(a(T), a(Y), s=0.5)(a(X)) ;
        m.BarycentricInterpolator(a(T[:5]), a(Y[:5]))(a(X)) ;
        m.RegularGridInterpolator((a(T[:20]), a(T[:6])), a(M))(a(COORDINATES.T[:9] / 9999)) ;
        m.griddata((a(X), a(Y)), a(Z), (a(T[:5]), a(T[:5])), method='nearest') ; m.RBFInterpolator(a(M), a(X[:20]))(a(M[:3] + 0.01)) ;
        m.RectBivariateSpline(a(T[:20]), a(T[:6]), a(M))(0.1, 0.05) ; m.LinearNDInterpolator(a(M[:, :2]), a(X[:20]))(0.5, 0.5)
    """,
    "sparse": """
        m.csr_array(M) @ a(X[:6]) ; m.csr_array(a(M)).T @ a(X[:20]) ; (m.csr_array(a(S)) * a(X[:6])).toarray() ; m.csr_array(S) + a(S) ;
        a(S) @ m.csr_array(S) ; m.kron(m.csr_array(S), a(S)).toarray() ;
        m.coo_array((a(X[:5]), (a(numpy.arange(5)), a(numpy.arange(5)[::-1])))).toarray() ;
        m.csr_array((a(X[:4]), a(numpy.array([0, 2, 1, 2])), a(numpy.array([0, 2, 3, 4])))).toarray() ; m.diags_array(a(LONG)).sum() ;
        m.dia_array((a(M[:2]), a(numpy.array([0, 1]))), shape=(6, 6)).toarray() ;
        m.block_array([[a(S), None], [None, a(S)]]).toarray() ; m.find(a(M))[2] ; _written(m.lil_array((6, 6)), a)
    """,
    "arpack": """
        m.eigsh(a(S), 2)[0] ; m.svds(a(M), 2)[1] ; m.gmres(a(S), a(X[:6]), rtol=1e-12)[0] ;
        m.spsolve(sparse().csc_array(a(S)), a(X[:6])) ;
        m.expm_multiply(sparse().csc_array(S), a(X[:6])) ;
        m.LinearOperator((6, 6), matvec=lambda v: a(S) @ v) @ a(X[:6]) ; m.lsqr(a(M), a(X[:20]))[0] ;
        m.norm(sparse().csc_array(a(S)))
    """,
    "graph": """
        m.shortest_path(a(S)) ; m.minimum_spanning_tree(a(S)).toarray() ; m.connected_components(a(S > 6))[1] ; m.dijkstra(a(S), indices=0)
    """,
    "spatial": """
        m.KDTree(a(M)).query(a(M[:3]) + 0.1)[1] ; m.cKDTree(a(WIDE[:, :3])).query(a(WIDE[:9, :3]), 2)[0] ;
        m.ConvexHull(a(M[:, :2])).volume ; m.Delaunay(a(M[:, :2])).find_simplex(a(M[:3, :2])) ;
        m.transform.Rotation.from_rotvec(a(M[:, :3])).apply(a(X[:3])) ; m.procrustes(a(M), a(M) * 2)[2] ; m.distance_matrix(a(M), a(M))
    """,
    "cluster": """
        m.linkage(a(M)) ; m.fcluster(m.linkage(a(M), 'ward'), 3, 'maxclust') ; m.cophenet(m.linkage(a(M)))
    """,
    "pandas": """
        m.DataFrame(a(WIDE)).mean().to_numpy() ; m.Series(a(LONG), index=a(numpy.arange(LONG.size))[::-1]).iloc[5] ;
        m.DataFrame({'k': a(LABELS), 'v': a(X[:20])}).groupby('k').v.agg(['mean', 'std']).to_numpy() ; m.Index(a(LABELS)).nunique() ;
        (m.Series(a(LONG)) * a(LONG) + a(LONG)).to_numpy() ; (a(LONG) - m.Series(a(LONG))).to_numpy() ;
        (m.DataFrame(a(M)) @ a(X[:6])).to_numpy() ; np.sqrt(m.Series(a(X))).to_numpy() ; (m.Series(a(X)) > a(Y)).sum() ;
        m.Series(a(X)).corr(m.Series(a(Y))) ; m.Series(a(LONG))[a(LONG) > 0.9].to_numpy() ;
        m.DataFrame(a(M)).loc[a(M)[:, 0] > 0.5, 1].to_numpy() ; m.DataFrame(a(M)).iloc[a(numpy.array([1, 3]))].to_numpy() ;
        m.Series(a(X)).where(a(X) > 0.5, a(Y)).to_numpy() ; m.Series(a(X)).isin(a(X[:3])).sum() ; _columns(m, a) ;
        m.cut(a(LONG), 4).codes ; m.qcut(a(X), 3, labels=False) ; m.get_dummies(a(LABELS)).to_numpy() ; m.unique(a(LABELS)) ;
        m.factorize(a(LABELS))[0] ; m.crosstab(a(LABELS), a(LABELS)).to_numpy() ; m.to_numeric(a(X)) ;
        m.to_timedelta(a(LABELS), unit='D').days ; m.Series(a(X), m.date_range('2026', periods=60)).resample('W').mean().to_numpy() ;
        m.Series(a(X)).ewm(3).mean().to_numpy() ; m.Series(a(X)).diff().to_numpy()
    """,
    "xarray": """
        m.DataArray(a(WIDE), dims=('x', 'y')).mean('x').values ; (m.DataArray(a(M)) * a(M)).sum().values ;
        m.Dataset({'v': ('t', a(X))}, {'t': a(T)}).interp(t=0.5).v.values ; m.where(m.DataArray(a(X)) > 0.5, a(X), 0).values ;
        m.DataArray(a(M), dims=('x', 'y')).transpose().values ;
        m.concat([m.DataArray(a(X), dims='t'), m.DataArray(a(Y), dims='t')], 't').values
    """,
    "linear": """
        m.Ridge().fit(a(M), a(X[:20])).coef_ ; m.Lasso(0.01).fit(a(M), a(X[:20])).coef_ ;
        m.LogisticRegression().fit(a(M), a(LABELS)).predict_proba(a(M)) ;
        m.SGDClassifier(random_state=0).fit(a(M), a(LABELS)).predict(a(M)) ;
        m.LinearRegression().fit(a(WIDE), a(LONG[:300])).intercept_
    """,
    "ensemble": """
        m.RandomForestClassifier(9, random_state=0).fit(a(M), a(LABELS)).predict(a(M)) ;
        m.GradientBoostingRegressor(random_state=0, n_estimators=9).fit(a(M), a(X[:20])).predict(a(M)) ;
        m.IsolationForest(n_estimators=9, random_state=0).fit(a(M)).score_samples(a(M)) ;
        m.HistGradientBoostingRegressor(max_iter=5).fit(a(WIDE), a(LONG[:300])).predict(a(WIDE))
    """,
    "svm": """
        m.SVC().fit(a(M), a(LABELS)).decision_function(a(M)) ; m.SVR().fit(a(M), a(X[:20])).predict(a(M)) ;
        m.LinearSVC(random_state=0).fit(a(M), a(LABELS)).predict(a(M))
    """,
    "neighbors": """
        m.KNeighborsClassifier(3).fit(a(M), a(LABELS)).predict(a(M)) ;
        m.NearestNeighbors().fit(a(WIDE[:, :4])).kneighbors(a(WIDE[:3, :4]))[1] ; m.KernelDensity().fit(a(M)).score_samples(a(M))
    """,
    "bayes": """
        m.GaussianNB().fit(a(M), a(LABELS)).predict_proba(a(M)) ; m.MultinomialNB().fit(a(M), a(LABELS)).predict(a(M))
    """,
    "clusters": """
        m.KMeans(2, n_init=1, random_state=0).fit_predict(a(WIDE)) ; m.DBSCAN(0.6).fit_predict(a(M)) ;
        m.AgglomerativeClustering(3).fit_predict(a(M)) ; m.SpectralClustering(2, random_state=0).fit_predict(a(M)).sum() > 0
    """,
    "decomposition": """
        m.PCA(2).fit(a(WIDE)).explained_variance_ ; m.NMF(2, random_state=0).fit_transform(a(M)) ;
        m.FastICA(2, random_state=0, whiten='unit-variance').fit_transform(a(M)) ** 2 ;
        m.TruncatedSVD(2, random_state=0).fit(a(M)).singular_values_
    """,
    "metrics": """
        m.accuracy_score(a(LABELS), a(1 - LABELS)) ; m.roc_auc_score(a(LABELS), a(M[:, 0])) ; m.confusion_matrix(a(LABELS), a(LABELS)) ;
        m.mean_squared_error(a(LONG), a(LONG) * 2) ; m.r2_score(a(LONG), a(LONG) + 0.1) ; m.silhouette_score(a(M), a(LABELS)) ;
        m.f1_score(a(LABELS), a(LABELS)) ; m.pairwise_distances(a(M))
    """,
    "preprocessing": """
        m.StandardScaler().fit_transform(a(WIDE)) ; m.MinMaxScaler().fit_transform(a(WIDE)) ;
        m.OneHotEncoder().fit_transform(a(LABELS)[:, None]).toarray() ; m.PolynomialFeatures(2).fit_transform(a(M)) ;
        m.LabelEncoder().fit_transform(a(LABELS)) ; m.QuantileTransformer(n_quantiles=9).fit_transform(a(WIDE)) ; m.normalize(a(M)) ;
        m.binarize(a(M), threshold=0.5)
    """,
    "selection": """
        [p for p in m.train_test_split(a(M), a(LABELS), random_state=0)] ;
        m.cross_val_score(ridge(), a(M), a(X[:20]), cv=3) ;
        m.GridSearchCV(ridge(), {'alpha': [0.1, 1]}, cv=2).fit(a(M), a(X[:20])).best_params_['alpha'] ;
        m.GridSearchCV(ridge(), {'alpha': a(X[:3])}, cv=2).fit(a(M), a(X[:20])).best_params_['alpha'] ;
        [k.sum() for k, _ in m.KFold(3).split(a(M))]
    """,
    "pipeline": """
        m.make_pipeline(ridge()).fit(a(M), a(LABELS)).predict(a(M))
    """,
    "mixture": """
        m.GaussianMixture(2, random_state=0).fit(a(M)).means_
    """,
    "tree": """
        m.DecisionTreeRegressor(random_state=0).fit(a(WIDE), a(LONG[:300])).predict(a(WIDE))
    """,
    "process": """
        m.GaussianProcessRegressor(optimizer=None).fit(a(M), a(X[:20])).predict(a(M))
    """,
    "manifold": """
        m.Isomap(n_neighbors=4).fit_transform(a(M)) ** 2
    """,
    "network": """
        m.MLPRegressor(hidden_layer_sizes=(5,), random_state=0, max_iter=20).fit(a(M), a(X[:20])).predict(a(M))
    """,
    "numexpr": """
        m.evaluate('2 * x + y', {'x': a(LONG), 'y': a(LONG)})
    """,
    "sympy": """
        m.lambdify(m.Symbol('x'), m.sin(m.Symbol('x')) ** 2 + 1, 'numpy')(a(LONG)) ; float(m.Matrix(a(S[:2, :2])).det())
    """,
    "networkx": """
        m.to_numpy_array(m.from_numpy_array(a(S))) ; m.number_connected_components(m.from_numpy_array(a(S > 6)))
    """,
    "pillow": """
        numpy.asarray(m.fromarray(a((WIDE * 255).astype('u1'))).resize((20, 20))) ;
        numpy.asarray(m.fromarray(a(WIDE[:8, :8].astype('f4'))))
    """,
    "numba": """
        m.vectorize(['float64(float64, float64)'])(lambda x, y: x * y + 1)(numpy.asarray(a(LONG)), numpy.asarray(a(LONG)))
    """,
    "jax": """
        m.dlpack.from_dlpack(a(LONG.astype('f4'))) ; m.dlpack.from_dlpack(a(WIDE.astype('i4').T.copy())) ;
        m.numpy.asarray(a(X.astype('f4'))) ; np.from_dlpack(m.numpy.ones(3)) + 1 ; np.asarray(m.numpy.ones(3)) + a(X[:3])
    """,
    "strict": """
        numpy.asarray(m.from_dlpack(a(LONG))) ; numpy.asarray(m.from_dlpack(a(WIDE)[::2, ::-1])) ; np.from_dlpack(m.asarray(X)) + 1
    """,
    "compat": """
        m.array_namespace(a(LONG)).sum(a(LONG)) ; m.is_array_api_obj(a(LONG)) ; m.size(a(WIDE)) ; m.device(a(LONG)) == 'cpu'
    """,
    "torch": """
        m.from_dlpack(a(LONG)).numpy() ; m.from_dlpack(a(WIDE).T).sum().item() ; np.from_dlpack(m.arange(5.0)) + 1 ;
        m.as_tensor(a(X)).numpy() ; m.tensor(a(M)).numpy() ; np.asarray(m.ones(3)) + a(X[:3]) ;
        m.nn.functional.relu(m.from_dlpack(a(M) - 0.5)).numpy() ; (m.from_dlpack(a(M)) @ m.from_dlpack(a(S))).numpy() ;
        np.sum(m.ones(4).numpy() * a(X[:4]))
    """,
}


def _written(matrix, a):
    matrix[0] = a(X[:6])
    matrix[1:3, 2] = a(Y[:2])
    return matrix.toarray()


def _columns(pandas, a):
    frame = pandas.DataFrame({"x": a(LONG)})
    frame["y"] = a(LONG) * 2
    frame.loc[a(LONG) > 0.5, "y"] = 0.0
    frame.iloc[:3, 0] = a(X[:3])
    frame = frame.assign(z=lambda f: np.log1p(f["x"]))
    frame.insert(1, "w", a(LONG)[::-1])
    return frame.to_numpy()[::999], frame.describe().to_numpy()


FRAMES = """
    frame[a(LONG) > 0.5] ; frame[~(a(LONG) > 0.5)] ; frame.x[a(LONG) > 0.5] ; frame.loc[a(LONG) > 0.5, "x"] ; frame.iloc[a(LONG) > 0.5] ;
    frame.iloc[np.argsort(a(LONG))] ; frame.loc[a(CODES)] ; frame.groupby(a(CODES)).mean() ; frame.x.groupby(a(LONG) > 0.5).sum() ;
    frame.groupby(["k", a(LONG) > 0.5]).x.mean() ; frame * a(LONG)[:, None] ; frame.x.isin(a(LONG)[::2]) ; pandas.unique(a(CODES)) ;
    pandas.factorize(a(CODES))[1] ; pandas.Series(a(CODES)).value_counts() ; frame.x.where(a(LONG) > 0.5, a(LONG) * 2) ;
    pandas.crosstab(a(CODES), frame.k) ; frame.pivot_table("x", a(CODES)) ; frame.assign(y=np.where(a(LONG) > 0.5, 1, 0)) ;
    pandas.Index(a(LONG))[a(LONG) > 0.5] ; frame.drop(np.flatnonzero(a(LONG) > 0.5)) ; frame.x.quantile(a(T[:3])) ;
    frame[(np.abs((frame - frame.mean()) / frame.std()) < 1).all(axis=1)] ; frame.x.sample(9, weights=a(LONG), random_state=1) ;
    frame.__setitem__(a(LONG) > 0.5, 0) or frame ; frame.x.__setitem__(a(CODES), 0.0) or frame.x ;
    frame.loc.__setitem__((a(LONG) > 0.5, "x"), 0) or frame ; frame.loc.__setitem__((a(LONG) > 0.5, "x"), a(LONG)[a(LONG) > 0.5]) or frame
"""
CODES = (LONG * 5).astype(int)


@pytest.mark.parametrize("text", [text.strip() for text in FRAMES.split(";")], ids=lambda text: text[:70])
def test_large_frames(text, threshold):
    """Masks, labels and columns as large arrays, which are no instances of numpy.ndarray."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")

    def result(namespace, array):
        frame = pandas.DataFrame({"x": LONG, "k": CODES})
        return eval(text, {**globals(), "np": namespace, "a": array, "pandas": pandas, "frame": frame})

    actual, expected = result(np, np.array), result(numpy, numpy.array)
    assert isinstance(actual, (type(expected), np.ndarray))
    if isinstance(expected, (pandas.Series, pandas.DataFrame)):
        (pandas.testing.assert_series_equal if expected.ndim == 1 else pandas.testing.assert_frame_equal)(actual, expected)
    else:
        same(actual, expected)


def figures(a, plt):
    """What plots hold after they were drawn."""
    yield from [v for line in plt.plot(a(T), a(Y), "o-", a(T), a(M[:, 0].repeat(3))) for v in line.get_data()]
    yield plt.scatter(a(LONG[:999]), a(LONG[:999]), c=a(LONG[:999]), s=a(LONG[:999]) * 9).get_sizes()
    yield from plt.hist(a(LONG), bins=a(T))[:2]
    yield plt.hist2d(a(LONG), a(LONG), bins=8)[0]
    yield [bar.get_height() for bar in plt.bar(a(T[:6]), a(X[:6]), yerr=a(Y[:6]))]
    yield [bar.get_width() for bar in plt.barh(a(T[:6]), a(X[:6]))]
    yield plt.imshow(a(WIDE), extent=list(a(X[:4]) + numpy.arange(4)), vmin=np.min(a(WIDE)), vmax=np.max(a(WIDE))).get_array()
    yield plt.contourf(a(WIDE), levels=a(T[::12])).levels
    yield plt.contour(a(T[:6]), a(T[:20]), a(M)).levels
    yield plt.pcolormesh(a(WIDE), shading="auto").get_array()
    yield plt.fill_between(a(T), a(Y), a(Y) + 1, where=a(X) > 0.5).get_paths()[0].vertices
    yield plt.errorbar(a(T), a(Y), xerr=a(X), yerr=np.std(a(Y)))[0].get_ydata()
    yield plt.quiver(a(X), a(Y), a(Z), a(Z)).U
    yield plt.step(a(T), np.cumsum(a(Y)))[0].get_ydata()
    yield plt.stem(a(T), a(Y)).markerline.get_ydata()
    yield plt.boxplot([a(X), a(LONG)])["medians"][1].get_ydata()
    yield plt.violinplot(a(X))["bodies"][0].get_paths()[0].vertices
    yield plt.hexbin(a(LONG), a(LONG), gridsize=8).get_array()
    yield plt.tripcolor(a(X), a(Y), a(Z)).get_array()
    yield plt.streamplot(a(T[:6]), a(T[:6]), a(S), a(S)).lines.get_paths()[0].vertices
    yield plt.semilogy(a(T + 1), a(Y + 1))[0].get_ydata()
    yield plt.axhline(np.mean(a(LONG))).get_ydata()
    yield plt.specgram(a(LONG[:4096]))[0]
    yield [wedge.theta2 for wedge in plt.pie(a(X[:4]))[0]]
    plt.xlim(np.min(a(LONG)), np.max(a(LONG)))
    plt.text(np.mean(a(LONG)), 0.5, f"{np.mean(a(LONG)):.3f}")
    yield plt.xlim()


def drawn(a):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    plt = importlib.import_module("matplotlib.pyplot")
    found = []
    try:
        for piece in figures(a, plt):
            plt.gcf().savefig(io.BytesIO(), dpi=15)
            plt.clf()
            found.append(piece)
        surface = plt.figure().add_subplot(projection="3d").plot_surface(a(M), a(M), a(M))
        found.append(surface.norm.vmax if surface.norm.vmax else 0)
    finally:
        plt.close("all")
    return found


def same(actual, expected, place=()):
    if isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected), place
        for k, (one, other) in enumerate(zip(actual, expected, strict=True)):
            same(one, other, (*place, k))
    elif hasattr(expected, "toarray"):
        same(actual.toarray(), expected.toarray(), place)
    else:
        actual, expected = numpy.asarray(actual), numpy.asarray(expected)
        assert actual.shape == expected.shape, place
        if expected.dtype.kind in "OUSmM":
            assert actual.tolist() == expected.tolist(), place
        else:
            numpy.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7, err_msg=str(place))


CASES = [(name, text.strip()) for name, pieces in PIECES.items() for text in pieces.split(";")]


@pytest.mark.parametrize(("name", "text"), CASES, ids=[f"{name} {text[:60]}" for name, text in CASES])
def test_pieces(name, text, threshold):
    module = pytest.importorskip(MODULES[name], reason=f"{MODULES[name]} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages, of themselves
        same(*[eval(text, {**globals(), "a": array, "m": module}) for array in (np.array, numpy.array)])


def test_figures(threshold):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(drawn(np.array), drawn(numpy.array))
