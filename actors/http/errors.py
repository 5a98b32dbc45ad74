"""What goes wrong, as HTTP says it: a status by the class of the error, and the same body as every other way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from beagle.answers import failure
from beagle.errors import BeagleError, InvalidInput, NotFound, Refused, Unavailable
from beagle.messages import sentence

log = logging.getLogger(__name__)

UPLOAD = "/api/v1/upload"
_STATUSES: dict[type[BeagleError], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    Refused: HTTPStatus.CONFLICT,
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_KINDS = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "not_found",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.CONFLICT: "refused",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}


class Problem(BaseModel):
    kind: str = Field(description="not_found, refused, invalid, unavailable, unauthorized, forbidden or internal")
    message: str = Field(description="One sentence: what is wrong, where, and what would be right.")
    problems: list[str] = Field(description="Of bad input each mistake.")


class Failure(BaseModel):
    """The same for every call but `upload`, whose failures are plain text."""

    error: Problem
    message: str = Field(description="The sentence once more, where most clients look for it.")


class Declined(Exception):
    """A call that is turned away before anything of it is read."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def declined(path: str, status: HTTPStatus, sentence: str) -> Response:
    """The answer to one, of the kind that the caller of that path reads."""
    return answered(path, status, _KINDS.get(status, "invalid"), sentence, [])


def surprised(path: str) -> Response:
    """To a call on which something failed that never should."""
    sentence = "something went wrong here that should not; the log of the gateway says what"
    return answered(path, HTTPStatus.SERVICE_UNAVAILABLE, "internal", sentence, [])


def described(kind: str, sentence: str, problems: Sequence[str] = ()) -> dict[str, Any]:
    """A `Failure`."""
    return {"error": {"kind": kind, "message": sentence, "problems": list(problems)}, "message": sentence}


def answered(path: str, status: HTTPStatus, kind: str, sentence: str, problems: Sequence[str]) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else None
    if path == UPLOAD:
        return PlainTextResponse(sentence, status, headers)
    return JSONResponse(described(kind, sentence, problems), status, headers)


def install(app: FastAPI) -> None:
    """Every exception that leaves a handler becomes an answer here."""
    app.add_exception_handler(BeagleError, _ours)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(ValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_the_framework)
    # The framework answers so, and lets the exception go on to the guard, which logs it.
    app.add_exception_handler(Exception, lambda request, _: surprised(request.url.path))


def _ours(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), None)
    told = failure(error)["error"]
    if status is None:
        log.error("%s %s: %s", request.method, request.url.path, error)
    return answered(
        request.url.path,
        status or HTTPStatus.SERVICE_UNAVAILABLE,
        told["kind"],
        told["message"],
        told["problems"],
    )


def _malformed(request: Request, error: Exception) -> Response:
    mistakes: list[Any] = list(error.errors()) if isinstance(error, RequestValidationError | ValidationError) else []
    return _ours(request, InvalidInput([sentence(_without_place(mistake)) for mistake in mistakes]))


def _without_place(mistake: dict[str, Any]) -> dict[str, Any]:
    """Whether it came in the body, the path or the query says the name of the field well enough."""
    loc = tuple(mistake["loc"])
    if loc[:1] in {("body",), ("path",), ("query",), ("header",)}:
        loc = loc[1:]
    if "UploadFile" in str(mistake.get("msg")):
        return {"type": "file", "loc": loc, "msg": "is no file; send it as a part that has a filename"}
    if mistake["type"] == "json_invalid":
        return {"type": "json", "loc": (), "msg": f"the body is not JSON: {mistake['ctx']['error']}"}
    return {**mistake, "loc": loc or ("the body",)}


def _of_the_framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    path = request.url.path
    match status:
        case HTTPStatus.NOT_FOUND:
            told = f"there is nothing at {path[:200]}; /docs lists what there is"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            able = ", ".join(_taken(request))
            error.headers = {"Allow": able}
            told = f"{path[:200]} does not take {request.method}; it takes {able}"
        case _ if path == UPLOAD:
            told = f"the form cannot be read: {str(error.detail)[:200]}; send one part called file, with a filename"
        case _:
            told = f"{str(error.detail)[:200]}"
    response = declined(path, status, told)
    response.headers.update(error.headers or {})
    return response


def _taken(request: Request) -> list[str]:
    """The methods of all calls at this path: the framework names only those of the first."""
    routes = request.app.routes
    asked = [(method, {**request.scope, "method": method}) for method in ("DELETE", "GET", "POST", "PUT")]
    return [method for method, scope in asked if any(route.matches(scope)[0] is Match.FULL for route in routes)]
