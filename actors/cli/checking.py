"""`beagle check`: what a run would do, without doing any of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from actors.cli.output import say
from actors.cli.project_files import read_files
from actors.cli.words import clean, duration, number, pairs, plural
from beagle import plugins
from beagle.project import Definition
from beagle.settings import Settings
from beagle.template import Service

FIRST = 5


def check(settings: Settings, project: Path, template: Path | None) -> None:
    """Raises `InvalidInput` with all mistakes."""
    files = read_files(project, template, settings)
    for definition in files.definitions:
        say("\n".join(_about(definition)))
    say(f"each runs {files.template_file}:")
    say("\n".join(_command(service) for service in files.template.services))


def _about(definition: Definition) -> Iterator[str]:
    search = plugins.heuristic(definition.heuristic)(definition, 0)
    yield f"{clean(definition.name)}: {_size(search.total)}, {definition.heuristic} search"
    aim = "largest" if definition.direction == "max" else "smallest"
    which = "last" if definition.summary == "last" else "best"
    yield f"looks for the {aim} {clean(definition.objective)}, by the {which} value that each reports"
    if definition.accuracy_limit is not None:
        yield f"an experiment ends as soon as its accuracy reaches {number(definition.accuracy_limit)}"
    if definition.timeout is not None:
        yield f"an attempt ends after {duration(definition.timeout)} at the latest"
    for at, parameters in enumerate(islice(search.suggest(FIRST), FIRST), start=1):
        yield f"  {at}  {pairs(parameters)}"
    if search.total is None or search.total > FIRST:
        yield "  …"


def _size(total: int | None) -> str:
    if total is None:
        return "as many experiments as its results call for"
    return f"{total:,} experiments" if total != 1 else plural(1, "experiment")


def _command(service: Service) -> str:
    return f"  {service.name}: {clean(shlex.join(service.command))}"
