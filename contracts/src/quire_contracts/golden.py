"""Golden samples: what each message looked like on the wire when it was first published, frozen as files.

A sample is made once, from the types, and never changed afterwards: it stands for what other teams have stored and
still send. What is made here is only ever written where no sample is yet.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import Any, Final

import msgspec
from msgspec import inspect as types

from quire_contracts.mitigation import Zne
from quire_contracts.registry import Entry
from quire_contracts.schema import inner
from quire_contracts.value import BlobRef, Observable

Sample = dict[str, Any]

_CONTENT: Final = b"content of a blob"
_TIME: Final = "2026-05-01T12:00:00Z"
_TRACE: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_NAMESPACE: Final = uuid.UUID("0d4a6a1c-6b0f-5d5e-9a53-0b8f0f6f2a10")

_WORDS: Final = {
    r"^[a-z0-9-]{1,40}\Z": "acme",
    r"^[A-Za-z0-9_-]{1,64}\Z": "0f8fad5b-d9cb-469f-a165-70867728950e",
    r"^[A-Za-z0-9_-]{0,64}\Z": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    r"^[0-9a-f]{64}\Z": hashlib.sha256(_CONTENT).hexdigest(),
    r"^[a-z0-9-]{1,32}(:[A-Za-z0-9_.-]{1,64})?\Z": "qiskit:aer",
}
"""A text for each pattern of the contracts; a new pattern needs its example here."""

_WHOLE: Final[dict[type, Sample]] = {
    BlobRef: {
        "sha256": hashlib.sha256(_CONTENT).hexdigest(),
        "size": len(_CONTENT),
        "media_type": "application/octet-stream",
        "inline": base64.b64encode(_CONTENT).decode(),
    },
    Observable: {"labels": ["IZ", "ZZ"], "coefficients": [0.5, 1.0]},
    Zne: {"scale_factors": [1.0, 3.0], "extrapolation": "linear"},
}
"""Structs whose fields belong together."""

_VALUES: Final[dict[type[types.Type], Any]] = {
    types.FloatType: 0.5,
    types.BoolType: True,
    types.DateTimeType: _TIME,
    types.BytesType: base64.b64encode(_CONTENT).decode(),
}
"""A value for each type of which one is as good as another."""

DOCUMENTS: Final[tuple[Sample, ...]] = (
    {"kind": "sample", "program": "OPENQASM 3.0; qubit[1] q; bit[1] c; c = measure q;"},
    {
        "kind": "sample",
        "name": "sweep",
        "tenant": "acme",
        "project": "pilot",
        "priority": "production",
        "deadline_seconds": 60.0,
        "seed": 7,
        "targets": ["simulation", "qiskit:aer"],
        "budget": {"max_usd": 5.0, "max_shots": 100_000},
        "idempotency_key": "order-4711",
        "tags": {"experiment": "42"},
        "program": "OPENQASM 3.0; input float t; qubit[1] q; bit[1] c; rx(t) q[0]; c = measure q;",
        "parameters": [[0.1], [0.2]],
        "shots": 1000,
    },
    {
        "kind": "estimate",
        "program": "OPENQASM 3.0; input float t; qubit[2] q; ry(t) q[0]; cx q[0], q[1];",
        "parameters": [[0.1]],
        "observables": [{"ZZ": 1.0, "IX": 0.5}],
        "precision": 0.01,
    },
    {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": [[0, 1, 1.0], [1, 2, 0.5]], "n": 3},
        "shots": 1024,
        "algorithm": {"name": "qaoa", "layers": 2, "optimizer": {"name": "spsa", "rounds": 20}, "sweep": 16},
    },
    {
        "kind": "optimize",
        "problem": {"type": "qubo", "n": 2, "linear": [1.0, -1.0], "quadratic": [[0, 1, 2.0]], "offset": 0.5},
    },
    {
        "kind": "optimize",
        "problem": {"type": "ising", "n": 2, "h": [0.0, 1.0], "j": [[0, 1, -1.0]], "offset": 0.0},
        "algorithm": {"name": "qaoa", "layers": 1, "initial": [0.1, 0.2]},
    },
    {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": [[0, 1, 1.0], [1, 2, 1.0]]},
        "from": {"job": "0f8fad5b-d9cb-469f-a165-70867728950e", "round": 3},
    },
    {
        "kind": "optimize",
        "problem": {"type": "independent-set", "edges": [[0, 1], [1, 2]], "n": 3, "weights": [1.0, 2.0, 1.5]},
    },
    {"kind": "optimize", "problem": {"type": "number-partitioning", "numbers": [4.0, 3.0, 1.0]}},
    {
        "kind": "optimize",
        "problem": {
            "type": "travelling-salesman",
            "distances": [[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.5, 3.0, 0.0]],
        },
    },
    {
        "kind": "optimize",
        "problem": {
            "type": "vehicle-routing",
            "distances": [[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]],
            "demands": [0.0, 1.0, 2.0],
            "capacity": 2.5,
            "vehicles": 2,
        },
    },
    {
        "kind": "optimize",
        "problem": {
            "type": "portfolio",
            "returns": [0.1, 0.2, 0.15],
            "covariance": [[0.04, 0.01, 0.0], [0.01, 0.09, 0.02], [0.0, 0.02, 0.05]],
            "choose": 2,
            "risk_aversion": 1.0,
        },
    },
    {
        "kind": "minimize",
        "hamiltonian": {"II": -0.5, "ZZ": 1.0, "XI": 0.25},
        "constant": 0.7,
        "unit": "hartree",
        "precision": 0.01,
        "coarsest_precision": 0.1,
        "algorithm": {
            "name": "vqe",
            "ansatz": {
                "name": "hardware-efficient",
                "layers": 1,
                "rotations": ["ry"],
                "entangler": "cz",
                "entanglement": "full",
                "state": "01",
            },
            "optimizer": {"name": "nft", "rounds": 8},
            "sweep": 4,
            "spread": 1.0,
        },
    },
    {
        "kind": "minimize",
        "hamiltonian": {"Z": 1.0},
        "algorithm": {
            "name": "vqe",
            "ansatz": {"name": "program", "program": "OPENQASM 3.0; input float t; qubit[1] q; U(t, 0, 0) q[0];"},
            "initial": [0.1],
        },
    },
    {
        "kind": "kernel",
        "points": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]],
        "others": [[0.7, 0.8, 0.9]],
        "features": {"columns": [2, 0], "scaling": "minmax", "low": 0.0, "high": 3.0},
        "feature_map": {
            "name": "pauli",
            "paulis": ["Z", "YY"],
            "repetitions": 1,
            "entanglement": "linear",
            "alpha": 1.0,
        },
        "shots": 100,
    },
    {
        "kind": "optimize",
        "problem": {"type": "maxcut", "edges": [[0, 1, 1.0], [1, 2, 1.0]]},
        "partition": {"max_variables": 8, "polish_moves": 100, "allow_partial": True},
    },
    {
        "kind": "sweep",
        "x": "shots",
        "base": {"kind": "sample", "program": "OPENQASM 3.0; qubit[1] q; bit[1] c; c = measure q;"},
        "variants": [{"label": "few", "x": 10.0, "patch": {"shots": 10}}, {"patch": {"shots": 20}}],
        "allow_partial": True,
    },
    *(
        {
            "kind": "optimize",
            "problem": {"type": "maxcut", "edges": [[0, 1, 1.0], [1, 2, 1.0]]},
            "algorithm": {"name": "qaoa", "layers": 1, "optimizer": optimizer},
        }
        for optimizer in (
            {"name": "spsa", "rounds": 10, "patience": 5, "min_improvement": 0.01},
            {"name": "nft", "rounds": 10},
            {"name": "cma-es", "rounds": 10, "sigma": 0.2, "population": 8},
            {"name": "parameter-shift", "rounds": 10, "learning_rate": 0.2, "method": "plain", "difference": 0.1},
            {"name": "scipy", "method": "l-bfgs-b", "rounds": 10, "step": 0.2, "tolerance": 0.01, "difference": 0.1},
        )
    ),
)
"""Bodies of submissions: one for each kind of job and problem, and one with every common field."""


def samples(entry: Entry) -> list[Sample]:
    """Samples of a message, each with a name, its subject, headers and body (the body as JSON, not as text).

    `minimal` has the required fields and the four headers that a publisher must send; `full` and its variants have
    every field, each variant with another branch of what can be one of several.
    """
    if entry.raw:
        bodies = {f"document-{number}": body for number, body in enumerate(DOCUMENTS, 1)}
    else:
        info = types.type_info(entry.message)
        bodies = {"minimal": _example(info, 0, full=False)}
        bodies |= {f"full-{branch + 1}": _example(info, branch, full=True) for branch in range(_branches(info))}
    return [_sample(entry, name, body, minimal=name in {"minimal", "document-1"}) for name, body in bodies.items()]


def _sample(entry: Entry, name: str, body: Sample, *, minimal: bool) -> Sample:
    message = None if entry.raw else msgspec.json.decode(msgspec.json.encode(body), type=entry.message)
    tenant = entry.tenant_of(message) if message else "acme"
    key = entry.key_of(message) if message else "0f8fad5b-d9cb-469f-a165-70867728950e"
    id_ = str(uuid.uuid5(_NAMESPACE, f"{entry.type}|{name}"))
    headers = {"ce-specversion": "1.0", "ce-id": id_, "ce-source": "/quire/golden", "ce-type": entry.type}
    if not minimal:
        headers |= {
            "ce-time": _TIME,
            "ce-subject": key,
            "ce-datacontenttype": "application/json",
            "ce-correlationid": key,
            "ce-causationid": str(uuid.uuid5(_NAMESPACE, "cause")),
            "Nats-Msg-Id": id_,
            "traceparent": _TRACE,
        }
    return {"name": name, "subject": entry.subject_for(tenant, key), "headers": headers, "body": body}


def _example(info: types.Type, branch: int, *, full: bool, name: str = "") -> Any:
    """A value of a type as plain JSON."""
    match info:
        case types.StructType(cls=cls) if cls in _WHOLE:
            return _WHOLE[cls]
        case types.StructType(fields=fields, tag_field=tag_field, tag=tag):
            tagged = {tag_field: tag} if tag_field else {}
            chosen = [field for field in fields if full or field.required]
            return tagged | {
                field.encode_name: _example(field.type, branch, full=full, name=field.name) for field in chosen
            }
        case types.UnionType(types=options):
            real = [option for option in options if not isinstance(option, types.NoneType)]
            return _example(real[branch % len(real)], branch, full=full, name=name)
        case types.Metadata(type=inside):
            return _example(inside, branch, full=full, name=name)
        case types.TupleType(item_types=items):
            return [_example(item, branch, full=full) for item in items]
        case types.VarTupleType(item_type=item):
            return [_example(item, branch, full=full, name=name)]
        case types.DictType(key_type=key, value_type=value):
            return {_example(key, branch, full=full): _example(value, branch, full=full)}
        case _:
            return _plain(info, branch, name)


def _plain(info: types.Type, branch: int, name: str) -> Any:
    match info:
        case types.LiteralType(values=values):
            return values[branch % len(values)]
        case types.StrType(pattern=str(pattern)):
            return _WORDS[pattern]
        case types.StrType():
            return _TRACE if name == "traceparent" else (name or "01")
        case types.IntType(ge=ge):
            return max(3, ge or 0)
    return _VALUES[type(info)]


def _branches(info: types.Type, seen: frozenset[type] = frozenset()) -> int:
    """The most alternatives that any union or literal in a type has, at most as many as show each struct of a union."""
    if isinstance(info, types.StructType):
        if info.cls in seen:
            return 1
        seen |= {info.cls}
    own = sum(isinstance(option, types.StructType) for option in info.types) if isinstance(info, types.UnionType) else 1
    return max([own, *(_branches(part, seen) for part in inner(info))])
