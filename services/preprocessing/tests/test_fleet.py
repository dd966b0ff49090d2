"""What one process has parsed, every other one reads from the broker; what cannot be read is parsed again."""

import asyncio

import msgspec
import pytest

from quire_contracts.value import inline_blob
from quire_preprocessing.cache.fleet_programs import BUCKET, BrokerPrograms, StoredProgram
from quire_quantum.parse import parse
from quire_quantum.skeleton import scan
from quire_quantum.stored_program import EDITION
from quire_resilience.errors import Transient

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n'
SMALL = HEAD + "rx(0.5) q[0]; cx q[0], q[1];"
LARGE = HEAD + "rx(0.5) q[0]; cx q[0], q[1];\n" * 2_000


async def run(work):
    return await asyncio.to_thread(work)


@pytest.fixture
def bucket(bus):
    return bus.bucket(BUCKET, StoredProgram)


@pytest.fixture
def programs(bus, bucket):
    return BrokerPrograms(bucket, bus.blobs, run)


@pytest.mark.parametrize("source", [SMALL, LARGE], ids=["inside", "by reference"])
async def test_a_program_comes_back_as_it_went(programs, source):
    skeleton, program = scan(source), parse(source).program
    assert await programs.get(skeleton.sha256) is None
    for _ in range(2):
        await programs.put(skeleton.sha256, program)
    assert await programs.get(skeleton.sha256) == program


@pytest.mark.parametrize(
    "content",
    [
        inline_blob(b"not a program", "x/y"),
        inline_blob(b"\x92\xa1x\x90", "x/y"),
    ],
)
async def test_what_is_no_program_is_not_known(programs, bucket, content):
    await bucket.put(f"{EDITION}.abc", StoredProgram(content))
    assert await programs.get("abc") is None


async def test_a_program_whose_content_is_gone_is_not_known(programs, bucket):

    gone = msgspec.structs.replace(inline_blob(b"x", "x/y"), inline=None, sha256="0" * 64)
    await bucket.put(f"{EDITION}.abc", StoredProgram(gone))
    assert await programs.get("abc") is None


async def test_an_older_editions_programs_are_not_this_ones(programs, bucket):
    await programs.put("abc", parse(SMALL).program)
    assert await bucket.keys() == (f"{EDITION}.abc",)
    assert await bucket.get(f"{EDITION + 1}.abc") is None


class Broken:
    """A bucket that is full and does not answer."""

    async def get(self, key):
        raise Transient(f"no answer for {key}", code="unknown-outcome")

    async def put(self, key, value):
        raise Transient(f"no room for {key}: {value}", code="not-stored")


async def test_a_bucket_that_is_full_or_away_costs_a_parse_and_no_job(bus, make_preparer, command_for, parsed):
    programs = BrokerPrograms(Broken(), bus.blobs, run)
    preparer = make_preparer(fleet=programs)
    document = {"kind": "sample", "program": SMALL}
    for _ in range(2):
        prepared = await preparer.prepare(*command_for(document))
        assert prepared.preparation.parameters.data.inline == b"\0\0\0\0\0\0\xe0\x3f"
    assert len(parsed) == 1
