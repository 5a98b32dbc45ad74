"""Reads a growing file line by line, a piece at a time, and holds no more than one piece and one cut line of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

PIECE = 65536
LONGEST = 65536


class Found(NamedTuple):
    """A line: where it begins, its beginning of at most `LONGEST` bytes, and its whole length without the line end."""

    offset: int
    text: str
    length: int


class Tail:
    """One file, from its beginning. Not safe from several threads."""

    __slots__ = ("_begin", "_file", "_held", "_length", "position")

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            os.close(self._file)
            raise PermissionError(errno.EACCES, "it is no file", path)
        self.position = 0
        self._begin = 0  # of the line that is not complete yet
        self._held = bytearray()
        self._length = 0

    def read(self) -> tuple[list[Found], bool]:
        """The lines that the next piece completes, and whether there may be more to read."""
        piece = os.pread(self._file, PIECE, self.position)
        self.position += len(piece)
        *complete, rest = piece.split(b"\n")
        lines = [self._line(part, ends=1) for part in complete]
        self._hold(rest)
        return lines, len(piece) == PIECE

    def last(self) -> Iterator[Found]:
        """What follows the last line end, if anything: the program has ended, so it is a line too."""
        if self._length:
            yield self._line(b"", ends=0)

    def restart(self) -> None:
        self.position = self._begin = self._length = 0
        self._held.clear()

    def close(self) -> None:
        os.close(self._file)

    def _hold(self, part: bytes) -> None:
        self._held += part[: LONGEST - len(self._held)]
        self._length += len(part)

    def _line(self, part: bytes, *, ends: int) -> Found:
        self._hold(part)
        text = self._held.decode(errors="replace").removesuffix("\r")
        found = Found(self._begin, text, self._length)
        self._begin += self._length + ends
        self._held.clear()
        self._length = 0
        return found
