"""Submit a Quire job and follow its life with a plain NATS client: four headers, a JSON body, no Quire code."""

import asyncio
import pathlib
import sys
import uuid

import nats

ENDS = {f"io.quire.job.{end}.v1" for end in ("completed", "failed", "cancelled", "rejected")}


async def main(document: bytes, url: str = "nats://127.0.0.1:4222", tenant: str = "default") -> None:
    """Print every event of the job until the one that ends it."""
    client, job = await nats.connect(url), str(uuid.uuid4())
    life = await client.jetstream().subscribe(f"quire.evt.{tenant}.*.*.*.{job}", ordered_consumer=True)
    headers = {"ce-specversion": "1.0", "ce-id": job, "ce-source": "/example", "ce-type": "io.quire.job.submit.v1"}
    await client.jetstream().publish(f"quire.cmd.{tenant}.job.submit.v1.{job}", document, headers=headers)
    async for event in life.messages:
        print(event.headers["ce-type"], event.data.decode())
        if event.headers["ce-type"] in ENDS:
            break
    await client.close()


asyncio.run(main(pathlib.Path(sys.argv[1]).read_bytes(), *sys.argv[2:]))
