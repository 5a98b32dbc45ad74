"""The scheduler's side of the shims: hands an attempt to an idle one, has a new one forked when there is none."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from beagle.errors import Unavailable
from beagle.orchestrators.shim import CLAIMED, DONE

_CODE = "import sys; sys.path.append(sys.argv[2]); from beagle.orchestrators.fork_server import main; main()"
_PATIENCE = 10
# Each takes about 2 MB of its own; more than so many experiments seldom end within the same moment.
_MOST_IDLE = 64


class ShimGone(Exception):
    """A shim died before it could say whether it claimed the attempt."""


class Shim:
    """One shim process, from here. Readable when it says that its attempt is over, or when it has died."""

    __slots__ = ("_socket",)

    def __init__(self, channel: socket.socket) -> None:
        self._socket = channel
        # In the kernel, where it costs no call; Python's own timeout polls before each.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            channel.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", _PATIENCE, 0))

    def fileno(self) -> int:
        return self._socket.fileno()

    def ask(self, request: bytes) -> tuple[bytes, int]:
        """Hand it an attempt; returns `CLAIMED`, `TAKEN` or `REFUSED`, and an errno.

        Raises `ShimGone`, or `Unavailable` when it hangs.
        """
        try:
            self._socket.sendall(request)
            answer = self._socket.recv(2)
        except BlockingIOError as error:
            self.close()  # it may still claim the attempt, and runs it then: the next start adopts that
            raise Unavailable(f"the process that is to watch it did not answer within {_PATIENCE} s") from error
        except OSError as error:
            raise ShimGone from error
        if len(answer) != 2:
            raise ShimGone
        return answer[:1], answer[1]

    def is_done(self) -> bool:
        """After it became readable: whether it is free again. False when it has died."""
        with suppress(OSError):
            return self._socket.recv(1) == DONE
        return False

    def close(self) -> None:
        self._socket.close()


class Shims:
    """Safe from any thread. The fork server is started when it is first needed, and again when it has died."""

    def __init__(self, complaints: Path) -> None:
        self._complaints = complaints
        self._lock = Lock()
        self._idle: list[Shim] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self, request: dict[str, object]) -> tuple[Shim | None, int]:
        """A shim that has claimed the attempt; or None and the errno of why not, 0 when another one had claimed it.

        Raises `Unavailable` when there is no shim to be had.
        """
        line = json.dumps(request).encode() + b"\n"
        # A repeat is safe: whichever of them claims it, one does.
        for _ in range(_MOST_IDLE + 2):
            with self._lock:
                candidate = self._idle.pop() if self._idle else self._fork()
            try:
                verdict, number = candidate.ask(line)
            except ShimGone:
                candidate.close()
                continue
            if verdict == CLAIMED:
                return candidate, 0
            self.give_back(candidate)
            return None, number
        raise Unavailable("the processes that watch experiments die before they can start any; see the system's log")

    def give_back(self, free: Shim) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(free)
                return
        free.close()

    def close(self) -> None:
        """Idle shims end, busy ones go on."""
        with self._lock:
            for idle in self._idle:
                idle.close()
            self._idle.clear()
            self._end_server()

    def _fork(self) -> Shim:
        for _ in range(2):
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    control = self._connect()
                    socket.send_fds(control, [b"f"], [theirs.fileno()])
                    answer = control.recv(1)
                except OSError:
                    answer = b""
            if answer == b"\0":
                return Shim(ours)
            ours.close()
            if answer:
                raise Unavailable(f"no process could be started: {os.strerror(answer[0])}")
            self._end_server()
        raise Unavailable(f"the process that starts experiments does not come up; {self._complaints} may say why")

    def _connect(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            ours.settimeout(_PATIENCE)
            with theirs, self._complaints.open("ab") as complaints:
                self._server = _start_server(theirs, complaints)
            self._control = ours
        return self._control

    def _end_server(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(_PATIENCE)
            self._server.kill()
            self._server.wait()
            self._server = None


def _start_server(control: socket.socket, complaints: BinaryIO) -> subprocess.Popen[bytes]:
    """In a session of its own, so that no Ctrl-C reaches it, and with as few imports as there can be."""
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-I", "-S", "-c", _CODE, str(control.fileno()), root],
        stdin=subprocess.DEVNULL,
        stdout=complaints,
        stderr=complaints,
        pass_fds=(control.fileno(),),
        start_new_session=True,
        cwd="/",
    )
