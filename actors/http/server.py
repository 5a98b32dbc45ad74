"""Serves the app in threads of its own: uvicorn's loop in one, and the handlers in the pool of the web framework."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from actors.http.connection import Connection
from beagle.errors import InvalidInput
from beagle.settings import Settings

log = logging.getLogger(__name__)

OFF, AUTO = "off", "auto"
# Seconds until the kernel lets go of who takes nothing of an answer, or has vanished.
UNREAD_FOR = 20
# Of what waits to be accepted: a front end that opens many connections at once loses none.
_BACKLOG = 512


def bound(settings: Settings) -> socket.socket | None:
    """Its address is taken, and nothing is served yet; None when no HTTP is wanted.

    Raises `InvalidInput` for one that cannot be had, and for one that others reach while there is no token.
    """
    if settings.port == OFF:
        return None
    host, port = settings.host, 0 if settings.port == AUTO else int(settings.port)
    family, address = _resolved(host, port)
    if not is_loopback(address[0]) and not settings.token:
        what = f"host {host} is reached from other machines, and there is no token"
        raise InvalidInput([f"{what}: set BEAGLE_TOKEN (every call then needs it), or take --host 127.0.0.1"])
    # By its protocol the loop sees that small answers are not to be held back: every second one came 40 ms late.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Each connection has it too. Without, whoever does not read holds its answer in our memory for ever.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_FOR * 1000)
        listening.bind(address)
        # At once, for it may be bound by two that do not listen yet.
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        taken = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise InvalidInput([f"{host}:{port} {taken}; choose another --port (0: any free one, off: no HTTP)"]) from error
    return listening


def url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise InvalidInput([f"host {host} is no address of this machine: {error}; give one, or 0.0.0.0"]) from error
    # Where a name means several addresses, as localhost does, the older kind is what most clients try.
    family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, (str(address[0]), int(address[1]))


class HttpServer:
    """Serves from its making until `close`. `ending` ends the streams that have no end of their own."""

    def __init__(self, app: ASGIApp, listening: socket.socket, ending: Callable[[], None]) -> None:
        # What is wrong with a form is told to who sent it.
        logging.getLogger("python_multipart").setLevel(logging.ERROR)
        self.url = url(listening)
        self._socket, self._ending = listening, ending
        # `lifespan`: there is nothing to begin or to end with the app; what it asks is there before and after it.
        config = uvicorn.Config(
            app,
            http=Connection,
            log_config=None,
            # What strangers send is no news of the gateway's; what fails in it is.
            log_level=logging.ERROR,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=None,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name="http", daemon=True)
        self._thread.start()
        log.info("serving: %s", self.url)

    def close(self, grace: float) -> None:
        """Take no more calls, and finish those that were begun, within `grace` seconds."""
        deadline = time.monotonic() + grace
        self._ending()
        self._server.should_exit = True
        # A connection whose client reads nothing is cut at half time.
        self._thread.join(grace / 2)
        self._server.force_exit = True
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self._socket.close()
