"""The options that several commands share."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from actors.cli.output import Format
from beagle.settings import FILE, TABLE, Chosen, Settings, hide_secrets, load

# What a command needs to find the system that it speaks to.
_SESSION = ("server", "token", "folder", "orchestrator", "bus", "store")
_FILE_OPTION = Annotated[
    str | None, typer.Option("--settings", metavar="FILE", help="Settings, as BEAGLE_SETTINGS names them too.")
]
Template = Annotated[
    Path | None,
    typer.Option("--template", metavar="FILE", help="The model template, instead of the one that the project names."),
]
Form = Annotated[Format, typer.Option("--format", help="How to print it.")]
ProjectFile = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project file, usually project.yml.")]
ProjectName = Annotated[
    str | None, typer.Option("--project", metavar="PROJECT", help="A project's name or id; by default the newest.")
]
Experiment = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="A name, an id, or a number within the newest project.")
]
Experiments = Annotated[
    list[str], typer.Argument(metavar="EXPERIMENT...", help="Names, ids, or numbers within the newest project.")
]
Attempt = Annotated[int | None, typer.Option("--attempt", min=1, metavar="N", help="Instead of the current one.")]


def speaks(command: Callable[..., None]) -> Callable[..., None]:
    """For a command that speaks to a system: options for where that is; its first argument is the `Settings`."""

    def with_settings(chosen: Chosen, **given: object) -> None:
        command(_meant(chosen), **given)

    return _with(command, with_settings, _SESSION)


def _meant(chosen: Chosen) -> Settings:
    """A flag that names another system is stronger than a server in the environment, which is meant for every day."""
    by_flag = {name for name in ("server", "folder", "bus") if chosen.sources[name] == TABLE[name].flag}
    elsewhere = by_flag and "server" not in by_flag
    return replace(chosen.settings, server="") if elsewhere else chosen.settings


def settable(command: Callable[..., None]) -> Callable[..., None]:
    """Adds an option for every setting there is; the first argument is what was `Chosen`."""
    return _with(command, command, tuple(TABLE))


def _with(command: Callable[..., None], then: Callable[..., None], names: tuple[str, ...]) -> Callable[..., None]:
    @wraps(command)
    def run(**given: object) -> None:
        flags: Any = {name: given.pop(name) for name in (*names, FILE)}
        chosen = load(flags, os.environ)
        hide_secrets(os.environ)
        then(chosen, **given)

    signature = inspect.signature(command, eval_str=True)
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in list(signature.parameters.values())[1:]]
    shared = [_parameter(name, _option(name)) for name in names]
    everything = [*own, *shared, _parameter(FILE, _FILE_OPTION)]
    run.__signature__ = signature.replace(parameters=everything)  # type: ignore[attr-defined]
    return run


def _parameter(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _option(name: str) -> object:
    setting = TABLE[name]
    return Annotated[str | None, typer.Option(setting.flag, metavar=_METAVARS.get(name, "TEXT"), help=setting.meaning)]


_METAVARS = {"server": "URL", "bus": "URL", "metrics_bus": "URL", "store": "URL", "management": "URL", "folder": "DIR"}
