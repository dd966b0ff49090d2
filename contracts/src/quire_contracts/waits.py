"""How long somebody will wait, as people write it: in a URL, in a header, on a command line."""

from __future__ import annotations

import re
from typing import Final

FORMS: Final = "seconds, or a number with its unit: 500ms, 2s, 1m"

_WAIT: Final = re.compile(r"(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(ms|s|m)?", re.ASCII)
_SECONDS: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0}


def parse_wait(text: str) -> float | None:
    """Seconds of `2`, `2.5`, `2s`, `500ms` or `1m`; None of anything else. At least 0 and always finite."""
    found = _WAIT.fullmatch(text.strip())
    return float(found[1]) * _SECONDS[found[2]] if found else None
