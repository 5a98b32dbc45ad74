"""Validates the mappings of a document by pydantic models, and words every mistake with file, line and field."""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from beagle.documents import Document
from beagle.durations import seconds
from beagle.errors import InvalidInput
from beagle.plain import Data, Place
from beagle.sentences import meant, shown


class Fields(BaseModel):
    """The fields of one mapping; each `description` says what would be right.

    `synonyms` map other spellings. Fields in `others`, and those that begin with `x-` beside them, are accepted and
    not read.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
    synonyms: ClassVar[dict[str, str]] = {}
    others: ClassVar[frozenset[str]] = frozenset()


Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Duration = Annotated[float, BeforeValidator(seconds)]
F = TypeVar("F", bound=Fields)


class Reader:
    """Collects the mistakes of one document, so that all are told at once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._problems: list[tuple[int, str]] = []

    def wrong(self, place: Place, what: str) -> None:
        self._problems.append((self.document.line(place), self.document.sentence(place, what)))

    def finish(self) -> None:
        """Raises `InvalidInput` when there was any mistake; they stand in the order of the file."""
        if self._problems:
            raise InvalidInput([problem for _, problem in sorted(self._problems, key=itemgetter(0))])

    def mapping(self, place: Place, data: Data, fields: str) -> dict[str, Data] | None:
        """`data` if it is a mapping; `fields` says which one would be right."""
        if isinstance(data, dict):
            return data
        self.wrong(place, f"is {shown(data)}; give a mapping with {fields}")
        return None

    def take(self, model: type[F], place: Place, data: Data) -> F | None:
        """The mapping at `place` as a `model`, or None after telling what is wrong with it."""
        given = self.mapping(place, data, ", ".join(model.model_fields))
        if given is None:
            return None
        written = self._spellings(model, place, given)
        try:
            return model.model_validate({name: given[key] for name, key in written.items()})
        except ValidationError as error:
            told = set()
            for mistake in error.errors(include_url=False, include_context=False):
                name, *rest = mistake["loc"]
                at = (*place, written.get(str(name), name), *rest)
                if at not in told:
                    told.add(at)
                    self.wrong(at, self._sentence(model, mistake["loc"], mistake["type"], mistake["input"]))
            return None

    def _spellings(self, model: type[F], place: Place, given: dict[str, Data]) -> dict[str, str]:
        written: dict[str, str] = {}
        for key in given:
            name = model.synonyms.get(key, key)
            if key in model.others or (model.others and key.startswith("x-")):
                continue
            if name in written:
                self.wrong((*place, key), f"means the same as {written[name]}; keep one of them")
            else:
                written[name] = key
        return written

    @staticmethod
    def _sentence(model: type[F], loc: Place, kind: str, given: object) -> str:
        name = str(loc[0])
        if kind == "extra_forbidden":
            return f"is no field that is known here; {meant(name, model.model_fields, model.others)}"
        right = model.model_fields[name].description
        if kind == "missing":
            return f"is missing; give {right}"
        return f"is {shown(given)}; give {right}" if len(loc) == 1 else f"is {shown(given)}; {name} takes {right}"
