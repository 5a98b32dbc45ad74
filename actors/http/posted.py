"""What `upload` answers and `models` and `projects` take: a file as parsed fields, with its own text beside them.

Posted on as it came, the text is used, so that every value stays as it was written (1e-3, 1.10). Where the fields say
something else than the text, somebody changed them on the way, and they win.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from actors.http.shapes import same
from beagle.documents import read
from beagle.errors import InvalidInput
from beagle.sentences import shown

FILENAME, TEXT, MODEL_ID = "filename", "text", "model_id"
SUFFIXES = (".yml", ".yaml", ".json")
# What a stored record has beside the fields of its file.
_OF_RECORDS = ("id", "_id", "create_time")
Fields = dict[str, Any]


def named(given: str, what: str) -> str:
    """The file name without folders, which some browsers send along. Raises `InvalidInput` for one of another kind."""
    name = re.split(r"[/\\]", given)[-1]
    if not name:
        raise InvalidInput([f"the {what} has no file name; choose a file"])
    if not name.isprintable():
        raise InvalidInput([f"the file name {shown(name)} holds signs that nobody sees; give another one"])
    if not name.lower().endswith(SUFFIXES):
        raise InvalidInput([f"{name[:100]}: wrong file extension; a {what} is a file in {', '.join(SUFFIXES)}"])
    return name


def parsed(text: str, filename: str) -> Fields:
    """The fields of a file, as JSON can carry them. Raises `InvalidInput`, with line and column."""
    data = _finite(read(text, filename).data)
    if not isinstance(data, dict):
        raise InvalidInput([f"{filename}:1: is {shown(data)}; give a mapping"])
    return data


def template_of(posted: Fields) -> tuple[str, str]:
    """The file name and the text of a template; what `upload` answered may be posted on whole."""
    inner = posted.get("template")
    if FILENAME not in posted and isinstance(inner, dict):
        posted = inner
    filename = posted.get(FILENAME)
    if not isinstance(filename, str) or not filename:
        raise InvalidInput(["the template has no filename; give the one that projects name it by"])
    return filename, _text_of(posted, filename, (FILENAME, TEXT))


def definition_of(posted: Fields) -> tuple[str, str]:
    """The file name and the text of a definition. One that names its template only by `model_id` is completed."""
    filename = posted.get(FILENAME) or "project.yml"
    if not isinstance(filename, str):
        raise InvalidInput([f"filename: is {shown(filename)}; give text"])
    inner = posted.get("project")
    if isinstance(inner, list):
        posted = {**posted, "project": [_completed(each) for each in inner]}
        posted.pop(MODEL_ID, None)
    return filename, _text_of(_completed(posted), filename, (FILENAME, TEXT))


def _completed(fields: Any) -> Any:  # noqa: ANN401 - whatever was posted
    if not isinstance(fields, dict) or MODEL_ID not in fields:
        return fields
    completed = {name: value for name, value in fields.items() if name != MODEL_ID}
    if "template" not in completed and TEXT not in completed:
        completed["template"] = fields[MODEL_ID]
    return completed


def _text_of(posted: Fields, filename: str, beside: tuple[str, ...]) -> str:
    fields = {name: value for name, value in posted.items() if name not in beside}
    text = posted.get(TEXT)
    if text is not None and not isinstance(text, str):
        raise InvalidInput([f"text: is {shown(text)}; give the text of the file"])
    if text is not None:
        written = parsed(text, filename)
        fields = {name: value for name, value in fields.items() if name in written or name not in _OF_RECORDS}
        if not fields or same(fields, written):
            return text
    # Escaped, for YAML takes some letters of other scripts for the end of a line.
    return json.dumps({name: value for name, value in fields.items() if name not in _OF_RECORDS or text}, indent=2)


def _finite(data: Any) -> Any:  # noqa: ANN401 - plain data
    """JSON has no word for what is no finite number: it is told as text."""
    match data:
        case dict():
            return {name: _finite(value) for name, value in data.items()}
        case list():
            return [_finite(value) for value in data]
        case float() if not math.isfinite(data):
            return str(data)
    return data
