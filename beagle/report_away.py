"""What may become of a training program's report on its way, besides that it arrives."""

from __future__ import annotations


class Away(Exception):
    """Whoever takes reports is not there, and what became of the last one is not known. Connect anew and send it again.

    `shut_out`: it is there, and lets this program in no more, or not yet.
    """

    def __init__(self, sentence: str, *, shut_out: bool = False) -> None:
        super().__init__(sentence)
        self.shut_out = shut_out


class Refused(Exception):
    """This report is never taken, however often it is sent."""


class Busy(Exception):
    """This report is not taken now; after so many seconds it may be."""

    def __init__(self, sentence: str, seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.seconds = seconds
