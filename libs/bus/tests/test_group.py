"""Merged or alone, a write has the same outcome: against a small model of the broker's atomic batches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_bus import group
from quire_bus.errors import Conflict, Unknown
from quire_bus.message import parse_head
from quire_bus.store import Acked, Part, Store
from quire_bus.wire import NoAnswer, Wire


@dataclass
class Model:
    """The broker as ADR-50 describes it, for one stream; `lose` says what becomes of each commit or of its answer."""

    lose: list[str] = field(default_factory=list)
    log: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    tries: list[int] = field(default_factory=list)
    _staged: dict[str, list[tuple[str, bytes, dict[str, str]]]] = field(default_factory=dict)

    command = staticmethod(Wire.command)

    def newest(self, subject):
        return next((place for place in range(len(self.log), 0, -1) if self.log[place - 1][0] == subject), 0)

    def write(self, pieces):
        for first in range(0, len(pieces), 4):
            command, head, body, _ = pieces[first : first + 4]
            headers = parse_head(head)
            self._staged.setdefault(headers["Nats-Batch-Id"], []).append((command.split()[1].decode(), body, headers))

    async def ask(self, subject, body, head=b""):
        await asyncio.sleep(0)
        if subject.startswith("$JS.API.STREAM.MSG.GET"):
            return b"", self._read(msgspec.json.decode(body)["last_by_subj"])
        fate = self.lose.pop(0) if self.lose else "answered"
        headers = parse_head(head)
        batch = [*self._staged.pop(headers.get("Nats-Batch-Id", ""), []), (subject, body, headers)]
        if fate == "request lost":
            raise NoAnswer(swallowed=False)
        answer = self._commit(batch)
        if fate == "answer lost":
            raise NoAnswer(swallowed=False)
        return b"", msgspec.json.encode(answer)

    def _commit(self, batch):
        self.tries.append(len(batch))
        known = {
            headers["Nats-Msg-Id"]: place
            for place, (_, _, headers) in enumerate(self.log, 1)
            if "Nats-Msg-Id" in headers
        }
        subjects = [subject for subject, _, _ in batch]
        for index, (subject, _, headers) in enumerate(batch):
            if (id_ := headers.get("Nats-Msg-Id")) in known:
                return {"seq": known[id_], "duplicate": True} if len(batch) == 1 else _error(10201)
            expected = headers.get("Nats-Expected-Last-Subject-Sequence")
            if expected is not None and (int(expected) != self.newest(subject) or subject in subjects[:index]):
                return _error(10071)
        self.log += batch
        self.commits.append(len(batch))
        return {"seq": len(self.log)}

    def _read(self, subject):
        place = self.newest(subject)
        if not place:
            return b'{"error":{"code":404}}'
        _, body, headers = self.log[place - 1]
        block = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        found = {"subject": subject, "seq": place, "time": "2026-01-01T00:00:00Z", "data": body, "hdrs": block.encode()}
        return msgspec.json.encode({"message": found})


def _error(code):
    return {"error": {"code": 400, "err_code": code, "description": "no"}}


def store_of(model):
    return Store(SimpleNamespace(wire=model, settings=SimpleNamespace(timeout_seconds=1.0)))


SUBJECTS = st.sampled_from("abcdefgh")
IDS = st.sampled_from("123456789")


@st.composite
def write(draw):
    """Two to four parts: some guarded at 0, some with an id that others use too."""
    guarded = draw(st.lists(SUBJECTS, max_size=2, unique=True))
    ids = draw(st.lists(IDS, min_size=2 - min(2, len(guarded)), max_size=2, unique=True))
    said = [Part(f"said.{id_}", b"x", id=id_) for id_ in ids]
    parts = [*(Part(subject, b"r", expected=0) for subject in guarded), *said]
    return parts if len(parts) > 1 else [*parts, Part("plain", b"p")]


async def outcomes_of(model, writes):
    store = store_of(model)
    return await asyncio.gather(*(store.write(parts) for parts in writes), return_exceptions=True)


async def one_after_the_other(model, writes):
    store, results = store_of(model), []
    for parts in writes:
        results += await asyncio.gather(store.write(parts), return_exceptions=True)
    return results


def kind(outcome):
    return (type(outcome), sorted(outcome.subjects)) if isinstance(outcome, Conflict) else type(outcome)


@settings(max_examples=150)
@given(st.lists(write(), max_size=12))
def test_merged_writes_have_the_outcomes_of_single_ones(writes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "_UNDER_WAY", 1)  # several at a time may come in another order, as several clients may
        merged, single = Model(), Model()
        together = asyncio.run(outcomes_of(merged, writes))
        apart = asyncio.run(one_after_the_other(single, writes))
    assert [kind(outcome) for outcome in together] == [kind(outcome) for outcome in apart]
    assert sorted(subject for subject, _, _ in merged.log) == sorted(subject for subject, _, _ in single.log)


@settings(max_examples=200)
@given(
    st.lists(write(), min_size=1, max_size=12),
    st.lists(st.sampled_from(["answered", "answered", "answer lost", "request lost"]), max_size=20),
)
def test_whatever_is_lost_each_write_is_stored_whole_and_once_or_not_at_all(writes, fates):
    model = Model(lose=fates)
    outcomes = asyncio.run(outcomes_of(model, writes))
    for parts, outcome in zip(writes, outcomes, strict=True):
        assert isinstance(outcome, (Acked, Conflict, Unknown)), outcome
        guards = [part.subject for part in parts if part.expected is not None]
        if isinstance(outcome, Acked) and guards:
            first = outcome.sequence - len(parts)
            stored = model.log[first : outcome.sequence]
            assert [subject for subject, _, _ in stored] == [part.subject for part in parts]
            assert all(model.newest(subject) in range(first + 1, outcome.sequence + 1) for subject in guards)
        elif isinstance(outcome, Conflict):
            assert all(model.newest(subject) for subject in outcome.subjects)
    for subject in "abcdefgh":
        assert sum(each == subject for each, _, _ in model.log) <= 1  # each guard was kept
        winners = [
            outcome
            for parts, outcome in zip(writes, outcomes, strict=True)
            if isinstance(outcome, Acked) and any(part.subject == subject and part.expected == 0 for part in parts)
        ]
        assert len(winners) <= 1


async def test_what_is_ready_together_is_one_batch_and_one_answer():
    model = Model()
    writes = [[Part(f"r{number}", b"", expected=0), Part(f"e{number}", b"", id=f"{number}")] for number in range(50)]
    outcomes = await outcomes_of(model, writes)
    assert model.commits == [100]
    assert [outcome.sequence for outcome in outcomes] == list(range(2, 101, 2))


async def test_a_batch_is_bounded_in_parts_and_bytes():
    model = Model()
    await outcomes_of(model, [[Part(f"r{number}-{part}", b"") for part in range(100)] for number in range(7)])
    assert max(model.commits) <= 300
    assert sum(model.commits) == 700
    model = Model()
    await outcomes_of(model, [[Part(f"r{number}-{part}", b"x" * 100_000) for part in range(2)] for number in range(9)])
    assert max(model.commits) <= 10
    assert sum(model.commits) == 18


async def test_one_stale_write_costs_the_others_nothing_but_time():
    model = Model()
    await store_of(model).write([Part("taken", b""), Part("x", b"")])
    writes = [[Part(f"r{number}", b"", expected=0), Part(f"e{number}", b"")] for number in range(20)]
    writes[7] = [Part("taken", b"", expected=0), Part("e7", b"")]
    outcomes = await outcomes_of(model, writes)
    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)] == [7]
    assert outcomes[7].subjects == ("taken",)
    assert len(model.log) == 2 + 38


async def test_whoever_was_overtaken_is_found_by_one_look_and_the_others_go_again_as_one():
    model = Model()
    await store_of(model).write([Part(f"taken{number}", b"") for number in range(6)])
    writes = [[Part(f"r{number}", b"", expected=0), Part(f"e{number}", b"")] for number in range(16)]
    for number in range(6):
        writes[2 * number] = [Part(f"taken{number}", b"", expected=0), Part(f"e{2 * number}", b"")]
    outcomes = await outcomes_of(model, writes)
    overtaken = {number: outcome.subjects for number, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)}
    assert overtaken == {2 * number: (f"taken{number}",) for number in range(6)}
    assert model.tries == [6, 32, 20], "ten of sixteen do not wait until six others are refused one by one"


async def test_a_write_that_nobody_waits_for_any_more_is_not_sent():
    model = Model()
    store = store_of(model)
    gone = asyncio.create_task(store.write([Part("a", b""), Part("b", b"")]))
    staying = asyncio.create_task(store.write([Part("c", b""), Part("d", b"")]))
    await asyncio.sleep(0)
    gone.cancel()
    await staying
    assert [subject for subject, _, _ in model.log] == ["c", "d"]
