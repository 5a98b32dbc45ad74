"""Ctrl-C and SIGTERM, so that neither ever becomes a traceback: the first is a wish, the second is obeyed at once."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

INTERRUPTED = 130
SHOW_CURSOR = "\x1b[?25h"


def leave(_signal: int, _frame: FrameType | None) -> None:
    """End this process now. Nothing needs tidying: experiments outlive it, and what is stored is whole."""
    _leave("")


def _leave(farewell: str) -> None:
    if os.isatty(1):
        os.write(1, SHOW_CURSOR.encode())
    if farewell:
        os.write(2, farewell.encode())
    os._exit(INTERRUPTED)


class Interrupts:
    """Counts what arrives; to be made in the main thread. The second one prints `farewell` and ends the process."""

    def __init__(self, farewell: str = "") -> None:
        self.farewell = farewell
        self.asked = False
        self._read, self._write = os.pipe()
        for arriving in (signal.SIGINT, signal.SIGTERM):
            signal.signal(arriving, self._arrived)

    def wait(self, seconds: float) -> bool:
        """Sleep, but for an interrupt; says whether one has arrived since the beginning."""
        # A pipe and not an Event: a handler that sets an Event waits for a lock that its own thread may hold.
        ready, _, _ = select.select([self._read], [], [], seconds)
        if ready:
            os.read(self._read, 1)
        return self.asked

    def _arrived(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            _leave(self.farewell)
        self.asked = True
        os.write(self._write, b"!")
