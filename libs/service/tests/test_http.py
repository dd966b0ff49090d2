import asyncio
import socket

import httpx
import pytest

from quire_service import http_server


async def hello(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_the_system_chooses_a_port_and_frees_it_at_the_end():
    async with http_server(hello, host="127.0.0.1", port=0) as port, httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "hello"
    with socket.create_server(("127.0.0.1", port)) as listener:
        assert listener.getsockname()[1] == port


async def test_small_answers_do_not_wait_for_the_other_sides_acknowledgement():
    """A connection that is kept: Nagle's algorithm and delayed acknowledgement would cost 40 ms from the second on."""
    loop = asyncio.get_running_loop()
    async with http_server(hello, host="127.0.0.1", port=0) as port, httpx.AsyncClient() as client:
        taken = []
        for _ in range(20):
            begun = loop.time()
            await client.post(f"http://127.0.0.1:{port}/", content=b"x" * 100)
            taken.append(loop.time() - begun)
    assert sorted(taken)[10] < 0.02


async def test_a_taken_port_is_an_error_and_not_a_hang():
    async with http_server(hello, host="127.0.0.1", port=0) as port:
        with pytest.raises(OSError, match="in use"):
            async with http_server(hello, host="127.0.0.1", port=port):
                pass


async def test_an_open_stream_cannot_hold_up_the_end():
    opened = asyncio.Event()

    async def endless(scope, receive, send):
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        opened.set()
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient() as client:

        async def read(port):
            async with client.stream("GET", f"http://127.0.0.1:{port}/") as answer:
                async for _ in answer.aiter_raw():
                    pass

        async with http_server(endless, host="127.0.0.1", port=0, graceful_seconds=1.0) as port:
            reader = asyncio.create_task(read(port))
            await opened.wait()
            begun = loop.time()
        assert loop.time() - begun < 4
        with pytest.raises(httpx.HTTPError):
            await reader
