"""The commands that check and run a project, as a user types them."""
# ruff: noqa: PLC0415 - the messages and the actors cost 0.3 s to import, which `--help` and a typing error need not pay

from __future__ import annotations

from typing import Annotated

import typer

from actors.cli.options import ProjectFile, Template, speaks
from beagle.settings import Settings

app = typer.Typer()


@app.command()
@speaks
def check(
    settings: Settings,
    project: ProjectFile,
    template: Template = None,
) -> None:
    """Read a project and its template, and say what a run would do. Nothing is started or stored."""
    from actors.cli.checking import check as checked

    checked(settings, project, template)


@app.command()
@speaks
def run(
    settings: Settings,
    project: ProjectFile,
    template: Template = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=0, max=10_000, help="How many may run at a time.")
    ] = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Run a finished project anew, from the beginning.")] = False,
) -> None:
    """Run a project to its end. Ctrl-C pauses it; the same command resumes."""
    from actors.cli.running import run as to_the_end

    raise typer.Exit(to_the_end(settings, project, template, limit, again=again))
