"""A Quire that says what a test tells it to, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Answer:
    """What to say once; a body that is no bytes is sent as JSON, `hang_up` closes without an answer."""

    status: int = 200
    body: object = None
    type: str = "application/json"
    hang_up: bool = False


@dataclass
class Asked:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeQuire:
    """Answers by method and path, in order; the last one is repeated."""

    url: str = ""
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=lambda: defaultdict(list))
    asked: list[Asked] = field(default_factory=list)

    def say(self, method, path, *answers):
        self.answers[method, path] += answers

    def next(self, method, path):
        waiting = self.answers.get((method, path))
        if not waiting:
            return Answer(404, {"title": "There is nothing here", "status": 404, "code": "not-found"})
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def of(self, method, path):
        return [each for each in self.asked if (each.method, each.path) == (method, path)]


@contextmanager
def fake_quire():
    quire = FakeQuire()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self):
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            quire.asked.append(Asked(self.command, parts.path, parts.query, headers, body))
            said = quire.next(self.command, parts.path)
            if said.hang_up:
                self.close_connection = True
                self.connection.close()
                return
            content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            self.send_header("content-type", said.type)
            self.send_header("content-length", str(0 if said.status == 204 else len(content)))
            self.end_headers()
            if said.status != 204:
                self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    quire.url = f"http://127.0.0.1:{server.server_port}"
    yield quire
    server.shutdown()
    server.server_close()
    thread.join(5)


def view(state="completed", **more):
    """A job as the API shows it."""
    return {"job_id": "j1", "tenant": "default", "state": state, "kind": "sample", "links": {}, **more}


def stored(sequence, name, /, **data):
    """One stored event as the API streams it."""
    event = {"specversion": "1.0", "type": f"io.quire.{name}.v1", "sequence": sequence, "data": data}
    return f"id: {sequence}\nevent: {name}\ndata: {json.dumps(event)}\n\n".encode()
