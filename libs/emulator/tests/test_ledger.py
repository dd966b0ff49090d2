"""The checker, on ledgers written by hand: each thing it shall find, and nothing else."""

import asyncio

import pytest

from quire_emulator.entries import Applied, Called, Moved, Opened, Order, Promised
from quire_emulator.ledger import FILE, check, identity, outstanding, read
from quire_emulator.writing import LedgerWriter


def _order(token="", tags=(), api="braket"):
    return Order(
        api=api,
        device="d",
        shots=1,
        body="{}",
        request="r",
        token=token,
        tags=tags if isinstance(tags, dict) else dict.fromkeys(tags, ""),
    )


def _applied(job, call=1, **order):
    return Applied(at=1.0, call=call, job=job, order=_order(**order), ready=1.0, price=0.5)


def _called(call, operation="create", **more):
    return Called(at=1.0, call=call, api="braket", operation=operation, **more)


def test_a_clean_ledger_is_clean():
    lines = [Opened(at=0.0, seed=1), _called(1), _applied("a", token="t"), Moved(at=2.0, job="a", status="COMPLETED")]
    report = check(lines, ["t"])
    assert (report.applied, report.lost, report.doubled, report.orphans) == (1, (), (), ())
    assert (report.ended, report.spent, report.creates_per_job) == ({"COMPLETED": 1}, 0.5, 1.0)


def test_two_jobs_of_one_token_are_doubled_also_when_one_was_cancelled():
    lines = [_applied("a", token="t"), _applied("b", token="t"), Moved(at=2.0, job="b", status="CANCELLED")]
    (doubled,) = check(lines).doubled
    assert (doubled.identity, doubled.jobs) == ("t", ("a", "b"))


def test_two_jobs_of_one_tag_are_doubled_where_tags_are_the_identity():
    lines = [_applied(job, tags=["quire-x", "other"], api="ibm") for job in "ab"]
    assert check(lines).doubled == ()
    (doubled,) = check(lines, prefix="quire-").doubled
    assert doubled.identity == "quire-x"


def test_parts_of_one_submission_are_told_apart_by_several_tags():
    parts = [
        _applied(job, token=job, tags={"quire-token": "t", "quire-part": part}) for job, part in ("a1", "b2", "c2")
    ]
    (doubled,) = check(parts, keys=("quire-token", "quire-part")).doubled
    assert (doubled.identity, doubled.jobs) == ("t/2", ("b", "c"))
    assert check(parts, keys=("quire-token", "none")).doubled == ()


def test_what_was_expected_and_not_applied_is_lost_and_the_unexpected_an_orphan():
    report = check([_applied("a", token="t"), _applied("b", token="u"), _applied("c")], ["t", "v"])
    assert (report.lost, report.orphans) == (("v",), ("b", "c"))


def test_calls_are_counted_by_operation_and_fault():
    lines = [
        _called(1, fault="throttle"),
        _called(2),
        _applied("a", call=2, token="t"),
        _called(3, "get"),
        _called(4, "get"),
    ]
    report = check(lines)
    assert (report.calls, report.faults) == ({"create": 2, "get": 2}, {"throttle": 1})
    assert (report.creates_per_job, report.calls_per_job) == (2.0, 4.0)


def test_one_api_may_be_looked_at_alone():
    lines = [_applied("a", token="t"), _applied("b", api="anonymous"), Moved(at=2.0, job="b", status="COMPLETED")]
    report = check(lines, apis=("braket",))
    assert (report.applied, report.ended) == (1, {"": 1})


@pytest.mark.parametrize(
    ("order", "prefix", "expected"),
    [
        ({"token": "t", "tags": ["quire-x"]}, "quire-", "t"),
        ({"tags": ["quire-x"]}, "quire-", "quire-x"),
        ({"tags": ["quire-x"]}, "", ""),
        ({}, "quire-", ""),
    ],
)
def test_an_identity_is_what_the_caller_gave(order, prefix, expected):
    assert identity(_applied("a", **order), prefix) == expected


def test_a_promise_is_outstanding_until_it_is_kept():
    lines = [Promised(at=1.0, call=call, due=10.0 - call, order=_order("t")) for call in (1, 2)]
    assert [promise.call for promise in outstanding(lines)] == [2, 1]
    assert [promise.call for promise in outstanding([*lines, _applied("a", call=2)])] == [1]


async def test_what_is_written_together_is_read_in_order(tmp_path):
    lines = [_called(call, token=f"t{call}") for call in range(200)]
    with LedgerWriter(tmp_path) as writer:

        async def one(line):
            writer.write(line)
            await writer.settled()
            assert line in set(read(tmp_path))

        await asyncio.gather(*map(one, lines))
    assert list(read(tmp_path)) == lines


def test_a_torn_line_is_cut_off_and_a_broken_one_is_not_passed_over(tmp_path):
    with LedgerWriter(tmp_path) as writer:
        writer.write(_called(1))
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"what":"cal')
    assert list(read(tmp_path)) == [_called(1)]
    with LedgerWriter(tmp_path) as writer:
        writer.write(_called(2))
    assert list(read(tmp_path)) == [_called(1), _called(2)]
    (tmp_path / FILE).write_bytes(b"nonsense\n" + (tmp_path / FILE).read_bytes())
    with pytest.raises(ValueError, match="JSON"):
        list(read(tmp_path))
