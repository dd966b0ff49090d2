"""Writes what other teams read: JSON Schemas and the AsyncAPI document, and golden samples where there is none yet.

python -m quire_contracts.generate                 write contracts/schemas anew
python -m quire_contracts.generate --check         change nothing; fail if something would change
python -m quire_contracts.generate --add-golden    also write missing samples, and guard what is new in the shapes
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from quire_contracts.asyncapi import asyncapi
from quire_contracts.evolution import LawBroken, merged, shapes
from quire_contracts.golden import samples
from quire_contracts.registry import REGISTRY
from quire_contracts.schema import document_schema, file_name, message_schema, result_schema

HOME: Final = Path(__file__).resolve().parents[2]
"""The folder `contracts` of the source tree."""

SHAPES: Final = "shapes.json"


def schema_files() -> dict[str, str]:
    """Every generated file by name, with its text; the same types always give the same text."""
    documents = {file_name(entry): message_schema(entry) for entry in REGISTRY}
    documents |= {
        "job-document.json": document_schema(),
        "job-result.json": result_schema(),
        "asyncapi.json": asyncapi(),
    }
    return {name: as_text(document) for name, document in sorted(documents.items())}


def as_text(data: Any) -> str:
    """JSON as it is committed: indented, in the order of the data, with a final newline."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def differences(folder: Path) -> list[str]:
    """The names of generated files in `folder` that are missing, stale, or of messages that are no more."""
    files = schema_files()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in files.keys() | found.keys() if files.get(name) != found.get(name))


def write_schemas(folder: Path) -> list[str]:
    """Bring `folder` up to date; the names of what changed."""
    changed, files = differences(folder), schema_files()
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in files:
            (folder / name).write_text(files[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def add_golden(folder: Path) -> list[str]:
    """Write the samples that are missing, and the shapes with what is new; the names of what was written.

    Raises:
        LawBroken: by today's shapes; nothing is written then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    today, path = as_text(shapes()), folder / SHAPES
    frozen = path.read_text(encoding="utf-8") if path.exists() else today
    texts = {SHAPES: as_text(merged(json.loads(frozen), json.loads(today)))}
    texts |= {file_name(entry): as_text(samples(entry)) for entry in REGISTRY}
    missing = [name for name in texts if not (folder / name).exists()]
    written = missing if frozen == today else [SHAPES, *missing]
    for name in written:
        (folder / name).write_text(texts[name], encoding="utf-8")
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all is up to date, 1 when `--check` found a difference or a shape was broken."""
    parser = argparse.ArgumentParser(prog="python -m quire_contracts.generate", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail if something would change")
    parser.add_argument("--add-golden", action="store_true", help="write missing golden samples")
    parser.add_argument("--home", type=Path, default=HOME, help="the folder with schemas/ and golden/")
    options = parser.parse_args(arguments)
    schemas = options.home / "schemas"
    if options.check:
        stale = differences(schemas)
        sys.stderr.writelines(f"stale: {schemas / name}\n" for name in stale)
        return 1 if stale else 0
    changed = [schemas / name for name in write_schemas(schemas)]
    golden = options.home / "golden"
    try:
        changed += [golden / name for name in add_golden(golden)] if options.add_golden else []
    except LawBroken as error:
        sys.stderr.write(f"the shapes break the law of evolution:\n{error}\n")
        return 1
    sys.stdout.writelines(f"wrote {path}\n" for path in changed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
