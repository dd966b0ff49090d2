"""What comes off the wire, however it is cut into pieces, and what is read of it."""

from __future__ import annotations

import asyncio
import itertools

import nats.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from quire_bus.message import Message, parse_head
from quire_bus.parser import SinkParser
from quire_bus.wire import NoAnswer
from quire_testing import eventually

HEAD = b"NATS/1.0\r\nce-id: 1\r\n\r\n"
MESSAGES = [
    (b"a.b", b"", b"", b"hello"),
    (b"a.b", b"reply.1", b"", b""),
    (b"c", b"", HEAD, b"x\r\nMSG y 1 3\r\n"),
    (b"d", b"r", b"NATS/1.0 404 No Messages\r\n\r\n", b""),
    (b"e", b"r", HEAD, b"0" * 5_000),
]


class Client:
    """What the parser calls in nats-py's client."""

    def __init__(self):
        self.said, self.foreign = [], []

    async def _process_msg(self, sid, subject, reply, data, headers):
        self.foreign.append((sid, subject, reply, data, headers))

    async def _process_ping(self):
        self.said.append("ping")

    async def _process_pong(self):
        self.said.append("pong")

    async def _process_info(self, info):
        self.said.append(info["server_id"])

    async def _process_err(self, words):
        self.said.append(words)


def on_the_wire(subject, reply, head, body, sid=b"7"):
    words = [b"HMSG" if head else b"MSG", subject, sid, *([reply] if reply else [])]
    words += [b"%d" % len(head)] if head else []
    return b" ".join([*words, b"%d" % (len(head) + len(body))]) + b"\r\n" + head + body + b"\r\n"


async def fed(data, cuts, client=None, sinks=True):
    parser, taken = SinkParser(client or Client()), []
    if sinks:
        parser.sinks[b"7"] = lambda *message: taken.append(message)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, stop in itertools.pairwise(places):
        await parser.parse(data[start:stop])
    assert not parser.buf
    return taken


@given(st.lists(st.integers(min_value=0), max_size=12), st.permutations(MESSAGES))
def test_messages_are_read_however_they_are_cut(cuts, messages):
    client = Client()
    data = (
        b"PING\r\n".join(on_the_wire(*message) for message in messages) + b'+OK\r\nINFO {"server_id":"S"}\r\nPONG\r\n'
    )
    assert asyncio.run(fed(data, cuts, client)) == messages
    assert client.said == ["ping"] * 4 + ["S", "pong"]


async def test_what_no_sink_takes_goes_nats_py_s_way():
    client = Client()
    data = b"".join(on_the_wire(*message) for message in MESSAGES) + b"-ERR 'Permissions Violation'\r\n"
    assert await fed(data, [40, 90], client, sinks=False) == []
    expected = [(7, subject, reply, body, head or None) for subject, reply, head, body in MESSAGES]
    assert client.foreign == expected
    assert client.said == ["'permissions violation'"]


@pytest.mark.parametrize("data", [b"NONSENSE\r\n", b"MSG a\r\n", b"MSG a 1 x\r\n", b"HMSG a 1\r\n", b"x" * 5_000])
async def test_what_no_broker_says_is_an_error(data):
    with pytest.raises(ProtocolError):
        await SinkParser(Client()).parse(data)


async def test_a_sink_that_fails_does_not_stop_the_reading(caplog):
    parser, taken = SinkParser(Client()), []

    def sink(*message):
        taken.append(message)
        raise RuntimeError("bug")

    parser.sinks[b"7"] = sink
    await parser.parse(b"".join(on_the_wire(*message) for message in MESSAGES))
    assert taken == MESSAGES
    assert "was not understood" in caplog.text


async def test_what_is_left_of_a_lost_connection_is_forgotten():
    client = Client()
    parser, taken = SinkParser(client), []
    parser.sinks[b"7"] = lambda *message: taken.append(message)

    async def lose(_words):
        parser.reset()  # as nats-py does when it turns to another server

    client._process_err = lose
    await parser.parse(b"-ERR 'Stale Connection'\r\n" + on_the_wire(*MESSAGES[0]) + b"MSG half")
    await parser.parse(on_the_wire(*MESSAGES[1]))
    assert taken == [MESSAGES[1]]


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"NATS/1.0\r\nA: 1\r\nb:2\r\nc:  x: y \r\n\r\n", {"A": "1", "b": "2", "c": "x: y"}),
        (b"NATS/1.0 404 No Messages\r\n\r\n", {"Status": "404", "Description": "No Messages"}),
        (b"NATS/1.0 100\r\nNats-Last-Stream: 7\r\n\r\n", {"Status": "100", "Nats-Last-Stream": "7"}),
        (
            "NATS/1.0\r\nn: \u00fc\r\n\u00fc: 1\r\ntwo words: 1\r\nline\r\nA: 1\r\nA: 2\r\n\r\n".encode(),
            {"n": "\u00fc", "A": "2"},
        ),
        (b"NATS/1.0\r\nbad: \xff\r\n\r\n", {"bad": "\ufffd"}),
    ],
)
def test_header_blocks(block, headers):
    assert parse_head(block) == headers


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.QUIRE.durable.3.17.5.1700000000000000000.9",
        "$JS.ACK._.hash.QUIRE.durable.3.17.5.1700000000000000000.9",
        "$JS.ACK.domain.hash.QUIRE.durable.3.17.5.1700000000000000000.9.random",
    ],
)
def test_a_delivery_says_where_it_stands_and_is_settled_once(reply):
    sent = []
    message = Message("s", reply, HEAD, b"body", lambda *words: sent.append(words))
    assert (message.delivered, message.sequence, message.consumer_sequence, message.pending) == (3, 17, 5, 9)
    arrived = message.arrived()
    assert (arrived.attempt, arrived.stream_sequence, arrived.size) == (3, 17, len(HEAD) + 4)
    assert arrived.time.timestamp() == 1_700_000_000
    message.in_progress()
    message.nak(1.5)
    message.ack()
    message.in_progress()
    assert sent == [(reply, b"+WPI"), (reply, b'-NAK {"delay":1500000000}')]


async def test_many_readings_of_one_turn_are_one_request(bus, monkeypatch):
    store, asked = bus._store, []
    from quire_bus.store import Part

    for number in range(300):
        await store.write([Part(f"quire.rec.acme.test.r{number}", b"%d" % number)])
    ask_many = store._wire.ask_many

    async def counting(subject, body):
        asked.append(subject)
        return await ask_many(subject, body)

    monkeypatch.setattr(store._wire, "ask_many", counting)
    names = [f"r{number}" for number in range(300)] + ["none", "r7"]
    found = await asyncio.gather(*(store.last(f"quire.rec.acme.test.{name}") for name in names))
    assert [kept and kept.body for kept in found] == [b"%d" % number for number in range(300)] + [None, b"7"]
    assert asked == ["$JS.API.DIRECT.GET.QUIRE"] * 2
    assert await asyncio.gather(*(store.last(f"quire.rec.acme.none.{name}") for name in "ab")) == [None, None]


async def test_nothing_is_written_to_a_closed_connection(make_bus):
    bus = await make_bus("test", on_fatal=lambda _: None)
    await bus.connection.client.close()
    with pytest.raises(nats.errors.ConnectionClosedError):
        bus.connection.wire.send("a", b"")


async def test_what_may_leave_soon_leaves_with_the_next_or_by_itself(bus, monkeypatch):
    wire, written = bus.connection.wire, []
    transport = bus.connection.client._transport
    write = transport.write

    def noting(data):
        written.append(data)
        write(data)

    monkeypatch.setattr(transport, "write", noting)
    wire.send_soon("x.1", b"")
    wire.send("x.2", b"")
    await eventually(lambda: written)
    assert written[0].split() == [b"PUB", b"x.1", b"0", b"PUB", b"x.2", b"0"]
    wire.send_soon("x.3", b"")
    await eventually(lambda: any(b"x.3" in data for data in written))
    assert wire._later is None


async def test_a_request_that_nobody_answers_ends(bus):
    bus.connection.wire._timeout = 0.2
    listening = await bus.connection.wire.subscribe("silence", lambda *_: None)
    with pytest.raises(NoAnswer) as caught:
        await bus.connection.wire.ask("silence", b"")
    assert not caught.value.swallowed
    await bus.connection.wire.unsubscribe(listening)
    assert bus.connection.wire._waiting == {}
    await eventually(lambda: bus.connection.wire._watch is None)  # an idle connection does not look at the clock
