"""The workspace as data: its members, what they declare, and their modules."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """One source file, parsed."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    def calls(self) -> list[tuple[int, str]]:
        """(line, dotted name) of everything that is called."""
        return [(node.lineno, ast.unparse(node.func)) for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    def imports(self) -> set[str]:
        """The first name of every absolute import, wherever it stands."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
        return found


@dataclass(frozen=True)
class Member:
    """One package of the workspace."""

    folder: Path
    project: dict
    modules: tuple[Module, ...]

    @property
    def name(self) -> str:
        return self.project["name"]

    @property
    def package(self) -> str:
        return self.name.replace("-", "_")

    def requirements(self, *, extras: bool = True) -> set[str]:
        """The normalised names of what it declares."""
        lines = list(self.project.get("dependencies", []))
        if extras:
            lines += [line for extra in self.project.get("optional-dependencies", {}).values() for line in extra]
        return {requirement_name(line) for line in lines}


def requirement_name(line: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", line)[0]).lower()


@functools.cache
def workspace() -> tuple[Member, ...]:
    found = []
    for file in sorted(
        [
            *ROOT.glob("contracts/pyproject.toml"),
            *ROOT.glob("libs/*/pyproject.toml"),
            *ROOT.glob("services/*/pyproject.toml"),
        ]
    ):
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        modules = []
        for path in sorted((file.parent / "src").rglob("*.py")):
            text = path.read_text("utf-8")
            modules.append(Module(path, text, ast.parse(text)))
        found.append(Member(file.parent, project, tuple(modules)))
    return tuple(found)


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def members() -> tuple[Member, ...]:
    return workspace()


@pytest.fixture
def services(members) -> tuple[Member, ...]:
    return tuple(member for member in members if member.folder.parent.name == "services")


@pytest.fixture
def modules(members) -> list[Module]:
    return [module for member in members for module in member.modules]
