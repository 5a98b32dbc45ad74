"""The commands about projects, model templates, the queue and the whole system, as a user types them."""
# ruff: noqa: PLC0415 - the messages and the actors cost 0.3 s to import, which `--help` and a typing error need not pay

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actors.cli.options import Experiments, Form, speaks
from actors.cli.output import Format
from beagle.settings import Settings

app = typer.Typer()
project = typer.Typer(help="List, pause, resume, stop, cancel and delete projects.", no_args_is_help=True)
queue = typer.Typer(help="List what waits, or take it all out.", no_args_is_help=True)
template = typer.Typer(help="Store, list and show model templates.", no_args_is_help=True)
site = typer.Typer(help="Give up a site that never returns.", no_args_is_help=True)
app.add_typer(project, name="project")
app.add_typer(queue, name="queue")
app.add_typer(template, name="template")
app.add_typer(site, name="site")

Projects = Annotated[list[str], typer.Argument(metavar="PROJECT...", help="Names (the newest of that name) or ids.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it.")]


@app.command()
@speaks
def reset(settings: Settings, *, yes: Yes = False) -> None:
    """Delete every project, and stop what runs. Model templates and settings stay."""
    from actors.cli.administering import reset as forgotten

    forgotten(settings, sure=yes)


@app.command()
@speaks
def delete(settings: Settings, experiments: Experiments, *, yes: Yes = False) -> None:
    """Remove experiments with their metrics."""
    from actors.cli.administering import delete as deleted

    deleted(settings, experiments, sure=yes)


@app.command()
@speaks
def priority(
    settings: Settings,
    priority: Annotated[
        int, typer.Argument(min=-50, max=50, metavar="N", help="Higher goes first; 0 is usual. After -- if negative.")
    ],
    experiments: Experiments,
) -> None:
    """Move experiments within the queue."""
    from actors.cli.administering import prioritise

    prioritise(settings, priority, experiments)


@project.command("ls")
@speaks
def list_projects(settings: Settings, format: Form = Format.TABLE) -> None:
    """List the projects, the newest first."""
    from actors.cli.administering import list_projects as listed

    listed(settings, format)


@project.command("pause")
@speaks
def pause_project(settings: Settings, projects: Projects) -> None:
    """Start no more of their experiments; what runs goes on."""
    from actors.cli.administering import change_projects
    from beagle.commands import PauseProject

    change_projects(settings, projects, lambda name: PauseProject(project=name))


@project.command("resume")
@speaks
def resume_project(settings: Settings, projects: Projects) -> None:
    """Let paused projects go on."""
    from actors.cli.administering import change_projects
    from beagle.commands import ResumeProject

    change_projects(settings, projects, lambda name: ResumeProject(project=name))


@project.command("stop")
@speaks
def stop_project(settings: Settings, projects: Projects) -> None:
    """Start no more of their experiments, for good; what runs goes on to its end."""
    from actors.cli.administering import change_projects
    from beagle.commands import StopProject

    change_projects(settings, projects, lambda name: StopProject(project=name))


@project.command("cancel")
@speaks
def cancel_project(settings: Settings, projects: Projects) -> None:
    """Stop them for good, and what runs of them too."""
    from actors.cli.administering import change_projects
    from beagle.commands import CancelProject

    change_projects(settings, projects, lambda name: CancelProject(project=name))


@project.command("delete")
@speaks
def delete_project(settings: Settings, projects: Projects, *, yes: Yes = False) -> None:
    """Remove projects with their experiments and metrics, and stop what runs."""
    from actors.cli.administering import change_projects
    from beagle.commands import DeleteProject

    change_projects(settings, projects, lambda name: DeleteProject(project=name), "deleted", sure=yes)


@queue.command("ls")
@speaks
def list_queue(settings: Settings, format: Form = Format.TABLE) -> None:
    """List the experiments that wait, in the order in which they will run."""
    from actors.cli.administering import list_queue as listed

    listed(settings, format)


@queue.command("clear")
@speaks
def clear_queue(settings: Settings, *, yes: Yes = False) -> None:
    """Take everything out that waits now."""
    from actors.cli.administering import clear_queue as cleared

    cleared(settings, sure=yes)


@template.command("ls")
@speaks
def list_templates(settings: Settings, format: Form = Format.TABLE) -> None:
    """List the model templates that were stored."""
    from actors.cli.administering import list_templates as listed

    listed(settings, format)


@template.command("upload")
@speaks
def upload(
    settings: Settings,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Model templates; projects name their file.")],
) -> None:
    """Store model templates; one of the same file name is replaced, for projects to come."""
    from actors.cli.administering import upload as uploaded

    uploaded(settings, files)


@template.command("show")
@speaks
def show_template(
    settings: Settings,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="A file name, the name in it, or an id.")],
) -> None:
    """Print a model template as it was stored."""
    from actors.cli.administering import show_template as shown

    shown(settings, template)


@site.command("forget")
@speaks
def forget_site(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `beagle why` names it.")],
    *,
    yes: Yes = False,
) -> None:
    """Take what runs at a site for lost, and its places back.

    Only for one that never returns: should it run on, experiments run twice and beyond the limit.
    """
    from actors.cli.administering import forget_site as forgotten

    forgotten(settings, name, sure=yes)
