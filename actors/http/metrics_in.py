"""`POST /api/v1/experiments/<id>/…/metrics`: what experiments report over HTTP, in any language."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from actors.http.asking import RawBody
from actors.http.errors import Failure, answered, declined
from actors.http.openapi import FAILURES
from beagle.sent_metrics import LARGEST_SEQUENCE, LONGEST_KEY, LONGEST_SOURCE, Sent, SentName, Taken, TooFast
from beagle.settings import Settings

_SECOND = "1"
Id = Annotated[str, Path(description="The experiment's id, as BEAGLE_EXPERIMENT says it.")]


_SOURCE = Header(max_length=LONGEST_SOURCE, description="Of this process; both name the report.")
_SEQUENCE = Header(ge=0, le=LARGEST_SEQUENCE, description="Counting from 0.")
_KEY = Header(max_length=LONGEST_KEY, description="Instead of both: a text that names this body alone.")


def _named(
    beagle_source: Annotated[str, _SOURCE] = "",
    beagle_sequence: Annotated[int | None, _SEQUENCE] = None,
    idempotency_key: Annotated[str, _KEY] = "",
) -> SentName:
    return SentName(beagle_source, beagle_sequence, idempotency_key)


Names = Annotated[SentName, Depends(_named)]


class TakesMetrics(Protocol):
    """The intake, which knows store and bus. Both may block, and raise what is wrong."""

    def proves(self, token: str, experiment: str, attempt: int | None) -> bool: ...

    def take(self, sent: Sent) -> Taken: ...


class Stored(BaseModel):
    """What became of a body."""

    experiment: str
    attempt: int = Field(description="Of which attempt it was taken to be.")
    reports: int = Field(description="How many it held; all of them are safe.")
    refusals: list[str] = Field(description="One sentence for each value that is no metric.")


_RESPONSES = {
    **FAILURES,
    200: {"model": Stored},
    429: {"model": Failure, "description": "Too many in a second; Retry-After says when there is room for more."},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {}, "example": {"step": 3, "accuracy": 0.93}},
            "text/plain": {"schema": {"type": "string"}, "example": "step=3 accuracy=0.93"},
        },
    }
}


def metrics_in(intake: TakesMetrics, settings: Settings) -> APIRouter:
    router = APIRouter(tags=["metrics"])
    taker = _Taker(intake, settings.token.encode())

    described: dict[str, Any] = {"response_model": Stored, "responses": _RESPONSES, "openapi_extra": _BODY}

    @router.post("/experiments/{experiment}/attempts/{attempt}/metrics", **described)
    def report_metrics(
        request: Request, experiment: Id, attempt: Annotated[int, Path(ge=1)], body: RawBody, name: Names
    ) -> Stored | Response:
        """Reports of an attempt, in any of the forms of docs/metrics.md. Answered when they are safe."""
        return taker.take(request, Sent(experiment=experiment, attempt=attempt, body=body, name=name))

    @router.post("/experiments/{experiment}/metrics", **described)
    def report_metrics_of_the_current_attempt(
        request: Request, experiment: Id, body: RawBody, name: Names
    ) -> Stored | Response:
        """As of a named attempt, for clients that do not know theirs: what comes late is taken for the wrong one."""
        return taker.take(request, Sent(experiment=experiment, attempt=None, body=body, name=name))

    return router


class _Taker:
    """The guard leaves these calls to us: each attempt has a token of its own, and the operator's will do too."""

    def __init__(self, intake: TakesMetrics, operator: bytes) -> None:
        self._intake, self._operator = intake, operator

    def take(self, request: Request, sent: Sent) -> Stored | Response:
        path = request.url.path
        if not self._may(request, sent):
            what = "this call asks for the attempt's token, BEAGLE_REPORT_TOKEN: Authorization: Bearer <token>"
            return declined(path, HTTPStatus.UNAUTHORIZED, what)
        try:
            taken = self._intake.take(sent)
        except TooFast as error:
            response = answered(path, HTTPStatus.TOO_MANY_REQUESTS, "refused", str(error), [])
            response.headers["Retry-After"] = _SECOND
            return response
        return Stored(
            experiment=taken.experiment, attempt=taken.attempt, reports=taken.reports, refusals=list(taken.refusals)
        )

    def _may(self, request: Request, sent: Sent) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = given.strip() if scheme.lower() == "bearer" else ""
        known = hmac.compare_digest(token.encode(), self._operator)
        return (
            not self._operator or known or (bool(token) and self._intake.proves(token, sent.experiment, sent.attempt))
        )
