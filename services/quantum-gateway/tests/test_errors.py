"""Every error that the SDKs, the services and the software can give is classed, and means what its row says."""

import builtins
import importlib
import inspect
import warnings
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from quire_quantum_gateway.providers import faults
from quire_quantum_gateway.providers.error_classes import ACTIONS
from quire_quantum_gateway.providers.error_table import find, load, meanings
from quire_quantum_gateway.providers.evidence import Evidence, evidence_in, evidence_of
from quire_resilience.errors import Permanent, QuireError, Transient

ADAPTERS = ("aws", "ibm", "qiskit", "braket")
SDKS = {
    "aws": ("botocore.exceptions", "botocore", "boto3", "s3transfer", "braket"),
    "ibm": ("qiskit_ibm_runtime", "requests", "urllib3.exceptions", "ibm_cloud_sdk_core"),
    "qiskit": ("qiskit", "qiskit_aer"),
    "braket": ("braket",),
}
UNUSED = (".test", ".visualization", ".fake_provider.backends", ".contrib.", "botocore.vendored.requests.packages")
"""Parts that need what is not installed, or are large and raise nothing of their own."""

STAND_IN = str.maketrans("?*", "0x")
"""For a text that a pattern fits."""


def exceptions_of(root):
    """Full names of all exception classes that a package defines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = [importlib.import_module(root)]
        folders = [Path(folder) for folder in getattr(modules[0], "__path__", [])]
        files = [(folder, file) for folder in folders for file in folder.rglob("*.py")]  # also where no __init__ is
        for folder, file in files:
            name = ".".join((root, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
            if not any(part in name for part in UNUSED) and not name.endswith("__main__"):
                try:
                    modules.append(importlib.import_module(name))
                except Exception:  # noqa: BLE001, S112 - an optional part whose own needs are not installed
                    continue
    return {
        f"{kind.__module__}.{kind.__qualname__}"
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, Exception)
        and not issubclass(kind, Warning)
        and kind.__module__.partition(".")[0] == root.partition(".")[0]
    }


def patterns(adapter):
    return [pattern for row in load(adapter).row for pattern in row.error]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_exception_class_of_the_installed_sdks_has_a_row_of_its_own(adapter):
    found = set().union(*map(exceptions_of, SDKS[adapter]))
    assert len(found) >= {"aws": 130, "ibm": 60, "qiskit": 30, "braket": 4}[adapter]
    assert {name for name in found if not any(fnmatchcase(name, each) for each in patterns(adapter))} == set()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_row_names_classes_that_exist(adapter):
    roots = {each.partition(".")[0] for each in patterns(adapter)} - {"builtins", "numpy", "pydantic", "urllib3"}
    known = {f"builtins.{name}" for name, each in vars(builtins).items() if inspect.isclass(each)}
    known |= {"numpy.exceptions.AxisError", "pydantic.v1.error_wrappers.ValidationError"}
    known |= exceptions_of("urllib3.exceptions").union(*map(exceptions_of, roots))
    assert [each for each in patterns(adapter) if not any(fnmatchcase(name, each) for name in known)] == []


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_no_row_stands_in_the_shadow_of_another(adapter):
    table = load(adapter)
    for row in table.row:
        for operation in row.operation or ("describe",):
            text = " ".join(row.says[:1])
            shown = [Evidence((), code.translate(STAND_IN), 400, text) for code in row.code]
            shown += [Evidence((), "", int(status.replace("?", "0")), text) for status in row.status]
            shown += [Evidence((name.translate(STAND_IN),), "", None, text) for name in row.error]
            age = None if row.younger_than is None else row.younger_than - 1
            met = [find(table, each, operation, age) for each in shown]
            assert row in met, (row, met)


def test_every_row_means_something_and_every_meaning_is_meant():
    named = {row.means for adapter in ADAPTERS for row in load(adapter).row}
    for_code = {"unclassified-read", "unclassified-outcome", "target-failing"}  # said by faults.classify and breakers
    assert named | for_code == set(meanings())
    assert {meaning.class_ for meaning in meanings().values()} == set(ACTIONS)


def test_every_declared_error_of_braket_s_operations_is_known():
    model = botocore.session.get_session().get_service_model("braket")
    used = {
        "CreateQuantumTask": "create",
        "GetQuantumTask": "status",
        "CancelQuantumTask": "cancel",
        "SearchQuantumTasks": "find",
        "GetDevice": "describe",
        "SearchDevices": "describe",
        "SearchSpendingLimits": "describe",
    }
    declared = {
        (operation, shape.name, shape.metadata["error"]["httpStatusCode"])
        for operation in used
        for shape in model.operation_model(operation).error_shapes
    }
    assert len(declared) >= 35
    for operation, code, status in declared:
        found = faults.classify(aws_error(code, status, operation=operation), load("aws"), used[operation])
        assert found.known, (operation, code)


def aws_error(code, status=400, text="no", headers=None, operation="CreateQuantumTask"):
    about = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError({"Error": {"Code": code, "Message": text}, "ResponseMetadata": about}, operation)


AWS = [
    ("ThrottlingException", 429, "", "create", "throttled", "no"),
    ("InternalServiceException", 500, "", "create", "transient", "maybe"),
    ("InternalServiceException", 500, "", "status", "transient", "no"),
    ("SomethingNew", 503, "", "create", "transient", "maybe"),
    ("DeviceOfflineException", 424, "", "create", "unavailable", "no"),
    ("DeviceRetiredException", 410, "", "create", "gone", "no"),
    ("ServiceQuotaExceededException", 402, "", "create", "capacity", "no"),
    ("ValidationException", 400, "the spending limit is reached", "create", "budget", "no"),
    ("ValidationException", 400, "reason=ProgramSetValidationFailed", "create", "invalid", "no"),
    ("ValidationException", 400, "the device supports 25 qubits", "create", "unsupported", "no"),
    ("ValidationException", 400, "shots must be at most 10000", "create", "unsupported", "no"),
    ("ValidationException", 400, "the gate xx is not native", "create", "unsupported", "no"),
    ("ValidationException", 400, "malformed", "create", "invalid", "no"),
    ("ConflictException", 409, "", "cancel", "progress", "no"),
    ("ConflictException", 409, "", "create", "ambiguous", "maybe"),
    ("AccessDeniedException", 403, "", "create", "auth", "no"),
    ("UnrecognizedClientException", 403, "", "create", "auth", "no"),
    ("InvalidSignatureException", 403, "", "create", "auth", "no"),
    ("ExpiredTokenException", 403, "", "status", "auth", "no"),
    ("RequestTimeTooSkewed", 403, "", "create", "auth", "no"),
    ("ResourceNotFoundException", 404, "", "status", "ambiguous", "no"),
    ("ResourceNotFoundException", 404, "", "describe", "gone", "no"),
    ("NoSuchKey", 404, "", "fetch", "transient", "no"),
    ("AccessDenied", 403, "", "fetch", "transient", "no"),
]


@pytest.mark.parametrize(("code", "status", "text", "operation", "expected", "applied"), AWS)
def test_what_braket_says(code, status, text, operation, expected, applied):
    found = faults.classify(aws_error(code, status, text), load("aws"), operation)
    assert (found.error_class, found.applied, found.known) == (expected, applied, True)


IBM = {
    "throttled": "1202",
    "transient": "1000 1006 1008 1010 1011 3210 3212 3233 3234 3235 3251 3300 3301",
    "unavailable": "1004 2002 2615 3245 3246 1999 1005 1009 2600 2609 2618 2622",
    "calibration": "2206",
    "gone": "1007 2000 2620 3200",
    "unsupported": "1003 1106 1107 1109 7000 7001 8008 8011 8013 8014 8037",
    "invalid": "1002 1101 1102 1103 1104 1105 3211 3218 3220 3226 3236 3237 3239 3242 3243 3248 6000 6001 6002 6003 "
    "7002 7003 7004 7005 7006 8001 8057 8999 1208 5302",
    "capacity": "1012 3458",
    "budget": "4317",
    "auth": "1200 1201 2407 2408 2409 2410 2411 3402 3407 3440 3444 3445 3446",
    "session": "1217 4001",
    "exec-timeout": "1305 5201",
    "cancelled": "5202",
    "exec-failed": "5203 5204 9999 9707",
}


@pytest.mark.parametrize(("expected", "code"), [(key, code) for key, codes in IBM.items() for code in codes.split()])
def test_what_ibm_s_codes_mean(expected, code):
    class Raised(Exception):
        response = SimpleNamespace(status_code=400, text=f'{{"errors":[{{"code":{code},"message":"no"}}]}}', headers={})

    found = faults.classify(Raised("400 Client Error"), load("ibm"), "create")
    assert (found.error_class, found.known) == (expected, True)
    assert (found.applied == "maybe") is (expected == "transient")  # on create the tag is searched for first
    in_words = faults.classify_outcome(load("ibm"), f"Job failed. Error code {code}; more about it")
    assert in_words.error_class == expected


HTTP = [
    (429, "create", "throttled"),
    (503, "create", "ambiguous"),
    (503, "status", "transient"),
    (401, "find", "auth"),
    (404, "describe", "gone"),
    (404, "status", "ambiguous"),
    (409, "cancel", "progress"),
    (418, "create", "ambiguous"),
    (418, "find", "transient"),
]


@pytest.mark.parametrize(("status", "operation", "expected"), HTTP)
def test_what_ibm_says_without_a_code(status, operation, expected):
    from qiskit_ibm_runtime.api.exceptions import RequestsApiError

    error = RequestsApiError("no", status)
    if status == 418:
        error = type("Raised", (Exception,), {"status_code": 418})()
    assert faults.classify(error, load("ibm"), operation).error_class == expected


@pytest.mark.parametrize(
    ("name", "operation", "expected"),
    [
        ("IBMInputValueError", "create", "invalid"),
        ("IBMBackendValueError", "create", "invalid"),
        ("IBMNotAuthorizedError", "create", "auth"),
        ("IBMAccountError", "create", "auth"),
        ("RuntimeJobMaxTimeoutError", "outcome", "exec-timeout"),
        ("RuntimeJobFailureError", "outcome", "exec-failed"),
        ("RuntimeJobTimeoutError", "status", "progress"),
        ("RuntimeInvalidStateError", "cancel", "progress"),
        ("RuntimeJobNotFound", "status", "ambiguous"),
        ("IBMApiError", "status", "transient"),
        ("IBMApiError", "create", "ambiguous"),
        ("IBMBackendApiError", "create", "ambiguous"),
        ("IBMBackendApiProtocolError", "describe", "ambiguous"),
        ("IBMRuntimeError", "create", "ambiguous"),
    ],
)
def test_what_ibm_s_classes_mean(name, operation, expected):
    from qiskit_ibm_runtime import exceptions

    kind = getattr(exceptions, name)
    assert faults.classify(kind("Max retries exceeded, or not"), load("ibm"), operation).error_class == expected


def test_an_answer_that_did_not_come_leaves_open_whether_the_work_was_taken():
    late = ReadTimeoutError(endpoint_url="https://braket")
    with pytest.raises(faults.Ambiguous) as caught, faults.translated(load("aws"), "create"):
        raise late
    assert not isinstance(caught.value, QuireError)
    assert (caught.value.fault.kind, caught.value.found.error_class) == ("unknown", "ambiguous")
    with pytest.raises(Transient), faults.translated(load("aws"), "status"):
        raise late
    with pytest.raises(Transient, match="could not be reached"), faults.translated(load("aws"), "create"):
        raise EndpointConnectionError(endpoint_url="https://braket")


def test_a_server_error_on_create_is_transient_and_yet_may_have_been_applied():
    with pytest.raises(faults.Ambiguous) as caught, faults.translated(load("aws"), "create"):
        raise aws_error("InternalServiceException", 500)
    assert caught.value.found.action.again == "same"  # with the same token


def test_a_young_job_that_is_not_there_is_only_not_visible_yet():
    missing = aws_error("ResourceNotFoundException", 404)
    assert faults.classify(missing, load("aws"), "status", age=59).error_class == "transient"
    assert faults.classify(missing, load("aws"), "status", age=61).error_class == "ambiguous"


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    ("operation", "expected", "applied"),
    [
        ("create", "ambiguous", "maybe"),
        ("run", "ambiguous", "maybe"),
        ("status", "transient", "no"),
        ("fetch", "transient", "no"),
    ],
)
def test_what_no_table_knows_is_unknown_and_counted(adapter, operation, expected, applied):
    found = faults.classify(aws_error("NeverHeardOfException", 418), load(adapter), operation)
    assert (found.error_class, found.applied, found.known) == (expected, applied, False)
    assert found.error_class != "invalid"


def test_an_unknown_end_of_a_job_is_tried_again_and_never_read_as_the_user_s_fault():
    found = faults.classify_outcome(load("ibm"), "Error code 4711; a new one")
    assert (found.error_class, found.known, found.fault.retryable) == ("exec-failed", False, True)


@given(st.text(max_size=80), st.sampled_from(ADAPTERS), st.sampled_from(["create", "status", "fetch", "run"]))
def test_the_provider_s_words_never_reach_the_user(words, adapter, operation):
    words = f"SECRET<{words}>"
    for error in (
        aws_error("ValidationException", 400, words),
        aws_error(words, 500, words),
        ValueError(words),
        RuntimeError(words),
    ):
        with pytest.raises((QuireError, faults.Ambiguous)) as caught, faults.translated(load(adapter), operation):
            raise error
        found = faults.classified_of(caught.value)
        said = " ".join((found.fault.code, found.fault.reason, found.fault.next_step, str(caught.value)))
        assert "SECRET" not in said
        assert all((found.fault.code, found.fault.reason, found.fault.next_step))


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), ("0", 0.0), ("99999999", 3600.0), ("Wed, 21 Oct", None), ("-1", None)]
)
def test_the_wait_that_was_asked_for_is_kept(text, seconds):
    error = aws_error("ThrottlingException", 429, headers={"Retry-After": text})
    with pytest.raises(Transient) as caught, faults.translated(load("aws"), "create"):
        raise error
    assert caught.value.retry_after == seconds
    http = type(
        "Raised", (Exception,), {"response": SimpleNamespace(status_code=429, text="", headers={"retry-after": text})}
    )()
    assert evidence_of(http).retry_after == seconds


def test_what_is_ours_already_passes_as_it_is():
    ours = Permanent("cancelled", "it was cancelled")
    with pytest.raises(Permanent) as caught, faults.translated(load("aws"), "create"):
        raise ours
    assert caught.value is ours
    assert faults.classified_of(ours) is None


def test_an_exception_without_a_row_counts_as_its_nearest_ancestor():
    class Late(TimeoutError):
        pass

    assert faults.classify(Late(), load("qiskit")).fault.kind == "transient"
    assert evidence_in("no code in it").code == ""


def test_an_error_of_the_software_here_is_about_the_circuit():
    with pytest.raises(Permanent) as caught, faults.translated(load("braket")):
        raise ValueError("/secret/path is wrong")
    assert caught.value.code == "unsupported-circuit"
