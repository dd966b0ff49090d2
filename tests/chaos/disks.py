"""A broker whose store is full: it refuses, what it has taken stays, and all goes on when there is room again."""

from __future__ import annotations

import asyncio
import json

import nats.errors
import nats.js.errors
from scenarios import House, Trial, house, submitting, tell, verdicts
from stored import until_ended
from upstreams import Publisher, jobs, steady

FILLER = "CHAOS_FILLER"
_ACCEPTED = 202


async def full_disk(trial: Trial) -> None:
    """A broker whose store is full refuses; what was acknowledged stays, and all goes on when there is room again."""
    count = trial.size("jobs")
    wanted = list(jobs(trial.seed, count, {"simulation": 1.0}))
    limit = trial.size("mib")
    store = json.dumps(str(trial.folder / "nats" / "jetstream"))
    config = f"jetstream {{ store_dir: {store}, max_file_store: {limit}MB }}"  # a block said again replaces the first
    async with house(trial, config=config) as home:
        async with submitting(trial, home, wanted[: count // 4], 0):
            pass
        await _fill(home, limit)
        publisher = Publisher(home.url, wanted[count // 4 :], 0)
        publishing = asyncio.create_task(publisher.run())
        await asyncio.sleep(trial.sizes["seconds"])
        taken = len(publisher.acked)
        status = await _post(home, trial)
        await _empty(home)
        await publishing
        ended = await until_ended(home.url, count, seconds=180)
        trial.report.row(
            taken_while_full=taken, api_answered=status, all_ended=str(ended), deaths=str(home.fleet.unwished())
        )
        trial.holds("jobs submitted over HTTP as if there were room (202)", int(status == _ACCEPTED), 0)
        trial.holds("deaths that were not wished", len(home.fleet.unwished()), 0)
        await verdicts(trial, home, wanted)


async def _fill(home: House, mib: int) -> None:
    """Take the broker's room with a stream of our own, until it refuses."""
    client = await steady(home.url)
    log = client.jetstream(timeout=5)
    await log.add_stream(name=FILLER, subjects=["chaos.filler"])
    size, total = 512 * 1024, 0
    try:
        while size > 64 and total < 4 * mib * 2**20:
            try:
                await log.publish("chaos.filler", bytes(size))
                total += size
            except (nats.errors.Error, nats.js.errors.Error) as error:
                tell(f"full-disk: {size} bytes are refused after {total / 2**20:.1f} MiB: {error}")
                size //= 16
    finally:
        await client.close()


async def _empty(home: House) -> None:
    client = await steady(home.url)
    await client.jetstream(timeout=10).delete_stream(FILLER)
    await client.close()


async def _post(home: House, trial: Trial) -> int:
    """The status that the api answers a submission with while there is no room."""
    (one,) = jobs(trial.seed + 5, 1, {"simulation": 1.0})
    host, _, port = home.fleet.http.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    length = len(one.document)
    lines = ("POST /v1/jobs HTTP/1.0", "host: quire", "content-type: application/json", f"content-length: {length}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + one.document)
    try:
        return int((await asyncio.wait_for(reader.readline(), 30)).split()[1])
    except (TimeoutError, IndexError):
        return 0
    finally:
        writer.close()
