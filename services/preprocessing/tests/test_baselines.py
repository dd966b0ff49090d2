"""A problem's baseline is worked out once, and is the same for every job that asks for it, in every process."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from quire_contracts.problems import MaxCut
from quire_contracts.value import Observable
from quire_preprocessing.cache.bounded import HITS, MISSES
from quire_preprocessing.cache.fleet_baselines import BUCKET, BrokerBaselines, StoredBaseline
from quire_preprocessing.classical import baselines as baselines_module
from quire_preprocessing.classical.baseline import Budget
from quire_preprocessing.classical.baselines import KEPT_SECONDS, Baselines
from quire_resilience.errors import Permanent, Transient
from quire_service.metrics import no_meter

RING = MaxCut(edges=tuple((i, (i + 1) % 9, 1.0) for i in range(9)))
ISING = Observable(labels=("ZZ", "XI"), coefficients=(1.0, 0.5))


class Alone:
    """A fleet of one: nobody else knows anything."""

    async def get(self, _):
        return None

    async def put(self, *_):
        return None


@pytest.fixture
def runs():
    """What was worked out."""
    return []


@pytest.fixture
def make_baselines(clock, runs):
    with ThreadPoolExecutor(2) as threads:

        def run(work):
            runs.append(work)
            return asyncio.get_running_loop().run_in_executor(threads, work)

        def make(fleet=None, most_bytes=2**20, exact_qubits=16, meter=None, **budget):
            kept = {"exact_qubits": exact_qubits, "most_bytes": most_bytes, "meter": meter or no_meter()}
            return Baselines(clock, run, fleet or Alone(), Budget(**budget), **kept)

        yield make


@pytest.fixture
def shared(bus):
    """The fleet's baselines on a real broker."""
    return BrokerBaselines(bus.bucket(BUCKET, StoredBaseline))


async def test_a_known_problem_has_the_same_bytes_and_costs_nothing(make_baselines, runs):
    baselines = make_baselines(seconds=0.02, exact_variables=0)
    first = await baselines.of(RING)
    again = await baselines.of(MaxCut(edges=RING.edges))
    assert len(runs) == 1
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    anew = await make_baselines(seconds=0.02, exact_variables=0).of(RING)
    assert len(runs) == 2
    assert msgspec.json.encode(anew.baseline) == msgspec.json.encode(first.baseline)


async def test_equal_problems_that_come_at_a_time_are_worked_out_once(make_baselines, runs):
    baselines = make_baselines()
    found = await asyncio.gather(*(baselines.of(RING) for _ in range(8)))
    assert len(runs) == 1
    assert found == found[:1] * 8
    await asyncio.gather(*(baselines.ground(ISING) for _ in range(8)))
    assert len(runs) == 2, "a Hamiltonian's too"


async def test_another_problem_is_worked_out_by_itself(make_baselines, runs):
    baselines = make_baselines()
    heavier = MaxCut(edges=tuple((i, j, 2 * w) for i, j, w in RING.edges))
    one, two = await baselines.of(RING), await baselines.of(heavier)
    assert (one.baseline.value, two.baseline.value, len(runs)) == (8.0, 16.0, 2)


async def test_what_is_old_or_has_no_room_is_worked_out_again(make_baselines, runs, clock):
    baselines = make_baselines()
    await baselines.of(RING)
    clock.advance(KEPT_SECONDS + 1)
    await baselines.of(RING)
    assert len(runs) == 2
    small = make_baselines(most_bytes=10)
    for _ in range(2):
        await small.of(RING)
    assert len(runs) == 4


async def test_what_one_process_has_worked_out_another_one_is_told(make_baselines, shared, runs):
    first = await make_baselines(shared).of(RING)
    ground = await make_baselines(shared).ground(ISING)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    other = make_baselines(shared, meter=provider.get_meter("test"))
    assert msgspec.json.encode([await other.of(RING), await other.ground(ISING)]) == msgspec.json.encode(
        [first, ground]
    )
    assert len(runs) == 2
    (resource,) = reader.get_metrics_data().resource_metrics
    counted = {
        (metric.name, point.attributes["quire.cache.name"]): point.value
        for metric in resource.scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    provider.shutdown()
    assert counted == {(HITS, "fleet baselines"): 2, (MISSES, "baselines"): 2}


async def test_other_methods_or_another_allowance_share_nothing(make_baselines, shared, runs, monkeypatch):
    await make_baselines(shared).of(RING)
    await make_baselines(shared).ground(ISING)
    await make_baselines(shared, exact_variables=0, seconds=0.02).of(RING)
    await make_baselines(shared, exact_qubits=0).ground(ISING)
    assert len(runs) == 4
    monkeypatch.setattr(baselines_module, "_methods", lambda: b"of the next release")
    await make_baselines(shared).of(RING)
    assert len(runs) == 5


class Broken:
    """A bucket that cannot be read and is full."""

    def __init__(self, error):
        self.error = error

    async def get(self, _):
        raise self.error

    async def put(self, *_):
        raise self.error


@pytest.mark.parametrize(
    "error", [Transient("away", code="unknown-outcome"), Permanent("too-large", "too large")], ids=["away", "full"]
)
async def test_a_bucket_that_is_full_or_away_costs_the_work_and_no_job(make_baselines, runs, error):
    for _ in range(2):
        assert (await make_baselines(BrokerBaselines(Broken(error))).of(RING)).baseline.value == 8.0
    assert len(runs) == 2
