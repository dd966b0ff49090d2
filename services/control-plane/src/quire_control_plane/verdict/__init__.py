"""How a loop's answer compares with the classical one, and what becomes of it: pure, from facts on the job's record."""

from quire_control_plane.verdict.judging import Judged, judge, judge_classical

__all__ = ["Judged", "judge", "judge_classical"]
