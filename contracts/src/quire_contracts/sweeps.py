"""A sweep's variants as documents of their own, and what may be wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from quire_contracts import limits
from quire_contracts.document import JobDocument, SweepJob
from quire_contracts.value import Problem

VARIED: Final = ("sample", "estimate", "optimize", "minimize")
"""The kinds of jobs that a sweep may have variants of."""

_NOT_HERE: Final = {
    "tenant": "say it of the sweep",
    "idempotency_key": "say it of the sweep",
    "deadline_seconds": "say it of the sweep",
    "from": "a variant begins afresh; give `initial` angles instead",
}
"""What no variant may say, and what to do instead."""

_INHERITED: Final = ("project", "priority", "targets", "tags")
_MOST_TOLD: Final = 10


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396): objects are merged field by field, null removes a field, all else replaces."""
    result = dict(base)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            known = result.get(name)
            result[name] = merged(known if isinstance(known, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def variant_bodies(sweep: SweepJob) -> list[bytes]:
    """The document of each variant as JSON, in order, with what it has from its sweep written in; not checked."""
    whole = msgspec.to_builtins(sweep)
    name, count = sweep.name or "sweep", len(sweep.variants)
    bodies = []
    for number, variant in enumerate(sweep.variants):
        asked = merged(sweep.base, variant.patch)
        label = variant.label or f"{number + 1} of {count}"
        inherited = {field: whole[field] for field in _INHERITED if whole[field]}
        bodies.append(msgspec.json.encode({"name": f"{name[: 126 - len(label)]}: {label}"} | inherited | asked))
    return bodies


def sweep_rules(sweep: SweepJob, parse: Callable[[bytes], JobDocument]) -> list[Problem]:
    """What is wrong with a sweep's variants, each thing once, where the base or the patch says it; ten at most.

    parse: reads a document, or raises a `ValueError` whose `problems` say what is wrong with it.
    """
    too_large = _too_large(sweep)
    if too_large is not None:
        return [too_large]
    found: dict[str, Problem] = {}
    if isinstance(sweep.mitigation, msgspec.Struct):
        reason = "a sweep runs nothing itself, so there is nothing to mitigate"
        found[""] = Problem(pointer="/mitigation", reason=reason, hint="say it in `base`")
    for number, (variant, body) in enumerate(zip(sweep.variants, variant_bodies(sweep), strict=True)):
        asked = merged(sweep.base, variant.patch)
        for problem in _wrong(asked, body, parse):
            first = problem.pointer.split("/")[1] if problem.pointer else ""
            where = f"/variants/{number}/patch" if first in variant.patch or first not in asked else "/base"
            pointer = f"{where}{problem.pointer}"[:512]
            found.setdefault(pointer, msgspec.structs.replace(problem, pointer=pointer))
        if len(found) >= _MOST_TOLD:
            break
    return list(found.values())[:_MOST_TOLD]


def _too_large(sweep: SweepJob) -> Problem | None:
    """What is wrong with variants that are too long to be put together and looked at; from their lengths alone."""
    base, patches = len(msgspec.json.encode(sweep.base)), len(msgspec.json.encode(sweep.variants))
    most = base * len(sweep.variants) + patches
    if most <= limits.SWEEP_BYTES:
        return None
    return Problem(
        pointer="/base" if base * len(sweep.variants) > patches else "/variants",
        reason=f"the documents of {len(sweep.variants)} variants have up to {most} bytes together",
        limit=f"at most {limits.SWEEP_BYTES} bytes",
        hint="shorten the base, or spread the variants over several sweeps",
    )


def _wrong(asked: Mapping[str, Any], body: bytes, parse: Callable[[bytes], JobDocument]) -> list[Problem]:
    """What is wrong with one variant; pointers lead into its document."""
    if asked.get("kind") not in VARIED:
        kinds = ", ".join(VARIED)
        reason, hint = "a variant has no kind, or one that cannot be swept", "say it in `base`, or in each patch"
        return [Problem(pointer="/kind", reason=reason, limit=kinds, hint=hint)]
    found = [
        Problem(pointer=f"/{field}", reason=f"a variant has no `{field}` of its own", hint=hint)
        for field, hint in _NOT_HERE.items()
        if field in asked
    ]
    if found:
        return found
    try:
        parse(body)
    except ValueError as error:
        return list(getattr(error, "problems", ())) or [Problem(pointer="", reason=str(error)[:500])]
    return []
