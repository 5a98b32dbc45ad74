"""Whose process is at the other end of a connection within this machine: the kernel knows.

A gateway without a token runs whatever it is told as its own user. Its folder is closed to other users of the machine,
and its port would be open to them.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

Address = tuple[str, int | None]

_SOCK_DIAG, _BY_FAMILY = 4, 20
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")
_ERROR = struct.Struct("=i")
# Of the answer: the header, four bytes, the addresses, and three numbers before it.
_OWNER_AT = _HEADER.size + 4 + 48 + 12
_ANY_STATE = _ANY_COOKIE = 0xFFFFFFFF


def is_stranger(ours: Address | None, theirs: Address | None) -> bool:
    """Whether the other end belongs to another user than ours and root. What the kernel does not tell is none."""
    if ours is None or theirs is None:
        return False
    try:
        return owner(ours, theirs) not in {os.geteuid(), 0}
    except OSError:
        return False


def owner(ours: Address, theirs: Address) -> int:
    """The user id of the process at the other end of the connection between these. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in ours[0] else socket.AF_INET
    ends = struct.pack("!HH", theirs[1] or 0, ours[1] or 0) + _packed(family, theirs[0]) + _packed(family, ours[0])
    place = ends + struct.pack("=III", 0, _ANY_COOKIE, _ANY_COOKIE)
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + place
    asking = _HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, 1, 1, 0) + request
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        kernel.sendto(asking, (0, 0))
        told = kernel.recv(65536)
    _, kind, *_ = _HEADER.unpack_from(told)
    if kind != _BY_FAMILY:
        raise OSError(-_ERROR.unpack_from(told, _HEADER.size)[0] or errno.ENOENT, "the kernel knows no such connection")
    return int(struct.unpack_from("=I", told, _OWNER_AT)[0])


def _packed(family: socket.AddressFamily, host: str) -> bytes:
    return socket.inet_pton(family, host).ljust(16, b"\0")
