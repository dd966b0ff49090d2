"""Qiskit outlives the thread that needed it first; in a process of its own, because a failure would end this one."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import threading
from quire_quantum.qiskit_home import settle

def use():
    settle()
    from qiskit.circuit import Parameter
    made = [Parameter(f"angle {index}") for index in range(100)]

for _ in range(3):
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
print("well")
"""


def test_qiskit_survives_the_thread_that_loaded_it():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "well\n"), ran.stderr
