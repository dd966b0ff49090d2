"""What the documents link to is there: files, the chapters in them, and the commands they tell to type."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "contracts/JOBS.md", "contracts/README.md", "examples/README.md", "infra/README.md")
MEASURED = ("tests/benchmarks/README.md", "tests/chaos/README.md")
LINK = re.compile(r"\]\((?!http)([^)\s]+)\)|^\[[^\]]+\]: (?!http)(\S+)$", re.MULTILINE)


def _prose(path):
    return re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)


def _chapters(path):
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    path = ROOT / document
    links = [inline or named for inline, named in LINK.findall(_prose(path))]
    assert links
    lost = []
    for link in links:
        file, _, chapter = link.partition("#")
        target = path.parent / file if file else path
        if not target.exists() or (chapter and chapter not in _chapters(target)):
            lost.append(link)
    assert lost == []


def test_commands_that_are_named_are_there():
    justfile = (ROOT / "justfile").read_text("utf-8")
    recipes = set(re.findall(r"^([a-z][a-z-]*)(?: [^:=\n]+)?:(?!=)", justfile, flags=re.MULTILINE))
    texts = [(ROOT / document).read_text("utf-8") for document in DOCUMENTS + MEASURED]
    typed = re.compile(r"(?:`|^    |&& )just ([a-z][a-z-]*)", re.MULTILINE)
    named = {recipe for text in texts for recipe in typed.findall(text)}
    assert {"demo", "test", "bench", "chaos"} <= named
    assert named - recipes == set()


def test_every_benchmark_runs_by_its_name():
    folder = ROOT / "tests" / "benchmarks"
    runner = ast.parse((folder / "__main__.py").read_text("utf-8"))
    known = {
        name
        for node in runner.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NAMES"
        for name in ast.literal_eval(node.value)
    }
    commands = {path.stem for path in folder.glob("[a-z]*.py") if "command_line(__doc__" in path.read_text("utf-8")}
    named = set(re.findall(r"just bench ([a-z][a-z_]*)", (folder / "README.md").read_text("utf-8")))
    assert known
    assert known == commands
    assert named <= known
