"""The Braket adapter against an emulated cloud, through the real SDK: what is asked for is given once, and found again.

The emulator stands in for Amazon: signatures are not checked, devices are ideal, and queues are as short as configured.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from quire_contracts.mitigation import Mitigation, Readout
from quire_emulator.entries import Applied
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_quantum.counts import unpack
from quire_quantum.executor import Member, Work
from quire_quantum.observables import expectation, group, normalise
from quire_quantum.structure import Operation, Structure
from quire_quantum_gateway.catalog import find, open_catalog
from quire_quantum_gateway.providers.aws_provider import AwsProvider
from quire_quantum_gateway.providers.aws_service import AwsSettings
from quire_quantum_gateway.providers.faults import Ambiguous, classified_of
from quire_quantum_gateway.providers.port import Unfetched
from quire_quantum_gateway.settings import Settings
from quire_quantum_gateway.sites import Site
from quire_resilience.clock import SystemClock
from quire_resilience.errors import Permanent, Transient
from quire_testing import eventually
from quire_testing.executor_suite import BELL, CROSSED, TURN_MEASURED

CLOUD = """
[[devices]]
name = "Garnet"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
provider = "IQM"
layout = "grid"
qubits = 20
max_shots = 20000
task_price = 0.3
shot_price = 0.00145

[[devices]]
name = "Forte-1"
arn = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1"
provider = "IonQ"
qubits = 36
counts_only = true

[[devices]]
name = "SV1"
arn = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
provider = "Amazon Braket"
simulator = true
qubits = 34

[[devices]]
name = "Slow"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Slow"
provider = "IQM"
qubits = 4
wait = [3600.0, 3600.0]

[[devices]]
name = "Dear"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear"
provider = "IQM"
qubits = 4
task_price = 100.0

[[devices]]
name = "Away"
arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Away"
provider = "IQM"
qubits = 4
maintenance = [{ after = 0.0, lasts = 1e9 }]

[[spending_limits]]
device = "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear"
amount = 150.0
"""
DEVICES = {
    "garnet": "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
    "forte": "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-1",
    "sv1": "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
    "slow": "arn:aws:braket:eu-north-1::device/qpu/iqm/Slow",
    "dear": "arn:aws:braket:eu-north-1::device/qpu/iqm/Dear",
    "away": "arn:aws:braket:eu-north-1::device/qpu/iqm/Away",
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud")
    (folder / "cloud.toml").write_text(CLOUD, "utf-8")
    with EmulatorProcess(folder / "data", config=folder / "cloud.toml", seed=7) as emulator:
        yield emulator


def opened(cloud, **settings):
    given = {
        "devices": DEVICES,
        "endpoint_url": f"{cloud.url}/braket",
        "s3_endpoint_url": f"{cloud.url}/s3",
        "bucket": "amazon-braket-emulated",
        "seconds": 10.0,
    }
    return AwsProvider(AwsSettings(**{**given, **settings}), SystemClock())


@pytest.fixture(scope="module")
def opened_once(cloud, account):
    """One provider for all tests: clients take half a second to make."""
    return opened(cloud)


@pytest.fixture
def provider(opened_once, emulator):
    return opened_once


@pytest.fixture
def make(opened_once, emulator):
    """`make()`: a provider that remembers nothing, as another process would have it; settings by name."""

    def open_provider(**settings):
        made = opened(emulator, **settings)
        if not settings.keys() - {"task_usd", "watch_spending", "tasks"}:
            made._service._sessions = opened_once._service._sessions
            made._service._devices = opened_once._service._devices
        return made

    return open_provider


@pytest.fixture
def single(make):
    """A provider whose devices take no program sets: each executable is a task."""
    found = make()
    for name in ("garnet", "slow"):
        found._devices[name] = replace(found._describe(name), sets=None)
    return found


def since():
    return datetime.now(UTC) - timedelta(minutes=1)


def angles(*values):
    return Member(np.array(values, dtype=float).reshape(-1, 1))


TURNS = Work(TURN_MEASURED, (angles(0.0, np.pi), angles(np.pi)), 50)
ONE = Work(BELL, (Member(np.zeros((1, 0))),), 20)


async def run(provider, backend, work, token):
    job = provider.submit(backend, work, token)
    await eventually(lambda: provider.status(job) not in ("queued", "running"))
    return provider.retrieve(backend, work, job)


def created(emulator, token):
    """The tasks that the cloud made for a token, by its own ledger."""
    return [
        entry
        for entry in emulator.entries()
        if isinstance(entry, Applied) and entry.order.tags.get("quire-token") == token
    ]


@pytest.mark.parametrize("backend", ["garnet", "forte", "sv1"])
async def test_rows_of_all_members_come_back_in_their_places(provider, backend, token):
    outcome = await run(provider, backend, TURNS, token)
    assert [unpack(member.counts) for member in outcome.members] == [[{"0": 50}, {"1": 50}], [{"1": 50}]]
    ran = outcome.execution
    assert (ran.target, ran.shots, ran.parameter_sets, ran.simulator) == (f"aws:{backend}", 50, 3, backend == "sv1")
    assert ran.provider_metadata["device"] == DEVICES[backend]
    assert (ran.provider_metadata["tasks"], ran.provider_metadata["executables"]) == (1, 3)
    assert ran.started_at.utcoffset() == timedelta(0)


async def test_bits_are_in_qiskits_order_whatever_qubits_they_come_from(provider, token):
    outcome = await run(provider, "garnet", Work(CROSSED, (Member(np.zeros((1, 0))),), 30), token)
    assert unpack(outcome.members[0].counts) == [{"10": 30}]


@pytest.mark.parametrize("name", ["provider", "single"])
async def test_observables_are_measured_in_every_basis_they_need(request, name, token):
    plus = Structure(2, 0, 0, (Operation("h", (0,)), Operation("x", (1,))))
    observables = (
        normalise({"IX": 1.0, "ZI": 1.0}, 2),
        normalise({"ZX": 1.0}, 2),
        normalise({"YI": 1.0, "ZI": 2.0}, 2),
    )
    work = Work(plus, (Member(np.zeros((1, 0))), Member(np.zeros((2, 0)))), 400, observables)
    outcome = await run(request.getfixturevalue(name), "garnet", work, token)
    for member in outcome.members:
        values, _ = expectation(member.counts, observables, group(observables))
        assert values[:, 0].tolist() == [0.0] * len(values)
        assert values[:, 1].tolist() == [-1.0] * len(values)
        assert abs(values[:, 2] + 2).max() < 0.3


async def test_a_batch_without_sets_is_several_tasks_and_one_job(single, emulator, token):
    outcome = await run(single, "garnet", TURNS, token)
    assert [unpack(member.counts) for member in outcome.members] == [[{"0": 50}, {"1": 50}], [{"1": 50}]]
    tasks = created(emulator, token)
    assert [task.order.token for task in tasks] == [f"{token}-1", f"{token}-2", f"{token}-3"]
    assert [task.order.prefix for task in tasks] == [f"quire/{token}/{index}" for index in (1, 2, 3)]
    assert outcome.execution.cost_usd == pytest.approx(3 * 0.3 + 150 * 0.00145)
    assert single.cost("garnet", TURNS).usd == pytest.approx(outcome.execution.cost_usd)


async def test_a_token_is_one_job_whoever_calls_again(make, emulator, token):
    first = make().submit("slow", ONE, token)
    other = make()
    assert other.submit("slow", ONE, token) == first
    assert other.status(first) == "queued"
    assert len(created(emulator, token)) == 1
    with pytest.raises(LookupError, match="queued"):
        other.retrieve("slow", ONE, first)


def test_an_answer_that_is_lost_is_ambiguous_and_the_job_is_found(make, emulator, token):
    emulator.arm(Rule(kind="timeout-applied", answer="cut", count=1))
    provider = make()
    with pytest.raises(Ambiguous) as lost:
        provider.submit("slow", ONE, token)
    assert lost.value.found.applied == "maybe"
    (found,) = make().find("slow", token, since())
    assert (found.token, found.backend, found.status, found.complete) == (token, "slow", "queued", True)
    assert provider.submit("slow", ONE, token) == found.job_id
    assert len(created(emulator, token)) == 1


def test_a_call_that_hangs_is_given_up_as_ambiguous(make, emulator, token):
    emulator.arm(Rule(kind="timeout-applied", hold=30.0, count=1))
    provider = make(seconds=1.0)
    provider.capabilities("slow")
    with pytest.raises(Ambiguous):
        provider.submit("slow", ONE, token)
    assert len(created(emulator, token)) == 1


def test_a_call_whose_time_is_over_is_not_made(provider, emulator, token):
    provider.capabilities("slow")
    with pytest.raises(Transient) as late:
        provider.submit("slow", ONE, token, deadline=SystemClock().monotonic() + 0.2)
    assert late.value.code == "too-late"
    assert provider.find("slow", token, since()) == []


@pytest.mark.parametrize(
    ("rule", "error", "code"),
    [
        (Rule(kind="throttle", retry_after=7.0), Transient, "throttled"),
        (Rule(kind="refused", status=402, code="ServiceQuotaExceededException"), Permanent, "too-many-jobs"),
        (Rule(kind="offline"), Permanent, "target-offline"),
        (Rule(kind="refused", status=403, code="AccessDeniedException"), Permanent, "not-authorised"),
    ],
    ids=lambda value: value.kind if isinstance(value, Rule) else None,
)
def test_a_refusal_is_known_for_what_it_is_and_asked_once(provider, emulator, token, rule, error, code):
    provider.capabilities("slow")
    emulator.arm(rule)
    calls = emulator.report().calls.get("create", 0)
    with pytest.raises(error) as refused:
        provider.submit("slow", ONE, token)
    assert refused.value.code == code
    assert emulator.report().calls.get("create", 0) == calls + 1
    assert classified_of(refused.value).retry_after == (7.0 if code == "throttled" else None)


def test_an_error_of_the_provider_says_nothing_of_what_was_applied(provider, emulator, token):
    provider.capabilities("slow")
    emulator.arm(Rule(kind="error", status=500))
    with pytest.raises(Ambiguous, match="provider-error"):
        provider.submit("slow", ONE, token)


def test_a_submission_cut_short_between_its_parts_is_made_whole_by_the_same_call(single, emulator, token):
    parts = iter([None, Rule(kind="throttle", count=1)])
    create = single._service.create

    def interrupted(*args, **options):
        rule = next(parts, None)
        if rule is not None:
            emulator.arm(rule)
        return create(*args, **options)

    single._service.create = interrupted
    with pytest.raises(Ambiguous):
        single.submit("slow", TURNS, token)
    (half,) = single.find("slow", token, since())
    assert (half.complete, half.status) == (False, "queued")
    job = single.submit("slow", TURNS, token)
    (whole,) = single.find("slow", token, since())
    assert (whole.job_id, whole.complete) == (job, True)
    assert [task.order.token for task in created(emulator, token)] == [f"{token}-1", f"{token}-2", f"{token}-3"]


def test_a_submission_refused_between_its_parts_leaves_nothing_behind(single, emulator, token):
    create, asked = single._service.create, []

    def refused(*args, **options):
        asked.append(options["tags"])
        if len(asked) == 3:
            emulator.arm(Rule(kind="refused", status=403, code="AccessDeniedException"))
        return create(*args, **options)

    single._service.create = refused
    with pytest.raises(Permanent, match="not-authorised"):
        single.submit("slow", TURNS, token)
    (half,) = single.find("slow", token, since())
    assert (half.complete, half.status) == (False, "cancelled")


def test_only_jobs_of_this_installation_are_listed(make, emulator, token):
    ours, theirs = make(), make(prefix="other")
    job = ours.submit("slow", ONE, token)
    foreign = theirs.submit("slow", ONE, f"{token}-x")
    listed = [found.job_id for found in ours.listed(since())]
    assert job in listed
    assert foreign not in listed
    assert [found.job_id for found in theirs.listed(since())] == [foreign]
    assert theirs.find("slow", token, since()) == []


def test_a_search_that_lags_finds_nothing_yet(provider, emulator, token):
    emulator.arm(Rule(kind="lagging-search", delay=3600.0, count=1))
    provider.submit("slow", ONE, token)
    assert provider.find("slow", token, since()) == []


def test_a_job_is_cancelled_at_the_provider_as_often_as_it_is_asked(make, token):
    provider = make()
    job = provider.submit("slow", ONE, token)
    provider.cancel(job)
    provider.cancel(job)
    assert provider.status(job) == "cancelled"
    with pytest.raises(Transient) as over:
        make().retrieve("slow", ONE, job)
    assert over.value.code == "cancelled-at-provider"


async def test_a_task_that_is_over_is_not_asked_for_again(provider, emulator, token):
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    asked = emulator.report().calls["get"]
    provider.retrieve("garnet", ONE, job)
    assert provider.status(job) == "done"
    assert emulator.report().calls["get"] == asked


async def test_a_job_that_is_over_stays_as_it_is(provider, token):
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    provider.cancel(job)
    assert provider.status(job) == "done"


def test_a_job_that_nobody_knows_is_unknown_and_not_failed(provider):
    job = "arn:aws:braket:eu-north-1:123456789012:quantum-task/00000000-0000-0000-0000-000000000000"
    assert provider.status(job) == "unknown"
    provider.cancel(job)
    with pytest.raises(LookupError):
        provider.retrieve("garnet", ONE, job)


async def test_a_task_that_failed_says_why_in_our_words(provider, emulator, token):
    emulator.arm(Rule(kind="failed", message="secret words of the provider", count=1))
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "failed")
    with pytest.raises(Transient) as failed:
        provider.retrieve("garnet", ONE, job)
    assert "secret" not in str(failed.value)


async def test_a_result_that_is_withheld_is_unfetched_and_not_failed(provider, emulator, token):
    emulator.arm(Rule(kind="withheld", count=1))
    job = provider.submit("garnet", ONE, token)
    await eventually(lambda: provider.status(job) == "done")
    with pytest.raises(Unfetched) as missing:
        provider.retrieve("garnet", ONE, job)
    assert missing.value.found.fault.code == "result-not-there"


async def test_of_a_partial_result_the_member_that_did_not_run_is_named_and_the_others_keep_theirs(
    provider, emulator, token
):
    emulator.arm(Rule(kind="partial", count=1))
    ran, failed = (await run(provider, "garnet", TURNS, token)).members
    assert unpack(ran.counts) == [{"0": 50}, {"1": 50}]
    assert (failed.counts, failed.fault.code, failed.fault.retryable) == (None, "execution-failed", True)


async def test_a_result_of_which_nothing_ran_is_a_failure(provider, emulator, token):
    emulator.arm(Rule(kind="partial", count=1, share=0.0))
    with pytest.raises(Transient):
        await run(provider, "garnet", TURNS, token)


async def test_half_of_one_programs_shots_is_not_passed_off_as_all(provider, emulator, token):
    emulator.arm(Rule(kind="partial", count=1))
    with pytest.raises((Transient, Permanent, ValueError)):
        await run(provider, "garnet", ONE, token)


def test_what_a_spending_limit_would_refuse_is_not_asked_for(make, emulator, token):
    assert make(task_usd=100.0).submit("dear", ONE, token)
    calls, poor = emulator.report().calls, make(task_usd=100.0)
    for _ in range(2):
        with pytest.raises(Permanent) as refused:
            poor.submit("dear", ONE, f"{token}-2")
        assert (refused.value.kind, refused.value.code) == ("spend", "spending-limit")
    asked = emulator.report().calls
    assert (asked["create"], asked["limits"]) == (calls["create"], calls["limits"] + 1)
    with pytest.raises(Permanent) as refused:
        make(watch_spending=False).submit("dear", ONE, f"{token}-3")
    assert refused.value.code == "spending-limit"


def test_the_provider_says_whether_a_device_is_there(provider):
    assert provider.window("garnet").open
    assert provider.window("garnet").calibration_id != "none"
    away = provider.window("away")
    assert (away.open, away.reason) == (False, "the device is offline")


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (Work(TURN_MEASURED, (angles(0.0),), None, (normalise({"Z": 1.0}, 1),)), "unsupported-exact"),
        (replace(ONE, shots=20_001), "unsupported-shots"),
        (Work(Structure(21, 1, 0, BELL.operations[:1]), (Member(np.zeros((1, 0))),), 10), "unsupported-width"),
    ],
)
def test_what_the_device_does_not_take_is_not_sent(provider, emulator, token, work, code):
    provider.capabilities("garnet")
    before = emulator.report().calls.get("create", 0)
    with pytest.raises(Permanent) as refused:
        provider.submit("garnet", work, token)
    assert refused.value.code == code
    assert emulator.report().calls.get("create", 0) == before


def test_a_batch_of_too_many_tasks_is_refused(make, token):
    provider = make(tasks=2)
    provider._devices["slow"] = replace(provider._describe("slow"), sets=None)
    with pytest.raises(Permanent) as refused:
        provider.submit("slow", TURNS, token)
    assert refused.value.kind == "invalid"


def test_a_device_that_is_not_named_is_not_there(provider):
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.capabilities("qpu9")
    with pytest.raises(Permanent, match="unsupported-target"):
        AwsProvider(AwsSettings(devices={"x": "arn:aws:braket:eu-north-1::device/qpu/iqm/X"}), SystemClock()).find(
            "y", "t", since()
        )


def test_without_a_bucket_the_accounts_usual_one_is_meant(make):
    assert make(bucket="", account="123456789012")._service._bucket(DEVICES["garnet"]) == (
        "amazon-braket-eu-north-1-123456789012"
    )
    with pytest.raises(Permanent, match="provider-misconfigured"):
        make(bucket="").capabilities("garnet")


def test_devices_are_off_until_they_are_named():
    assert "aws" not in open_catalog(Settings(), SystemClock())
    named = Settings(aws_devices={"garnet": DEVICES["garnet"], "forte": DEVICES["forte"]}, targets=("aws:gar*",))
    catalog = open_catalog(named, SystemClock())
    assert list(catalog) == ["aws"]
    provider, backend = find(catalog, "aws:garnet")
    assert (provider.identity_mode(backend), provider.identity(backend)) == ("token", None)
    assert provider.site(backend) == Site("aws", "default", "eu-north-1", "garnet")
    with pytest.raises(Permanent, match="unsupported-target"):
        provider.cost("forte", ONE)


def test_a_device_says_how_good_it_is_and_compiles_for_itself(provider):
    provider.capabilities("garnet")
    snapshot = provider.snapshots()["garnet"]
    assert not provider.compiles
    assert snapshot.calibration_id == provider.window("garnet").calibration_id
    assert 0 < snapshot.figures.two_qubit_error < 0.2
    assert 0 < snapshot.figures.readout_error < 0.2


def test_mitigation_is_refused_because_the_service_compiles_what_it_runs(provider, emulator, token):
    work = Work(BELL, (Member(np.zeros((1, 0))),), 20, mitigation=Mitigation(readout=Readout()))
    with pytest.raises(Permanent) as caught:
        provider.submit("garnet", work, token)
    assert (caught.value.kind, caught.value.code) == ("invalid", "unsupported-mitigation")
    assert created(emulator, token) == []
