"""Every hostile program ends in its typed refusal within a second, tells nothing, and harms nothing."""

import time
from pathlib import Path

import pytest

from quire_quantum.parse import parse_program
from quire_quantum.prescan import prescan
from quire_quantum.rejection import ProgramRejected
from quire_testing.hostile_programs import HOSTILE, SECRET

HARMLESS = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_program_is_refused_and_the_next_one_is_parsed(sandbox, name):
    source, code = HOSTILE[name]
    seconds = []
    for _ in range(3):  # the machine may be busy with something else: one quick try of three shows that it is quick
        began = time.perf_counter()
        with pytest.raises(ProgramRejected) as refused:
            sandbox.parse(source)
        seconds.append(time.perf_counter() - began)
        assert refused.value.code == code
        assert len(sandbox.parse(HARMLESS).structure.operations) == 4
        if seconds[-1] < 1.0:
            break
    assert min(seconds) < 1.0


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_refusal_says_little_of_the_program_and_nothing_of_any_file(name):
    source, _ = HOSTILE[name]
    with pytest.raises(ProgramRejected) as refused:
        parse_program(source)
    problem = refused.value.problem()
    text = " ".join(filter(None, (problem.reason, problem.limit, problem.hint)))
    assert len(text) < 400
    assert SECRET not in text
    assert not any(line in text for line in Path(SECRET).read_text().splitlines())


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_no_word_of_an_included_file_comes_out(sandbox, tmp_path, version):
    (tmp_path / "secret.inc").write_text("hunter2 correct horse battery staple;\n")
    with pytest.raises(ProgramRejected) as refused:
        sandbox.parse(f'OPENQASM {version};\ninclude "{tmp_path}/secret.inc";\n')
    problem = refused.value.problem()
    assert (problem.pointer, problem.reason) == ("/program", "the program includes a file (line 2)")
    assert not any(word in repr(problem) for word in ("hunter2", "horse", "secret", str(tmp_path)))


def test_what_is_cheap_to_see_never_reaches_a_parser():
    words = ["calibration", "extern", "include", "opaque", "pragma", "subroutine", "timing"]
    seen_first = {"program-too-large", "not-utf8", "nul", "literal-too-long", "physical-qubit"}
    seen_first |= {f"{word}-refused" for word in words}
    for source, code in HOSTILE.values():
        if code in seen_first:
            with pytest.raises(ProgramRejected):
                prescan(source)


def test_there_are_thirty_more_than_were_measured_before():
    assert len(HOSTILE) >= 11 + 30
