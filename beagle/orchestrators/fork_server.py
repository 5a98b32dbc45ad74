"""A small process that forks shims, so that the scheduler, large and with many threads, never forks itself.

Started by `Shims` with an end of a socket pair, over which it gets, for each shim, the channel that it is to serve.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback

from beagle.orchestrators import shim


def main() -> None:
    """Fork until the scheduler closes its end; shims that run something live on."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # shims that end are reaped by the kernel
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every page that a shim shares with this process
    gc.disable()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        with socket.socket(fileno=descriptors[0]) as channel:
            # An experiment that held it would keep the scheduler from seeing that its shim died.
            channel.set_inheritable(False)
            control.sendall(bytes([_fork(control, channel)]))


def _fork(control: socket.socket, channel: socket.socket) -> int:
    """0, or the errno of why there is no further process."""
    try:
        pid = os.fork()
    except OSError as error:
        return error.errno or 255
    if pid == 0:
        try:
            control.close()
            gc.enable()
            shim.serve(channel)
        except BaseException:  # noqa: BLE001 - whatever it is, it must not run on as a second fork server
            traceback.print_exc()
        finally:
            os._exit(0)
    return 0
