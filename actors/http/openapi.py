"""The description of all calls, at /openapi.json, and a page that shows it, at /docs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import Field, TypeAdapter

from actors.http.errors import Failure
from beagle.commands import Order, Question
from beagle.message import Answer

_TAKEN = (
    (HTTPStatus.BAD_REQUEST, "What was given is wrong; each mistake is named."),
    (HTTPStatus.UNAUTHORIZED, "The token is missing or wrong."),
    (HTTPStatus.FORBIDDEN, "A strange page, or a name that is not the gateway's."),
    (HTTPStatus.NOT_FOUND, "No record has this id or name."),
    (HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time."),
    (HTTPStatus.CONFLICT, "It does not fit the state of what it is for."),
    (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large."),
    (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body is of another kind than is read here."),
    (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too long."),
    (HTTPStatus.SERVICE_UNAVAILABLE, "It cannot be done now; nothing was done, and it may be tried again."),
)
# What any call may fail with.
FAILURES: dict[int | str, dict[str, Any]] = {
    int(status): {"model": Failure, "description": told} for status, told in _TAKEN
}
_REF = "#/components/schemas/{model}"
_COMMANDS = TypeAdapter(Annotated[Order | Question, Field(discriminator="type")]).json_schema(ref_template=_REF)
COMMAND: dict[str, Any] = {
    "required": True,
    "content": {"application/json": {"schema": {key: _COMMANDS[key] for key in ("oneOf", "discriminator")}}},
}


_SCRIPTS = "/docs/files"


def install(app: FastAPI, *, asks_for_token: bool) -> None:
    described: dict[str, Answer] = {}
    # Its scripts come with a package, and not from a server elsewhere: it works without internet too.
    app.mount(_SCRIPTS, StaticFiles(packages=[("fastapi_offline", "static")]))

    @app.get("/docs", include_in_schema=False)
    def show() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Beagle",
            swagger_js_url=f"{_SCRIPTS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_SCRIPTS}/swagger-ui.css",
            swagger_favicon_url=f"{_SCRIPTS}/favicon.png",
        )

    @app.get("/openapi.json", include_in_schema=False)
    def describe() -> Response:
        if not described:
            described["all"] = _described(app)
            if asks_for_token:
                described["all"]["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                described["all"]["security"] = [{"token": []}]
        return JSONResponse(described["all"])


def _described(app: FastAPI) -> Answer:
    found: Answer = get_openapi(title="Beagle", version="1", description=__doc__, routes=app.routes)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(_COMMANDS["$defs"])
    # Mistakes are answered with 400 in words of ours, and never with the framework's own 422.
    for path in found["paths"].values():
        for call in path.values():
            call["responses"].pop(str(int(HTTPStatus.UNPROCESSABLE_ENTITY)), None)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return found
