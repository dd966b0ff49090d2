import asyncio
import sys
from datetime import UTC

import pytest

from quire_resilience.clock import SystemClock
from quire_resilience.errors import CircuitOpen, Permanent, QuireError, Transient


def test_a_transient_says_when_to_come_back():
    error = Transient("throttled", retry_after=3.5, code="throttled")
    assert (str(error), error.retry_after, error.code) == ("throttled", 3.5, "throttled")
    assert Transient("reset").retry_after is None


def test_a_permanent_carries_what_a_user_is_told():
    error = Permanent("too-wide", "the program has 40 qubits", next_step="Use at most 30.", kind="invalid")
    assert (error.code, error.next_step, error.kind, error.retryable) == (
        "too-wide",
        "Use at most 30.",
        "invalid",
        False,
    )
    assert str(error) == "too-wide: the program has 40 qubits"


@pytest.mark.parametrize("error", [Transient("x"), Permanent("x", "y"), CircuitOpen("open", retry_after=1)])
def test_what_we_raise_on_purpose_has_one_root(error):
    assert isinstance(error, QuireError)
    assert isinstance(error, Transient) != isinstance(error, Permanent)


async def test_the_system_clock_is_aware_and_moves():
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.01)
    await clock.sleep(-1)
    assert clock.monotonic() - before >= 0.009
    assert clock.now().tzinfo is UTC
    assert asyncio.get_running_loop() is not None


def test_the_standard_library_is_enough():
    import ast
    from pathlib import Path

    import quire_resilience

    imported = set()
    for path in Path(quire_resilience.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
    assert imported - {"quire_resilience"} <= sys.stdlib_module_names
