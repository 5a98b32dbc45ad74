"""How often something may happen: `rate` times a second in the long run, and `burst` times at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """Far over what a training program reports, and far under what would keep a monitor from all others."""

    rate: float = 1000.0
    burst: float = 10_000.0


class Bucket:
    """What is left of an allowance. For one thread."""

    def __init__(self, allowance: Allowance, now: Callable[[], float] = time.monotonic) -> None:
        self._allowance, self._now = allowance, now
        self._left, self._at = allowance.burst, now()

    def take(self) -> bool:
        """Whether it may happen once more, now."""
        at = self._now()
        self._left = min(self._allowance.burst, self._left + (at - self._at) * self._allowance.rate)
        self._at = at
        if self._left < 1:
            return False
        self._left -= 1
        return True
