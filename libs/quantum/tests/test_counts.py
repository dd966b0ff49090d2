"""Packing loses nothing, merging adds, equal counts give equal bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_quantum.counts import (
    CountsError,
    PackedCounts,
    concatenate,
    merge,
    pack,
    pack_integers,
    pack_samples,
    select_rows,
    unpack,
)

widths = st.sampled_from([1, 2, 7, 8, 9, 16, 63, 64, 65, 130])


def rows_of(bits):
    outcomes = st.text("01", min_size=bits, max_size=bits)
    return st.dictionaries(outcomes, st.integers(1, 2**20), max_size=6)


@st.composite
def tables(draw, number=1):
    bits, rows = draw(widths), draw(st.integers(0, 4))
    table = st.lists(rows_of(bits), min_size=rows, max_size=rows)
    return bits, [draw(table) for _ in range(number)]


@given(tables())
def test_what_is_packed_comes_back(given_table):
    bits, (rows,) = given_table
    counts = pack(rows, bits=bits)
    assert unpack(counts) == rows
    assert counts.shots.tolist() == [sum(row.values()) for row in rows]
    again = PackedCounts.from_bytes(counts.to_bytes(), rows=len(rows), bits=bits)
    assert again == counts
    assert unpack(again) == rows


@given(tables())
def test_the_order_of_the_keys_does_not_show_in_the_bytes(given_table):
    bits, (rows,) = given_table
    backwards = [dict(reversed(row.items())) for row in rows]
    assert pack(rows, bits=bits).to_bytes() == pack(backwards, bits=bits).to_bytes()


@given(tables())
def test_braket_order_is_turned_round(given_table):
    bits, (rows,) = given_table
    turned = [{key[::-1]: tally for key, tally in row.items()} for row in rows]
    assert pack(turned, bits=bits, bit_order="big") == pack(rows, bits=bits)


@given(tables(number=3))
def test_merging_is_associative_and_commutative_and_keeps_totals(given_tables):
    bits, given_rows = given_tables
    a, b, c = (pack(rows, bits=bits) for rows in given_rows)
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    np.testing.assert_array_equal(merge(a, b).shots, a.shots + b.shots)
    for row, left, right in zip(unpack(merge(a, b)), given_rows[0], given_rows[1], strict=True):
        assert row == {key: left.get(key, 0) + right.get(key, 0) for key in left.keys() | right.keys()}


@given(tables(number=2))
def test_tables_stand_after_each_other_and_rows_can_be_taken_out(given_tables):
    bits, (first, second) = given_tables
    together = concatenate([pack(first, bits=bits), pack(second, bits=bits)])
    assert unpack(together) == first + second
    order = list(range(together.rows))[::-2]
    assert unpack(select_rows(together, order)) == [(first + second)[row] for row in order]


def test_single_shots_are_tallied_in_either_order():
    shots = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1]])
    assert unpack(pack_samples([shots])) == [{"011": 1, "100": 2}]
    assert unpack(pack_samples([shots, shots[:1]], bit_order="big")) == [{"001": 2, "110": 1}, {"001": 1}]


def test_numbers_may_repeat():
    counts = pack_integers([(np.array([5, 1, 5]), np.array([2, 3, 4])), (np.array([]), np.array([]))], bits=3)
    assert unpack(counts) == [{"001": 3, "101": 6}, {}]


def test_spaces_between_registers_are_dropped():
    assert unpack(pack([{"1 01": 3}], bits=3)) == [{"101": 3}]


def test_a_circuit_without_bits_has_one_empty_outcome():
    assert unpack(pack([{"": 7}], bits=0)) == [{"": 7}]


def test_the_layout_is_the_documented_one():
    counts = pack([{"000000001": 2, "100000000": 1}, {"000000011": 3}], bits=9)
    assert counts.to_bytes() == (
        b"\x00\0\0\0\x02\0\0\0\x03\0\0\0" + b"\x02\0\0\0\x01\0\0\0\x03\0\0\0" + b"\x00\x01" + b"\x01\x00" + b"\x00\x03"
    )


@pytest.mark.parametrize(
    ("rows", "bits"),
    [([{"01": 1}], 3), ([{"0a1": 1}], 3), ([{"011": -1}], 3), ([{"011": 2**32}], 3), ([{"0 1": 1}], 3)],
)
def test_counts_that_are_none_are_refused(rows, bits):
    with pytest.raises(CountsError):
        pack(rows, bits=bits)


@given(tables(), st.binary(max_size=80))
def test_bytes_that_are_not_canonical_are_refused(given_table, noise):
    bits, (rows,) = given_table
    for blob in (pack(rows, bits=bits).to_bytes() + noise, noise):
        try:
            counts = PackedCounts.from_bytes(blob, rows=len(rows), bits=bits)
        except CountsError:
            continue
        assert counts.to_bytes() == blob


def test_tables_of_different_shape_cannot_be_added():
    with pytest.raises(CountsError, match="cannot add"):
        merge(pack([{"0": 1}], bits=1), pack([{"00": 1}], bits=2))
    with pytest.raises(CountsError, match="exceeds"):
        merge(pack([{"0": 2**32 - 1}], bits=1), pack([{"0": 1}], bits=1))


def test_a_table_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        pack([{"0": 1}], bits=1).tallies[0] = 5
