"""Killed as a crash kills, and started again: the ledger, the jobs and their results are those of before."""

import httpx
import pytest
from botocore.exceptions import ConnectionClosedError

from quire_emulator.configuration import GARNET
from quire_emulator.entries import Moved, Opened
from quire_emulator.ledger import FILE
from quire_emulator.process import EmulatorProcess
from quire_emulator.rules import Rule
from quire_testing import eventually


@pytest.fixture
def emulator(config, tmp_path):
    with EmulatorProcess(tmp_path / "emulator", config=config, seed=3) as emulator:
        yield emulator


def _again(emulator):
    emulator.kill()
    emulator.start()


async def test_what_was_done_is_there_and_what_was_not_is_done(emulator, braket, order, ended, result):
    done = await ended(braket, braket.create_quantum_task(**order("done"))["quantumTaskArn"])
    before = result(done).content
    emulator.arm(Rule(kind="waits", delay=0.5, count=1))
    waits = braket.create_quantum_task(**order("waits"))["quantumTaskArn"]
    _again(emulator)
    assert braket.get_quantum_task(quantumTaskArn=done["quantumTaskArn"])["endedAt"] == done["endedAt"]
    assert result(done).content == before
    assert (await ended(braket, waits))["status"] == "COMPLETED"
    assert braket.create_quantum_task(**order("done"))["quantumTaskArn"] == done["quantumTaskArn"]
    report = emulator.report(["done", "waits"])
    assert (report.starts, report.applied, report.doubled, report.lost) == (2, 2, (), ())


async def test_a_result_that_was_lost_with_the_crash_is_made_again_the_same(emulator, braket, order, ended, result):
    done = await ended(braket, braket.create_quantum_task(**order("made", shots=100))["quantumTaskArn"])
    before = result(done).json()["measurements"]
    emulator.kill()
    lines = (emulator.folder / FILE).read_bytes().splitlines(keepends=True)
    end = next(place for place, line in enumerate(lines) if b'"COMPLETED"' in line)
    (emulator.folder / FILE).write_bytes(b"".join(lines[:end]))
    for file in (emulator.folder / "results").iterdir():
        file.unlink()
    emulator.start()
    task = await ended(braket, done["quantumTaskArn"])
    assert result(task).json()["measurements"] == before


async def test_a_promise_outlives_a_crash(emulator, braket, order):
    emulator.arm(Rule(kind="late", answer="cut", delay=0.5))
    with pytest.raises(ConnectionClosedError):
        braket.create_quantum_task(**order("promised"))
    _again(emulator)
    await eventually(lambda: emulator.report(["promised"]).applied == 1)
    assert emulator.report(["promised"]).lost == ()


def test_faults_stay_armed_and_counted(emulator, braket, order):
    emulator.arm(Rule(kind="lost", answer="cut", count=2))
    for _ in range(2):
        with pytest.raises(ConnectionClosedError):
            braket.create_quantum_task(**order("lost"))
        _again(emulator)
    assert braket.create_quantum_task(**order("lost"))["quantumTaskArn"]
    assert emulator.control("GET", "faults")[0]["happened"] == 2


def test_a_torn_last_line_was_never_answered(emulator, braket, order):
    braket.create_quantum_task(**order("whole"))
    emulator.kill()
    with (emulator.folder / FILE).open("ab") as ledger:
        ledger.write(b'{"what":"applied","at":1')
    assert emulator.report().applied == 1
    emulator.start()
    braket.create_quantum_task(**order("next"))
    assert emulator.report(["whole", "next"]).lost == ()


def test_an_answered_call_is_on_the_disk(emulator, braket, order):
    """Killed right after the answer, each time: what was promised to the caller is in the ledger."""
    for turn in range(3):
        arn = braket.create_quantum_task(**order(f"disk-{turn}", GARNET))["quantumTaskArn"]
        emulator.kill()
        assert any(getattr(line, "job", "") == arn.rpartition("/")[2] for line in emulator.entries())
        emulator.start()
    assert emulator.report().doubled == ()


async def test_the_same_seed_gives_the_same_shots_under_other_ids(config, tmp_path, client_of, order, ended):
    tasks, results = [], []
    for life in range(2):
        with EmulatorProcess(tmp_path / f"life-{life}", config=config, seed=3) as emulator:
            braket = client_of(emulator)
            task = await ended(braket, braket.create_quantum_task(**order("same", shots=100))["quantumTaskArn"])
            path = f"/s3/{task['outputS3Bucket']}/{task['outputS3Directory']}/results.json"
            async with httpx.AsyncClient() as http:
                results.append((await http.get(emulator.url + path)).json()["measurements"])
            tasks.append(task["quantumTaskArn"])
    assert tasks[0] != tasks[1]
    assert results[0] == results[1]


def test_it_ends_when_it_is_asked_to(emulator):
    assert httpx.get(f"{emulator.url}/control/health").json()["starts"] == 1
    emulator.stop()
    assert isinstance(emulator.entries()[0], Opened)
    assert not any(isinstance(line, Moved) for line in emulator.entries())


def test_a_script_s_faults_are_armed_once_when_the_cloud_is_founded(config, tmp_path):
    script = tmp_path / "script.toml"
    script.write_text('[[faults]]\nkind = "throttle"\nrate = 0.5\n\n[[faults]]\nkind = "lost"\nafter = 60.0\n')
    with EmulatorProcess(tmp_path / "scripted", config=config, script=script) as scripted:
        rules = scripted.control("GET", "faults")
        assert [rule["kind"] for rule in rules] == ["throttle", "lost"]
        scripted.control("DELETE", f"faults/{rules[0]['id']}")
        _again(scripted)
        assert [rule["kind"] for rule in scripted.control("GET", "faults")] == ["lost"]
