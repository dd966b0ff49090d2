"""An ASGI application served inside this event loop for as long as a block runs."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the process has one owner of signals, and it is not the HTTP server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def http_server(app: Any, *, host: str, port: int, graceful_seconds: float = 5.0) -> AsyncIterator[int]:
    """Serve `app` on `host:port` and yield the port, which the system chooses when it is 0.

    When the block ends no connection is taken any more, and open ones have `graceful_seconds` to end.

    Raises:
        OSError: the address is taken or not ours.
    """
    with contextlib.closing(_listen(host, port)) as listener:
        config = uvicorn.Config(
            app,
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(graceful_seconds)),
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]), name=f"http:{listener.getsockname()[1]}")
        try:
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)
            if task.done():
                await task
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(task, graceful_seconds + 2.0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=512)
    # Accepted connections inherit it. asyncio sets it only where the socket says its protocol, which this one does not;
    # without it every small answer waits 40 ms for the other side's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
