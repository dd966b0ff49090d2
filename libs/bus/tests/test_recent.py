"""What a process remembers of what it has done."""

import pytest

from quire_bus.errors import AlreadyDone
from quire_bus.recent import RecentMarks


def test_what_is_done_or_being_done_is_not_begun_again():
    recent = RecentMarks()
    with recent.doing("a"):
        assert "a" in recent
        with pytest.raises(AlreadyDone) as refused, recent.doing("a"):
            raise AssertionError
    assert refused.value.subjects == ("a",)
    with pytest.raises(AlreadyDone), recent.doing("a"):
        raise AssertionError


def test_what_failed_may_be_done_again():
    recent = RecentMarks()
    with pytest.raises(ValueError, match="lost"), recent.doing("a"):
        raise ValueError("lost")
    assert "a" not in recent
    with recent.doing("a"):
        pass


def test_the_oldest_are_forgotten():
    recent = RecentMarks(most=2)
    for mark in "abc":
        with recent.doing(mark):
            pass
    assert [mark in recent for mark in "abc"] == [False, True, True]


def test_what_fails_when_it_was_forgotten_already_harms_nothing():
    recent = RecentMarks(most=1)
    with pytest.raises(ValueError, match="lost"):
        fail_after(recent, "a", "b")
    assert "b" in recent


def fail_after(recent, mark, another):
    with recent.doing(mark):
        with recent.doing(another):
            pass
        raise ValueError("lost")
