"""Depth and gate counts of circuits that can be counted by hand."""

import pytest

from quire_quantum.size import depth, two_qubit_gates
from quire_quantum.structure import Operation, Structure

H0, H1 = Operation("h", (0,)), Operation("h", (1,))
CX01, CX12 = Operation("cx", (0, 1)), Operation("cx", (1, 2))
CCX = Operation("ccx", (0, 1, 2))
BARRIER = Operation("barrier", (0, 1, 2))


def measure(qubit, bit):
    return Operation("measure", (qubit,), (), (bit,))


@pytest.mark.parametrize(
    ("operations", "deep", "pairs"),
    [
        ((), 0, 0),
        ((H0, H1), 1, 0),
        ((H0, CX01, CX12), 3, 2),
        ((CX01, CX12, H0), 2, 2),
        ((H0, BARRIER, H1), 2, 0),
        ((BARRIER, BARRIER), 0, 0),
        ((CCX, H0), 2, 5),
        ((H0, measure(0, 0), measure(1, 0)), 3, 0),
        ((H0, measure(0, 0), measure(1, 1)), 2, 0),
    ],
)
def test_counts(operations, deep, pairs):
    structure = Structure(3, 2, 0, operations)
    assert depth(structure) == deep
    assert two_qubit_gates(structure) == pairs
