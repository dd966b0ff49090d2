"""The client unpacks counts without numpy exactly as the library that packed them says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.counts import unpack_counts
from quire.errors import ServerError
from quire_contracts.value import BlobRef, CountsTable
from quire_quantum.counts import pack


def table(rows, bits, blob):
    data = BlobRef(sha256="0" * 64, size=len(blob), media_type="application/vnd.quire.counts")
    return CountsTable(rows=rows, groups=1, bits=bits, data=data)


@given(st.data())
def test_what_was_packed_comes_back(data):
    bits = data.draw(st.integers(1, 70))
    outcome = st.integers(0, 2**bits - 1).map(lambda number: f"{number:0{bits}b}")
    rows = data.draw(st.lists(st.dictionaries(outcome, st.integers(1, 2**32 - 1), max_size=6), min_size=1, max_size=5))
    blob = pack(rows, bits=bits).to_bytes()
    assert unpack_counts(table(len(rows), bits, blob), blob) == tuple(dict(sorted(row.items())) for row in rows)


def test_bytes_of_another_length_are_refused():
    blob = pack([{"01": 3, "10": 4}], bits=2).to_bytes()
    with pytest.raises(ServerError, match="cannot hold 1 rows of 2-bit outcomes"):
        unpack_counts(table(1, 2, blob), blob[:-1])
