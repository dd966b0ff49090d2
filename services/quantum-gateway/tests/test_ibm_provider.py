"""The IBM adapter against an emulated jobs API, by the small client and by IBM's library, and in that one's local mode.

Not covered, for it needs IBM's cloud: the search for the account's instances, and what only hardware refuses.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from qiskit_ibm_runtime import QiskitRuntimeService

from quire_contracts.mitigation import Mitigation, Readout, Zne
from quire_emulator.entries import Applied
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_plane.compile_cache import CompileCache
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import Operation, Structure
from quire_quantum_gateway.catalog import find, open_catalog
from quire_quantum_gateway.providers.faults import Ambiguous, classified_of, classify_outcome
from quire_quantum_gateway.providers.ibm_account import Door, open_account, read_job
from quire_quantum_gateway.providers.ibm_backends import IbmSettings
from quire_quantum_gateway.providers.ibm_provider import IbmProvider
from quire_quantum_gateway.providers.ibm_runtime import LocalAccount, RuntimeAccount
from quire_quantum_gateway.providers.port import Unfetched
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.sites import Site
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent, Transient
from quire_testing import eventually
from quire_testing.executor_suite import BELL, CROSSED, TURN_MEASURED

CLOUD = """
[[devices]]
name = "ibm_manila"
api = "jobs"
model = "manila"
qubits = 5

[[devices]]
name = "ibm_slow"
api = "jobs"
model = "manila"
qubits = 5
wait = [3600.0, 3600.0]

[[devices]]
name = "ibm_restless"
api = "jobs"
model = "manila"
qubits = 5
calibration_seconds = 0.001
"""
BACKENDS = ("ibm_manila", "ibm_slow", "ibm_restless")
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/1:2::"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "cloud.toml").write_text(CLOUD, "utf-8")
    with EmulatorProcess(folder / "data", config=folder / "cloud.toml", seed=7) as emulator:
        yield emulator


def opened(url, seconds=10.0, **settings):
    door = Door(api="jobs", url=url, token="key", instance="", seconds=seconds, calls=8, longest=600)
    given = IbmSettings(backends=BACKENDS, seconds=seconds, **settings)
    return IbmProvider(given, lambda: open_account(door, SystemClock()), SystemClock(), CompileCache(64))


@pytest.fixture
def make(emulator):
    """`make()`: a provider that remembers nothing, as another process would have it; settings by name."""

    def open_provider(api="ibm", **settings):
        return opened(f"{emulator.url}/{api}/v1", **settings)

    return open_provider


@pytest.fixture
def provider(make):
    return make()


@pytest.fixture
def library(emulator, monkeypatch):
    """The same provider through QiskitRuntimeService, whose keys the emulated cloud exchanges too."""
    monkeypatch.setenv("IAM_URL", f"{emulator.url}/iam")
    monkeypatch.setenv("QISKIT_FUNCTIONS_EXPERIMENTAL", "1")  # the library then asks nobody for its instances

    def service():
        return QiskitRuntimeService(
            channel="ibm_quantum_platform",
            token="k" * 44,
            url=emulator.url,
            instance=CRN,
            url_resolver=lambda url, *_: f"{url}/ibm/v1",
        )

    settings = IbmSettings(backends=BACKENDS, seconds=20.0)
    return IbmProvider(settings, lambda: RuntimeAccount(service, 600), SystemClock(), CompileCache(64))


@pytest.fixture
def local():
    settings = IbmSettings(backends=("fake_manila",), identity="forgetful", seconds=60.0)
    return IbmProvider(settings, lambda: LocalAccount(SystemClock()), SystemClock(), CompileCache(64))


def since():
    return datetime.now(UTC) - timedelta(minutes=1)


def angles(*values):
    return Member(np.array(values, dtype=float).reshape(-1, 1))


TURNS = Work(TURN_MEASURED, (angles(0.0, np.pi), angles(np.pi)), 50)
ONE = Work(BELL, (Member(np.zeros((1, 0))),), 20)
BY_CLIENT = pytest.mark.parametrize("client", ["provider", "library"])


async def run(provider, backend, work, token):
    job = provider.submit(backend, work, token)
    await eventually(lambda: provider.status(job) not in ("queued", "running"))
    return provider.retrieve(backend, work, job)


def created(emulator, token):
    """The jobs that the cloud made under a token's tag, by its own ledger."""
    tag = f"quire-{token}"
    return [each for each in emulator.entries() if isinstance(each, Applied) and tag in each.order.tags]


@BY_CLIENT
async def test_rows_of_all_members_come_back_in_their_places(request, client, token):
    outcome = await run(request.getfixturevalue(client), "ibm_manila", TURNS, token)
    assert [unpack(member.counts) for member in outcome.members] == [[{"0": 50}, {"1": 50}], [{"1": 50}]]
    ran = outcome.execution
    assert (ran.target, ran.shots, ran.parameter_sets, ran.simulator) == ("ibm:ibm_manila", 50, 3, False)
    assert ran.calibration_id != "none"
    assert ran.started_at.utcoffset() == timedelta(0)


@BY_CLIENT
async def test_bits_follow_the_classical_register_also_without_parameters(request, client, token):
    work = Work(CROSSED, (Member(np.zeros((2, 0))),), 30)
    outcome = await run(request.getfixturevalue(client), "ibm_manila", work, token)
    assert unpack(outcome.members[0].counts) == [{"10": 30}] * 2


@BY_CLIENT
async def test_observables_are_measured_in_every_basis_they_need(request, client, token):
    plus = Structure(2, 0, 0, (Operation("h", (0,)), Operation("x", (1,))))
    observables = (normalise({"ZX": 1.0}, 2), normalise({"YI": 1.0, "ZI": 2.0}, 2))
    work = Work(plus, (Member(np.zeros((1, 0))), Member(np.zeros((2, 0)))), 400, observables)
    outcome = await run(request.getfixturevalue(client), "ibm_manila", work, token)
    for member in outcome.members:
        values, _ = expectation(member.counts, observables, group(observables))
        assert values[:, 0].tolist() == [-1.0] * len(values)
        assert abs(values[:, 1] + 2).max() < 0.3


@BY_CLIENT
def test_a_job_is_found_by_its_tag_from_another_process(request, client, make, emulator, token):
    job = request.getfixturevalue(client).submit("ibm_slow", ONE, token)
    (found,) = make().find("ibm_slow", token, since())
    assert (found.job_id, found.token, found.backend, found.status) == (job, token, "ibm_slow", "queued")
    assert job in [each.job_id for each in request.getfixturevalue(client).listed(since())]
    assert len(created(emulator, token)) == 1


def test_a_call_that_is_repeated_makes_a_second_job_and_both_are_found(provider, token):
    """Why the gateway must not call twice."""
    jobs = [provider.submit("ibm_slow", ONE, token) for _ in range(2)]
    assert [found.job_id for found in provider.find("ibm_slow", token, since())] == jobs


def test_jobs_of_another_installation_are_not_ours(make, token):
    theirs = make(prefix="other").submit("ibm_slow", ONE, token)
    assert make().find("ibm_slow", token, since()) == []
    assert theirs not in [found.job_id for found in make().listed(since())]


def test_where_there_are_no_tags_nothing_is_found(make, token):
    provider = make(api="anonymous", identity="none")
    assert provider.identity_mode("ibm_slow") == "none"
    job = provider.submit("ibm_slow", ONE, token)
    assert provider.status(job) == "queued"
    assert provider.find("ibm_slow", token, since()) == ()
    assert provider.listed(since()) == ()


@pytest.mark.parametrize("answer", ["cut", "504"])
def test_an_answer_that_is_lost_is_ambiguous_and_the_job_is_found(provider, emulator, token, answer):
    provider.capabilities("ibm_slow")
    emulator.arm(Rule(kind="timeout-applied", answer=answer, count=1))
    with pytest.raises(Ambiguous) as lost:
        provider.submit("ibm_slow", ONE, token)
    assert lost.value.found.applied == "maybe"
    assert len(provider.find("ibm_slow", token, since())) == len(created(emulator, token)) == 1


def test_a_call_that_hangs_is_given_up_as_ambiguous(make, emulator, token):
    provider = make(seconds=2.0)
    provider.capabilities("ibm_slow")
    emulator.arm(Rule(kind="timeout-applied", hold=30.0, count=1))
    with pytest.raises(Ambiguous):
        provider.submit("ibm_slow", ONE, token)
    assert len(created(emulator, token)) == 1


def test_a_call_whose_time_is_over_is_not_made(provider, emulator, token):
    with pytest.raises(Transient) as late:
        provider.submit("ibm_slow", ONE, token, deadline=SystemClock().monotonic() - 1)
    assert late.value.code == "too-late"
    assert created(emulator, token) == []


@pytest.mark.parametrize(
    ("rule", "error", "code"),
    [
        (Rule(kind="throttle", retry_after=7.0), Transient, "throttled"),
        (Rule(kind="offline"), Permanent, "target-offline"),
        (Rule(kind="refused", status=400, code="3458"), Permanent, "too-many-jobs"),
        (Rule(kind="refused", status=403, code="4317"), Permanent, "spending-limit"),
        (Rule(kind="refused", status=401, code="1200"), Permanent, "not-authorised"),
    ],
    ids=lambda value: value.code or value.kind if isinstance(value, Rule) else None,
)
def test_a_refusal_is_known_for_what_it_is_and_asked_once(provider, emulator, token, rule, error, code):
    provider.capabilities("ibm_slow")
    emulator.arm(rule)
    calls = emulator.report().calls.get("create", 0)
    with pytest.raises(error) as refused:
        provider.submit("ibm_slow", ONE, token)
    assert refused.value.code == code
    assert emulator.report().calls["create"] == calls + 1
    assert classified_of(refused.value).retry_after == (7.0 if code == "throttled" else None)


@BY_CLIENT
def test_a_job_is_cancelled_at_the_provider_as_often_as_it_is_asked(request, client, token):
    provider = request.getfixturevalue(client)
    job = provider.submit("ibm_slow", ONE, token)
    provider.cancel(job)
    provider.cancel(job)
    assert provider.status(job) == "cancelled"
    with pytest.raises(Transient) as over:
        provider.retrieve("ibm_slow", ONE, job)
    assert over.value.code == "cancelled-at-provider"


@BY_CLIENT
def test_a_job_that_waits_has_no_result(request, client, token):
    provider = request.getfixturevalue(client)
    job = provider.submit("ibm_slow", ONE, token)
    assert provider.status(job) == "queued"
    with pytest.raises(LookupError, match="queued"):
        provider.retrieve("ibm_slow", ONE, job)


@BY_CLIENT
def test_a_job_that_nobody_knows_is_unknown_and_not_failed(request, client):
    provider = request.getfixturevalue(client)
    assert provider.status("no-such-job") == "unknown"
    provider.cancel("no-such-job")
    with pytest.raises(LookupError):
        provider.retrieve("ibm_manila", ONE, "no-such-job")


@BY_CLIENT
async def test_a_job_that_failed_says_why_in_our_words(request, client, emulator, token):
    provider = request.getfixturevalue(client)
    emulator.arm(Rule(kind="failed", message="secret words of the provider", count=1))
    job = provider.submit("ibm_manila", ONE, token)
    await eventually(lambda: provider.status(job) == "failed")
    with pytest.raises(Transient) as failed:
        provider.retrieve("ibm_manila", ONE, job)
    assert failed.value.code == "execution-failed"
    assert "secret" not in str(failed.value)


async def test_a_result_that_is_withheld_is_unfetched_and_not_failed(provider, emulator, token):
    emulator.arm(Rule(kind="withheld", count=1))
    job = provider.submit("ibm_manila", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    with pytest.raises(Unfetched):
        provider.retrieve("ibm_manila", ONE, job)
    emulator.arm(Rule(kind="error", operations=frozenset({"result"}), status=503, count=1))
    with pytest.raises(Unfetched) as missing:
        provider.retrieve("ibm_manila", ONE, job)
    assert missing.value.found is not None


async def test_a_partial_result_is_not_passed_off_as_whole(provider, emulator, token):
    emulator.arm(Rule(kind="partial", count=1))
    job = provider.submit("ibm_manila", TURNS, token)
    await eventually(lambda: provider.status(job) in ("done", "failed"))
    with pytest.raises(Transient) as partial:
        provider.retrieve("ibm_manila", TURNS, job)
    assert partial.value.code == "execution-failed"


@BY_CLIENT
def test_the_provider_says_whether_a_backend_is_there(request, client, emulator):
    provider = request.getfixturevalue(client)
    assert provider.window("ibm_manila").open
    emulator.arm(Rule(kind="offline", device="ibm_manila"))
    away = provider.window("ibm_manila")
    assert (away.open, away.reason) == (False, "the backend is offline")


def test_a_new_calibration_is_compiled_for(provider, token):
    before = provider._described("ibm_restless").calibration_id
    assert list(provider.refresh()) == ["ibm_restless"]
    assert provider._described("ibm_restless").calibration_id != before
    snapshot = provider.snapshots()["ibm_restless"]
    assert provider.window("ibm_restless").calibration_id == snapshot.calibration_id
    assert provider.compiles
    assert 0.001 < snapshot.figures.two_qubit_error < 0.1
    assert 1e-5 < snapshot.figures.t1_seconds < 1e-2
    assert list(make_stale(provider)) == []


def make_stale(provider):
    """What a reading finds of backends that keep their calibration."""
    provider._compilers._compilers.pop("ibm_restless")
    provider.capabilities("ibm_manila")
    return provider.refresh()


def test_what_the_backend_does_not_take_is_not_sent(provider, emulator, token):
    exact = Work(TURN_MEASURED, (angles(0.0),), None, (normalise({"Z": 1.0}, 1),))
    wide = Work(Structure(6, 1, 0, BELL.operations[:1]), (Member(np.zeros((1, 0))),), 10)
    calls = emulator.report().calls.get("create", 0)
    for work, code in ((exact, "unsupported-exact"), (wide, "unsupported-width")):
        with pytest.raises(Permanent) as refused:
            provider.submit("ibm_slow", work, token)
        assert refused.value.code == code
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.submit("ibm_nowhere", ONE, token)
    assert emulator.report().calls.get("create", 0) == calls


def test_a_job_that_ran_too_long_has_failed_and_is_not_tried_again(provider):
    found = {"id": "j", "status": "Cancelled - Ran too long", "created": "2026-11-21T16:00:00Z"}
    job = read_job({**found, "state": {"status": "Cancelled", "reason": "too long", "reason_code": 1305}})
    assert (job.status, job.code) == ("failed", "1305")
    assert classify_outcome(provider._faults, job.reason, job.code).action.again == "never"
    assert read_job({**found, "state": {"status": "Cancelled"}}).status == "cancelled"


def test_what_a_job_costs_at_most_is_its_longest_time(make):
    assert make(longest=100, second_usd=1.5).cost("ibm_manila", ONE).usd == 150.0


def test_local_mode_runs_stand_ins_and_forgets_them(local, token):
    job = local.submit("fake_manila", TURNS, token)
    outcome = local.retrieve("fake_manila", TURNS, job)
    rows = [row for member in outcome.members for row in unpack(member.counts)]
    assert [sum(row.values()) for row in rows] == [50] * 3
    assert [row.get("1", 0) > 25 for row in rows] == [False, True, True]
    assert outcome.execution.simulator
    assert (local.identity_mode("fake_manila"), local.status(job)) == ("forgetful", "done")
    assert local.site("fake_manila") == Site("ibm", "local", "local", "fake_manila")
    assert local.status("another") == "unknown"
    assert local.find("fake_manila", token, since()) == ()
    assert local.window("fake_manila").open
    with pytest.raises(LookupError):
        local.retrieve("fake_manila", TURNS, "another")
    with pytest.raises(Permanent, match="unsupported-target"):
        IbmProvider(
            IbmSettings(backends=("fake_nothing",)), lambda: LocalAccount(SystemClock()), SystemClock(), CompileCache(1)
        ).capabilities("fake_nothing")


def test_backends_are_off_until_they_are_named():
    assert "ibm" not in open_catalog(Settings(), SystemClock())
    named = Settings(ibm_backends=("ibm_a", "ibm_b"), targets=("ibm:*_a",), ibm_instance=CRN)
    provider, backend = find(open_catalog(named, SystemClock()), "ibm:ibm_a")
    assert (provider.identity_mode(backend), provider.identity(backend)) == ("tag", None)
    assert provider.site(backend) == Site("ibm", CRN, "default", "ibm_a")
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.window("ibm_b")


@BY_CLIENT
async def test_mitigated_work_runs_at_every_scale_and_says_which_qubits_were_read(request, client, make, token):
    mitigation = Mitigation(readout=Readout(), zne=Zne(scale_factors=(1.0, 3.0)))
    observables = (normalise({"ZZ": 1.0}, 2), normalise({"XX": 1.0}, 2))
    work = Work(BELL, (Member(np.zeros((2, 0))),), 20, observables, reduced=True, mitigation=mitigation)
    outcome = await run(request.getfixturevalue(client), "ibm_manila", work, token)
    assert outcome.members[0].counts.rows == 2 * 2 * 2
    assert outcome.execution.transpiler["compiled_for"] == outcome.execution.calibration_id
    assert len(outcome.read_from) == 2
    assert {len(set(each)) for each in outcome.read_from} == {2}


async def test_a_process_that_did_not_send_a_job_guesses_neither_calibration_nor_qubits(provider, make, token):
    outcome = await run(provider, "ibm_manila", ONE, token)
    again = make().retrieve("ibm_manila", ONE, outcome.execution.provider_job_id)
    assert again.members[0].counts == outcome.members[0].counts
    assert (again.read_from, again.execution.transpiler["compiled_for"]) == ((), "")


async def test_work_runs_on_the_qubits_that_it_is_put_on(provider, token):
    work = Work(CROSSED, (Member(np.zeros((1, 0))),), 20, places=(4, 0, 2))
    outcome = await run(provider, "ibm_manila", work, token)
    assert outcome.read_from == ((2, 4),)
    assert unpack(outcome.members[0].counts) == [{"10": 20}]
