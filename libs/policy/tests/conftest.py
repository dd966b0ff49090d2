"""What the tests share is in `policy_cases`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # --import-mode=importlib finds no neighbours: `policy_cases` is one
