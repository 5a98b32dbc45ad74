"""Writes uploaded model templates, one for each filename. Nothing else writes them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from beagle.documents import read
from beagle.errors import InvalidInput, NotFound
from beagle.ports import Store
from beagle.records import Model
from beagle.sentences import meant, shown
from beagle.template_file import read_template


def read_model(filename: str, text: str, folder: str, now: float) -> Model:
    """What was uploaded, checked; nothing is stored. Raises `InvalidInput` with all mistakes."""
    if not filename.isprintable():
        raise InvalidInput([f"the file name {shown(filename)} holds signs that nobody sees; give another one"])
    template = read_template(text, filename, folder)
    data = read(text, filename).data
    own = data.get("name") if isinstance(data, dict) else None
    return Model(
        id=model_id(filename),
        filename=filename,
        name=own if isinstance(own, str) else "",
        text=text,
        template=template,
        created_at=now,
    )


def model_id(filename: str) -> str:
    """It follows from the filename: to upload the same twice changes nothing."""
    return hashlib.sha256(f"model:{filename}".encode()).hexdigest()[:24]


def store_model(store: Store, model: Model) -> Model:
    """As it is stored now. One of the same filename is replaced; the same content again keeps its time."""
    while True:
        if store.add([model]) == [True]:
            return model
        known = load(store, model.id)
        after = replace(model, version=known.version + 1)
        if replace(after, version=known.version, created_at=known.created_at) == known:
            return known
        if store.replace(known, after):
            return after


def load(store: Store, model: str) -> Model:
    found = store.get(Model, model)
    if found is None:
        raise NotFound(f"there is no template {model}")
    return found


def find(store: Store, asked: str) -> Model | None:
    """By filename, else the newest of that metadata name, else by id."""
    found = store.get(Model, model_id(asked))
    if found is None and asked:
        named = store.page(Model, "name", (asked,), limit=1, descending=True).records
        found = named[0] if named else store.get(Model, asked)
    return found


def named_by(store: Store, definition: str, template: str) -> Model:
    """The template that a definition names. Raises `InvalidInput` with the ones there are."""
    found = find(store, template)
    if found is None:
        known = [model.filename for model in store.page(Model, "all", limit=1000).records]
        raise InvalidInput([f"{definition}: no template {template} was uploaded; {meant(template, known)}"])
    return found
