"""From a batch to work and back: shapes checked member by member, sizes kept, refusals in words."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_bus.errors import fault_of
from quire_contracts.value import Execution, Matrix, inline_blob
from quire_plane import admit, batch_failed, slices, with_wait
from quire_plane.reading import Question, Readings, read_structure
from quire_quantum.counts import pack
from quire_quantum.executor import Capabilities, Member, MemberOutcome, Outcome, Work
from quire_quantum.observables import group, normalise
from quire_quantum.structure import Operation, Structure
from quire_resilience.errors import Permanent
from quire_testing.executor_suite import BELL, PAIR, TURN, TURN_MEASURED, measure

ONE_TURN = (Member(np.array([[0.1]])),)
Z = normalise({"Z": 1.0}, 1)


def matrix(values) -> tuple[Matrix, bytes]:
    data = np.asarray(values, dtype="<f8").tobytes()
    rows, columns = np.asarray(values).shape
    return Matrix(rows=rows, columns=columns, data=inline_blob(data, "x")), data


def test_parameters_are_read_row_by_row():
    found = slices.read_parameters(*matrix([[1.0], [2.0]]), TURN)
    assert found.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("values", "structure", "code"),
    [
        ([[1.0, 2.0]], TURN, "parameters-shape"),
        ([[1.0]], BELL, "parameters-shape"),
        ([[1.0], [np.inf]], TURN, "parameters-not-finite"),
        ([[np.nan]], TURN, "parameters-not-finite"),
    ],
)
def test_a_wrong_matrix_is_refused(values, structure, code):
    with pytest.raises(Permanent) as caught:
        slices.read_parameters(*matrix(values), structure)
    assert (caught.value.kind, caught.value.code) == ("invalid", code)
    assert caught.value.next_step


def test_a_matrix_of_another_size_than_it_says_is_refused():
    described, data = matrix([[1.0], [2.0]])
    with pytest.raises(Permanent, match="parameters-shape"):
        slices.read_parameters(described, data[:-8], TURN)


def ask(structure, observables=()):
    return Question(structure, observables, group(observables) if observables else None)


@pytest.mark.parametrize("wrong", [None, "wide", "nan", "missing"])
def test_members_are_read_alike_in_one_pass_and_one_by_one(make, wrong):
    """A wrong member at the end makes the reader go member by member; the others come out the same."""
    members = [make.slice("a", [[0.1], [0.2]]), make.slice("b", np.zeros((0, 1))), make.slice("c", [[0.3]])]
    last = {"wide": [[1.0, 2.0]], "nan": [[np.nan]]}.get(wrong, [[0.4]])
    batch = make.batch(TURN_MEASURED, [*members, make.slice("d", last)])
    contents = [member.parameters.data.inline for member in batch.members]
    fault = fault_of(Permanent("blob-missing", "it is gone"))
    if wrong == "missing":
        contents[3] = fault
    *good, found = slices.read_members(batch, contents, TURN_MEASURED)
    assert [values.tolist() for values in good] == [[[0.1], [0.2]], [], [[0.3]]]
    if wrong is None:
        assert found.tolist() == [[0.4]]
    else:
        codes = {"wide": "parameters-shape", "nan": "parameters-not-finite", "missing": "blob-missing"}
        assert found.code == codes[wrong]


def test_members_that_cannot_be_read_are_left_out_and_named(make):
    batch = make.batch(TURN_MEASURED, [make.slice(name, [[0.1]]) for name in "abc"])
    fault = fault_of(Permanent("parameters-shape", "too wide"))
    admitted = slices.admit_members(batch, ask(TURN_MEASURED), [np.array([[0.1]]), fault, np.array([[0.3]])])
    assert admitted.places == (0, 2)
    assert admitted.faults == {1: fault}
    assert [member.parameters.tolist() for member in admitted.work.members] == [[[0.1]], [[0.3]]]
    assert [member.seed for member in admitted.work.members] == [7, 7]


def test_a_batch_without_a_readable_member_fails_with_the_first_ones_fault(make):
    batch = make.batch(TURN_MEASURED, [make.slice(name, [[0.1]]) for name in "ab"])
    faults = [fault_of(Permanent("first", "one")), fault_of(Permanent("second", "two"))]
    with pytest.raises(Permanent) as caught:
        slices.admit_members(batch, ask(TURN_MEASURED), faults)
    assert fault_of(caught.value) == faults[0]


async def fetch(ref):
    return ref.inline


async def test_a_question_is_read_once_for_each_pair_of_texts(make):
    readings, fetched = Readings(), []

    async def counted(ref):
        fetched.append(ref.sha256)
        return ref.inline

    observed = make.batch(PAIR, [make.slice("a", [[0.1]])], observables=[{"ZZ": 1.0, "XX": 1.0}])
    plain = make.batch(PAIR, [make.slice("a", [[0.1]])])
    first = await readings.question(observed, counted)
    assert await readings.question(observed, counted) is first
    assert (await readings.question(plain, counted)).structure is first.structure
    assert fetched == [observed.structure.sha256, observed.observables.sha256]
    assert len(first.grouping.bases) == 2
    exact = await readings.question(msgspec.structs.replace(observed, shots=None), counted)
    assert (exact.observables, exact.grouping) == (first.observables, None)


async def test_observables_of_another_width_fail_the_batch(make):
    batch = make.batch(PAIR, [make.slice("a", [[0.1]])])
    other = make.batch(TURN, [make.slice("a", [[0.1]])], observables=[{"Z": 1.0}])
    with pytest.raises(Permanent, match="work-invalid"):
        await Readings().question(msgspec.structs.replace(batch, observables=other.observables), fetch)


@pytest.mark.parametrize("data", [b"\xff", b"OPENQASM 3.0;", b""])
def test_a_structure_that_cannot_be_read_is_refused_without_being_quoted(data):
    with pytest.raises(Permanent) as caught:
        read_structure(data)
    assert caught.value.code == "structure-malformed"


@given(st.integers(1, 300), st.integers(0, 40), st.booleans())
def test_answers_that_travel_inside_never_overfill_the_message(members, numbers, estimated):
    from quire_contracts.batch import SliceResult
    from quire_contracts.value import CountsTable

    batch = BATCH(members, numbers)
    limit = slices.inline_limit(batch, 2 if estimated else 1)
    assert 0 <= limit <= 16 * 1024
    data = inline_blob(b"x" * limit, slices.COUNTS_TYPE)
    table = CountsTable(rows=1, groups=1, bits=2, data=data)
    values = Matrix(rows=1, columns=1, data=inline_blob(b"x" * limit, slices.MATRIX_TYPE))
    answer = {"values": values, "std_errors": values} if estimated else {"counts": table}
    results = [SliceResult(member=member, traceparent="0" * 55, **answer) for member in batch.members]
    body = msgspec.json.encode(slices.executed(batch, 2, EXECUTION, results, batch.formed_at))
    least = len(msgspec.json.encode(batch)) + members * (550 if estimated else 350)
    assert len(body) < max(250 * 1024, least + 2_048)


def stored(outcome):
    return {name: inline_blob(data, media_type) for name, (data, media_type) in slices.payloads(outcome).items()}


def test_counts_and_values_come_back_as_they_were(make):
    member = make.slice("a", [[0.1]])
    counts = pack([{"00": 3, "11": 1}], bits=2)
    refs = stored(MemberOutcome(counts=counts))
    assert refs["counts"].media_type == "application/vnd.quire.counts"
    result = slices.result_of(member, MemberOutcome(counts=counts), refs, 1, None)
    assert (result.counts.rows, result.counts.groups, result.counts.bits) == (1, 1, 2)
    assert counts.from_bytes(result.counts.data.inline, rows=1, bits=2) == counts
    exact = MemberOutcome(values=np.array([[0.5, -1.0]]))
    refs = stored(exact)
    assert refs["values"].media_type == "application/vnd.quire.float64"
    result = slices.result_of(member, exact, refs, 1, None)
    assert (result.values.rows, result.values.columns, result.counts, result.std_errors) == (1, 2, None, None)
    estimated = MemberOutcome(values=np.array([[0.5, -1.0]]), std_errors=np.array([[0.1, 0.2]]))
    result = slices.result_of(member, estimated, stored(estimated), 1, None)
    assert np.frombuffer(result.values.data.inline).tolist() == [0.5, -1.0]
    assert np.frombuffer(result.std_errors.data.inline).tolist() == [0.1, 0.2]


def test_a_failed_batch_names_its_members(make):
    from quire_contracts.batch import ExecuteBatch

    batch = make.batch(TURN_MEASURED, [make.slice("a", [[0.1]])])
    fault = fault_of(Permanent("offline", "away", kind="offline"))
    (failed,) = batch_failed(ExecuteBatch(batch=batch), None, fault)
    assert (failed.batch_id, failed.target, failed.members, failed.fault) == ("b1", "simulation", batch.members, fault)


IDEAL = Capabilities(target="here", max_qubits=2, exact=True, max_shots=100, max_rows=3)
RESET = Structure(1, 1, 0, (Operation("reset", (0,)), measure(0, 0)))
EARLY = Structure(1, 1, 0, (measure(0, 0), Operation("x", (0,))))
NOTHING = (Member(np.zeros((1, 0))),)


@pytest.mark.parametrize(
    ("work", "changes", "code"),
    [
        (Work(Structure(3, 1, 0, (measure(0, 0),)), NOTHING, 10), {}, "unsupported-width"),
        (Work(TURN, ONE_TURN, None, (Z,)), {"exact": False}, "unsupported-exact"),
        (Work(EARLY, NOTHING, None, (Z,)), {}, "unsupported-circuit"),
        (Work(TURN_MEASURED, ONE_TURN, 101), {}, "unsupported-shots"),
        (Work(TURN_MEASURED, (Member(np.zeros((4, 1))),), 10), {}, "unsupported-rows"),
        (Work(EARLY, NOTHING, 10), {"mid_circuit": False}, "unsupported-circuit"),
        (Work(RESET, NOTHING, 10), {"mid_circuit": False}, "unsupported-circuit"),
    ],
)
def test_what_an_executor_cannot_take_is_refused_so_that_another_may(work, changes, code):
    from dataclasses import replace

    with pytest.raises(Permanent) as caught:
        admit(work, replace(IDEAL, **changes))
    assert (caught.value.kind, caught.value.code, caught.value.retryable) == ("invalid", code, False)


@pytest.mark.parametrize(
    "work",
    [
        Work(TURN_MEASURED, (Member(np.zeros((3, 1))),), 100),
        Work(TURN, ONE_TURN, None, (Z,)),
        Work(EARLY, NOTHING, 10),
        Work(Structure(1, 1, 0, (measure(0, 0), Operation("barrier", (0,)))), NOTHING, None, (Z,)),
    ],
)
def test_what_fits_is_taken(work):
    admit(work, IDEAL)


def test_waiting_for_a_thread_counts_as_queueing():
    outcome = with_wait(Outcome((), msgspec.structs.replace(EXECUTION, queue_seconds=1.0)), 0.5)
    assert outcome.execution.queue_seconds == 1.5


def BATCH(members, numbers):  # noqa: N802 - a builder that hypothesis calls, where no fixture may be used
    from datetime import UTC, datetime

    from quire_contracts.batch import Batch, Slice

    now = datetime(2026, 1, 2, tzinfo=UTC)
    described, _ = matrix(np.zeros((1, numbers)))
    each = Slice(
        task_id="t" * 36,
        job_id="j" * 36,
        tenant="acme",
        phase="main",
        round=0,
        attempt=1,
        first=0,
        total_rows=1,
        parameters=described,
        seed=1,
        queued_at=now,
        traceparent="0" * 55,
    )
    structure = inline_blob(b"x", "x")
    return Batch(
        batch_id="b1",
        target="here",
        structure=structure,
        qubits=2,
        observables=None,
        shots=10,
        priority="research",
        members=(each,) * members,
        flush_reason="size",
        formed_at=now,
    )


EXECUTION = Execution(
    target="here",
    provider="p",
    backend="b",
    region="",
    calibration_id="none",
    circuit_sha256="0" * 64,
    shots=10,
    parameter_sets=1,
    started_at=BATCH(1, 0).formed_at,
    queue_seconds=0.0,
    compile_seconds=0.0,
    execute_seconds=0.0,
)
