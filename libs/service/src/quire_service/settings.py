"""Settings from the environment, checked whole: every fault is listed at once with the variable that caused it."""

import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic import SecretStr as Secret
from pydantic.fields import FieldInfo

__all__ = ["Field", "Problem", "Secret", "ServiceSettings", "SettingsError", "Variables", "load_settings", "redacted"]

HIDDEN = "********"
HTTP = "http/protobuf"
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


@dataclass(frozen=True, slots=True)
class Variables:
    """Marks a field that is read from variables of a foreign standard, first one set wins."""

    names: tuple[str, ...]


class ServiceSettings(BaseModel):
    """The settings every service has; a service's own `Settings` adds fields to them.

    Constructing one reads no environment: `load_settings` does. Values are frozen and unknown names are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    nats_url: str = Field(
        default="nats://127.0.0.1:4222",
        pattern=r"^(nats|tls|ws|wss)://\S+$",
        description="The broker, or several by comma.",
    )
    nats_nkey_seed_file: str | None = Field(default=None, description="File with the service's nkey seed.")
    nats_tls_ca_file: str | None = Field(default=None, description="File with the broker's certificate authority.")
    start_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="How long to wait for the broker and what is provisioned on it."
    )
    environment: str = Field(default="development", pattern=r"^[a-z0-9-]{1,40}$", description="Where this runs.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, json elsewhere."
    )
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=0, ge=0, le=65535, description="Of /livez, /readyz and /info; 0 is off.")
    graceful_seconds: float = Field(default=15.0, ge=0, le=600, description="The time a stop may take.")
    instance: str = Field(default="", max_length=120, description="This replica; host name and process id when empty.")
    otlp_endpoint: Annotated[str | None, Variables(("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",))] = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="Where spans go over OTLP/HTTP, path included; none when empty.",
    )
    otlp_metrics_endpoint: Annotated[str | None, Variables(("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",))] = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="Where metrics go over OTLP/HTTP, path included; the health port's /metrics shows them too.",
    )
    otlp_schedule_delay_ms: Annotated[int, Variables(("OTEL_BSP_SCHEDULE_DELAY",))] = Field(
        default=500, gt=0, le=60_000
    )
    otlp_traces_sampler: Annotated[str | None, Variables(("OTEL_TRACES_SAMPLER",))] = Field(
        default=None, description="OpenTelemetry's own sampler of that name, instead of `traces_per_second`."
    )
    traces_per_second: float = Field(
        default=10.0,
        ge=0,
        le=1e6,
        description="Traces that begin here and are recorded; those whose caller says so always are.",
    )


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the variable to change and why."""

    variable: str
    reason: str


class SettingsError(Exception):
    """The environment does not make valid settings; `problems` lists every fault, ordered by variable."""

    def __init__(self, service: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.variable))
        lines = "\n".join(f"  {problem.variable}: {problem.reason}" for problem in self.problems)
        super().__init__(f"{service}: {len(self.problems)} invalid setting(s)\n{lines}")


def prefix_of(service: str) -> str:
    """The prefix of a service's variables: `control-plane` gives `QUIRE_CONTROL_PLANE_`."""
    return f"QUIRE_{service.upper().replace('-', '_')}_"


def load_settings(
    settings: type[SettingsT], service: str, environ: Mapping[str, str] | None = None, **fixed: object
) -> SettingsT:
    """Read a service's settings from `environ` (the process environment by default).

    For each field the first of these counts: `fixed`, `QUIRE_<SERVICE>_<FIELD>`, the shared `QUIRE_<FIELD>` (fields of
    `ServiceSettings` only), the field's foreign variables, its default. Each variable may be given as
    `<VARIABLE>_FILE`, the path of a file with the value. An empty value counts as not set. A variable with the
    service's prefix that names no field is a fault.

    Raises:
        SettingsError: with every fault at once; it never holds the value of a secret or of a file.
    """
    environ = os.environ if environ is None else environ
    environ = _standard_endpoint(environ)
    problems: list[Problem] = []
    values: dict[str, object] = dict(fixed)
    sources: dict[str, str] = {}
    for name, field in settings.model_fields.items():
        candidates = variables_of(name, field, service)
        sources[name] = candidates[0]
        if name in fixed:
            continue
        for variable in candidates:
            raw = _read(variable, environ, problems)
            if raw is not None:
                sources[name] = variable
                values[name] = _decode(raw, field.annotation)
                break
    problems += _unknown(settings, service, environ)
    if "otlp_endpoint" in values and environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", HTTP) != HTTP:
        problems.append(Problem("OTEL_EXPORTER_OTLP_PROTOCOL", f"only {HTTP} is spoken here"))
    try:
        made = settings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(detail, sources) for detail in error.errors(include_input=False, include_url=False)]
    else:
        if not problems:
            return made
    raise SettingsError(service, problems)


def variables_of(name: str, field: FieldInfo, service: str) -> tuple[str, ...]:
    """The variables a field is read from, first one set wins."""
    own = prefix_of(service) + name.upper()
    shared = (f"QUIRE_{name.upper()}",) if name in ServiceSettings.model_fields else ()
    foreign = tuple(v for mark in field.metadata if isinstance(mark, Variables) for v in mark.names)
    return (own, *shared, *foreign)


def redacted(settings: ServiceSettings, service: str) -> dict[str, str]:
    """Every setting under its own variable, as text; secrets and passwords inside addresses are hidden."""
    shown = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = HIDDEN if isinstance(value, Secret) else "" if value is None else _USERINFO.sub(HIDDEN, str(value))
        shown[prefix_of(service) + name.upper()] = text
    return shown


def _standard_endpoint(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Apply OpenTelemetry's rules: the general endpoint gets the signal's path, and two variables switch it off.

    The general endpoint is where spans go; metrics go out only where their own is named, for many a collector of spans
    (Jaeger, in the compose file) takes nothing else.
    """
    general = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    traces, metrics = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return {**environ, traces: "", metrics: ""}
    if environ.get("OTEL_TRACES_EXPORTER") == "none":
        return {**environ, traces: ""}
    if general and not environ.get(traces):
        return {**environ, traces: f"{general.rstrip('/')}/v1/traces"}
    return environ


def _read(variable: str, environ: Mapping[str, str], problems: list[Problem]) -> str | None:
    value, path = environ.get(variable) or None, environ.get(f"{variable}_FILE") or None
    if value is not None and path is not None:
        problems.append(Problem(variable, f"given twice, here and as {variable}_FILE"))
    if path is None:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        problems.append(Problem(f"{variable}_FILE", f"cannot read {path}: {error.strerror}"))
    except UnicodeDecodeError:
        problems.append(Problem(f"{variable}_FILE", f"{path} is not UTF-8 text"))
    return None


def _decode(raw: str, annotation: Any) -> object:
    """Text for a plain field; a list may be written as JSON or with commas, a mapping as JSON."""
    kinds = {get_origin(each) or each for each in (annotation, *get_args(annotation))}
    if kinds & {list, tuple, set, frozenset, dict}:
        try:
            return json.loads(raw)
        except ValueError:
            return raw if dict in kinds else [part.strip() for part in raw.split(",") if part.strip()]
    return raw


def _unknown(settings: type[ServiceSettings], service: str, environ: Mapping[str, str]) -> list[Problem]:
    prefix = prefix_of(service)
    known = {prefix + name.upper() for name in settings.model_fields}
    problems = []
    for variable in environ:
        if variable.startswith(prefix) and variable not in known and variable.removesuffix("_FILE") not in known:
            near = difflib.get_close_matches(variable, known, n=1)
            problems.append(Problem(variable, f"no such setting{f'; did you mean {near[0]}?' if near else ''}"))
    return problems


def _problem(detail: Any, sources: Mapping[str, str]) -> Problem:
    """Translate one of pydantic's errors; a fault that concerns no single field is laid on the settings as a whole."""
    where = [str(step) for step in detail["loc"]]
    variable = sources.get(where[0], where[0]) if where else "settings"
    path = "".join(f"[{step}]" for step in where[1:])
    return Problem(variable, f"{path + ' ' if path else ''}{detail['msg']}")
