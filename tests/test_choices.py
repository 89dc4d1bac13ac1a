"""Choices of the cost model: every answer gives the same values, measured ones are remembered."""

import json
from pathlib import Path

import numpy as np
import pytest

import lazynp
from lazynp import choices
from lazynp.__main__ import main
from lazynp.backends import diskcache, toolchain, tune
from lazynp.debug import tuning
from lazynp.runtime.evaluate import clear_memory_cache, machine_file

needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")
SIZE = 40_000


def reread(x, y):
    s = x * y + x / (y + 2) - x * 0.25
    return (s[1:] - s[:-1]) * s[2:].sum(), s.mean()


def column_sums(x, y):
    m = x.reshape(100, 400)
    return np.exp(m).sum(0), np.cumsum(m * 2, axis=0)


def softmax(x, y):
    m = x.reshape(400, 100)
    e = np.exp(m - m.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def products(x, y):
    return x[:1600].reshape(40, 40) @ y[:1600].reshape(40, 40) + x[:256].reshape(16, 16).sum()


def plain(x, y):
    return np.sin(x) * y + 1


PROGRAMS = {"recompute": reread, "tile": column_sums, "band": softmax, "blas": products, "parallel": plain}


def arguments():
    rng = np.random.default_rng(0)
    return rng.random(SIZE) + 0.5, rng.random(SIZE) + 0.5


def source_of(f, *args):
    program = lazynp.jit(f).lower(*args).ready.program
    return program.source, program.blueprint.threshold


def leaves(result):
    return result if isinstance(result, tuple) else (result,)


@needs_compiler
@pytest.mark.parametrize("name", choices.TABLE)
def test_every_answer_gives_the_same_values(name):
    choice = choices.TABLE[name]
    assert choice.default in choice.alternatives and len(choice.alternatives) > 1
    f, args = PROGRAMS[name], arguments()
    expected = [np.array(x) for x in leaves(lazynp.jit(f, strict=True)(*args))]
    sources = set()
    for answer in choice.alternatives:
        with choices.using({name: answer}), lazynp.config(threads=2):
            sources.add(source_of(f, *args))
            for got, wanted in zip(leaves(lazynp.jit(f, strict=True)(*args)), expected, strict=True):
                if choice.exact:
                    np.testing.assert_array_equal(got, wanted)
                else:
                    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert len(sources) > 1  # the question is asked


@needs_compiler
def test_the_fastest_program_is_made_and_remembered(tmp_path, monkeypatch):
    args = arguments()
    expected = leaves(lazynp.jit(column_sums)(*args))
    monkeypatch.setattr(tune, "_fastest", lambda programs, arguments: len(programs) - 1)
    with lazynp.config(cache_dir=str(tmp_path), autotune=True):
        toolchain.forget()
        clear_memory_cache()
        f = lazynp.jit(column_sums, strict=True)
        program = f.lower(*args).ready.program
        assert program.blueprint.choices["tile"] == 512 and "[512]" in program.source
        for got, wanted in zip(f(*args), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
        (entry,) = [e for e in diskcache.entries() if e.suffix == ".tuned"]
        assert json.loads(diskcache.get(entry.key, ".tuned")) == program.blueprint.choices
        monkeypatch.setattr(tune, "_fastest", lambda programs, arguments: pytest.fail("measured again"))
        clear_memory_cache()
        assert lazynp.jit(column_sums).lower(*args).ready.program.blueprint.choices == program.blueprint.choices  # from disk

        def alike(x, y):
            m = x.reshape(100, 390)
            return np.exp(m).sum(0), np.cumsum(m * 2, axis=0)

        near = args[0][:39_000].copy(), args[1][:39_000].copy()
        clear_memory_cache()
        found = lazynp.jit(alike, strict=True).lower(*near).ready.program  # the same class: not measured
        assert found.blueprint.choices == program.blueprint.choices and found.source != program.source
    toolchain.forget()
    clear_memory_cache()


@needs_compiler
def test_measured_programs_are_right(tmp_path):
    args = arguments()
    for f in PROGRAMS.values():
        expected = f(*args)
        with lazynp.config(cache_dir=str(tmp_path), autotune=True):
            got = lazynp.jit(f, strict=True)(*args)
        for a, b in zip(leaves(got), leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)
    toolchain.forget()
    clear_memory_cache()


@needs_compiler
def test_what_cannot_run_on_made_up_arguments_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "_fastest", lambda programs, arguments: pytest.fail("measured"))

    def until(x, y):
        m = x.reshape(100, 400)
        while m.sum() > 1:
            m = m * 0.5
        return m.sum(0)

    args = arguments()
    with lazynp.config(cache_dir=str(tmp_path), autotune=True):
        toolchain.forget()
        clear_memory_cache()
        assert lazynp.jit(until, strict=True)(*args).shape == (400,)
        assert lazynp.jit(lambda x, y: np.fft.fft(x.reshape(100, 400).sum(0)), strict=True)(*args).shape == (400,)
    toolchain.forget()
    clear_memory_cache()


def test_arguments_that_are_written_to_are_measured_on_copies():
    programs = []

    class Program:
        def run(self, given):
            programs.append(given[0])
            given[0] += 1

    given = np.zeros(3)
    assert tune._fastest([Program(), Program()], [given]) in (0, 1)
    assert not given.any() and len(programs) >= 4


def test_constants_of_this_machine(tmp_path):
    path = str(tmp_path / "machine" / "choices.json")
    try:
        choices.save(path, {"tile": 512, "band": choices.TABLE["band"].default, "gone": 1})
        assert choices.whole("tile") == 512 and choices.changed() == (("tile", 512),)
        with choices.using({"tile": 128}):
            assert choices.whole("tile") == 128
        assert choices.whole("tile") == 512
    finally:
        choices.load(str(tmp_path / "absent"))
    assert choices.whole("tile") == choices.TABLE["tile"].default and choices.changed() == ()


@needs_compiler
def test_the_command_fits_every_constant(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tuning, "_SECONDS", 0.001)
    monkeypatch.setattr(tuning, "_relative", lambda probe, size, name, answers: [1.0, *[0.5] * (len(answers) - 1)])
    with lazynp.config(cache_dir=str(tmp_path)):
        toolchain.forget()
        try:
            assert main(["tune", "--dry"]) == 0
            assert choices.changed() == ()
            assert main(["tune"]) == 0
            kept = json.loads(Path(machine_file()).read_text(encoding="utf-8"))
            assert set(kept) == set(choices.TABLE)
            assert all(choices.value(name) == answer != choices.TABLE[name].default for name, answer in kept.items())
        finally:
            choices.load(str(tmp_path / "absent"))
            toolchain.forget()
    assert "kept: 128" in capsys.readouterr().out


@needs_compiler
def test_probes_differ_by_the_answers():
    for name, choice in choices.TABLE.items():
        found = set()
        for answer in choice.alternatives:
            with choices.using({name: answer}):
                found |= {(n, source_of(probe, np.ones(size))) for n, (probe, size) in enumerate(tuning.PROBES[name])}
        assert len(found) > len(tuning.PROBES[name])


@needs_compiler
def test_probes_are_measured(monkeypatch):
    monkeypatch.setattr(tuning, "_SECONDS", 0.01)
    probe, size = tuning.PROBES["tile"][0]
    first, *others = tuning._relative(probe, size, "tile", [256, 128])
    assert first == 1.0 and all(0 < ratio < 100 for ratio in others)


def test_lazy_work_is_tuned_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "_fastest", lambda programs, arguments: len(programs) - 1)
    with lazynp.config(cache_dir=str(tmp_path), autotune=True, compile_after=1, lazy_threshold=0):
        toolchain.forget()
        clear_memory_cache()
        x = lazynp.lazy(np.ones(SIZE))
        np.testing.assert_array_equal((x.reshape(100, 400) * 2).sum(0), np.full(400, 200.0))
        assert [e for e in diskcache.entries() if e.suffix == ".tuned"] or toolchain.find_compiler() is None
    toolchain.forget()
    clear_memory_cache()
