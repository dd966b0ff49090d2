"""Preparing is deterministic to the byte, timed apart, and traced stage by stage."""

import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest

from quire_preprocessing.classical import baseline as baseline_module
from quire_preprocessing.classical.baseline import enumeration
from quire_preprocessing.preparing import refusal
from quire_preprocessing.refusal import Refused
from quire_quantum.structure import Structure

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
SAMPLE = {"kind": "sample", "program": HEAD + "input float a; qubit[2] q; rx(a) q[0];", "parameters": [[0.1], [0.2]]}
ESTIMATE = {"kind": "estimate", "program": HEAD + "qubit[2] q; h q[0];", "observables": [{"ZZ": 1, "XI": 2}]}
CUT = {"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0], [1, 2, 2.0]]}}
WIDE = {"kind": "optimize", "problem": {"type": "ising", "n": 30, "j": [[i, i + 1, (-1.0) ** i] for i in range(29)]}}
DOCUMENTS = [SAMPLE, ESTIMATE, {**ESTIMATE, "precision": 0.1}, CUT, WIDE]


@pytest.fixture
def preparer(make_preparer):
    return make_preparer()


@pytest.mark.parametrize("document", DOCUMENTS, ids=["sample", "exact", "precise", "cut", "wide"])
async def test_equal_documents_and_seeds_give_equal_bytes(preparer, command_for, clock, document):
    one = await preparer.prepare(*command_for(document))
    clock.advance(100)
    # Order and spacing of the document's JSON say nothing about the job.
    again, _ = command_for(document)
    body = json.dumps(dict(reversed(document.items())), indent=2).encode()
    two = await preparer.prepare(again, body)
    assert msgspec.json.encode(one.preparation) == msgspec.json.encode(two.preparation)
    assert one.timings != two.timings


async def test_the_seed_moves_the_start_points_and_nothing_else(preparer, command_for):
    one, other = [(await preparer.prepare(*command_for(CUT, seed))).preparation for seed in (1, 2)]
    assert one.loop.start_points != other.loop.start_points
    same = msgspec.structs.replace(other, loop=one.loop)
    assert msgspec.json.encode(one) == msgspec.json.encode(same)


async def test_a_sample_is_all_there(preparer, command_for):
    preparation = (await preparer.prepare(*command_for(SAMPLE))).preparation
    structure = Structure.from_text(preparation.structure.inline.decode())
    assert structure.sha256 == preparation.structure.sha256
    assert preparation.structure.media_type == "application/vnd.quire.structure+qasm"
    assert (preparation.parameters.rows, preparation.parameters.columns) == (2, 1)
    assert preparation.parameters.data.inline == b"\x9a\x99\x99\x99\x99\x99\xb9?\x9a\x99\x99\x99\x99\x99\xc9?"
    assert (preparation.qubits, preparation.shots, preparation.observables) == (2, 1024, None)


async def test_an_estimate_carries_its_observables(preparer, command_for):
    preparation = (await preparer.prepare(*command_for(ESTIMATE))).preparation
    expected = [{"labels": ["XI", "ZZ"], "coefficients": [2.0, 1.0]}]
    assert json.loads(preparation.observables.inline) == expected
    assert preparation.shots is None


async def test_an_optimisation_has_a_baseline_to_come_and_its_time_apart(
    preparer, found, command_for, monkeypatch, clock
):
    def slow(case):
        clock.advance(2.5)
        return enumeration(case)

    monkeypatch.setattr(baseline_module, "enumeration", slow)
    prepared, said = await preparer.prepare(*command_for(CUT)), await found(*command_for(CUT))
    assert (prepared.baseline_to_come, prepared.preparation.baseline) == (True, None)
    assert (said.baseline_seconds, said.method_seconds) == (2.5, {"exact enumeration": 2.5})
    baseline = said.baseline
    assert (baseline.value, baseline.worst, baseline.exact) == (3.0, 0.0, True)
    assert baseline.assignment[1] not in (baseline.assignment[0], baseline.assignment[2])
    assert prepared.preparation.loop.scale == -1
    stages = [(each.stage, each.resource, each.seconds) for each in (*prepared.timings, *said.timings)]
    assert stages == [("parse", "cpu", 0.0), ("encode", "cpu", 0.0), ("baseline", "cpu", 2.5)]
    assert prepared.timings[0].started_at == datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_wide_problem_gets_a_baseline_from_several_methods(found, command_for):
    said = await found(*command_for(WIDE))
    baseline = said.baseline
    assert (baseline.value, baseline.bound, baseline.exact) == (-29.0, -29.0, True)
    assert [tried.method for tried in baseline.tried] == list(said.method_seconds)


async def test_the_same_problem_again_says_what_its_baseline_once_took(found, command_for):
    first = await found(*command_for(CUT))
    again = await found(*command_for(CUT, seed=6))
    assert again.baseline == first.baseline, "it is the problem's, whatever the job's seed"
    assert again.method_seconds == first.method_seconds


async def test_stages_are_spans(found, command_for, spans):
    await found(*command_for(CUT))
    names = [span.name for span in spans.finished]
    assert names == ["quire.stage.parse", "quire.stage.encode", "quire.stage.baseline"]
    assert spans.named("quire.stage.baseline")[0].attributes["quire.baseline.exact"] is True


async def test_the_baseline_leaves_the_loop_free(found, command_for):
    document = {**WIDE, "problem": {**WIDE["problem"], "n": 22, "j": WIDE["problem"]["j"][:21]}}
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await found(*command_for(document))
    ticking.cancel()
    assert ticks > 20


async def test_a_bad_document_is_refused_as_the_door_would(preparer, command_for):
    command, _ = command_for(CUT)
    for body in (b"", b"{", b"[" * 1_000, b'{"kind": "sample"}', b'{"kind": "optimize", "problem": 3}', b"\xff\xfe"):
        with pytest.raises(Refused) as caught:
            await preparer.prepare(command, body)
        assert caught.value.code == "document-invalid"
        event = refusal(command, caught.value)
        assert (event.job_id, event.tenant, event.fault.kind) == ("j1", "acme", "invalid")
        assert event.problems


async def test_a_rejected_program_points_at_the_program(preparer, command_for):
    with pytest.raises(Refused) as caught:
        await preparer.prepare(*command_for({**SAMPLE, "program": 'include "/etc/passwd";'}))
    (problem,) = caught.value.problems
    assert (caught.value.code, problem.pointer) == ("include-refused", "/program")
