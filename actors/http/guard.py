"""What every call passes before anything of it is read: who may call, from which page, by which name, and how much.

The body is read here, whole and within a time, so that no handler ever waits for a slow one.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import socket
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.http.connection import STRANGER
from actors.http.errors import UPLOAD, Declined, declined, surprised
from actors.http.json_bodies import check_json
from actors.http.room import Room, Share
from beagle.documents import MOST_BYTES
from beagle.setting_checks import split
from beagle.settings import Settings

log = logging.getLogger(__name__)

LARGEST_BODY = 1 << 20
# The parts of a form have headers too.
LARGEST_UPLOAD = MOST_BYTES + 64 * 1024
SAFE = {"GET", "HEAD", "OPTIONS"}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_METRICS = re.compile(r"/api/v1/experiments/[^/]+(/attempts/[^/]+)?/metrics")
_JSON = "application/json"
_LONG = 16 * 1024
_FORM = "multipart/form-data"


class Guard:
    """Around the whole app."""

    # How many seconds a body may take.
    body_within = 20.0

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = settings.token.encode()
        self._origins = frozenset(split(settings.origins))
        self._is_known = known_hosts(settings)
        self._room = Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers, sends = Headers(scope=scope), _hardened(send)
        with self._room.share() as share:
            try:
                self._check_user(scope)
                self._check(scope["method"], scope["path"], headers)
                receive = await self._read(scope, headers, receive, share)
            except Declined as no:
                share.release()
                await declined(scope["path"], no.status, str(no))(scope, receive, sends)
                return
            except ConnectionError:
                return
            await self._answered(scope, receive, sends)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:  # the last door: no caller is shown a traceback
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not begun:
                await surprised(scope["path"])(scope, receive, send)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if not self._is_known(_host_of(f"//{host}") if "/" not in host and "@" not in host else ""):
            raise Declined(
                HTTPStatus.FORBIDDEN,
                f"this gateway is not called {host[:100]!r}; name it in BEAGLE_HOSTS if that is one of its names",
            )
        if method not in SAFE:
            self._check_origin(host, headers)
        if self._token and not self._is_borne(headers) and not _is_of_experiments(method, path):
            raise Declined(HTTPStatus.UNAUTHORIZED, "this gateway asks for a token: Authorization: Bearer <token>")
        if method not in SAFE and not _is_of_experiments(method, path):
            _check_content(path, headers)

    def _check_user(self, scope: Scope) -> None:
        if not self._token and scope.get("state", {}).get(STRANGER):
            raise Declined(
                HTTPStatus.FORBIDDEN,
                "without a token this gateway takes calls only of the user that runs it; set BEAGLE_TOKEN for others",
            )

    def _check_origin(self, host: str, headers: Headers) -> None:
        """Browsers send it with every call that changes something: a strange page may not make its visitors do that."""
        origin = headers.get("origin")
        if origin is None:
            strange = headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
        else:
            strange = origin not in self._origins and origin.partition("://")[2].lower() != host.lower()
        if strange:
            raise Declined(
                HTTPStatus.FORBIDDEN,
                f"pages of {(origin or 'other sites')[:100]} may change nothing here; name their origin in"
                " BEAGLE_ORIGINS if they are to",
            )

    def _is_borne(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Of the same time for a wrong first letter as for a wrong last one.
        return hmac.compare_digest(given.strip().encode(), self._token) and scheme.lower() == "bearer"

    async def _read(self, scope: Scope, headers: Headers, receive: Receive, share: Share) -> Receive:
        """The same call, its body already here."""
        most = LARGEST_UPLOAD if scope["path"] == UPLOAD else LARGEST_BODY
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most:
            raise _too_large(most)
        try:
            body = await asyncio.wait_for(_whole(receive, most, share), self.body_within)
        except TimeoutError:
            sentence = f"the body did not arrive within {self.body_within:g} s"
            raise Declined(HTTPStatus.REQUEST_TIMEOUT, sentence) from None
        if scope["method"] == "POST" and scope["path"] == UPLOAD:
            _check_form(body)
        elif body and _is_json(scope["method"], scope["path"]):
            # A long one takes a while, in which nobody else would be answered.
            await run_in_threadpool(check_json, body) if len(body) > _LONG else check_json(body)
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return again


def known_hosts(settings: Settings) -> Callable[[str], bool]:
    """Whether a client may call the gateway by a name: one that only an attacker's DNS leads here is none of ours."""
    names = {settings.host.lower(), *(name.lower() for name in split(settings.hosts)), *LOOPBACK}
    names |= {_host_of(url) for url in (settings.server, settings.experiment_server)}
    everywhere = settings.host in {"0.0.0.0", "::", ""}  # noqa: S104 - it is compared, not bound
    if everywhere:
        names.add(socket.gethostname().lower())
    names.discard("")
    return lambda name: name in names or (everywhere and _is_address(name))


def _host_of(url: str) -> str:
    """In small letters; none of what has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_of_experiments(method: str, path: str) -> bool:
    """Whether experiments call it, each with a token of its own that the call itself asks for, and in many forms."""
    return method == "POST" and _METRICS.fullmatch(path) is not None


def _is_json(method: str, path: str) -> bool:
    """Whether a body there is read as JSON; with another method the call is none."""
    return method in {"DELETE", "POST", "PUT"} and path != UPLOAD and not _is_of_experiments(method, path)


def _check_content(path: str, headers: Headers) -> None:
    """A form or plain text is what a strange page can send without being asked; and nothing here reads them."""
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    packed = headers.get("content-encoding", "identity")
    if has_body and packed.lower() != "identity":
        sentence = f"the Content-Encoding is {packed[:100]!r}; send the body as it is"
        raise Declined(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, sentence)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    right = _FORM if path == UPLOAD else _JSON
    if has_body and kind != right:
        raise Declined(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the Content-Type is {kind[:100] or 'not given'}; send {right}"
        )


def _check_form(body: bytes) -> None:
    """What a part holds that has no end is kept open by the reader of forms."""
    if not body.rstrip().endswith(b"--"):
        raise Declined(HTTPStatus.BAD_REQUEST, "the form has no end: its last boundary is missing")


async def _whole(receive: Receive, most: int, share: Share) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        if not share.grow(len(body)):
            sentence = "too much is being sent to this gateway at once; send it again in a while"
            raise Declined(HTTPStatus.SERVICE_UNAVAILABLE, sentence)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(most: int) -> Declined:
    return Declined(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {most // 1024} KiB; make it smaller")


def _hardened(send: Send) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return hardened
