"""A job like an earlier one is prepared without parsing, without a thread, without a put, and to the same bytes."""

import asyncio
import math

import msgspec
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from quire_preprocessing.cache.bounded import Bounded
from quire_preprocessing.cache.frames import FRESH_SECONDS
from quire_preprocessing.refusal import Refused
from quire_service.metrics import no_meter

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n'


def sample(first, second, **fields):
    program = f"{HEAD}rx({first}) q[0]; cx q[0], q[1]; U({second}, 0.5, -pi/2) q[1];"
    return {"kind": "sample", "program": program, **fields}


def estimate(first, second, **fields):
    return sample(first, second, observables=[{"ZZ": 1.0, "XI": 0.5}], **fields) | {"kind": "estimate"}


async def prepared(preparer, command):
    return msgspec.json.encode((await preparer.prepare(*command)).preparation)


@pytest.mark.parametrize(
    "make",
    [
        lambda k: sample(0.1 + k, f"{k}*pi", shots=10 + k),
        lambda k: estimate(0.1 + k, 2.0 * k),
        lambda k: estimate(0.1 + k, 2.0 * k, precision=0.1 / (k + 1)),
        lambda k: sample(0.1, "t", parameters=[[0.5 * k], [0.25]]) | {"program": TURN},
        lambda k: sample(0.1, "t", parameters=[[0.5 * k]] * 1_500) | {"program": TURN},
    ],
    ids=["sample", "exact", "precise", "inputs", "sweep"],
)
async def test_a_job_like_an_earlier_one_gets_the_bytes_of_a_new_process(make_preparer, command_for, fleet, make):
    warm = make_preparer()
    for k in range(3):
        command = command_for(make(k))
        hot = await prepared(warm, command)
        assert hot == await prepared(make_preparer(), command), "the fleet knows the program"
        fleet.known.clear()
        assert hot == await prepared(make_preparer(), command), "nobody knows the program"


TURN = f"{HEAD}input float t; rx(2*t) q[0]; rz(0.25) q[1]; ry(sin(t)) q[1];"


async def test_ten_thousand_strangers_are_parsed_once(make_preparer, command_for, parsed):
    here, there = make_preparer(), make_preparer()
    jobs = [command_for(sample(0.01 * k, f"{k}/7.0", name=f"job {k}")) for k in range(1, 60)]
    answers = await asyncio.gather(*(here.prepare(*job) for job in jobs))
    answers += await asyncio.gather(*(there.prepare(*job) for job in jobs))
    assert len(parsed) == 1
    assert len({answer.preparation.structure.sha256 for answer in answers}) == 1
    assert len({answer.preparation.parameters.data.sha256 for answer in answers}) == len(jobs)


async def test_what_is_known_takes_no_thread_and_no_second_put(make_preparer, command_for, clock):
    calls = []

    async def run(work):
        calls.append(work)
        return work()

    preparer = make_preparer(run=run)
    await preparer.prepare(*command_for(estimate(0.1, 0.2)))
    assert calls
    calls.clear()
    preparer.store.puts.clear()
    await preparer.prepare(*command_for(estimate(0.3, 0.4)))
    assert calls == []
    assert preparer.store.puts == ["application/vnd.quire.float64"]
    clock.advance(FRESH_SECONDS + 1)
    await preparer.prepare(*command_for(estimate(0.3, 0.4)))
    assert len(preparer.store.puts) == 1 + 3, "what was put long ago is put again"


async def test_another_question_of_the_same_structure_is_another_frame(make_preparer, command_for):
    preparer = make_preparer()
    one = (await preparer.prepare(*command_for(estimate(0.1, 0.2)))).preparation
    other = (await preparer.prepare(*command_for({**estimate(0.1, 0.2), "observables": [{"YY": 1.0}]}))).preparation
    counted = (await preparer.prepare(*command_for(sample(0.1, 0.2)))).preparation
    assert one.structure == other.structure
    assert one.observables != other.observables
    assert (counted.observables, counted.notes == one.notes) == (None, False)


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [("1/2", "0.5", "inexact-division"), ("1e999", "1", "angle-not-finite"), ("sqrt(-2)", "1", "angle-not-finite")],
)
async def test_a_known_structure_excuses_no_angle(make_preparer, command_for, first, second, code):
    preparer = make_preparer()
    await preparer.prepare(*command_for(sample(0.1, 0.2)))
    with pytest.raises(Refused) as caught:
        await preparer.prepare(*command_for(sample(first, second)))
    assert caught.value.code == code
    assert caught.value.problems[0].reason.endswith("(line 4)") or code == "angle-not-finite"


async def test_a_known_gate_excuses_no_angle_that_its_body_cannot_work_out(make_preparer, command_for):
    def document(number):
        return sample(0, 0) | {"program": f"{HEAD}gate g(a) p {{ rx(sqrt(a)) p; }}\ng({number}) q[0];"}

    preparer = make_preparer()
    prepared = await preparer.prepare(*command_for(document(4)))
    assert prepared.preparation.parameters.data.inline == b"\0\0\0\0\0\0\0\x40"
    with pytest.raises(Refused) as caught:
        await preparer.prepare(*command_for(document(-4)))
    assert (caught.value.code, caught.value.problems[0].pointer) == ("angle-not-finite", "/program")


async def test_a_known_structure_excuses_no_size(make_preparer, command_for):
    preparer = make_preparer()
    await preparer.prepare(*command_for(estimate(0.1, 0.2, precision=0.5)))
    for fields, code in [({"precision": 1e-5}, "precision-too-fine"), ({"parameters": [[1.0]]}, "parameters-shape")]:
        with pytest.raises(Refused) as caught:
            await preparer.prepare(*command_for(estimate(0.1, 0.2, **{"precision": 0.5, **fields})))
        assert caught.value.code == code


async def test_what_no_skeleton_says_is_parsed_each_time(make_preparer, command_for, parsed):
    program = f"{HEAD}gate g(a) p {{ rx((a < 1)*a) p; }}\ng(0.5) q[0];"
    preparer = make_preparer()
    answers = [await prepared(preparer, command_for(sample(0, 0) | {"program": program})) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(parsed) == 2


async def test_hits_and_misses_are_counted(make_preparer, command_for):
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    preparer = make_preparer(meter=provider.get_meter("test"))
    for k in range(4):
        await preparer.prepare(*command_for(sample(k, 0.5)))
    (resource,) = reader.get_metrics_data().resource_metrics
    counted = {
        (metric.name, point.attributes.get("quire.cache.name")): point.value
        for metric in resource.scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    provider.shutdown()
    assert counted == {
        ("quire.cache.hits", "skeletons"): 3,
        ("quire.cache.misses", "skeletons"): 1,
        ("quire.cache.hits", "frames"): 3,
        ("quire.cache.misses", "frames"): 1,
        ("quire.programs.parsed", None): 1,
    }


def test_a_bounded_memory_forgets_what_was_used_longest_ago():
    memory = Bounded("test", 100, no_meter())
    for key in "abcd":
        memory.put(key, key.upper(), 25)
    assert memory.get("a") == "A"
    memory.put("e", "E", 20)
    assert [memory.peek(key) for key in "abcde"] == ["A", None, "C", "D", "E"]
    memory.put("c", "C", 5)
    assert (len(memory), memory.bytes) == (4, 75)
    memory.put("e", "too large", 26)
    assert (memory.peek("e"), memory.bytes) == (None, 55)


def test_a_bounded_memory_takes_no_more_than_it_may():
    memory = Bounded("test", 1_000, no_meter())
    for key in range(1_000):
        memory.put(key, key, 1 + key % 260)
        assert memory.bytes <= 1_000
    assert len(memory) >= math.floor(1_000 / 260)
