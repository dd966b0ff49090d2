"""Kinds of optimisation problems: how each is encoded, decoded and held against itself."""

from quire_problems.judgement import Told, contradiction, tell, tolerance
from quire_problems.kind import Bits, Encoding, Kind
from quire_problems.kinds import kind_of

__all__ = ["Bits", "Encoding", "Kind", "Told", "contradiction", "kind_of", "tell", "tolerance"]
