"""Gateways forked from a process that has imported everything: a kill is as hard, and a new life costs no imports.

Run as a program. Each line on standard input is `{"log": path, "environ": {...}}` and starts a gateway; each line on
standard output is `{"pid"}` of one that was born or `{"pid", "code"}` of one that is gone.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
from typing import NoReturn

from endings import die_with_parent


def main() -> None:
    """Import, then bear and mourn until standard input ends; what lives then dies too."""
    import qiskit
    import qiskit.circuit
    import qiskit.transpiler  # noqa: F401
    from braket.aws import AwsDevice, AwsSession  # noqa: F401

    from quire_quantum_gateway.__main__ import main as gateway

    alive: set[int] = set()
    heard, said = os.pipe()
    os.set_blocking(said, False)
    signal.set_wakeup_fd(said)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wishes = b""
    while True:
        ready, _, _ = select.select([0, heard], [], [])
        if heard in ready:
            os.read(heard, 4096)
        for pid, code in _gone(alive):
            alive.discard(pid)
            _say({"pid": pid, "code": code})
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                break
            *whole, wishes = (wishes + more).split(b"\n")
            for line in whole:
                pid = os.fork()
                if not pid:
                    _live(json.loads(line), gateway)
                alive.add(pid)
                _say({"pid": pid})
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _live(wish: dict, gateway) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    die_with_parent()
    random.seed()  # or all of them would draw the same
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(ours, theirs)
    os.environ.update(wish["environ"])
    sys.argv = ["quire-quantum-gateway"]
    code = 70
    try:
        gateway()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def _gone(alive: set[int]) -> list[tuple[int, int]]:
    found = []
    for pid in alive:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _say(word: dict[str, int]) -> None:
    os.write(1, json.dumps(word).encode() + b"\n")


if __name__ == "__main__":
    main()
