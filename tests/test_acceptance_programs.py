"""The programs of acceptance_programs.py against numbers that NumPy, SciPy and autograd printed, under jit and in lazy mode."""

import numpy
import pytest

pytest.importorskip("scipy", reason="SciPy, whose functions the programs use, is not installed")

from acceptance_programs import PROGRAMS

import lazynp

EXPECTED = {
    "a02": {"at 4": 8.0, "at 94.2": 188.4, "powers": 0, "multiplications": 1},
    "a03": {"gradient": [[0.25, 0.19661193324], [0.19661193324, 0.10499358540]]},
    "a04": {
        "jacobian": [[8, 0], [0, 8]],
        "hessian": [[2, 0], [0, 2]],
        "right": [2, 2],
        "left": [[0, 0], [2, 2]],
        "product": [4, 4],
        "forward product": [4, 4],
    },
    "a05": {"two": [34, 35], "three": [68, 70, 33, 34, 33]},
    "a08": {
        "overflows in NumPy": 31,
        "mean in NumPy": numpy.nan,
        "initial cost": 18.082170424166975,
        "cost after a step": 18.063932177394182,
        "cost after 1000": 0.19831477836432654,
    },
    "a08_long": {"cost": 0.19863695736041237, "b": 0.2524244101591111, "norm": 3.939676059335851, "accuracy": 1.0},
    "a09": {"cost": 0.198315, "bytes": [4, 4]},
    "a12": {
        "loss": 107.636843095282,
        "gradient": [3.059865969127415, 7.703552570195928, 11.247930673356093, 0.22198122512807597],
        "last loss": 1.1800396902535688,
        "last gradient": 0.14366749949537017,
        "truncated": [0.14365101921466034, 0],
        "trained": 35.994629385890256,
    },
    "a14": {
        "start": 1.6094379124340998,
        "after one": [0.6240852748579976, 0.12666666666666668],
        "after ten": [0.12430359479361734, 0.03333333333333333],
    },
    "a15": {
        "costs": [2.302585092994046, 2.2086704447318364, 2.1009929097192943, 1.6145344329164528],
        "kernels": 1.9349898331806916,
    },
    "a16": {
        "costs": [15.62707678185895, 14.949722814523245, 13.719590613800326, 13.379239072131076, 12.491164510108685, 12.427831189565557],
        "clean": 11.47958182837815,
    },
    "a17": {
        "cost": 13.236764547496923,
        "gradient": [2.549016917043581, 0.9539425740475309, 1.2536591678435414],
        "cost by jacobian": 13.236764547496923,
        "gradient by jacobian": [2.549016917043581, 0.9539425740475309, 1.2536591678435414],
        "jacobian": 1.3700520229455606,
    },
    "a18": {"before": -4.180864821353358, "after": -2.872755728608813, "norm": 1.7572677896743165},
    "a19": {"rate": 0.9966666666666666, "position": [2.864815992314, -0.536241727528, 3.714640861143, 8.801677090114, 4.120183794183]},
    "a20": {
        "cost": 0.6931471466800109,
        "gradient": [
            5.240134614603615e-4, 6.015438769738919e-6, 1.5623559977018898e-6,
            1.1086869082243624e-4, 2.69478331047134e-4, 4.661540483129886e-7,
        ],
        "after 30": 0.6931238952423466,
        "unused rows": 5,
    },
    "a21": {"at 0": 1.0986122886681096, "minimum": 0.0716581426744238, "norm": 1.8444046768212206},
    "a22": {
        "loss": 47.99633859292733,
        "rows": [0, 3, 7, 49],
        "sum": -3.6205543465990306,
        "row 7": [8.147558281846, -3.431307677639, -3.671740479562, -0.7206065909],
        "sparse update": 0,
    },
    "a33": {
        "price": 4.007283666673068,
        "delta, vega, rho, dC/dT": [0.369277607186457, 32.67761657380658, 24.690357788979476, 5.34462985473339],
        "gamma": 0.02178507771587105,
        "vanna": 0.9564757956409141,
    },
    "a34": {
        "at 0": 29.601794976227783,
        "gradient": [1.01673260542, 1.68298381238, 18.417033239723],
        "optimum": -1.9647210666958088,
        "place": [0.923604, 1.029358, 0.1011934],
        "curvature": [4.01353879, 32.09186952, 65.76510838],
    },
    "a35": {"value": 2057.0, "gradient": 2069.427167116543, "trace": 15178.0, "product": 16778.0, "minimum": 3.9865791123471386},
    "a36": {
        "logp": [-43.83660078307107, -43.83660078307107],
        "gradient": [0.16079585659, 0.714271702655, 1.195272504871],
        "gradient by families": [0.16079585659, 0.714271702655, 1.195272504871],
        "trace": [-8.763079649693138, -8.763079649693138],
    },
    "a37": {"a": [[40, 42, 52, -1], [40, 99, 60, -1], [7, 10, 100, -1]], "b": [[40, 60], [7, 100]]},
    "a38": {
        "end": [-8.173442490346, -9.561995763765, 24.62057781638],
        "jacobian": [0.0545082623152, -0.895148793101, -5.021544348895],
    },
    "a39": {"largest": 0.7453559924999299, "loss": 5.978657297501445, "by nu": 12.273701182394325, "by start": 10.79823607735769},
    "a40": {
        "logpdf": [-8.418203498397613] * 3,
        "by mean": [[-0.003891575936, 0.152148522768, -0.12952330198, -0.291053576063]] * 3,
        "trace by covariance": [-0.21234208033655658] * 3,
        "inverses": 0,
    },
    "a41": {"values": [1001.2038029822222] * 2, "rows": [[0.5, 0, -0.5]] * 2, "others": [0, 0]},
    "a43": {"root": 2.0, "first": 0.25, "second": -0.03125},
    "a44": {
        "loss": 115.83626329716606,
        "gradient": [
            26.952664745773895, 27.01380180569085, 57.56610672988115, 77.05701967148923, 54.84075851170323, 115.00214511733479,
        ],
    },
    "a49": {
        "cubes": 88.74589304507275,
        "gradient": 54.73497440914085,
        "top": 17.206577014876,
        "gradient of the top": 1,
        "trace of the exponential": 9.675698825011379,
        "its gradient": 0,
    },
    "a50": {"sum": 135.46967625340818, "largest": 27.418905691893894, "from the loop": 0},
    "a52": {"gradient of the layers": 0, "gradient of the chain": [1.0] * 8, "unpickled": 0},
}  # fmt: skip

RTOL = 1e-9
LOOSER = {
    ("a09", "cost"): 6e-5,
    ("a19", "position"): 1e-8,
    ("a21", "norm"): 1e-6,
    ("a34", "place"): 1e-6,
    ("a34", "curvature"): 1e-5,
    ("a38", "end"): 1e-8,
    ("a38", "jacobian"): 1e-8,
    ("a02", "at 4"): 0,
    ("a37", "a"): 0,
    ("a41", "rows"): 0,
}
"""Where the list asks for another precision, or prints fewer digits than the rest."""
SLOW = {"a08_long", "a15", "a52"}


def as_is(f):
    """In the place of lazynp.jit: derivatives are taken at once."""
    return f


def parameters():
    for name in EXPECTED:
        for mode in (lazynp.jit, as_is):
            marks = [pytest.mark.slow] if name in SLOW else []
            yield pytest.param(name, mode, id=f"{name}-{'jit' if mode is lazynp.jit else 'lazy'}", marks=marks)


@pytest.mark.parametrize(("name", "mode"), list(parameters()))
def test_numbers(name, mode):
    found = PROGRAMS[name](mode)
    assert found.keys() == EXPECTED[name].keys()
    for what, expected in EXPECTED[name].items():
        numpy.testing.assert_allclose(
            numpy.asarray(found[what]), expected, rtol=LOOSER.get((name, what), RTOL), atol=1e-12, err_msg=f"{name}: {what}"
        )


def test_every_program_is_run():
    assert PROGRAMS.keys() == EXPECTED.keys()
