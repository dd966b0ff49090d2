"""The sandbox survives whatever happens to its children."""

import asyncio
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from quire_quantum.parse import parse_program
from quire_quantum.rejection import ProgramRejected
from quire_quantum.sandbox import Sandbox, SandboxError

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'

CHILD = """
import os, resource, signal, struct, sys, time
def send(body):
    os.write(1, struct.pack(">I", len(body)) + body)
send(b"")
while True:
    head = sys.stdin.buffer.read(4)
    if not head:
        break
    program = sys.stdin.buffer.read(struct.unpack(">I", head)[0]).decode()
    {reaction}
"""


def bad_child(tmp_path, reaction):
    """A child that speaks the protocol and then misbehaves; `program` and `send` are at hand."""
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(reaction=reaction))
    return [sys.executable, "-I", str(script)]


def test_a_program_comes_back_as_the_parser_gives_it(sandbox):
    source = "OPENQASM 3.0; input float a; input angle b; qubit q; rx(2*a+0.5) q; rz(sin(a)*b) q; ry(0.25) q;"
    inside, outside = sandbox.parse(source), parse_program(source)
    assert inside == outside
    sets = np.array([[0.1, 0.2], [0.3, -0.4]])
    np.testing.assert_allclose(
        inside.angles.evaluate(sets), np.stack([sets[:, 0], np.sin(sets[:, 0]) * sets[:, 1], [0.25, 0.25]], axis=1)
    )


def test_text_and_bytes_are_the_same_program(sandbox):
    assert sandbox.parse(BELL) == sandbox.parse(BELL.encode())


@pytest.mark.parametrize(
    ("reaction", "code"),
    [
        ("os.abort()", "parser-crashed"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "parser-crashed"),
        ("os._exit(0)", "parser-crashed"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "program-too-costly"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "program-too-costly"),
        ("time.sleep(60)", "program-too-costly"),
        ("os.close(1); time.sleep(60)", "parser-crashed"),
        ("os.write(1, struct.pack('>I', 2**32 - 1))", "parser-crashed"),
        ("os.write(1, struct.pack('>I', 100) + b'half'); time.sleep(60)", "program-too-costly"),
    ],
)
def test_a_child_that_dies_or_hangs_is_a_refusal_and_the_next_child_is_ready(tmp_path, reaction, code):
    began = time.monotonic()
    with Sandbox(command=bad_child(tmp_path, reaction), wall_seconds=0.5) as sandbox:
        for _ in range(2):
            with pytest.raises(ProgramRejected) as refused:
                sandbox.parse(BELL)
            assert refused.value.code == code
    assert time.monotonic() - began < 15


def test_a_real_child_is_stopped_when_it_hangs_and_the_next_program_is_parsed():
    with Sandbox(wall_seconds=2.0) as sandbox:
        sandbox.parse(BELL)
        child = sandbox._children[0]._process.pid
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(ProgramRejected) as refused:
            sandbox.parse(BELL)
        assert refused.value.code == "program-too-costly"
        assert sandbox.parse(BELL).structure.num_qubits == 2
        assert sandbox._children[0]._process.pid != child


def test_a_child_killed_while_idle_costs_no_program_its_life():
    with Sandbox() as sandbox:
        sandbox.parse(BELL)
        child = sandbox._children[0]._process
        child.kill()
        child.wait()
        assert sandbox.parse(BELL).structure.num_qubits == 2


def test_a_child_bounds_itself_and_sees_nothing_of_the_parent(monkeypatch):
    monkeypatch.setenv("QUIRE_SECRET", "hidden")
    with Sandbox() as sandbox:
        sandbox.parse(BELL)
        pid = sandbox._children[0]._process.pid
        memory, _ = resource.prlimit(pid, resource.RLIMIT_AS)
        cpu, _ = resource.prlimit(pid, resource.RLIMIT_CPU)
        assert memory == 1_500 * 2**20
        assert 10 <= cpu <= 15
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
        assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
        assert b"hidden" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert os.getsid(pid) == pid


def test_a_missing_interpreter_is_the_sandboxs_fault_not_the_programs():
    with pytest.raises(SandboxError):
        Sandbox(command=["/nonexistent/python"])


def test_a_child_that_never_gets_ready_is_the_sandboxs_fault(tmp_path):
    with Sandbox(command=[sys.executable, "-c", "pass"]) as sandbox, pytest.raises(SandboxError):
        sandbox.parse(BELL)


def test_many_threads_share_two_children():
    with Sandbox(children=2) as sandbox:
        results = []
        sources = [f"OPENQASM 3.0; qubit[{n}] q; h q;" for n in range(1, 21)]
        threads = [threading.Thread(target=lambda s=s: results.append(sandbox.parse(s))) for s in sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(program.structure.num_qubits for program in results) == list(range(1, 21))


async def test_the_event_loop_goes_on_while_a_program_is_parsed(sandbox):
    programs = await asyncio.gather(*(asyncio.to_thread(sandbox.parse, BELL) for _ in range(4)))
    assert len({program.structure for program in programs}) == 1


def test_a_child_is_started_when_none_is_free():
    with Sandbox(children=2) as sandbox:
        first, second = sandbox._children
        for _ in range(3):
            sandbox.parse(BELL)
        assert second._process is None
        assert sandbox._free.get() is first  # as a program would take it
        sandbox.parse(BELL)
        assert second._process.poll() is None


def test_children_end_with_the_sandbox():
    sandbox = Sandbox(children=2)
    for child in sandbox._children:
        child.start()
    processes = [child._process for child in sandbox._children]
    sandbox.close()
    assert all(process.poll() is not None for process in processes)
