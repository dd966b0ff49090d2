import pytest

from quire_service import Field, Secret, ServiceSettings, SettingsError, load_settings
from quire_service.settings import HIDDEN, redacted


class Settings(ServiceSettings):
    window_seconds: float = Field(default=0.05, gt=0, le=60)
    targets: tuple[str, ...] = ()
    limits: dict[str, int] = Field(default_factory=dict)
    password: Secret | None = None


def load(environ, **fixed):
    return load_settings(Settings, "control-plane", environ, **fixed)


def test_defaults_need_no_environment():
    assert load({}) == Settings()
    assert load({}).nats_url == "nats://127.0.0.1:4222"


def test_constructing_reads_no_environment(monkeypatch):
    monkeypatch.setenv("QUIRE_CONTROL_PLANE_WINDOW_SECONDS", "7")
    monkeypatch.setenv("WINDOW_SECONDS", "8")
    assert Settings().window_seconds == 0.05
    assert load_settings(Settings, "control-plane").window_seconds == 7


def test_the_services_own_variable_wins_over_the_shared_one():
    shared = {"QUIRE_NATS_URL": "nats://shared:4222", "QUIRE_LOG_LEVEL": "debug"}
    assert load(shared).nats_url == "nats://shared:4222"
    own = load(shared | {"QUIRE_CONTROL_PLANE_NATS_URL": "nats://own:4222"})
    assert (own.nats_url, own.log_level) == ("nats://own:4222", "debug")


def test_a_services_own_field_has_no_shared_variable():
    assert load({"QUIRE_WINDOW_SECONDS": "9"}).window_seconds == 0.05


def test_what_the_host_fixes_wins_over_the_environment():
    assert load({"QUIRE_NATS_URL": "nats://elsewhere:1"}, nats_url="nats://here:2").nats_url == "nats://here:2"


@pytest.mark.parametrize("text", ["a,b", " a , b ", '["a", "b"]'])
def test_a_list_is_written_with_commas_or_as_json(text):
    assert load({"QUIRE_CONTROL_PLANE_TARGETS": text}).targets == ("a", "b")


def test_a_mapping_is_written_as_json():
    assert load({"QUIRE_CONTROL_PLANE_LIMITS": '{"aer": 3}'}).limits == {"aer": 3}
    with pytest.raises(SettingsError, match="QUIRE_CONTROL_PLANE_LIMITS: Input should be a valid dictionary"):
        load({"QUIRE_CONTROL_PLANE_LIMITS": "aer=3"})


def test_an_empty_value_counts_as_not_set():
    assert load({"QUIRE_CONTROL_PLANE_WINDOW_SECONDS": ""}).window_seconds == 0.05


def test_any_value_may_stand_in_a_file(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret\n", encoding="utf-8")
    settings = load(
        {"QUIRE_CONTROL_PLANE_PASSWORD_FILE": str(secret), "QUIRE_NATS_URL_FILE": _file(tmp_path, "nats://f:1")}
    )
    assert settings.password is not None
    assert settings.password.get_secret_value() == "s3cret"
    assert settings.nats_url == "nats://f:1"


def _file(folder, text):
    path = folder / "value"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_fault_is_listed_at_once_with_its_variable(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load(
            {
                "QUIRE_CONTROL_PLANE_WINDOW_SECONDS": "soon",
                "QUIRE_NATS_URL": "localhost",
                "QUIRE_CONTROL_PLANE_HEALTH_PORT": "70000",
                "QUIRE_CONTROL_PLANE_PASSWORD_FILE": str(tmp_path / "absent"),
                "QUIRE_CONTROL_PLANE_WINDOW_SECOND": "1",
                "QUIRE_LOG_LEVEL": "loud",
                "QUIRE_LOG_LEVEL_FILE": _file(tmp_path, "info"),
            }
        )
    problems = [(problem.variable, problem.reason) for problem in caught.value.problems]
    assert [variable for variable, _ in problems] == [
        "QUIRE_CONTROL_PLANE_HEALTH_PORT",
        "QUIRE_CONTROL_PLANE_PASSWORD_FILE",
        "QUIRE_CONTROL_PLANE_WINDOW_SECOND",
        "QUIRE_CONTROL_PLANE_WINDOW_SECONDS",
        "QUIRE_LOG_LEVEL",
        "QUIRE_NATS_URL",
    ]
    reasons = dict(problems)
    assert reasons["QUIRE_CONTROL_PLANE_HEALTH_PORT"] == "Input should be less than or equal to 65535"
    assert reasons["QUIRE_CONTROL_PLANE_PASSWORD_FILE"].endswith("No such file or directory")
    assert reasons["QUIRE_CONTROL_PLANE_WINDOW_SECOND"].endswith("did you mean QUIRE_CONTROL_PLANE_WINDOW_SECONDS?")
    assert reasons["QUIRE_LOG_LEVEL"] == "given twice, here and as QUIRE_LOG_LEVEL_FILE"


def test_no_error_and_no_print_shows_a_secret(tmp_path):
    environ = {"QUIRE_CONTROL_PLANE_PASSWORD": "s3cret", "QUIRE_NATS_URL": "nats://user:s3cret@host:4222"}
    shown = redacted(load(environ), "control-plane")
    assert shown["QUIRE_CONTROL_PLANE_PASSWORD"] == HIDDEN
    assert shown["QUIRE_CONTROL_PLANE_NATS_URL"] == f"nats://{HIDDEN}@host:4222"
    assert "s3cret" not in repr(load(environ).password)
    with pytest.raises(SettingsError) as caught:
        load({"QUIRE_NATS_URL_FILE": _file(tmp_path, "s3cret"), "QUIRE_CONTROL_PLANE_WINDOW_SECONDS": "-1"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318/"}, "http://otel:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://otel/spans"}, "http://otel/spans"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/t"}, "http://b/t"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_TRACES_EXPORTER": "none"}, None),
    ],
)
def test_tracing_follows_the_standard_variables(environ, endpoint):
    assert load(environ).otlp_endpoint == endpoint


def test_an_exporter_that_is_not_there_is_a_fault():
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf"):
        load({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
