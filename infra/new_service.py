"""Makes services/NAME from infra/bones, and enters it in the import rules: `python infra/new_service.py result-cache`.

The bones are a whole small service that starts, is ready, answers one question and stops; a new one does so at once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BONES = ROOT / "infra" / "bones"
NAME = re.compile(r"[a-z]+(-[a-z]+)*")
NEIGHBOUR = "quire_ledger"
"""The service with the fewest rights: the new one may import what it may, until somebody decides otherwise."""

LEFT = """\
services/{name} stands. Left to you:
  1. just lock && just test services/{name}    it starts, answers and stops already
  2. its messages and consumers: contracts/src/quire_contracts/registry.py and topology.py; then `just contracts`
  3. where it runs: docker-compose.yml, and services/all-in-one
"""


def make(name: str, root: Path) -> Path:
    """Write the new service under `root` and enter it in that root's pyproject.toml; gives its folder.

    Raises:
        ValueError: the name is not words of a-z joined by hyphens, or a service of that name stands already.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"a service is named by words of a-z joined by hyphens, not {name!r}")
    folder = root / "services" / name
    if folder.exists():
        raise ValueError(f"services/{name} stands already")
    for source in sorted(path for path in BONES.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        file = folder / renamed(str(source.relative_to(BONES)), name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_sorted_imports(renamed(source.read_text("utf-8"), name)), encoding="utf-8")
    rules = root / "pyproject.toml"
    rules.write_text(entered(rules.read_text("utf-8"), name), encoding="utf-8")
    return folder


def renamed(text: str, name: str) -> str:
    """The text with the example's name in its three spellings replaced."""
    snake = name.replace("-", "_")
    return text.replace("example-name", name).replace("example_name", snake).replace("EXAMPLE_NAME", snake.upper())


def entered(rules: str, name: str) -> str:
    """The text of pyproject.toml with the new package wherever the neighbour stands in the import rules."""
    package = f"quire_{name.replace('-', '_')}"
    head, mark, tail = rules.partition("[tool.importlinter]")
    tail = tail.replace(f'"{NEIGHBOUR}"', f'"{NEIGHBOUR}", "{package}"')
    return head + mark + tail.replace(f"{NEIGHBOUR} |", f"{NEIGHBOUR} | {package} |")


def _sorted_imports(text: str) -> str:
    """Our own imports in the order that ruff wants, which depends on the service's name."""
    lines = text.splitlines(keepends=True)
    own = [place for place, line in enumerate(lines) if line.startswith("from quire_")]
    for place, line in zip(own, sorted(lines[place] for place in own), strict=True):
        lines[place] = line
    return "".join(lines)


def main() -> int:
    """The command line."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and one name
        sys.stderr.write("usage: python infra/new_service.py NAME\n")
        return 2
    try:
        make(sys.argv[1], ROOT)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(LEFT.format(name=sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
