"""Reading a cloud's ledger, and what it proves: which submissions were lost, doubled or orphaned."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from quire_emulator.entries import Api, Applied, Called, Entry, Moved, Opened, Promised

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

FILE: Final = "ledger.jsonl"

_decoder: Final = msgspec.json.Decoder(Entry)


def read(path: Path) -> Iterator[Entry]:
    """The entries of a ledger, in order; `path` is the file or the emulator's data folder.

    A last line that is torn was never answered, and is left out.

    Raises:
        ValueError: a line before the last is broken.
    """
    file = path / FILE if path.is_dir() else path
    lines = file.read_bytes().split(b"\n")
    for line in lines[:-1]:
        yield _decoder.decode(line)


def whole_bytes(path: Path) -> int:
    """The length of the ledger without a torn last line; 0 if there is none."""
    if not path.exists():
        return 0
    return path.read_bytes().rfind(b"\n") + 1


class Doubled(msgspec.Struct, frozen=True):
    """One submission that was applied more than once: `identity` is its token or tag."""

    identity: str
    jobs: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger proves.

    Attributes:
        starts: how often the emulator was started.
        applied: jobs that exist; each costs.
        doubled: identities with more than one job, those of cancelled jobs included: they were paid for.
        lost: identities that the caller expects and nobody applied (only known with `expected`).
        orphans: jobs whose identity the caller does not know, or that have none (only known with `expected`).
        ended: jobs by how they ended; "" are those that have not.
        spent: dollars.
        calls: by operation.
        faults: calls and jobs by the fault that came true.
        creates_per_job: create calls per job applied; 0 without jobs.
        calls_per_job: all calls per job applied; 0 without jobs.
    """

    starts: int
    applied: int
    doubled: tuple[Doubled, ...]
    lost: tuple[str, ...]
    orphans: tuple[str, ...]
    ended: dict[str, int]
    spent: float
    calls: dict[str, int]
    faults: dict[str, int]
    creates_per_job: float
    calls_per_job: float


def identity(entry: Applied, prefix: str = "", keys: Sequence[str] = ()) -> str:
    """By what its caller would know a job again; "" if by nothing.

    With `keys`, the values of those tags, joined by "/"; else its client token; else its first tag that begins with
    `prefix`, if there is one.
    """
    tags = entry.order.tags
    if keys:
        return "/".join(tags[key] for key in keys) if all(key in tags for key in keys) else ""
    if entry.order.token or not prefix:
        return entry.order.token
    return next((tag for tag in sorted(tags) if tag.startswith(prefix)), "")


def check(
    entries: Iterable[Entry],
    expected: Iterable[str] | None = None,
    *,
    prefix: str = "",
    keys: Sequence[str] = (),
    apis: Collection[Api] = ("braket", "ibm", "anonymous"),
) -> Report:
    """Count what happened.

    Args:
        entries: as `read` gives them.
        expected: the identities that the caller journalled as submitted; None leaves `lost` and `orphans` empty.
        prefix: what a job's identity is, as `identity` says.
        keys: likewise.
        apis: only jobs and calls of these count.
    """
    starts, calls, faults, spent = 0, Counter[str](), Counter[str](), 0.0
    applied: dict[str, Applied] = {}
    status: dict[str, str] = {}
    for entry in entries:
        match entry:
            case Opened():
                starts += 1
            case Called() if entry.api in apis:
                calls[entry.operation] += 1
                faults.update([entry.fault] if entry.fault else [])
            case Applied() if entry.order.api in apis:
                applied[entry.job] = entry
                spent += entry.price
                status[entry.job] = ""
                faults.update(rule.partition(":")[0] for rule in entry.rules)
            case Moved(job=job, status=("COMPLETED" | "FAILED" | "CANCELLED") as end) if job in status:
                status[job] = end
            case _:
                pass
    known = None if expected is None else set(expected)
    of = {job: identity(entry, prefix, keys) for job, entry in applied.items()}
    jobs: defaultdict[str, list[str]] = defaultdict(list)
    for job, name in of.items():
        if name:
            jobs[name].append(job)
    return Report(
        starts=starts,
        applied=len(applied),
        doubled=tuple(Doubled(name, tuple(found)) for name, found in sorted(jobs.items()) if len(found) > 1),
        lost=tuple(sorted(known - jobs.keys())) if known is not None else (),
        orphans=tuple(job for job, name in of.items() if name not in known) if known is not None else (),
        ended=dict(Counter(status.values())),
        spent=round(spent, 6),
        calls=dict(calls),
        faults=dict(faults),
        creates_per_job=calls["create"] / len(applied) if applied else 0.0,
        calls_per_job=calls.total() / len(applied) if applied else 0.0,
    )


def outstanding(entries: Iterable[Entry]) -> tuple[Promised, ...]:
    """Creates that were promised and are not applied yet, nor found to be somebody's retry, in order of `due`."""
    promised: dict[int, Promised] = {}
    for entry in entries:
        if isinstance(entry, Promised):
            promised[entry.call] = entry
        elif isinstance(entry, Applied):
            promised.pop(entry.call, None)
    return tuple(sorted(promised.values(), key=lambda promise: promise.due))
