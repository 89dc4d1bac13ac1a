"""Integers that are looked up and joined are carried in two (optimize/chains.py): NumPy's values, whatever else a turn does with them."""

import numpy as np
import pytest

import lazynp


def checksum(data, table, crc):
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc


def the_other_way_round(data, table, crc):
    for byte in data:
        crc = (crc >> 8) ^ table[(crc & 255) ^ byte]
    return ~crc


def kept_on_the_way(data, table, crc):
    seen = np.zeros(len(data), table.dtype)
    most = crc
    for i in range(len(data)):
        seen[i] = crc
        crc = table[(data[i] ^ crc) & 127] ^ crc
        if crc > most:
            most = crc
    return crc, seen, most


def masked_twice(data, table, crc):
    for byte in data:
        crc = table[((crc & 1023) ^ byte) & 255] ^ (crc >> 3 ^ byte)
    return crc


def two_at_a_time(data, table, crc):
    other = crc
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
        other = table[(other ^ crc) & 255] ^ (other >> 8)
    return crc, other


PROGRAMS = [checksum, the_other_way_round, kept_on_the_way, masked_twice, two_at_a_time]


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.uint32, np.int32])
@pytest.mark.parametrize("program", PROGRAMS)
def test_values_are_numpys(program, dtype):
    rng = np.random.default_rng(0)
    data, table = rng.integers(0, 256, 300).astype(dtype), rng.integers(0, 2**31 - 1, 256).astype(dtype)
    if dtype in (np.int64, np.int32):
        table[::3] *= -1
    compiled = lazynp.jit(program, strict=True)
    for n in (300, 1, 0):
        ours, theirs = compiled(data[:n], table, dtype(12345)), program(data[:n], table, dtype(12345))
        for a, b in zip(*[r if isinstance(r, tuple) else (r,) for r in (ours, theirs)], strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.asarray(a).dtype == np.asarray(b).dtype


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_known_before_is_joined_before(program):
    text = lazynp.show(program, np.zeros(300, np.int64), np.arange(256), np.int64(1), stage="c")
    assert "LZ_EARLY(" in text.rsplit("/* loop", 1)[-1]


def test_indices_out_of_range():
    def program(data, table, crc):
        for byte in data:
            crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
        return crc

    data, table = np.arange(1000) % 256, np.arange(100) * 77
    with pytest.raises(IndexError):
        program(data, table, np.int64(5))
    with pytest.raises(IndexError):
        lazynp.jit(program, strict=True)(data, table, np.int64(5))
