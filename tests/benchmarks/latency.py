"""Lone small sampling jobs, one after the other, at a Quire with nothing else to do: over HTTP and over the bus."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence

import msgspec
from circuits import efficient
from house import connected, stages, started
from measure import Report, command_line, median, quantile

from quire.client import Client
from quire.embedded import Embedded

TENANT = "bench"
P50_MS, P99_MS = 25.0, 60.0
WARM_UP = 20


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--jobs", type=int, default=0, help="jobs each way; by default 200, with --full 1000")
    parser.add_argument("--priority", default="research", help="the jobs' class")
    parser.add_argument("--targets", nargs="*", default=[], help="of the jobs; none leaves it to the rules")
    arguments = parser.parse_args(given)
    jobs = arguments.jobs or (1_000 if arguments.full else 200)
    asked = {"priority": arguments.priority, "targets": arguments.targets, "tenant": TENANT}
    report = Report("latency", arguments)
    with started() as quire:
        ways = {"http": over_http(quire, jobs, asked)}
        ways["bus"] = asyncio.run(over_the_bus(quire, jobs, asked))
        for stage, seconds in asyncio.run(stages(quire)).items():
            report.row(
                until=stage, jobs=len(seconds), p50_ms=1e3 * median(seconds), p99_ms=1e3 * quantile(seconds, 0.99)
            )
    for way, seconds in ways.items():
        warm = seconds[WARM_UP:]
        report.row(
            way=way,
            jobs=len(warm),
            p50_ms=1e3 * median(warm),
            p90_ms=1e3 * quantile(warm, 0.9),
            p99_ms=1e3 * quantile(warm, 0.99),
            worst_ms=1e3 * max(warm),
            first_ms=1e3 * seconds[0],
        )
        report.at_most(f"{way}: p50 in ms", 1e3 * median(warm), P50_MS)
        report.at_most(f"{way}: p99 in ms", 1e3 * quantile(warm, 0.99), P99_MS)
        report.raw[way] = seconds
    report.remark(
        f"5 qubits, 1,000 shots, no seed, one structure, new angles in every program; {WARM_UP} first jobs apart"
    )
    report.remark("http: the Python client, submit and result; bus: publish to the terminal event")
    report.finish()


def document(index: int, asked: Mapping[str, object]) -> dict[str, object]:
    """A small job; nobody has asked for these angles before."""
    ansatz = efficient(5, layers=1)
    program = ansatz.qasm(measured=True, angles=ansatz.draw(1, index)[0])
    return {"kind": "sample", "program": program, "shots": 1_000, **asked}


def over_http(quire: Embedded, jobs: int, asked: Mapping[str, object]) -> list[float]:
    """Seconds from submit to result."""
    seconds = []
    with Client(quire.http, tenant=TENANT) as client:
        for index in range(jobs + WARM_UP):
            ready = document(index, asked)
            began = time.perf_counter()
            view = client.submit(ready).result(timeout=60)
            seconds.append(time.perf_counter() - began)
            if sum(view.counts[0].values()) != 1_000:
                raise RuntimeError(f"job {view.job_id} has {view.counts}")
    return seconds


async def over_the_bus(quire: Embedded, jobs: int, asked: Mapping[str, object]) -> list[float]:
    """Seconds from publishing to the event that ends the job."""
    seconds = []
    async with connected(quire.nats) as client:
        log = client.jetstream()
        ends = await log.subscribe(f"quire.evt.{TENANT}.job.completed.v1.*", ordered_consumer=True)
        for _ in range(jobs + WARM_UP):  # those of the first way
            await ends.next_msg(timeout=10)
        for index in range(jobs + WARM_UP):
            body, job = msgspec.json.encode(document(100_000 + index, asked)), str(uuid.uuid4())
            headers = {
                "ce-specversion": "1.0",
                "ce-id": job,
                "ce-source": "/bench",
                "ce-type": "io.quire.job.submit.v1",
            }
            began = time.perf_counter()
            await log.publish(f"quire.cmd.{TENANT}.job.submit.v1.{job}", body, headers=headers)
            message = await ends.next_msg(timeout=60)
            seconds.append(time.perf_counter() - began)
            if not message.subject.endswith(job):
                raise RuntimeError(f"{message.subject} ended, not {job}")
    return seconds


if __name__ == "__main__":
    main()
