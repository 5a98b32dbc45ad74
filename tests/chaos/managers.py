"""Queue managers that sleep in the middle of what they do, as a process does that is stopped or swapped out."""

from __future__ import annotations

import random
import threading
import time

from actors.queue_manager import QueueManager


def sleeper() -> type[QueueManager]:
    """Sleeps between the two writes of its first claim, from `asleep` until somebody sets `wake`."""

    class Sleeper(QueueManager):
        asleep, wake = threading.Event(), threading.Event()

        def between_writes(self) -> None:
            self.asleep.set()
            assert self.wake.wait(60)

    return Sleeper


def sleeper_before_it_takes() -> type[QueueManager]:
    """Sleeps after it has read which place is free and who is next, and before it writes anything."""

    class Sleeper(QueueManager):
        asleep, wake = threading.Event(), threading.Event()

        def _claim(self, place, experiment, site) -> bool:
            self.asleep.set()
            assert self.wake.wait(60)
            return super()._claim(place, experiment, site)

    return Sleeper


def drowsy(seed: int) -> type[QueueManager]:
    """Sleeps for some milliseconds before any of its writes."""
    chance = random.Random(seed)

    class Drowsy(QueueManager):
        def _claim(self, place, experiment, site) -> bool:
            time.sleep(chance.choice((0, 0.001, 0.03)))
            return super()._claim(place, experiment, site)

        def between_writes(self) -> None:
            time.sleep(chance.choice((0, 0.001, 0.03)))

        def _repair(self, place) -> None:
            time.sleep(chance.choice((0, 0.001, 0.01)))
            super()._repair(place)

    return Drowsy
