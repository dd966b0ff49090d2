"""A link that stands still keeps both ends waiting, and gives on what it held back."""

from __future__ import annotations

import asyncio

import pytest
from links import Link


@pytest.fixture
async def echo():
    async def serve(reader, writer):
        try:
            while data := await reader.read(100):
                writer.write(data.upper())
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link = await Link.to(server.sockets[0].getsockname()[1])
    yield link
    await link.close()
    server.close()


async def test_a_frozen_link_delivers_when_it_thaws_and_a_cut_one_resets(echo):
    reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
    writer.write(b"one")
    assert await reader.readexactly(3) == b"ONE"
    echo.freeze()
    writer.write(b"two")
    waiting = asyncio.create_task(reader.readexactly(3))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    echo.thaw()
    assert await waiting == b"TWO"
    echo.cut()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readexactly(1)
    writer.close()
