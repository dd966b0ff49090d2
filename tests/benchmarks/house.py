"""A whole Quire as a child process with its log in files, and what a benchmark asks of it from outside."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import nats
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingMore
from nats.js.api import AckPolicy, ConsumerConfig

from quire.embedded import Embedded
from quire_bus.codec import decode_any, open_envelope
from quire_bus.process import arrived_of
from quire_contracts.registry import entry_of
from quire_contracts.value import Value

M = TypeVar("M", bound=Value)
SIZE = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


@contextlib.contextmanager
def started(settings: Mapping[str, object] = {}, *, processes: bool = False) -> Iterator[Embedded]:
    """A running Quire; `settings` are environment variables of its services. Its files are removed at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="quire-bench-") as folder,
        surroundings(settings),
        Embedded(data_dir=Path(folder), processes=processes) as quire,
    ):
        yield quire


@contextlib.contextmanager
def surroundings(settings: Mapping[str, object]) -> Iterator[None]:
    """The process environment with these variables, while the block lasts; a child started inside inherits them."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in settings.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Nats]:
    """A plain NATS connection."""
    client = await nats.connect(url)
    try:
        yield client
    finally:
        await client.close()


async def stored(client: Nats, subject: str) -> list[Msg]:
    """Every message that the log holds on a subject filter now, in order."""
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, filter_subject=subject, inactive_threshold=60)
    subscription = await client.jetstream().pull_subscribe(subject, stream="QUIRE", config=config)
    found: list[Msg] = []
    waiting = (await subscription.consumer_info()).num_pending or 0
    while len(found) < waiting:
        with contextlib.suppress(NothingMore):
            found += await subscription.fetch(min(500, waiting - len(found)), timeout=5)
    await subscription.unsubscribe()
    return found


async def said(client: Nats, kind: type[M], *, tenant: str = "*", key: str = "*") -> list[M]:
    """The messages of one class on the log, in order."""
    entry = entry_of(kind)
    subject = f"quire.{entry.domain}.{tenant}.{entry.noun}.{entry.verb}.v{entry.version}.{key}"
    found = (decode_any(open_envelope(arrived_of(message))) for message in await stored(client, subject))
    return [message for message in found if isinstance(message, kind)]


async def stages(quire: Embedded) -> dict[str, list[float]]:
    """Seconds between each message of a job's life and the one before, by the broker's clock; jobs do not overlap."""
    async with connected(quire.nats) as client:
        messages = [*await stored(client, "quire.cmd.>"), *await stored(client, "quire.evt.>")]
    messages.sort(key=lambda message: message.metadata.sequence.stream)
    found: dict[str, list[float]] = {}
    before = messages[0].metadata.timestamp
    for message in messages:
        _, _, _, noun, verb, _, _ = message.subject.split(".")
        at = message.metadata.timestamp
        if (noun, verb) != ("job", "submit"):
            found.setdefault(f"{noun}.{verb}", []).append((at - before).total_seconds())
        before = at
    return found


def memory_mb(pid: int) -> dict[str, float]:
    """Memory of a process and all below it, in MB (10^6 bytes).

    `rss` counts shared pages once for each process, `pss` shares them out; `broker` is nats-server's part of `pss`.
    """
    total = {"rss": 0.0, "pss": 0.0, "broker": 0.0}
    for each in family(pid):
        with contextlib.suppress(OSError):
            sizes = dict(SIZE.findall((each / "smaps_rollup").read_text(encoding="utf-8")))
            total["rss"] += int(sizes["Rss"]) * 1024 / 1e6
            total["pss"] += int(sizes["Pss"]) * 1024 / 1e6
            if "nats-server" in (each / "cmdline").read_text(encoding="utf-8"):
                total["broker"] += int(sizes["Pss"]) * 1024 / 1e6
    return total


def family(pid: int) -> list[Path]:
    """The folders in /proc of a process and of all below it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]
                )
    found = [pid]
    for one in found:  # grows while it is read
        found += [child for child, parent in parents.items() if parent == one]
    return [Path("/proc") / str(one) for one in found]
