"""What lets the programs of an attempt publish to the bus themselves: an address, a key, and a name to do it under."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from beagle.errors import InvalidInput

# A broker user whose name begins so is none of our own processes, whatever it says.
STRANGERS = "exp-"


class Access(Protocol):
    """From any thread, of one attempt in one at a time. `open`: programs are let in, so that metrics of an attempt may
    come before its launch is told."""

    open: bool

    def admit(self, experiment: str, attempt: int) -> dict[str, str]:
        """What an attempt finds in its environment; the same again for the same attempt. Raises `Unavailable`."""

    def expel(self, experiment: str, attempt: int) -> None:
        """It is over: let it in no more. What cannot be done now, `sweep` does. Raises nothing."""

    def sweep(self, is_over: Callable[[str, int], bool]) -> None:
        """Expel every attempt that is over, whoever let it in. Raises `Unavailable`."""


class NoAccess:
    """Embedded: there is no bus outside this process. Files and the output say what an experiment has to say."""

    open = False

    def admit(self, experiment: str, attempt: int) -> dict[str, str]:  # noqa: ARG002 - nobody is
        return {}

    def expel(self, experiment: str, attempt: int) -> None: ...

    def sweep(self, is_over: Callable[[str, int], bool]) -> None: ...


class ServerAccess:
    """Beside `inner`, a gateway that takes reports over HTTP: `token` makes an attempt's proof that it is that one.

    Where there is a broker too, `beagle.report` speaks to that.
    """

    open = True

    def __init__(self, inner: Access, server: str, token: Callable[[str, int], str]) -> None:
        self._inner, self._server, self._token = inner, server.rstrip("/"), token

    def admit(self, experiment: str, attempt: int) -> dict[str, str]:
        url = f"{self._server}/api/v1/experiments/{experiment}/attempts/{attempt}/metrics"
        told = {
            "BEAGLE_REPORT_URL": url,
            "BEAGLE_METRICS_POST": url,
            "BEAGLE_REPORT_TOKEN": self._token(experiment, attempt),
        }
        return told | self._inner.admit(experiment, attempt)

    def expel(self, experiment: str, attempt: int) -> None:
        """What it still says over HTTP is stored as its own, and changes no state."""
        self._inner.expel(experiment, attempt)

    def sweep(self, is_over: Callable[[str, int], bool]) -> None:
        self._inner.sweep(is_over)


class SharedAccess:
    """All experiments have one user, which the operator made. `told` makes the environment of an attempt."""

    open = True

    def __init__(self, url: str, told: Callable[[str, str, int], dict[str, str]]) -> None:
        if not (urlsplit(url).username or "").startswith(STRANGERS):
            # Any other user may say that it is one of our own processes, and then is believed.
            raise InvalidInput(
                [f"BEAGLE_EXPERIMENT_BUS must name a user of the experiments' own, beginning with {STRANGERS}"]
            )
        self._url, self._told = url, told

    def admit(self, experiment: str, attempt: int) -> dict[str, str]:
        return self._told(self._url, experiment, attempt)

    def expel(self, experiment: str, attempt: int) -> None: ...

    def sweep(self, is_over: Callable[[str, int], bool]) -> None: ...
