"""The engine's threads: turns between batches, room for what fits, errors handed back."""

from __future__ import annotations

import threading

import pytest

from quire_gpu_simulation.engine.team import Team


@pytest.fixture
def team():
    made = Team(1, 100)
    yield made
    made.close()


def test_batches_get_blocks_in_turn(team):
    """A long batch and a short one that comes later: after the block at work they alternate."""
    begun, go, order = threading.Event(), threading.Event(), []

    def first():
        begun.set()
        go.wait()

    long = threading.Thread(target=team.run, args=([first, *(lambda: order.append("long") for _ in range(4))], 1))
    long.start()
    begun.wait()
    short = threading.Thread(target=team.run, args=([lambda: order.append("short") for _ in range(2)], 1))
    short.start()
    while len(team._waiting) < 2:
        short.join(0.001)
    go.set()
    long.join()
    short.join()
    assert order == ["long", "short", "long", "short", "long", "long"]


def test_blocks_beside_each_other_fit_into_the_memory():
    team, lock, sizes, most = Team(4, 100), threading.Lock(), [0], []

    def block(size):
        with lock:
            sizes[0] += size
            most.append(sizes[0])
        with lock:
            sizes[0] -= size

    runs = [
        threading.Thread(target=team.run, args=([lambda size=size: block(size)] * 200, size)) for size in (60, 50, 40)
    ]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    team.close()
    assert len(most) == 600
    assert max(most) <= 100


def test_a_block_larger_than_the_memory_runs_alone(team):
    done = []
    team.run([lambda: done.append(1)] * 3, 1_000)
    assert done == [1, 1, 1]


def test_an_error_is_the_callers_and_the_next_batch_runs(team):
    done = []

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        team.run([fails, lambda: done.append("after")], 1)
    assert done == []
    team.run([lambda: done.append("next")], 1)
    assert done == ["next"]


def test_nothing_to_do_is_done(team):
    team.run([], 1)


def test_a_closed_team_takes_nothing():
    team = Team(1, 1)
    team.close()
    with pytest.raises(RuntimeError, match="closed"):
        team.run([lambda: None], 1)
