"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actors.cli.output import Format

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="The state folder: store, logs and outputs. By default .beagle beside the project file, or the nearest"
        " one here and upwards.",
    ),
]
Template = Annotated[
    Path | None,
    typer.Option("--template", metavar="FILE", help="The model template, instead of the one that the project names."),
]
Orchestrator = Annotated[
    str, typer.Option("--orchestrator", envvar="BEAGLE_ORCHESTRATOR", help="What runs experiments.")
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
