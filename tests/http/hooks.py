"""What Schemathesis is told about a deployment: the ids of records that there are, so that calls reach them.

Schemathesis imports this module by its name (SCHEMATHESIS_HOOKS), in a process of its own.
"""

from __future__ import annotations

import os
import random
import time

import requests
import schemathesis

URL = os.environ["BEAGLE_UNDER_TEST"]
TOKEN = os.environ.get("BEAGLE_TOKEN", "")
# Of the calls; the others keep what was made up for them, odd as it is.
KNOWN = 0.7
# What a field of a command means by the name of its record.
FIELDS = {"experiment": "experiment", "project": "project", "template": "model", "letter": "letter"}
LISTS = {
    "system": "systems",
    "project": "projects?limit=20",
    "model": "models?limit=20",
    "letter": "dead-letters?limit=20",
}

_chance = random.Random(int(os.environ.get("BEAGLE_SEED", "1")))


class _Records:
    """Looked up once a second."""

    def __init__(self) -> None:
        self._ids: dict[str, list[str]] = {}
        self._looked = -1.0

    def one(self, kind: str) -> str | None:
        if time.monotonic() > self._looked + 1:
            self._look()
            self._looked = time.monotonic()
        found = self._ids.get(kind)
        return _chance.choice(found) if found else None

    def _look(self) -> None:
        for kind, path in LISTS.items():
            self._ids[kind] = [record["id"] for record in _get(path) or ()]
        pages = [_get(f"projects/{project}/experiments?limit=20") for project in self._ids["project"]]
        self._ids["experiment"] = [record["id"] for page in pages if page for record in page["info"]["experiments"]]


_records = _Records()


def _get(path: str):
    answer = requests.get(f"{URL}/api/v1/{path}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
    return answer.json() if answer.status_code == 200 else None


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    (case.query or {}).pop("follow", None)  # it would be answered for as long as the experiment runs
    if _chance.random() > KNOWN:
        return
    for name in case.path_parameters or {}:
        known = _records.one(name)
        if known is not None:
            case.path_parameters[name] = known
    if isinstance(case.body, dict):
        for field, kind in FIELDS.items():
            known = _records.one(kind) if field in case.body else None
            if known is not None:
                case.body[field] = known
