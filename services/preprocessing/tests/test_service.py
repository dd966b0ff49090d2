"""The service on a real broker: each job is answered once, whatever it holds and however often it comes."""

import threading

import msgspec
import pytest

from quire_contracts.preparation import BaselineFailed, BaselineFound, FindBaseline, JobPrepared, PreparationFailed
from quire_contracts.value import BlobRef
from quire_preprocessing.__main__ import SERVICE
from quire_preprocessing.classical import baselines as baselines_module
from quire_preprocessing.settings import Settings
from quire_quantum.sandbox import Sandbox
from quire_quantum.structure import Structure
from quire_service import hosted
from quire_testing import eventually
from quire_testing.hostile_programs import HOSTILE

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL = {"kind": "sample", "program": HEAD + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"}
ENERGY = {"kind": "estimate", "program": BELL["program"], "observables": [{"ZZ": 1.0}], "precision": 0.1}
CUT = {"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0], [1, 2, 1.0], [0, 2, 1.0]]}}


async def answered(client, job_id, within=20.0):
    answers = await eventually(lambda: client.answers(job_id), within=within)
    return answers[0]


@pytest.mark.parametrize("document", [BELL, ENERGY, CUT], ids=["sample", "estimate", "optimize"])
async def test_a_job_is_prepared_once_though_it_comes_twice(service, client, document):
    first = await client.send(document, id_="same", job_id="one")
    await client.send(document, id_="same", job_id="one")
    other = await client.send(document, job_id="other")
    prepared, again = await answered(client, first), await answered(client, other)
    assert isinstance(prepared, JobPrepared)
    assert msgspec.json.encode(prepared.preparation) == msgspec.json.encode(again.preparation)
    assert len(client.answers(first)) == 1, "the inbox knows the second delivery"
    assert {timing.stage for timing in prepared.timings} >= {"parse", "encode"}
    assert prepared.tenant == "acme"


async def test_one_tenants_hundred_jobs_do_not_stand_before_anothers_one(provisioned, client):
    for number in range(100):
        await client.send(BELL, job_id=f"job-{number}", tenant="flood")
    await client.send(BELL, job_id="one", tenant="guest")
    async with hosted(SERVICE, Settings(nats_url=provisioned.url, log_level="error", workers=1)):
        answers = await client.probe.wait(JobPrepared, 101)
    assert [answer.tenant for answer in answers].index("guest") < 50


async def test_what_one_process_has_parsed_another_is_told(provisioned, client, monkeypatch):
    def turn(angle):
        return {"kind": "sample", "program": f"{HEAD}qubit[2] q; rx({angle}) q[0]; cx q[0], q[1];"}

    settings = Settings(nats_url=provisioned.url, log_level="error")
    async with hosted(SERVICE, settings):
        first = await answered(client, await client.send(turn("0.25")))

    def parse(_, source):
        raise AssertionError(f"parsed again: {source}")

    monkeypatch.setattr(Sandbox, "take_apart", parse)
    async with hosted(SERVICE, settings):
        other = await answered(client, await client.send(turn("pi/4")))
    assert isinstance(other, JobPrepared)
    assert other.preparation.structure == first.preparation.structure
    assert other.preparation.parameters != first.preparation.parameters


async def test_a_refused_job_is_refused_once_though_it_comes_twice(service, client):
    document = {**BELL, "parameters": [[1.0]]}
    job = await client.send(document, id_="same", job_id="one")
    await client.send(document, id_="same", job_id="one")
    await answered(client, await client.send(BELL))
    failed = await answered(client, job)
    assert isinstance(failed, PreparationFailed)
    assert failed.fault.code == "parameters-shape"
    assert failed.problems[0].pointer == "/parameters"
    assert len(client.answers(job)) == 1


async def test_content_that_is_not_there_ends_the_job(service, client):
    missing = BlobRef(sha256="0" * 64, size=20_000, media_type="application/json")
    failed = await answered(client, await client.send(missing))
    assert isinstance(failed, PreparationFailed)
    assert (failed.fault.code, failed.fault.retryable) == ("blob-missing", True)
    assert failed.problems == ()


async def test_a_large_job_travels_by_reference(service, client, bus):
    gates = "".join(f"rx({k / 1000}) q[{k % 20}]; cx q[{k % 20}], q[{(k + 1) % 20}];\n" for k in range(3_000))
    document = {**BELL, "program": HEAD + "qubit[20] q;\n" + gates}
    prepared = await answered(client, await client.send(document))
    preparation = prepared.preparation
    assert preparation.structure.inline is None
    assert (await bus.blobs.get(preparation.structure)).count(b"rx(") == 3_000
    assert preparation.parameters.columns == 3_000
    assert len(await bus.blobs.get(preparation.parameters.data)) == 3_000 * 8


async def test_hostile_programs_end_in_refusals_and_the_service_lives(service, client):
    programs = {name: case for name, case in HOSTILE.items() if isinstance(case[0], str)}
    assert len(programs) > 60
    jobs = {name: await client.send({**BELL, "program": program}) for name, (program, _) in programs.items()}
    for name, job in jobs.items():
        failed = await answered(client, job, within=60)
        assert isinstance(failed, PreparationFailed), name
        # What is no text, empty or too large does not get as far as the program's own checks.
        assert failed.fault.code in (programs[name][1], "document-invalid"), name
        assert (failed.fault.kind, failed.fault.retryable) == ("invalid", False), name
        assert failed.fault.next_step, name
        assert failed.problems[0].pointer in ("/program", ""), name
        told = msgspec.json.encode(failed).decode()
        assert not any(leak in told for leak in ("root:", "Traceback", "/usr", "/etc", ".py", "site-packages")), told
    assert isinstance(await answered(client, await client.send(BELL)), JobPrepared)
    assert service.state == "running"


HOSTILE_PROBLEMS = {
    "wide": ({"type": "qubo", "n": 10_000, "linear": [1.0] * 1}, "document-invalid"),
    "too wide": ({"type": "maxcut", "edges": [[0, 9_999, 1.0]]}, "problem-too-wide"),
    "nothing to decide": ({"type": "qubo", "n": 3}, "problem-constant"),
    "no weight": ({"type": "maxcut", "edges": [[0, 1, 0.0]]}, "problem-constant"),
    "huge weights": ({"type": "ising", "n": 2, "h": [1e308, 1e308]}, "weights-too-large"),
    "itself": ({"type": "maxcut", "edges": [[1, 1, 1.0]]}, "document-invalid"),
    "negative": ({"type": "maxcut", "edges": [[-1, 1, 1.0]]}, "document-invalid"),
    "another type": ({"type": "sudoku"}, "document-invalid"),
}


async def test_hostile_problems_end_in_refusals_and_the_service_lives(service, client):
    jobs = [
        (await client.send({"kind": "optimize", "problem": problem}), code)
        for problem, code in HOSTILE_PROBLEMS.values()
    ]
    jobs += [(await client.send(b'{"kind": "optimize", ' + b"[" * 500), "document-invalid")]
    jobs += [(await client.send({**CUT, "shots": 0}), "document-invalid")]
    for job, code in jobs:
        failed = await answered(client, job)
        assert isinstance(failed, PreparationFailed)
        assert failed.fault.code == code
    one = {"kind": "optimize", "problem": {"type": "qubo", "n": 1, "linear": [-1.0]}}
    job = await client.send(one)
    assert isinstance(await answered(client, job), JobPrepared)
    (found,) = await client.probe.wait(BaselineFound)
    assert (found.job_id, found.baseline.assignment) == (job, (1,))


async def test_a_baseline_is_found_once_though_its_job_comes_twice(service, client):
    for _ in range(2):
        await client.send(CUT, id_="same", job_id="one")
    await client.send(CUT, job_id="other")
    one, other = sorted(await client.probe.wait(BaselineFound, 2), key=lambda found: found.job_id)
    assert (one.job_id, other.job_id) == ("one", "other")
    assert one.baseline == other.baseline
    assert one.method_seconds == other.method_seconds, "it was worked out for one of them"
    assert len(client.probe.of(BaselineFound)) == 2


async def test_baselines_that_take_long_hold_up_no_preparation(service, client, monkeypatch):
    """More of them than there are handlers; the jobs that come after them are prepared all the same."""
    go_on, solve = threading.Event(), baselines_module.solve

    def patient(*arguments):
        go_on.wait(60)
        return solve(*arguments)

    monkeypatch.setattr(baselines_module, "solve", patient)
    many = Settings().workers + 8
    for number in range(many):
        edges = [[0, 1, 1.0], [1, 2, 1.0 + number]]
        await client.send({"kind": "optimize", "problem": {"type": "maxcut", "edges": edges}})
    assert isinstance(await answered(client, await client.send(BELL)), JobPrepared)
    await client.probe.wait(JobPrepared, many + 1)
    assert client.probe.of(BaselineFound) == []
    go_on.set()
    await client.probe.wait(BaselineFound, many)


async def test_a_baseline_that_cannot_be_found_is_said_to_have_failed(service, client, bus):
    gone = BlobRef(sha256="1" * 64, size=20_000, media_type="application/json")
    await bus.publisher.publish(FindBaseline(job_id="one", tenant="acme", document=gone))
    (failed,) = await client.probe.wait(BaselineFailed)
    assert (failed.job_id, failed.fault.code, failed.problems) == ("one", "blob-missing", ())


async def test_circuits_to_choose_between_are_put_apart_and_all_there(service, client, bus):
    layers = [1, 2, 3]
    candidates = {"name": "qaoa", "candidates": [{"layers": each} for each in layers]}
    prepared = await answered(client, await client.send({**CUT, "algorithm": candidates}))
    preparation, loop = prepared.preparation, prepared.preparation.loop
    assert [each.start_points.columns for each in loop.circuits] == [2 * each for each in layers]
    assert loop.circuits[0].structure.sha256 == preparation.structure.sha256
    for each in loop.circuits:
        assert each.structure.inline is None
        text = (await bus.blobs.get(each.structure)).decode()
        assert Structure.from_text(text).num_parameters == each.start_points.columns
