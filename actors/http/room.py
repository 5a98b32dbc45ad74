"""How much memory all bodies together may take: each alone is bounded, and there may be hundreds of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

MOST = 32 << 20
# So that calls go on while others fill the room.
ALWAYS = 16 * 1024


class Room:
    """Of one gateway; used in its loop only."""

    def __init__(self) -> None:
        self.held = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """What one call holds until it is answered."""
        share = Share(self)
        try:
            yield share
        finally:
            share.release()


class Share:
    def __init__(self, room: Room) -> None:
        self._room, self._size = room, 0

    def grow(self, size: int) -> bool:
        """Whether there is room for so many bytes."""
        self._room.held += size - self._size
        self._size = size
        return size <= ALWAYS or self._room.held <= MOST

    def release(self) -> None:
        self._room.held -= self._size
        self._size = 0
