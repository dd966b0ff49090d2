"""The door: whatever comes, a checked document or a DocumentError whose pointers lead somewhere."""

from __future__ import annotations

import copy
import json
import re
import time

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import inspect as types

from quire_contracts import limits
from quire_contracts.document import JobDocument
from quire_contracts.golden import DOCUMENTS
from quire_contracts.intake import DocumentError, job_id_for, parse_document
from quire_contracts.schema import inner
from quire_contracts.value import Problem

texts = st.text(max_size=20) | st.sampled_from(["`", "a/b~c", "$.x[0]", "shared", "acme\n", "[...]", "1", "qiskit:aer"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inside: st.lists(inside, max_size=4) | st.dictionaries(texts, inside, max_size=4), max_leaves=12
)


def problems_of(body: bytes) -> tuple[Problem, ...]:
    """The problems of a body, none where it is accepted; anything but a DocumentError fails the test."""
    try:
        parse_document(body)
    except DocumentError as error:
        problems = error.problems
    else:
        return ()
    assert problems
    for problem in problems:
        msgspec.json.decode(msgspec.json.encode(problem), type=Problem)
        assert problem.reason
        assert problem.hint
    return problems


def leads_somewhere(pointer: str, document) -> bool:
    """RFC 6901; the last step of a missing field's pointer leads to where it should be."""
    if not pointer:
        return True
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.removeprefix("/").split("/")]
    for step in steps[:-1]:
        document = document[int(step)] if isinstance(document, list) else document[step]
    if isinstance(document, list):
        return int(steps[-1]) < len(document)
    return isinstance(document, dict)


def places(document, path=()):
    """Every path in a document."""
    yield path
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from places(value, (*path, key))


@st.composite
def spoiled(draw):
    """A right document in which one thing is replaced, removed or added."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    *way, last = draw(st.sampled_from([path for path in places(document) if path]))
    place = document
    for step in way:
        place = place[step]
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            place[last] = draw(values)
        case "remove":
            del place[last]
        case "add" if isinstance(place, dict):
            place[draw(texts)] = draw(values)
        case _:
            place.insert(0, draw(values))
    return document


@given(spoiled())
def test_spoiled_documents_are_accepted_or_refused_with_pointers_that_lead_somewhere(document):
    for problem in problems_of(json.dumps(document).encode()):
        assert leads_somewhere(problem.pointer, document), problem


@given(values)
def test_any_json_is_accepted_or_refused(document):
    for problem in problems_of(json.dumps(document).encode()):
        assert leads_somewhere(problem.pointer, document), problem


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe{}")
@example(b'{"kind": "sample", "program": "\xed\xa0\x80"}')
@example(b'{"kind": "sample", "program": "x", "shots": 0, #')
@example(b'{"kind": "sample", "program": "x", "seed": 1e400}')
@example(b'{"kind": "sample", "program": "x", "parameters": [[NaN]]}')
@example(b'{"kind": "sample"' * 100)
def test_any_bytes_are_refused(body):
    assert problems_of(body)


@given(st.sampled_from(DOCUMENTS), st.data())
def test_a_torn_document_is_refused(document, data):
    body = json.dumps(document).encode()
    assert problems_of(body[: data.draw(st.integers(0, len(body) - 1))])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_documents_of_every_kind_are_accepted(document):
    assert problems_of(json.dumps(document).encode()) == ()


SAMPLE = {"kind": "sample", "program": "OPENQASM 3.0;"}
ESTIMATE = {"kind": "estimate", "program": "OPENQASM 3.0;", "observables": [{"ZZ": 1.0}]}
CUT = {"kind": "optimize", "problem": {"type": "maxcut", "edges": [[0, 1, 1.0]]}}


def loop(layers: int = 2, **optimizer) -> dict:
    return CUT | {"algorithm": {"name": "qaoa", "layers": layers, "optimizer": optimizer}}


@pytest.mark.parametrize(
    ("document", "pointer", "reason"),
    [
        (SAMPLE | {"shotz": 1}, "/shotz", "unknown field"),
        (SAMPLE | {"a/b~": 1}, "/a~1b~0", "unknown field"),
        ({"kind": "sample"}, "/program", "missing"),
        ({"program": "x"}, "/kind", "missing"),
        ({"kind": "simulate"}, "/kind", "Invalid value"),
        (SAMPLE | {"shots": 0}, "/shots", ">= 1"),
        (SAMPLE | {"shots": "many"}, "/shots", "Expected `int`"),
        (SAMPLE | {"tenant": "acme\n"}, "/tenant", "regex"),
        (SAMPLE | {"tenant": "a.b"}, "/tenant", "regex"),
        (SAMPLE | {"tenant": "shared"}, "/tenant", "reserved"),
        (SAMPLE | {"targets": ["simulation", "simulation"]}, "/targets", "twice"),
        (SAMPLE | {"targets": ["a b"]}, "/targets/0", "regex"),
        (SAMPLE | {"parameters": [[1.0], [1.0, 2.0]]}, "/parameters/1", "2 numbers, the first has 1"),
        (SAMPLE | {"tags": {"a": 1}}, "/tags", "Expected `str`"),
        (ESTIMATE | {"observables": [{"ZZ": 1.0}, {"Z": 1.0}]}, "/observables", "different lengths"),
        (ESTIMATE | {"observables": [{"AB": 1.0}]}, "/observables/0", "regex"),
        (CUT | {"problem": {"type": "maxcut", "edges": [[0, 1, 1.0], [2, 2, 1.0]]}}, "/problem/edges/1", "itself"),
        (CUT | {"problem": {"type": "maxcut", "n": 2, "edges": [[0, 5, 1.0]]}}, "/problem/edges/0", "does not exist"),
        (CUT | {"problem": {"type": "qubo", "n": 3, "linear": [1.0]}}, "/problem/linear", "1 numbers for n = 3"),
        (CUT | {"problem": {"type": "ising", "n": 3, "h": [1.0]}}, "/problem/h", "1 numbers for n = 3"),
        (CUT | {"algorithm": {"name": "qaoa", "layers": 2, "initial": [0.1]}}, "/algorithm/initial", "1 angles"),
        (loop(name="adam"), "/algorithm/optimizer/name", "Invalid value 'adam'"),
        (loop(name="nft", learning_rate=1.0), "/algorithm/optimizer/learning_rate", "unknown field"),
        (loop(name="cma-es", sigma=0), "/algorithm/optimizer/sigma", "> 0"),
        (loop(name="cma-es", population=3), "/algorithm/optimizer/population", ">= 4"),
        (loop(name="cma-es", population=600), "/algorithm/optimizer/population", "600 parameter sets of 4 angles"),
        (loop(16, name="parameter-shift"), "/algorithm/layers", "65 parameter sets of 32 angles"),
        (loop(16, name="scipy", method="l-bfgs-b"), "/algorithm/layers", "65 parameter sets of 32 angles"),
        (loop(name="parameter-shift", method="momentum"), "/algorithm/optimizer/method", "Invalid enum value"),
        (loop(name="scipy", method="bfgs"), "/algorithm/optimizer/method", "Invalid enum value"),
        (loop(name="scipy", rounds=201), "/algorithm/optimizer/rounds", "<= 200"),
        (loop(name="scipy", step=0.01, tolerance=0.1), "/algorithm/optimizer/tolerance", "longer than the first, 0.01"),
        (loop(name="spsa", patience=0), "/algorithm/optimizer/patience", ">= 1"),
    ],
)
def test_each_mistake_is_named_where_it_is(document, pointer, reason):
    (problem,) = problems_of(json.dumps(document).encode())
    assert problem.pointer == pointer
    assert reason in problem.reason


def test_all_rules_are_told_at_once():
    document = SAMPLE | {"tenant": "shared", "targets": ["simulation"] * 2, "parameters": [[1.0], []]}
    found = problems_of(json.dumps(document).encode())
    assert [problem.pointer for problem in found] == ["/tenant", "/targets", "/parameters/1"]


def test_size_is_checked_before_anything_else():
    (problem,) = problems_of(b"[" * (limits.DOCUMENT_BYTES + 1))
    assert str(limits.DOCUMENT_BYTES) in problem.limit
    padded = json.dumps(SAMPLE).encode()
    assert problems_of(padded + b" " * (limits.DOCUMENT_BYTES - len(padded))) == ()
    assert problems_of(padded + b" " * (limits.DOCUMENT_BYTES - len(padded) + 1))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"kind":'])
def test_deep_nesting_is_refused_without_being_followed(opening):
    began = time.thread_time()
    (problem,) = problems_of(opening * (limits.DOCUMENT_BYTES // len(opening)))
    assert "nested too deeply" in problem.reason
    assert time.thread_time() - began < 1.0


@pytest.mark.parametrize("filling", [b"[],", b'"",', b'"\\\\",', b'{"":0},', b'"[",'])
def test_a_full_document_of_anything_is_refused_soon(filling):
    began = time.thread_time()  # not the process's: threads of earlier tests may still work
    assert problems_of(b"[" + filling * (limits.DOCUMENT_BYTES // len(filling) - 1) + b"0]")
    assert time.thread_time() - began < 1.0


def test_depth_is_counted_outside_of_texts():
    brackets = "[" * 100 + '\\"{{{'
    assert problems_of(json.dumps(SAMPLE | {"program": brackets}).encode()) == ()
    nested = "[" * limits.DOCUMENT_DEPTH + "]" * limits.DOCUMENT_DEPTH
    (problem,) = problems_of(f'{{"kind": {nested}}}'.encode())
    assert "nested" in problem.reason


def test_the_deepest_legal_document_is_far_from_the_limit():
    def depth(value) -> int:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if parts is None else 1 + max(map(depth, parts), default=0)

    assert max(map(depth, DOCUMENTS)) <= 6 < limits.DOCUMENT_DEPTH


def bounded(info: types.Type) -> bool:
    """Whether a text or a collection has a length limit; a pattern that ends in a counted class has one too."""
    match info:
        case types.StrType(max_length=length, pattern=pattern):
            return length is not None or bool(pattern and re.search(r"\{\d+,\d+\}\)?\??\\Z$", pattern))
        case types.DictType(max_length=length) | types.VarTupleType(max_length=length):
            return length is not None
        case types.ListType(max_length=length) | types.SetType(max_length=length) | types.BytesType(max_length=length):
            return length is not None
        case _:
            return not isinstance(info, types.AnyType | types.CustomType | types.RawType)


def test_every_text_and_every_collection_of_a_document_has_a_limit():
    unbounded, seen, pending = [], set(), [(types.type_info(JobDocument), "document")]
    while pending:
        info, path = pending.pop()
        if not bounded(info):
            unbounded.append(path)
        if isinstance(info, types.StructType):
            if info.cls in seen:
                continue
            seen.add(info.cls)
            assert info.forbid_unknown_fields, path
            pending += [(field.type, f"{info.cls.__name__}.{field.name}") for field in info.fields]
        else:
            pending += [(part, f"{path}[]") for part in inner(info)]
    assert unbounded == ["SweepJob.base[]", "Variant.patch[]"], "parts of documents, which are looked at as such"
    assert len(seen) == 37


def test_unknown_fields_are_refused_at_every_depth():
    for document in DOCUMENTS:
        for path in places(document):
            spoiled = copy.deepcopy(document)
            place = spoiled
            for step in path:
                place = place[step]
            if isinstance(place, dict) and path[:1] not in {("tags",), ("observables",), ("hamiltonian",)}:
                place["from_the_future"] = 1
                (problem,) = problems_of(json.dumps(spoiled).encode())
                assert problem.pointer.endswith("/from_the_future"), problem


def test_a_key_names_one_job_of_its_tenant():
    assert job_id_for("acme", "order-1") == job_id_for("acme", "order-1")
    assert len({job_id_for(tenant, key) for tenant in ("acme", "umbrella") for key in ("a", "b")}) == 4
