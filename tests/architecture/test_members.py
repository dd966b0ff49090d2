"""Laws of the workspace's members: what they are called, what they are made of and what they declare."""

import ast
import importlib.metadata
import re
import sys
import tomllib

import pytest

BONES = ("__main__.py", "settings.py", "handlers.py")


@pytest.fixture
def distributions(members):
    """Import name to the normalised names of the distributions that bring it; editable members are not listed there."""
    foreign = {
        name: {re.sub(r"[-_.]+", "-", each).lower() for each in found}
        for name, found in importlib.metadata.packages_distributions().items()
    }
    return foreign | {member.package: {member.name} for member in members}


def test_a_member_imports_only_what_it_declares(members, distributions):
    missing = [
        f"{module.name} imports {name}, {member.name} does not declare it"
        for member in members
        for module in member.modules
        for name in module.imports() - sys.stdlib_module_names - {member.package}
        if not distributions.get(name, set()) & member.requirements()
    ]
    assert missing == []


def test_the_contracts_need_msgspec_alone_and_resilience_nothing(members):
    needs = {member.name: member.requirements() for member in members}
    assert needs["quire-contracts"] == {"msgspec"}
    assert needs["quire-resilience"] == set()


def test_a_member_has_its_names_by_rule(members):
    for member in members:
        assert (member.folder / "src" / member.package / "py.typed").exists(), member.name
        assert member.project["license"] == "Apache-2.0"
        assert member.project["requires-python"] == ">=3.11"
        if member.folder.parent.name == "services":
            assert member.name == f"quire-{member.folder.name}"
            assert member.project["scripts"] == {member.name: f"{member.package}.__main__:main"}


def test_every_service_has_the_same_bones(services):
    for service in services:
        if service.name == "quire-all-in-one":  # it hosts the others and has no idea of its own
            continue
        package = service.folder / "src" / service.package
        assert [bone for bone in BONES if not (package / bone).exists()] == [], service.name
        trees = {module.path.name: module.tree for module in service.modules}
        assert {"SERVICE", "main"} <= _defined(trees["__main__.py"]), service.name
        assert "Settings" in _defined(trees["settings.py"]), service.name
        assert "build" in _defined(trees["handlers.py"]), service.name


def test_every_import_rule_covers_every_member(root, members):
    config = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert sorted(config["root_packages"]) == sorted(member.package for member in members)
    layers = {name for row in config["contracts"][0]["layers"] for name in re.findall(r"\w+", row)}
    assert layers | {"quire", "quire_testing"} == {member.package for member in members}


def _defined(tree):
    names = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names
