"""Reads project definitions from text: today's shape, and the older one that holds several projects."""

from __future__ import annotations

from dataclasses import dataclass

from beagle import plugins
from beagle.definition_fields import Newer, Older, Optimization, Project, Retries, Shared
from beagle.documents import read
from beagle.experiment import Failure, Value
from beagle.fields import Reader
from beagle.parameter_fields import read_parameters
from beagle.plain import Data, Place
from beagle.project import Definition
from beagle.sentences import meant, shown

_OBJECTIVES = {"experiment_time": "experimentTime"}  # the shipped examples name what no image reports
_LATER = ("deep_qlearning", "double_deep_qlearning")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sections:
    """What the projects of one file share."""

    shared: Shared
    optimization: Optimization
    retries: Retries
    settings: dict[str, Value]


def read_project(text: str, filename: str) -> list[Definition]:
    """The projects of one file: one, or several of the older shape. Raises `InvalidInput` with all mistakes."""
    reader = Reader(read(text, filename))
    data = reader.mapping((), reader.document.data, "name, template, optimization and parameters")
    definitions = _definitions(reader, data) if data is not None else []
    reader.finish()
    return definitions


def _definitions(reader: Reader, data: dict[str, Data]) -> list[Definition]:
    if "project" not in data:
        top = reader.take(Newer, (), data)
        found = [_definition(reader, (), data, top, _sections(reader, data, top))]
    else:
        sections = _sections(reader, data, reader.take(Older, (), data))
        elements = data["project"] if isinstance(data["project"], list) else []
        places = [("project", index) for index in range(len(elements))]
        found = [
            _definition(reader, place, element, reader.take(Project, place, element), sections)
            for place, element in zip(places, elements, strict=True)
        ]
    return [definition for definition in found if definition is not None]


def _sections(reader: Reader, data: dict[str, Data], shared: Shared | None) -> _Sections | None:
    optimization: Optimization | None = Optimization(type="grid")
    retries: Retries | None = Retries()
    settings: dict[str, Value] = {}
    if isinstance(data.get("optimization"), dict):
        optimization = reader.take(Optimization, ("optimization",), data["optimization"])
        settings = _settings(reader, optimization) if optimization else {}
    if isinstance(data.get("retries"), dict):
        retries = reader.take(Retries, ("retries",), data["retries"])
    if shared is None or optimization is None or retries is None:
        return None
    return _Sections(shared=shared, optimization=optimization, retries=retries, settings=settings)


def _settings(reader: Reader, optimization: Optimization) -> dict[str, Value]:
    """The further keys: a plug-in's own; a mistake for our own heuristics."""
    heuristic, known = optimization.type, plugins.heuristics()
    if heuristic not in known:
        later = f"comes in a later release; there is {', '.join(known)}"
        wrong = f"{shown(heuristic)} is no heuristic that is known; {meant(heuristic, known)}"
        reader.wrong(("optimization", "type"), f"{heuristic} {later}" if heuristic in _LATER else wrong)
        return {}
    settings: dict[str, Value] = {}
    for key, value in (optimization.model_extra or {}).items():
        if plugins.is_built_in(heuristic):
            what = f"is no setting of {heuristic}; {meant(key, Optimization.model_fields)}"
            reader.wrong(("optimization", key), what)
        elif isinstance(value, str | int | float):
            settings[key] = value
        else:
            reader.wrong(("optimization", key), f"is {shown(value)}; give text, a number, true or false")
    if optimization.total_n_episodes is not None and not plugins.is_built_in(heuristic):
        settings["total_n_episodes"] = optimization.total_n_episodes
    return settings


def _definition(
    reader: Reader, place: Place, data: Data, project: Project | None, sections: _Sections | None
) -> Definition | None:
    """The parameters are read even when the fields around them are wrong, so that all mistakes are told."""
    listed = data.get("parameters") if isinstance(data, dict) else None
    at = (*place, "parameters")
    parameters = read_parameters(reader, at, listed) if isinstance(listed, list) else ()
    if project is None or sections is None:
        return None
    shared, optimization = sections.shared, sections.optimization
    objective = optimization.objective_function
    return Definition(
        name=project.name,
        template=project.template,
        parameters=parameters,
        timeout=shared.experiment_timeout,
        accuracy_limit=shared.experiment_accuracy_limit,
        heuristic=optimization.type,
        settings=sections.settings,
        objective=_OBJECTIVES.get(objective, objective),
        direction=optimization.objective_result,
        summary=optimization.summary,
        total=optimization.total_n_experiments,
        seed=optimization.seed,
        retries={Failure(name): count for name, count in sections.retries},
        pause_after_failures=shared.pause_after_failures,
        places=_places(reader, place),
    )


def _places(reader: Reader, project: Place) -> dict[str, str]:
    """Where the fields that later checks speak about stand: those of the project, and those beside it."""
    document = reader.document
    known = [place for place in document.lines if place[: len(project)] == project or place[:1] == ("optimization",)]
    found = {"": f"{document.filename}:{document.line(project)}"}
    for place in known:
        inner = place[len(project) :] if place[: len(project)] == project else place
        if 0 < len(inner) <= 2:
            name = document.named(place)
            outer = document.named(project)
            found[name.removeprefix(f"{outer}.")] = f"{document.filename}:{document.line(place)}"
    return found
