"""A budget of shots counts every circuit that is measured for a parameter set, not every set."""

from __future__ import annotations

import json

import msgspec
import pytest
from control_plane_cases import admitted, at, prepared

from quire_contracts.value import inline_blob
from quire_control_plane.decide import decide
from quire_control_plane.tasks import planned_shots

TWO_BASES = {"kind": "estimate", "program": "OPENQASM 3.0;", "parameters": [[0.1], [0.2]], "precision": 0.1,
             "observables": [{"ZZ": 1.0, "XI": 1.0}]}  # fmt: skip


def ready(most: int | None = None):
    """An estimate of two parameter sets, 100 shots in each of two bases."""
    record = admitted(json.dumps(TWO_BASES | ({} if most is None else {"budget": {"max_shots": most}})).encode()).record
    said = prepared(record)
    whole = msgspec.structs.replace(said.preparation.estimate, parameter_sets=2, shots=400)
    observables = inline_blob(b"[]", "application/json")
    known = msgspec.structs.replace(said.preparation, estimate=whole, observables=observables)
    return record, msgspec.structs.replace(said, preparation=known)


def test_each_measured_circuit_takes_the_shots_of_a_set():
    record, said = ready()
    assert planned_shots(decide(record, said, at(1)).record, 3) == 600


def test_exact_values_take_none():
    record, said = ready()
    exact = msgspec.structs.replace(said.preparation, shots=None)
    assert planned_shots(decide(record, msgspec.structs.replace(said, preparation=exact), at(1)).record, 3) == 0


@pytest.mark.parametrize(("most", "state"), [(400, "submitted"), (399, "failed")])
def test_what_would_come_over_the_budget_is_not_sent(most, state):
    record, said = ready(most)
    assert decide(record, said, at(1)).record.state == state
