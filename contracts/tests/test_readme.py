"""What the README names is there: files, subjects, types, and a Python snippet of twelve lines that compiles."""

from __future__ import annotations

import ast
import re

from quire_contracts import generate
from quire_contracts.registry import REGISTRY, entry_named

TEXT = (generate.HOME / "README.md").read_text(encoding="utf-8")


def test_links_lead_to_files():
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    links = re.findall(r"\]\((?!http)([^)]+)\)", prose)
    assert links
    assert [link for link in links if not (generate.HOME / link).exists()] == []


def test_types_and_subjects_are_the_registrys():
    types = set(re.findall(r"io\.quire\.\w+\.\w+\.v\d", TEXT))
    assert types
    assert {type_ for type_ in types if entry_named(type_) is None} == set()
    subjects = set(re.findall(r"quire\.(cmd|evt)\.(?:acme|<tenant>)\.(\w+)\.(\w+)\.v1", TEXT))
    assert subjects <= {(entry.domain, entry.noun, entry.verb) for entry in REGISTRY}
    assert ("cmd", "job", "submit") in subjects


def test_python_snippet_is_twelve_lines_of_plain_python():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    tree = ast.parse(code)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"asyncio", "json", "re", "uuid", "nats"}
    (main,) = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)]
    assert main.end_lineno - main.lineno < 12
