"""What is asked of every emulated cloud."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from quire_quantum.executor import Member, Work
from quire_testing import eventually
from quire_testing.executor_suite import BELL, TURN_MEASURED


def angles(*values):
    return Member(np.array(values, dtype=float).reshape(-1, 1))


ONE = Work(BELL, (Member(np.zeros((1, 0))),), 20)
TURNS = Work(TURN_MEASURED, (angles(0.0, np.pi), angles(np.pi)), 50)


def since():
    return datetime.now(UTC) - timedelta(minutes=1)


async def run(provider, backend, work, token):
    job = provider.submit(backend, work, token)
    await eventually(lambda: provider.status(job) not in ("queued", "running"))
    return provider.retrieve(backend, work, job)
