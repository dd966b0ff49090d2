"""From the bytes of a job document to a checked value, or to the list of what is wrong with it."""

from __future__ import annotations

import hashlib
import itertools
import re
import uuid
from typing import Final

import msgspec

from quire_contracts import limits
from quire_contracts.choice_rules import choice_rules
from quire_contracts.continuation import From
from quire_contracts.continuation_rules import continuation_rules
from quire_contracts.document import (
    EstimateJob,
    JobDocument,
    KernelJob,
    MinimizeJob,
    MitigationSetting,
    OptimizeJob,
    SampleJob,
    SweepJob,
)
from quire_contracts.kernel_rules import kernel_rules
from quire_contracts.mitigation import POINTS
from quire_contracts.problem_rules import problem_rules
from quire_contracts.qaoa_rules import qaoa_rules
from quire_contracts.sweeps import sweep_rules
from quire_contracts.value import Problem
from quire_contracts.verdict import AnswerRules, contradictions
from quire_contracts.vqe_rules import vqe_rules

SHARED_TENANT: Final = "shared"
"""The tenant of what belongs to several tenants at once, such as a batch; no document may name it."""

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://quire.dev/ids")
_PATH: Final = re.compile(r"^(?P<reason>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]+)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_LEVELS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in _LEVELS)
_POINTER: Final = 450
"""Characters of a pointer into the body; a `Problem` holds 512, and a missing field's name may follow."""

_SEE_SCHEMA: Final = "see contracts/schemas/job-document.json for the fields and their limits"
_decoder: Final[msgspec.json.Decoder[JobDocument]] = msgspec.json.Decoder(JobDocument)
_encoder: Final = msgspec.json.Encoder(order="deterministic")


class DocumentError(ValueError):
    """A job document that cannot be accepted; `problems` says where, why and what to do, at least one."""

    def __init__(self, *problems: Problem) -> None:
        """Keep the problems in the order in which they were found."""
        super().__init__("; ".join(f"{problem.pointer or '/'}: {problem.reason}" for problem in problems))
        self.problems = problems


def parse_document(body: bytes) -> JobDocument:
    """Read and check a job document (UTF-8 JSON).

    Size and nesting are checked before anything is decoded. Unknown fields are refused. The result obeys every limit
    of `limits` and every rule that needs no parsing of the program.

    Raises:
        DocumentError: with every problem found; a malformed document gives one problem, a well-formed one all of them.
    """
    if len(body) > limits.DOCUMENT_BYTES:
        raise DocumentError(
            Problem(
                pointer="",
                reason=f"the document has {len(body)} bytes",
                limit=f"at most {limits.DOCUMENT_BYTES} bytes",
                hint="split the parameter sets over several jobs",
            )
        )
    if _depth(body) > limits.DOCUMENT_DEPTH:
        raise DocumentError(
            Problem(
                pointer="",
                reason="the document is nested too deeply",
                limit=f"at most {limits.DOCUMENT_DEPTH} levels",
                hint="see the job document's JSON Schema, contracts/schemas/job-document.json",
            )
        )
    try:
        document = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise DocumentError(_problem(str(error), body)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = f"the body is not a JSON document: {error}"
        raise DocumentError(Problem(pointer="", reason=reason[:500], hint="send UTF-8 JSON (RFC 8259)")) from None
    problems = tuple(_rules(document))
    if problems:
        raise DocumentError(*problems)
    return document


def content_sha256(document: JobDocument) -> str:
    """Digest of what the document asks for: equal for equal content, whatever the order or spacing of its JSON."""
    return hashlib.sha256(_encoder.encode(document)).hexdigest()


def encode_document(document: JobDocument) -> bytes:
    """The document as canonical JSON: fields in order, defaults written out; equal documents give equal bytes."""
    return _encoder.encode(document)


def job_id_for(tenant: str, idempotency_key: str) -> str:
    """The id of the job that a tenant's idempotency key names (UUID version 5); the same key gives the same id."""
    return str(uuid.uuid5(_NAMESPACE, f"job|{tenant}|{idempotency_key}"))


def _depth(body: bytes) -> int:
    """Deepest nesting of brackets outside of strings; linear, and without recursion."""
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    return max(itertools.accumulate(map(_LEVELS.__getitem__, brackets)), default=0)


def _problem(message: str, body: bytes) -> Problem:
    """A msgspec message such as "Expected `int` >= 1 - at `$.shots`" as a problem with a JSON pointer into the body."""
    found = _PATH.match(message.replace(r"\\Z'", "$'"))  # as the JSON Schema writes the pattern
    reason, path = (found["reason"], found["path"] or "$") if found else (message, "$")
    steps = [name or index for name, index in _STEP.findall(path)]
    unknown = re.search(r"unknown field `(.+)`", reason, re.DOTALL)
    missing = re.search(r"missing required field `([^`]+)`", reason)
    limit = re.search(r"(?:of length|matching regex|>=|<=|<|>) .*$", reason)
    pointer, hint = _pointer([*steps, unknown[1]] if unknown else steps, body), _SEE_SCHEMA
    if missing:
        pointer, hint = f"{pointer}/{missing[1]}", f"add the field `{missing[1]}`"
    elif unknown:
        hint = "remove the field, or check its spelling"
    limited = limit[0][:200] if limit else None
    return Problem(pointer=pointer[:512], reason=reason[:1_000], limit=limited, hint=hint)


def _pointer(steps: list[str], body: bytes) -> str:
    """The JSON pointer (RFC 6901) of the steps as far as they lead somewhere; msgspec names no key of a mapping.

    Only the way to the place is decoded: everything beside it stays bytes, however many values it holds.
    """
    place, pointer = msgspec.Raw(body), ""
    try:
        for step in steps:
            token = f"/{step.replace('~', '~0').replace('/', '~1')}"
            if len(pointer) + len(token) > _POINTER:
                break
            place = _part(place, step)
            pointer += token
    except (msgspec.DecodeError, LookupError):  # what follows the fault is not JSON, or there is no such place
        pass
    return pointer


def _part(place: msgspec.Raw, step: str) -> msgspec.Raw:
    """What the key or the index names; a `LookupError` or a `msgspec.DecodeError` if it names nothing."""
    if bytes(place).lstrip().startswith(b"["):
        if not step.isdigit():
            raise LookupError(step)
        return msgspec.json.decode(place, type=list[msgspec.Raw])[int(step)]
    return msgspec.json.decode(place, type=dict[str, msgspec.Raw])[step]


def _rules(document: JobDocument) -> list[Problem]:
    """The rules that a type cannot say."""
    problems = []
    if document.tenant == SHARED_TENANT:
        problems.append(Problem(pointer="/tenant", reason=f"`{SHARED_TENANT}` is reserved", hint="use your own name"))
    if len(set(document.targets)) != len(document.targets):
        problems.append(Problem(pointer="/targets", reason="a target is named twice", hint="name each target once"))
    match document:
        case SampleJob() | EstimateJob():
            problems += _parameter_rules(document)
        case OptimizeJob():
            problems += _problem_rules(document)
        case MinimizeJob():
            problems += vqe_rules(document.hamiltonian, document.constant, document.algorithm)
            problems += choice_rules(document.algorithm, document.start)
            if isinstance(document.start, From):
                algorithm = document.algorithm
                problems += continuation_rules(document.start, algorithm.initial, algorithm.optimizer.rounds)
        case KernelJob():
            problems += kernel_rules(document)
        case SweepJob():
            problems += sweep_rules(document, parse_document)
    if isinstance(document, EstimateJob):
        problems += _observable_rules(document)
    if isinstance(document.mitigation, MitigationSetting):
        problems += _mitigation_rules(document, document.mitigation)
    return problems


def _parameter_rules(document: SampleJob | EstimateJob) -> list[Problem]:
    width = len(document.parameters[0])
    return [
        Problem(
            pointer=f"/parameters/{row}",
            reason=f"this parameter set has {len(values)} numbers, the first has {width}",
            hint="give every parameter set one number for each input of the program",
        )
        for row, values in enumerate(document.parameters)
        if len(values) != width
    ][:10]


def _observable_rules(document: EstimateJob) -> list[Problem]:
    widths = {len(label) for observable in document.observables for label in observable}
    if len(widths) > 1:
        return [
            Problem(
                pointer="/observables",
                reason=f"labels have different lengths: {sorted(widths)[:5]}",
                hint="write each label with one character for each qubit, the right-most for qubit 0",
            )
        ]
    return []


def _mitigation_rules(document: JobDocument, asked: MitigationSetting) -> list[Problem]:
    """Where mitigation does not apply, it is refused: work must not run as if nobody had asked."""
    where, limit = "/mitigation", None
    if isinstance(document, OptimizeJob):
        reason = "the samples of an optimisation are scored as they were read; mitigation gives no samples"
        hint = "leave `mitigation` out, or estimate the problem's observable with a job of kind `estimate`"
    elif isinstance(document, EstimateJob | MinimizeJob) and document.precision == 0:
        reason = "exact values are worked out without noise, so there is nothing to mitigate"
        hint = "ask for a precision above 0, or leave `mitigation` out"
    elif isinstance(document, KernelJob) and document.shots is None:
        reason = "exact entries are worked out without noise, so there is nothing to mitigate"
        hint = "ask for `shots`, or leave `mitigation` out"
    elif isinstance(document, SampleJob) and asked.zne is not None:
        where, reason = "/mitigation/zne", "counts cannot be extrapolated to no noise, only observables' values can"
        hint = "ask for observables with a job of kind `estimate`, or leave `zne` out"
    elif asked.readout is None and asked.zne is None:
        reason, hint = "it names nothing to be done", "give `readout`, `zne` or both, or leave `mitigation` out"
    elif asked.zne is not None and len(set(asked.zne.scale_factors)) < POINTS[asked.zne.extrapolation]:
        where, limit = "/mitigation/zne/scale_factors", f"at least {POINTS[asked.zne.extrapolation]} of them"
        reason = f"{len(set(asked.zne.scale_factors))} different factors for {asked.zne.extrapolation} extrapolation"
        hint = "add a factor, as in [1, 3, 5]"
    elif asked.zne is not None and list(asked.zne.scale_factors) != sorted(set(asked.zne.scale_factors)):
        where, reason = "/mitigation/zne/scale_factors", "the factors do not rise"
        hint = "name each factor once, the smallest first"
    else:
        return []
    return [Problem(pointer=where, reason=reason, limit=limit, hint=hint)]


def _problem_rules(document: OptimizeJob) -> list[Problem]:
    problems = problem_rules(document.problem)
    initial = document.algorithm.initial
    if initial and len(initial) != 2 * document.algorithm.layers:
        problems.append(
            Problem(
                pointer="/algorithm/initial",
                reason=f"{len(initial)} angles for {document.algorithm.layers} layers",
                limit=f"exactly {2 * document.algorithm.layers}",
                hint="give all gammas, then all betas",
            )
        )
    if isinstance(document.start, From):
        problems += continuation_rules(document.start, initial, document.algorithm.optimizer.rounds)
    if isinstance(document.rules, AnswerRules):
        problems += contradictions(document.rules)
    return problems + choice_rules(document.algorithm, document.start) + qaoa_rules(document.algorithm)
