"""`just new-service` makes a service that passes every check at once and works."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib

import pytest


@pytest.fixture
def maker(root):
    spec = importlib.util.spec_from_file_location("new_service", root / "infra" / "new_service.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def made(maker, root, tmp_path):
    """A copy of the workspace's rules with one new service, and its folder."""
    (tmp_path / "pyproject.toml").write_text((root / "pyproject.toml").read_text("utf-8"), encoding="utf-8")
    return maker.make("result-cache", tmp_path)


def _run(*command, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_it_is_clean(made, tmp_path):
    assert _run("-m", "ruff", "check", "--no-cache", ".", cwd=tmp_path) == (0, "All checks passed!\n")
    assert _run("-m", "ruff", "format", "--no-cache", "--check", "--quiet", ".", cwd=tmp_path) == (0, "")
    code, output = _run("-m", "mypy", "--cache-dir", os.devnull, str(made / "src"), cwd=tmp_path)
    assert code == 0, output


def test_it_works_on_a_real_broker(made, tmp_path):
    """Installed by hand: on the path, with the metadata that an installation would write."""
    metadata = made / "src" / "quire_result_cache-0.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: quire-result-cache\nVersion: 0.1.0\n", encoding="utf-8")
    code, output = _run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", str(made / "tests"), cwd=tmp_path, PYTHONPATH=str(made / "src")
    )
    assert code == 0, output
    assert "1 passed" in output


def test_it_stands_in_the_import_rules_wherever_its_neighbour_does(made, maker, tmp_path):
    config = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert "quire_result_cache" in config["root_packages"]
    for contract in config["contracts"]:
        words = re.findall(r"\w+", " ".join([*contract.get("layers", []), *contract.get("source_modules", [])]))
        forbidden = contract.get("forbidden_modules", [])
        assert words.count("quire_result_cache") == words.count(maker.NEIGHBOUR), contract["name"]
        assert ("quire_result_cache" in forbidden) == (maker.NEIGHBOUR in forbidden), contract["name"]


@pytest.mark.parametrize("name", ["Cache", "result_cache", "-x", "a--b", "../up", "cache2", ""])
def test_a_name_outside_the_rule_is_refused(maker, tmp_path, name):
    with pytest.raises(ValueError, match="words of a-z"):
        maker.make(name, tmp_path)


def test_nothing_is_overwritten(made, maker, tmp_path):
    with pytest.raises(ValueError, match="stands already"):
        maker.make("result-cache", tmp_path)
