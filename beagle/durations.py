"""Durations as users write them: seconds as a number, or `10m`, `24h`, `1m30s`, `500ms`."""

from __future__ import annotations

import math
import re

SAY = "seconds as a number, or a duration such as 90s, 10m or 24h"
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|m|h|d|w)\s*")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_LONGEST = 100 * 365 * 86400.0


def seconds(written: object) -> float:
    """Raises `ValueError` for what is no duration, is negative, or longer than a century."""
    match written:
        case str():
            total = _parsed(written.strip())
        case int() | float() if not isinstance(written, bool):
            total = float(min(written, 2 * _LONGEST))
        case _:
            total = math.nan
    if not 0 <= total <= _LONGEST:
        raise ValueError(f"give {SAY}")
    return total


def _parsed(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text):
        return math.nan
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
