"""What the documents link to is there: files, and the chapters in them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "contracts/JOBS.md", "contracts/README.md", "examples/README.md", "infra/README.md")
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
