"""Keys, cuts, seeds and names of batches."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_batching.cutting import cut_matrix, piece, whole
from quire_batching.grouping import MAX_SLICES, batch_id, cut, form_batch, group_key
from quire_batching.load import Load, load_of, row_seconds
from quire_contracts.batch import ExecuteBatch, SimulateBatch
from quire_contracts.mitigation import Mitigation, Readout, Zne
from quire_contracts.task import Scoring
from quire_contracts.value import Matrix
from quire_resilience.errors import Permanent

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LIMITS = Load(256, 4_096, 10_000_000, 96 * 1024, 1e9, 1 << 62)


def test_tasks_of_different_jobs_and_tenants_share_a_key(make_task):
    one, other = make_task("one"), make_task("other", rows=7, tenant="umbrella", seed=5, phase="round")
    assert group_key(one) == group_key(other)
    assert group_key(one) != group_key(make_task("third", structure="qubit[2] q;"))


def test_a_task_that_wants_no_company_has_a_key_of_its_own(make_task):
    one, other = (msgspec.structs.replace(make_task(name), alone=True) for name in ("one", "other"))
    assert len({group_key(one), group_key(other), group_key(make_task("third"))}) == 3


@given(rows=st.integers(1, 100_000), shots=st.none() | st.integers(1, 1_000_000))
def test_cut_covers_every_row_once_and_holds_the_limits(rows, shots):
    parts = cut(rows, shots, LIMITS)
    assert [row for part in parts for row in part] == list(range(rows))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) <= MAX_SLICES
    if len(parts) < min(MAX_SLICES, rows):
        assert max(sizes) <= LIMITS.rows
        assert max(sizes) * (shots or 0) <= LIMITS.shots


def test_small_task_stays_whole():
    assert cut(4_096, 1_024, LIMITS) == (range(4_096),)


def test_batch_id_names_the_set_of_its_members(make_task):
    one, other = (whole(make_task(name), NOW, None) for name in ("one", "other"))
    assert batch_id([one, other]) == batch_id([other, one])
    assert batch_id([one]) != batch_id([one, other])
    assert batch_id([one]) != batch_id([msgspec.structs.replace(one, attempt=2)])
    assert batch_id([one]) != batch_id([msgspec.structs.replace(one, first=10)])
    assert uuid.UUID(batch_id([one])).version == 5


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("simulation", SimulateBatch),
        ("simulation:depolarizing", SimulateBatch),
        ("simulations", ExecuteBatch),
        ("qiskit:aer", ExecuteBatch),
        ("braket:local_dm", ExecuteBatch),
    ],
)
def test_target_decides_the_plane(make_task, target, command):
    task = make_task(target=target)
    formed = form_batch([task], [whole(task, NOW, None)], "age", NOW)
    assert type(formed) is command
    assert formed.batch.target == target


def test_equal_sets_of_members_give_equal_batches(make_task):
    tasks = [make_task(name) for name in ("one", "two", "three")]
    members = [whole(task, NOW, None) for task in tasks]
    there = form_batch(tasks, members, "age", NOW)
    back = form_batch(tasks[::-1], members[::-1], "age", NOW)
    assert there == back
    assert [member.task_id for member in there.batch.members] == ["one", "three", "two"]


def test_batch_is_wanted_until_the_last_members_deadline(make_task):
    soon, later = NOW + timedelta(seconds=1), NOW + timedelta(seconds=9)

    def deadline(*ends):
        tasks = [make_task(f"task-{place}", deadline_at=end) for place, end in enumerate(ends)]
        return form_batch(tasks, [whole(task, NOW, None) for task in tasks], "age", NOW).batch.deadline_at

    assert deadline(later, soon) == later
    assert deadline(soon, None) is None


def test_a_batch_is_left_to_run_as_the_most_patient_of_its_tasks(make_task):
    def late(*wishes):
        tasks = [make_task(f"task-{place}", late=wish) for place, wish in enumerate(wishes)]
        return form_batch(tasks, [whole(task, NOW, None) for task in tasks], "age", NOW).batch.late

    assert late("stop", "stop") == "stop"
    assert late("unpaid", "keep", "stop") == "keep"


def test_mixed_classes_share_a_key_and_the_most_urgent_is_the_batchs(make_task):
    tasks = [make_task("one", priority="research"), make_task("two", priority="production")]
    assert group_key(tasks[0]) != group_key(tasks[1])
    assert group_key(tasks[0], mixed=True) == group_key(tasks[1], mixed=True)
    assert form_batch(tasks, [whole(task, NOW, None) for task in tasks], "age", NOW).batch.priority == "production"


def test_mitigated_work_stays_apart_from_other_work_and_its_batch_says_so(make_task):
    asked = [None, Mitigation(readout=Readout()), Mitigation(readout=Readout(shots=10)), Mitigation(zne=Zne())]
    tasks = [make_task(f"task-{place}", mitigation=mitigation) for place, mitigation in enumerate(asked)]
    assert len({group_key(task) for task in tasks}) == len(asked)
    assert group_key(make_task("same", mitigation=Mitigation(zne=Zne()))) == group_key(tasks[3])
    batches = [form_batch([task], [whole(task, NOW, None)], "age", NOW).batch for task in tasks]
    assert [batch.mitigation for batch in batches] == asked


def test_who_wants_expectations_of_shots_and_who_is_scored_by_samples_stay_apart(make_task):
    observables = make_task().structure
    wants = make_task("one", observables=observables)
    scored = make_task("two", observables=observables, scoring=Scoring(scale=1))
    assert group_key(wants).reduced
    assert not group_key(scored).reduced
    held = make_task("held", observables=observables, scoring=Scoring(scale=1, of="values"))
    assert group_key(held) == group_key(wants), "energies of a loop are held against a bound, and go with estimates"
    assert group_key(make_task("three", observables=observables, shots=None)) == group_key(
        make_task("four", observables=observables, shots=None, scoring=Scoring(scale=1))
    )


def test_load_counts_rows_shots_and_the_bytes_on_the_wire(make_task):
    task = make_task(rows=3)
    member = whole(task, NOW, "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    load = load_of(task, member)
    assert (load.members, load.rows, load.shots, load.memory_bytes) == (1, 3, 300, 3 * 2 * 16)
    assert load.seconds == pytest.approx(3 * row_seconds(task))
    two = form_batch([task, task], [member, msgspec.structs.replace(member, first=3)], "age", NOW)
    one = form_batch([task], [member], "age", NOW)
    assert len(msgspec.json.encode(two)) - len(msgspec.json.encode(one)) == load.size_bytes
    assert load_of(make_task(shots=None), member).shots == 0


def test_estimate_grows_with_gates_and_qubits_as_the_simulators_cost_does(make_task):
    small = make_task(structure="rz(p0) q[0];\n" * 100, qubits=10, shots=None)
    deep = make_task(structure="rz(p0) q[0];\n" * 1_000, qubits=10, shots=None)
    wide = make_task(structure="rz(p0) q[0];\n" * 100, qubits=20, shots=None)
    assert row_seconds(small) == pytest.approx(80 * 1024 * 1.1e-9 + 10e-6, rel=0.1)
    assert row_seconds(deep) > 8 * row_seconds(small)
    assert row_seconds(wide) == pytest.approx(1024 * (row_seconds(small) - 10e-6), rel=0.1)


@given(st.lists(st.builds(Load, *[st.integers(0, 100)] * 4, st.floats(0, 1), st.integers(0, 100)), max_size=5))
def test_loads_add_up_and_are_taken_away_again(loads):
    total = sum(loads, Load())
    left = total
    for load in loads:
        left -= load
    assert left == replace(Load(), seconds=pytest.approx(0, abs=1e-9))
    assert total.fits(total)
    assert total.fills(total)


def test_pieces_hold_their_own_rows_and_nothing_else(make_task):
    task = make_task(rows=10, seed=3)
    rows = (range(5), range(5, 10))
    cuts = cut_matrix(task.parameters, task.parameters.data.inline, rows)
    assert b"".join(cuts) == task.parameters.data.inline
    assert len(cuts[0]) == 5 * 8
    second = piece(task, Matrix(5, 1, task.parameters.data), 5, NOW, None)
    assert (second.first, second.total_rows, second.seed) == (5, 10, 3)
    assert second.task_id == task.task_id


def test_parameters_of_another_shape_are_refused(make_task):
    task = make_task(rows=3)
    with pytest.raises(Permanent, match="16 bytes, not 3 x 1 numbers"):
        cut_matrix(task.parameters, b"\0" * 16, [range(3)])
