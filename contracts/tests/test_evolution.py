"""Within a version only fields with defaults are added."""

from __future__ import annotations

import copy
import json

import pytest

from quire_contracts import generate
from quire_contracts.evolution import LawBroken, breaches, merged, shapes

FROZEN = json.loads((generate.HOME / "golden" / generate.SHAPES).read_text(encoding="utf-8"))


def test_today_keeps_what_was_frozen():
    assert breaches(FROZEN, json.loads(json.dumps(shapes()))) == []


def changed(change) -> list[str]:
    today = copy.deepcopy(FROZEN)
    change(today["$defs"])
    return breaches(FROZEN, today)


def put(struct: str, field: str, **words):
    """A change: a field's schema gets these words."""
    return lambda defs: defs[struct]["properties"].setdefault(field, {}).update(words)


def drop(struct: str, field: str, word: str):
    """A change: a field's schema loses a word."""
    return lambda defs: defs[struct]["properties"][field].pop(word)


def require(struct: str, field: str):
    """A change: a field is there and required."""
    return lambda defs: (
        defs[struct]["properties"].setdefault(field, {"type": "string"}),
        defs[struct]["required"].append(field),
    )


BRAND = {"$ref": "#/$defs/Brand"}
PROBLEMS = FROZEN["$defs"]["OptimizeJob"]["properties"]["problem"]["oneOf"]
PRIORITIES = FROZEN["$defs"]["Batch"]["properties"]["priority"]["enum"]
OTHER_PRIORITIES = [priority for priority in PRIORITIES if priority != "research"]
EDGE = {"type": "array", "items": {"prefixItems": [{"type": "integer"}] * 3}}

ALLOWED = {
    "a field with a default": put("JobAccepted", "colour", type="string", default=""),
    "a new struct": lambda defs: defs.update(Brand={"type": "object"}),
    "a field no longer required": lambda defs: defs["JobAccepted"]["required"].remove("project"),
    "one more value of an enumeration": put("Batch", "priority", enum=[*PRIORITIES, "urgent"]),
    "a wider limit": put("SampleJob", "shots", maximum=10**9),
    "no limit": drop("SampleJob", "name", "maxLength"),
    "no pattern": drop("JobAccepted", "job_id", "pattern"),
    "one more kind of problem": put("OptimizeJob", "problem", oneOf=[*PROBLEMS, BRAND]),
    "another order of the union": put("OptimizeJob", "problem", oneOf=PROBLEMS[::-1]),
    "unknown fields tolerated": lambda defs: defs["SampleJob"].pop("additionalProperties"),
}
FORBIDDEN = {
    "JobAccepted: removed": lambda defs: defs.pop("JobAccepted"),
    "JobAccepted.name: removed": lambda defs: defs["JobAccepted"]["properties"].pop("name"),
    "JobAccepted.repeated: type was boolean, is string": put("JobAccepted", "repeated", type="string"),
    "JobAccepted.repeated: is required now": require("JobAccepted", "repeated"),
    "JobAccepted.colour: is required now": require("JobAccepted", "colour"),
    "JobAccepted.repeated: default was False, is True": put("JobAccepted", "repeated", default=True),
    "JobAccepted.repeated: default was False, is 'not there'": drop("JobAccepted", "repeated", "default"),
    "Batch.priority: no longer allowed: ['research']": put(
        "Batch", "priority", enum=sorted({*PRIORITIES} - {"research"})
    ),
    "JobAccepted.name: no longer allowed: anything but ['a']": put("JobAccepted", "name", enum=["a"]),
    "SampleJob.shots: maximum was 1000000, is 10": put("SampleJob", "shots", maximum=10),
    "SampleJob.shots: minimum was 1, is 2": put("SampleJob", "shots", minimum=2),
    "Slice.round: minimum was not there, is 1": put("Slice", "round", minimum=1),
    "JobAccepted.job_id: pattern was ^[A-Za-z0-9_-]{1,64}$": put("JobAccepted", "job_id", pattern="^[a-z]$"),
    "OptimizeJob.problem: no longer one of its types: {'$ref': '#/$defs/Qubo'}": put(
        "OptimizeJob", "problem", oneOf=[PROBLEMS[0], PROBLEMS[2]]
    ),
    "Batch.observables: no longer one of its types: {'type': 'null'}": put(
        "Batch", "observables", anyOf=[{"$ref": "#/$defs/BlobRef"}]
    ),
    "Batch.structure: is one of several types now": put("Batch", "structure", anyOf=[{"type": "null"}]),
    "Batch.structure: $ref was #/$defs/BlobRef, is #/$defs/Brand": put("Batch", "structure", **BRAND),
    "Batch.members/items: $ref was #/$defs/Slice, is #/$defs/Brand": put("Batch", "members", items=BRAND),
    "JobFailed/additionalProperties: True became False": lambda defs: defs["JobFailed"].update(
        additionalProperties=False
    ),
    "MaxCut.edges/items/2: type was number, is integer": put("MaxCut", "edges", **EDGE),
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_older_messages_survive_is_allowed(change):
    assert changed(change) == []


@pytest.mark.parametrize(("breach", "change"), FORBIDDEN.items(), ids=FORBIDDEN.keys())
def test_what_older_messages_do_not_survive_is_named(breach, change):
    found = changed(change)
    assert any(each.startswith(breach) for each in found), found


def test_a_tagged_struct_may_become_one_of_several_but_not_be_replaced_by_them():
    def found(*kinds: str) -> list[str]:
        now = {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds]}
        frozen = {"Loop": {"properties": {"method": {"$ref": "#/$defs/Spsa"}}}}
        return breaches(
            {"messages": {}, "$defs": frozen}, {"messages": {}, "$defs": {"Loop": {"properties": {"method": now}}}}
        )

    assert found("Nft", "Spsa") == []
    assert found("Nft", "CmaEs") == ["Loop.method: no longer one of its types: {'$ref': '#/$defs/Spsa'}"]


def test_a_removed_message_is_named():
    today = copy.deepcopy(FROZEN)
    del today["messages"]["io.quire.job.failed.v1"]
    assert breaches(FROZEN, today) == ["io.quire.job.failed.v1: removed"]


def test_new_shapes_are_guarded_only_if_nothing_is_broken(tmp_path, capsys):
    grown = copy.deepcopy(FROZEN)
    put("JobAccepted", "colour", type="string", default="")(grown["$defs"])
    assert merged(FROZEN, grown) == grown
    with pytest.raises(LawBroken, match=r"JobAccepted\.colour: removed"):
        merged(grown, FROZEN)
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / generate.SHAPES).write_text(json.dumps(grown))
    assert generate.main(["--add-golden", "--home", str(tmp_path)]) == 1
    assert "JobAccepted.colour: removed" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "golden").iterdir()] == [generate.SHAPES]
