"""The client unpacks counts without numpy exactly as the library that packed them says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.counts import PackedCounts, counts_of
from quire.errors import QuireError, ServerError
from quire_contracts.value import BlobRef, CountsTable
from quire_quantum.counts import pack, pack_integers


def table(rows, bits, blob):
    data = BlobRef(sha256="0" * 64, size=len(blob), media_type="application/vnd.quire.counts")
    return CountsTable(rows=rows, groups=1, bits=bits, data=data)


@given(st.data())
def test_what_was_packed_comes_back(data):
    bits = data.draw(st.integers(1, 70))
    outcome = st.integers(0, 2**bits - 1).map(lambda number: f"{number:0{bits}b}")
    rows = data.draw(st.lists(st.dictionaries(outcome, st.integers(1, 2**32 - 1), max_size=6), min_size=1, max_size=5))
    blob = pack(rows, bits=bits).to_bytes()
    counts = counts_of(table(len(rows), bits, blob), blob)
    wanted = tuple(dict(sorted(row.items())) for row in rows)
    assert counts == wanted
    assert [list(row) for row in counts] == [list(row) for row in wanted]  # by rising outcome
    assert (len(counts), counts[-1], counts[1:], counts[::-1]) == (len(rows), wanted[-1], wanted[1:], wanted[::-1])
    with pytest.raises(IndexError):
        counts[len(rows)]


@given(st.data())
def test_numpy_gets_the_same_numbers(data):
    bits = data.draw(st.integers(0, 64))
    rows = data.draw(
        st.lists(st.dictionaries(st.integers(0, 2**bits - 1), st.integers(1, 999)), min_size=1, max_size=4)
    )
    packed = pack_integers([(np.array([*row], np.uint64), np.array([*row.values()], int)) for row in rows], bits=bits)
    offsets, tallies, outcomes = PackedCounts(packed.to_bytes(), rows=len(rows), bits=bits).arrays()
    parts = [slice(first, last) for first, last in pairwise(offsets.tolist())]
    again = [dict(zip(outcomes[part].tolist(), tallies[part].tolist(), strict=True)) for part in parts]
    assert again == rows


def test_outcomes_wider_than_a_number_have_no_array():
    blob = pack([{"0" * 65: 1}], bits=65).to_bytes()
    with pytest.raises(QuireError, match="65 bits"):
        PackedCounts(blob, rows=1, bits=65).arrays()


def test_counts_differ_where_a_row_does():
    counts = PackedCounts(pack([{"0": 1}, {"1": 2}], bits=1).to_bytes(), rows=2, bits=1)
    assert counts != ({"0": 1}, {"1": 3})
    assert counts != ({"0": 1},)
    assert counts != "00"


def test_offsets_that_describe_other_entries_are_refused():
    blob = bytearray(pack([{"01": 3, "10": 4}], bits=2).to_bytes())
    blob[4] = 1
    with pytest.raises(ServerError, match="offsets"):
        PackedCounts(bytes(blob), rows=1, bits=2)


def test_bytes_of_another_length_are_refused():
    blob = pack([{"01": 3, "10": 4}], bits=2).to_bytes()
    with pytest.raises(ServerError, match="cannot hold 1 rows of 2-bit outcomes"):
        counts_of(table(1, 2, blob), blob[:-1])
