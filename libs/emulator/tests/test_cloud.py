"""The cloud behind its doors, with time as an argument: queues, turns, windows, limits, and what a token is worth."""

import msgspec
import pytest

from quire_emulator.cloud import Cloud
from quire_emulator.configuration import Configuration, Device, Maintenance, SpendingLimit
from quire_emulator.entries import Order
from quire_emulator.refusals import Refusal
from quire_emulator.rules import Rule

T = 1000.0


class House:
    """A cloud and its lines; `again` is its next life."""

    def __init__(self, **device):
        more = {name: device.pop(name) for name in ("spending_limits", "token_seconds", "faults") if name in device}
        self.configuration = Configuration(seed=1, devices=(Device(name="d", arn="d", **device),), **more)
        self.lines = []
        self.again()

    def again(self, now=T):
        self.cloud = Cloud(self.configuration, tuple(self.lines), self.lines.append, now, 1)
        return self.cloud

    def order(self, token, shots=1):
        return Order(api="braket", device="d", shots=shots, body="{}", request=f"{shots}", token=token)

    def make(self, token, now=T, shots=1):
        """A job, as a door would make it."""
        order, call = self.order(token, shots), self.cloud.next_call()
        self.cloud.admit(order, now)
        return self.cloud.known(order, now) or self.cloud.apply(order, call, now)

    def advance(self, now):
        for job in self.cloud.advance(now):
            self.cloud.end(job, now, good=job.order.shots)
        return [job.status for job in self.cloud.jobs()]


def test_jobs_run_in_their_turn_and_only_so_many_at_once():
    house = House(wait=(5.0, 5.0), runs_at_once=2, job_seconds=3.0)
    for turn in range(3):
        house.make(f"t{turn}", T + turn)
    assert house.advance(T + 4.9) == ["QUEUED"] * 3
    assert house.advance(T + 7.5) == ["RUNNING", "RUNNING", "QUEUED"]
    assert house.advance(T + 10.4) == ["RUNNING", "RUNNING", "QUEUED"]
    house.advance(T + 10.5)
    assert house.advance(T + 10.5) == ["COMPLETED", "COMPLETED", "RUNNING"]


def test_a_run_lasts_as_long_as_its_shots():
    house = House(job_seconds=1.0, shot_seconds=0.01)
    house.make("t", shots=100)
    assert [house.advance(T + after) for after in (0.0, 1.9, 2.0)] == [["RUNNING"], ["RUNNING"], ["COMPLETED"]]


def test_waits_lie_between_the_least_and_the_most():
    house = House(wait=(10.0, 20.0))
    waits = [house.make(f"t{turn}").made.ready - T for turn in range(200)]
    assert 10.0 <= min(waits) < 11.0
    assert 19.0 < max(waits) <= 20.0


def test_nothing_starts_while_the_device_is_away():
    house = House(maintenance=(Maintenance(after=10.0, lasts=20.0),), wait=(15.0, 15.0))
    house.make("t")
    assert house.cloud.away(house.configuration.devices[0], T + 15.0) == ("maintenance", T + 30.0)
    assert house.advance(T + 29.9) == ["QUEUED"]
    assert house.advance(T + 30.0) == ["COMPLETED"]


def test_windows_count_from_the_first_life():
    house = House(maintenance=(Maintenance(after=10.0, lasts=20.0),))
    cloud = house.again(T + 15.0)
    with pytest.raises(Refusal, match="maintenance"):
        cloud.admit(house.order("t"), T + 15.0)


def test_only_so_many_creates_a_second():
    house = House(creates_per_second=2.0)
    house.make("a")
    house.make("b")
    with pytest.raises(Refusal) as refused:
        house.make("c")
    assert refused.value.why == "throttled"
    house.make("c", T + 0.5)
    with pytest.raises(Refusal):
        house.make("d", T + 0.6)


def test_a_retired_device_is_gone_for_good():
    house = House(retired=True)
    with pytest.raises(Refusal) as refused:
        house.make("t")
    assert refused.value.why == "retired"


def test_a_limit_counts_what_waits_and_what_ran_and_not_what_was_cancelled():
    house = House(task_price=1.0, wait=(5.0, 5.0), spending_limits=(SpendingLimit(device="d", amount=2.5),))
    first, second = house.make("a"), house.make("b")
    with pytest.raises(Refusal, match=r"\$2\.50"):
        house.make("c")
    house.cloud.cancel(second, T)
    house.make("c")
    house.advance(T + 5.0)
    assert first.status == "COMPLETED"
    with pytest.raises(Refusal):
        house.make("d", T + 6.0)


def test_a_token_is_forgotten_in_time():
    house = House(token_seconds=60.0)
    first = house.make("t")
    assert house.make("t", T + 60.0) is first
    assert house.make("t", T + 61.0) is not first


def test_a_token_lives_on_in_the_next_life():
    house = House()
    first = house.make("t")
    house.again()
    assert house.make("t").id == first.id
    with pytest.raises(Refusal, match="other parameters"):
        house.make("t", shots=2)


def test_a_promise_is_kept_once_and_not_where_its_token_was_used():
    house = House()
    for token in ("a", "b"):
        house.cloud.promise(house.order(token), house.cloud.next_call(), T + 5.0, T)
    used = house.make("a", T + 1.0)
    house.again(T + 2.0)
    house.advance(T + 4.9)
    assert len(house.cloud.register.jobs) == 1
    house.advance(T + 5.0)
    house.advance(T + 6.0)
    assert [job.order.token for job in house.cloud.jobs()] == ["a", "b"]
    assert house.make("a").id == used.id
    assert not house.cloud.register.promised


def test_a_cancelled_run_stays_cancelled():
    house = House(job_seconds=5.0)
    job = house.make("t")
    house.advance(T)
    assert job.status == "RUNNING"
    assert house.cloud.cancel(job, T + 1.0)
    house.cloud.end(job, T + 5.0, good=1)
    assert (job.status, job.ended, house.cloud.cancel(job, T + 6.0)) == ("CANCELLED", T + 1.0, False)


def test_the_next_life_is_what_the_lines_say():
    house = House(wait=(1.0, 9.0), runs_at_once=1, job_seconds=2.0, faults=(Rule(kind="failed", id="f", rate=0.5),))
    for turn in range(20):
        house.make(f"t{turn}", T + turn)
        house.advance(T + turn)
    before, register = [(job.id, job.status, job.moved, job.made) for job in house.cloud.jobs()], house.cloud.register
    house.again(T + 20.0)
    after = house.cloud.register
    assert [(job.id, job.status, job.moved, job.made) for job in house.cloud.jobs()] == before
    assert (after.queues, after.running, after.spent) == (register.queues, register.running, register.spent)
    assert after.starts == 2
    assert house.cloud.book.happened("f") == sum(bool(job.made.fails) for job in house.cloud.jobs()) > 0


def test_every_line_is_one_line_of_json():
    house = House()
    house.make("t")
    house.advance(T)
    decoded = [msgspec.json.decode(msgspec.json.encode(line), type=type(line)) for line in house.lines]
    assert decoded == house.lines
