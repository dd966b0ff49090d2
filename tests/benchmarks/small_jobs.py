"""Many small jobs of many upstream publishers: each one circuit with literal angles, each with its own life."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import msgspec
from circuits import small_circuits
from house import connected, said, started, stored
from measure import Report, command_line, median, quantile
from upstream import Life

from quire.embedded import Embedded
from quire_contracts.batch import BatchExecuted
from quire_contracts.job import JobCompleted
from quire_contracts.result import SampleResult

RATE, FAIRNESS, SINGLE = 400.0, 2.0, 0.01
SHOTS = 200
_NUMBERS = count()


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--jobs", type=int, default=0, help="jobs in all; by default 400, with --full 2000")
    parser.add_argument("--publishers", type=int, default=20, help="upstream publishers, a tenant each")
    parser.add_argument("--rate", type=float, default=0.0, help="jobs a second; 0 is as fast as they can be published")
    parser.add_argument("--targets", nargs="*", default=[], help="of the jobs; none leaves it to the rules")
    arguments = parser.parse_args(given)
    jobs = arguments.jobs or (2_000 if arguments.full else 400)
    report = Report("small_jobs", arguments)
    with started() as quire:
        publish(quire, documents("warm", arguments, 5 * arguments.publishers), 0.0)
        for turn in range(arguments.repeats or (5 if arguments.full else 1)):
            prefix = f"team{turn}"
            lives = publish(quire, documents(prefix, arguments, jobs), arguments.rate)
            batches = asyncio.run(verified(quire, prefix, lives))
            enter(report, turn, lives, batches)
    measured = [row["jobs_per_s"] for row in report.rows]
    report.at_least("jobs a second, median", median(measured), RATE)
    report.at_most(
        "p95 of the slowest tenant over the fastest, worst", max(r["max/min_p95"] for r in report.rows), FAIRNESS
    )
    singles, executions = (sum(row[name] for row in report.rows) for name in ("singles", "batches"))
    report.at_most("share of executions that are single-circuit, all runs", singles / executions, SINGLE)
    report.remark("one single-circuit execution is more than 1 % of a run's executions, so all runs' count together")
    report.remark(
        f"{jobs} jobs of {arguments.publishers} tenants, 5 structures, {SHOTS} shots, no seed; from first publish"
    )
    report.remark(
        "to last result at its publisher. Of each job: one terminal event, its record, its own shots: checked"
    )
    report.finish()


def documents(prefix: str, arguments: argparse.Namespace, jobs: int) -> dict[str, list[dict[str, object]]]:
    """For each tenant its jobs; the structures go round, the angles are never used twice."""
    made: dict[str, list[dict[str, object]]] = defaultdict(list)
    structures, publishers = small_circuits(), arguments.publishers
    for index in range(jobs):
        ansatz = structures[(index // publishers) % len(structures)]
        program = ansatz.qasm(measured=True, angles=ansatz.draw(1, next(_NUMBERS))[0])
        document = {"kind": "sample", "program": program, "shots": SHOTS, "targets": arguments.targets}
        made[f"{prefix}-{index % publishers:02d}"].append(document)
    return made


def publish(quire: Embedded, tenants: dict[str, list[dict[str, object]]], rate: float) -> list[Life]:
    """Let another process publish and wait; every job as its publisher saw it."""
    told = msgspec.json.encode({"url": quire.nats, "tenants": tenants, "rate": rate})
    program = [sys.executable, str(Path(__file__).parent / "upstream.py")]
    ran = subprocess.run(program, input=told, stdout=subprocess.PIPE, check=True, timeout=400)
    return msgspec.json.decode(ran.stdout, type=list[Life])


async def verified(quire: Embedded, prefix: str, lives: Sequence[Life]) -> dict[str, int]:
    """Rows of each batch that ran for these jobs.

    Raises:
        RuntimeError: if a job has no life of its own: not one end, no record, another job's shots, or two executions.
    """
    jobs = {life.job for life in lives}
    async with connected(quire.nats) as client:
        completed = [each for each in await said(client, JobCompleted) if each.job_id in jobs]
        batches = await said(client, BatchExecuted)
        records = {message.subject for message in await stored(client, "quire.rec.*.job.*")}
    bad = [life for life in lives if life.ends != 1 or life.state != "completed"]
    if bad:
        raise RuntimeError(f"{len(bad)} jobs did not end once and well, such as {bad[0]}")
    missing = [life for life in lives if f"quire.rec.{life.tenant}.job.{life.job}" not in records]
    if missing:
        raise RuntimeError(f"{len(missing)} jobs have no record")
    ran = Counter(each.member.job_id for batch in batches for each in batch.results)
    twice = [job for job in jobs if ran[job] != 1]
    if twice:
        raise RuntimeError(f"{len(twice)} jobs ran not once but, for example, {ran[twice[0]]} times")
    for each in completed:
        counts = each.result.counts if isinstance(each.result, SampleResult) and each.result.counts else ({},)
        if sum(counts[0].values()) != SHOTS:
            raise RuntimeError(f"job {each.job_id} has {each.result}")
    rows = {batch.batch_id: sum(each.member.parameters.rows for each in batch.results) for batch in batches}
    mine = {batch.batch_id for batch in batches if any(each.member.tenant.startswith(prefix) for each in batch.results)}
    return {batch: rows[batch] for batch in mine}


def enter(report: Report, turn: int, lives: Sequence[Life], batches: dict[str, int]) -> None:
    """One run's row."""
    by_tenant: dict[str, list[float]] = defaultdict(list)
    for life in lives:
        by_tenant[life.tenant].append(life.ended - life.published)
    p95 = [quantile(seconds, 0.95) for seconds in by_tenant.values()]
    took = max(life.ended for life in lives) - min(life.published for life in lives)
    single = sum(rows == 1 for rows in batches.values())
    report.row(
        run=turn,
        jobs=len(lives),
        seconds=took,
        jobs_per_s=len(lives) / took,
        p50_ms=1e3 * median([life.ended - life.published for life in lives]),
        p95_ms=1e3 * quantile([life.ended - life.published for life in lives], 0.95),
        **{"max/min_p95": max(p95) / min(p95)},
        batches=len(batches),
        rows_per_batch=len(lives) / len(batches),
        singles=single,
    )
    report.raw[str(turn)] = {"seconds": dict(by_tenant), "batches": sorted(batches.values())}


if __name__ == "__main__":
    main()
