"""Uploads and model templates."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Header, UploadFile
from fastapi.responses import JSONResponse, Response

from actors.http import lists, shapes
from actors.http.asking import Ask, Asking, Fields
from actors.http.lists import Window, gathered
from actors.http.models import Model, Uploaded
from actors.http.openapi import FAILURES
from actors.http.posted import FILENAME, MODEL_ID, TEXT, named, parsed, template_of
from beagle.commands import CheckProject, CheckTemplate, ListTemplates, ShowTemplate, UploadTemplate
from beagle.errors import InvalidInput
from beagle.message import Answer
from beagle.sentences import shown

router = APIRouter(tags=["files"], responses=FAILURES)
_PLAIN: dict[int | str, dict[str, Any]] = {
    status: {
        "description": row["description"],
        "content": {"text/plain": {"schema": {"type": "string"}}},
        "model": None,
    }
    for status, row in FAILURES.items()
}
uploads = APIRouter(tags=["files"], responses=_PLAIN)
_MODELS = 1000


@uploads.post("/upload", responses={int(HTTPStatus.OK): {"model": Uploaded}})
def upload(
    ask: Asking,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Header(alias="type", description="model or project")] = "",
    form_kind: Annotated[str, Form(alias="type")] = "",
) -> Response:
    """A file as parsed fields, to be posted on to `models` or `projects`. Stores nothing; failures are plain text."""
    wanted = kind or form_kind
    if wanted == "model":
        return JSONResponse({"template": _template(ask, *_read(file, "model template"))})
    if wanted == "project":
        return JSONResponse(_project(ask, *_read(file, "project definition")))
    raise InvalidInput([f"the header type is {shown(wanted) if wanted else 'missing'}; give model or project"])


def _read(file: UploadFile, what: str) -> tuple[str, str]:
    name = named(file.filename or "", what)
    try:
        return name, file.file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidInput([f"{name}:{line}: is not UTF-8 text; save it in that encoding"]) from error


def _template(ask: Ask, name: str, text: str) -> Answer:
    ask(CheckTemplate(filename=name, text=text))
    return {**parsed(text, name), FILENAME: name, TEXT: text}


def _project(ask: Ask, name: str, text: str) -> Answer:
    """With the model of each project: the older shape has several, and one `model_id` more at the top."""
    models = [found[MODEL_ID] for found in ask(CheckProject(definition=text, definition_name=name))["projects"]]
    fields = parsed(text, name)
    if isinstance(fields.get("project"), list):
        pairs = zip(fields["project"], models, strict=True)
        fields["project"] = [{**each, MODEL_ID: model} for each, model in pairs]
    return {**fields, MODEL_ID: models[0], FILENAME: name, TEXT: text}


@router.get("/models", responses={200: {"model": list[Model]}})
def list_models(ask: Asking, limit: lists.Limit = _MODELS, after: lists.Cursor = None) -> Response:
    """By file name, without their text."""
    window = Window(offset=0, limit=limit, after=after)
    piece = gathered(ask, window, "templates", lambda after, _, limit: ListTemplates(after=after, limit=limit))
    return lists.bare(f"{shapes.API}/models", piece, limit, dict)


@router.post("/models", responses={200: {"model": Model}})
def add_model(ask: Asking, fields: Fields) -> Response:
    """The `template` that `upload` answered. The same `filename` replaces the earlier one, for projects to come."""
    filename, text = template_of(fields)
    return JSONResponse(ask(UploadTemplate(filename=filename, text=text))["template"])


@router.get("/models/{model}", responses={200: {"model": Model}})
def show_model(ask: Asking, model: str) -> Response:
    """By id, file name or metadata name: the parsed template, with its text."""
    view = ask(ShowTemplate(template=model))["template"]
    of_record = {name: view[name] for name in ("id", FILENAME, TEXT, "create_time")}
    return JSONResponse({**parsed(view[TEXT], view[FILENAME]), **of_record})
