"""When lazy work is compiled, and what a process leaves to the next one."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

import lazynp as np
from lazynp.backends import diskcache, reference
from lazynp.ir.node import Graph, new_input
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.runtime import patience

PROGRAM = """
import json, sys
import lazynp as np
from lazynp.backends import diskcache, reference
from lazynp.ir.node import Graph, new_input
from lazynp.ir.types import ArrayType
from lazynp.ops import elementwise as ew
from lazynp.runtime import patience
turns, varying = int(sys.argv[1]), sys.argv[2] == "varying"
x = np.ones(300_000)
for turn in range(turns):
    k = 1 + turn * varying
    x[k:] = np.sin(x[:-k]) + 0.25
print(json.dumps([float(x.sum()), np.stats()]))
"""


def run(folder: Path, turns: int, kind: str = "same") -> dict[str, float]:
    """The counters of a process that makes so many turns of a loop; its result is NumPy's."""
    environment = {"LAZYNP_CACHE_DIR": str(folder), "PYTHONPATH": str(Path(np.__file__).parent.parent), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(turns), kind], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    total, stats = json.loads(done.stdout)
    x = numpy.ones(300_000)
    for turn in range(turns):
        k = 1 + turn * (kind == "varying")
        x[k:] = numpy.sin(x[:-k]) + 0.25
    assert total == pytest.approx(float(x.sum()), rel=1e-12)
    return stats


def test_short_programs_leave_notes_until_compiling_is_worth_it(tmp_path):
    compiled = []
    for _ in range(12):
        run(tmp_path, 1)
        compiled.append(len(list(tmp_path.glob("*/*.plan"))))
    assert compiled[0] == 0 and compiled[-1] == 1
    assert run(tmp_path, 1)["disk_hits"] >= 1


def test_nothing_is_compiled_at_exit_where_nobody_will_find_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    folder, built = str(tmp_path / "file"), []
    with np.config(cache_dir=folder):
        assert not diskcache.lasts()
    with np.config(cache_dir=str(tmp_path / "new" / "cache")):
        assert diskcache.lasts() and not (tmp_path / "new").exists()
    leave = []
    monkeypatch.setattr(patience.atexit, "register", leave.append)
    waiting = SimpleNamespace(due=SimpleNamespace(graph="graph"), begun=None)
    monkeypatch.setattr(patience, "keep_notes", lambda waiting: None)
    patience.at_exit({0: waiting}, built.append)
    for place, expected in ((folder, []), (str(tmp_path / "cache"), ["graph"])):
        with np.config(cache_dir=place):
            leave[0]()
        assert built == expected


@pytest.mark.parametrize("kind", ["same", "varying"])
def test_a_program_that_began_to_compile_is_there_for_the_next_process(tmp_path, kind):
    first = run(tmp_path, 32, kind)
    assert first["interpreted"] == 32
    second = run(tmp_path, 8, kind)
    assert second["disk_hits"] >= 1 and second["interpreted"] <= 2


def test_a_long_loop_goes_over_to_the_program_by_count_of_work(tmp_path):
    found = {run(tmp_path / str(k), 120)["interpreted"] for k in range(2)}
    assert len(found) == 1 and 16 <= found.pop() <= 80


IN_PLACE = {
    "once": lambda np, x: (x.__setitem__(slice(1, None), x[:-1] + 1), x)[1:],
    "twice": lambda np, x: (x.__setitem__(slice(1, None), x[:-1] + 1), x.__setitem__(slice(None, -1), x[1:] * 2), x)[2:],
    "overlapping": lambda np, x: (x.__setitem__(slice(1, None), x[:-1]), x.__setitem__(slice(None), x[::-1]), x)[2:],
    "read before": lambda np, x: [y := x[::2] * 3, x.__setitem__(0, 7.0), x, y],
    "a copy before": lambda np, x: [y := x.copy(), x.__setitem__(0, 7.0), x, y],
    "written value read later": lambda np, x: [y := np.sin(x[1:]), x.__setitem__(slice(1, None), y), x, y * 2],
    "a view of itself written and read": lambda np, x: [v := x[::-1], x.__setitem__(slice(0, 2), v[:2]), x, v + 0],
    "through a view": lambda np, x: [v := x[1:], v.__setitem__(slice(1, None, 2), 5.0), x, v],
    "two arrays": lambda np, x: [y := x * 2, y.__setitem__(slice(0, 3), x[:3]), x.__setitem__(slice(0, 3), y[3:]), x, y],
}


@pytest.mark.parametrize("case", IN_PLACE)
def test_updates_in_place(case):
    """NumPy runs the lazy work node by node: what others still read is copied before it is overwritten."""
    with np.config(lazy_threshold=0, compile_after=1000):
        expected = [v for v in IN_PLACE[case](numpy, numpy.arange(6.0)) if v is not None]
        found = [numpy.asarray(v) for v in IN_PLACE[case](np, np.arange(6.0)) if v is not None]
    for one, other in zip(found, expected, strict=True):
        numpy.testing.assert_array_equal(one, other)


def test_no_copy_of_an_array_that_is_written_in_place():
    x = np.ones(1_000_000)
    x.sum()
    base = numpy.asarray(x)
    x[1:] = x[:-1] * 0.5
    assert numpy.shares_memory(numpy.asarray(x), base)


@pytest.fixture
def patient():
    with np.config(lazy_threshold=65536, compile_after=25):
        yield


@pytest.fixture
def interpreted():
    with np.config(lazy_threshold=0, compile_after=1000):
        yield


def test_an_error_leaves_an_input_as_it_was(interpreted):
    """After an error the same work runs again when its result is asked for: it must find what it found the first time."""
    x = np.arange(4.0)
    float(x[0])
    x += 1
    x[0] = 5.0
    y = np.linalg.inv(x.reshape(2, 2) * 0)
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError):
            numpy.asarray(y)
    numpy.testing.assert_array_equal(numpy.asarray(x), [5.0, 2.0, 3.0, 4.0])


@pytest.mark.usefixtures("patient")
def test_lines_that_are_shorter_than_their_recording_are_numpys_from_the_third_turn():
    x = np.ones(70_000)
    y, runs = x, []
    for _ in range(6):
        runs.append(np.stats()["program_runs"])
        y = (y + x) * 0.5 - x
    assert runs[-1] == runs[3]
    expected = numpy.ones(70_000)
    for _ in range(6):
        expected = (expected + 1) * 0.5 - 1
    numpy.testing.assert_array_equal(y, expected)


_BYTES = numpy.arange(320_000).astype(numpy.uint8).reshape(20_000, 4, 4)
_TURNED = (numpy.arange(4)[:, None] + numpy.arange(4)) % 4


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("line", [lambda x: x ^ np.asarray(_BYTES[1]), lambda x: x[:, _TURNED, numpy.arange(4)]])
def test_few_rows_and_few_indices_are_short(line):
    """NumPy runs through axes along which the same operands are spread as one, and looks an index up once for all that stands at it: they
    were counted by elements, and recorded for 3 times as long as NumPy takes."""
    x, runs = np.array(_BYTES), []
    for _ in range(5):
        numpy.testing.assert_array_equal(numpy.asarray(line(x)), line(_BYTES))
        runs.append(np.stats()["program_runs"])
    assert runs[-1] == runs[2]


@pytest.mark.usefixtures("patient")
def test_lines_that_pay_stay_lazy_and_so_do_larger_arrays():
    def turn(x):
        return np.sin(x) + np.cos(x) * np.exp(-x)

    for size in (70_000, 1_000_000):
        x = np.ones(size)
        before = np.stats()["program_runs"]
        for _ in range(4):
            x = turn(x)
        assert np.stats()["program_runs"] == before + 3


@pytest.mark.usefixtures("interpreted")
def test_numpy_writes_over_temporaries_that_nobody_reads(monkeypatch):
    reused = []
    original = reference._memory_for

    def spy(node, last, known):
        memory = original(node, last, known)
        reused.append(memory is not None and any(memory is known[a] for a in last))
        return memory

    monkeypatch.setattr(reference, "_memory_for", spy)
    x, a = np.ones(200_000), numpy.ones(200_000)
    float((np.sin(x + 1) * 2 - x)[0])
    assert sum(reused) == 3
    kept = x + 1
    seen = kept[::-1]
    result = np.sqrt(seen) * kept - np.cos(kept)
    numpy.testing.assert_array_equal(numpy.asarray(result), numpy.sqrt((a + 1)[::-1]) * (a + 1) - numpy.cos(a + 1))
    numpy.testing.assert_array_equal(numpy.asarray(kept), a + 1)
    numpy.testing.assert_array_equal(numpy.asarray(seen), a + 1)


SUMS = ["(x > 3).sum()", "(x > 3).mean(axis=0)", "x.astype(np.int8).sum()", "(x > 3).astype(np.float32).sum()", "((x > 3) * 1).sum(axis=1)",
        "x.astype(np.uint8).sum(axis=(0, 1))", "(x > 3).sum(dtype=np.int8)", "(x > 3).sum(dtype=complex)", "x.astype(np.float32).sum()",
        "[y := x.astype(np.int32), y.sum(), y + 1][1]"]  # fmt: skip


@pytest.mark.parametrize("text", SUMS)
@pytest.mark.usefixtures("interpreted")
def test_sums_of_conversions(text):
    given = numpy.arange(12.0).reshape(3, 4)
    expected = eval(text, {"x": given, "np": numpy})
    numpy.testing.assert_array_equal(numpy.asarray(eval(text, {"x": np.array(given), "np": np})), expected, strict=True)


def test_an_error_of_a_ufunc_that_is_given_memory_names_its_line():
    """Large results are written into memory that is there: what the ufunc raises keeps the operation's place."""
    x = new_input(ArrayType((200_000,), numpy.dtype(numpy.int64)))
    node = ew.add(x, x) ** ew.add(x, x)
    node.where = 7
    graph = Graph((x,), (node,), ())
    with pytest.raises(ValueError, match="negative integer powers") as caught:
        reference.evaluate(graph, [numpy.full(200_000, -1)])
    assert caught.value.lazynp_origin == 7
