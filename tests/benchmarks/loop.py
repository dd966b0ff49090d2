"""A 50-round optimisation: what a round takes beyond the engine's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from house import connected, started, stored
from measure import Report, command_line, median, quantile

from quire.answer import JobView
from quire.client import Client
from quire.embedded import Embedded

ADDED_MS = 8.0


def main(given: Sequence[str] | None = None) -> None:
    """The command."""
    parser = command_line(__doc__ or "")
    parser.add_argument("--nodes", type=int, nargs="+", default=[6, 12], help="widths of the MaxCut rings")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--targets", nargs="*", default=[], help="of the jobs; none leaves it to the rules")
    arguments = parser.parse_args(given)
    report = Report("loop", arguments)
    with started() as quire, Client(quire.http) as client:
        found: dict[int, list[tuple[float, float]]] = {nodes: [] for nodes in arguments.nodes}
        for seed in range(1 + (arguments.repeats or (5 if arguments.full else 3))):
            for nodes in arguments.nodes:
                view = client.submit(document(nodes, arguments.rounds, seed, arguments.targets)).result(timeout=300)
                if seed:  # the first turn warms up
                    found[nodes] += asyncio.run(times_of(quire, view))
        for nodes, rounds in found.items():
            added = [round_ - engine for round_, engine in rounds]
            report.row(
                nodes=nodes,
                rounds=len(rounds),
                round_ms=1e3 * median([round_ for round_, _ in rounds]),
                engine_ms=1e3 * median([engine for _, engine in rounds]),
                added_ms=1e3 * median(added),
                added_p90_ms=1e3 * quantile(added, 0.9),
            )
            report.at_most(f"ring of {nodes}: median ms added to a round", 1e3 * median(added), ADDED_MS)
            report.raw[str(nodes)] = rounds
    report.remark("a round's time: between the broker's times of two loop.advanced; engine: the execution's own record")
    report.finish()


def document(nodes: int, rounds: int, seed: int, targets: Sequence[str]) -> dict[str, object]:
    """QAOA with SPSA on a ring."""
    return {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": [[node, (node + 1) % nodes, 1.0] for node in range(nodes)]},
        "targets": targets,
        "shots": 1_024,
        "seed": seed,
        "algorithm": {"name": "qaoa", "layers": 2, "sweep": 32, "optimizer": {"name": "spsa", "rounds": rounds}},
    }


async def times_of(quire: Embedded, view: JobView) -> list[tuple[float, float]]:
    """Of each round but the first: seconds since the round before, and seconds that the engine worked for it."""
    async with connected(quire.nats) as client:
        events = await stored(client, f"quire.evt.{view.tenant}.loop.advanced.v1.{view.job_id}")
    at: list[datetime] = [event.metadata.timestamp for event in events]
    engine = [each.execute_seconds for each in view.executions if each.phase == "round"]
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(at)]
    # The executions are the latest; the last gaps belong to the last executions.
    return list(zip(reversed(gaps), reversed(engine), strict=False))[::-1]


if __name__ == "__main__":
    main()
