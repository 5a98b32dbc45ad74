"""The structure, held by tests: layers, sizes, routes, who writes what, and where errors may be swallowed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import get_args

import pytest

from actors.base import BusActor, World
from actors.clock import Clock
from actors.http.events import Events
from actors.live import QUEUE
from actors.main import Ensemble
from actors.monitor import Monitor
from actors.strangers import Forwarder
from actors.watch import ExperimentMonitor
from beagle.experiment import State
from beagle.messages import AnyMessage, ExperimentChanged, Message
from beagle.projects import Plans
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.routes import ROUTES, address, bindings, fits
from tests.actors.paper import PaperOrchestrator
from tests.rules.instances import ONE_OF_EACH

ROOT = Path(__file__).parents[1]
PACKAGES = ("actors", "beagle", "bus", "config")
CODE = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in CODE}


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def nodes(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield name, node


def test_the_import_contracts_are_kept(tmp_path):
    # In a process of its own: it would silence all loggers of this one, and tests after it look at what is logged.
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=sys.argv[1]))"
    command = [sys.executable, "-c", lint, tmp_path]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert checked.returncode == 0, checked.stdout


def test_a_training_program_loads_nothing_heavy_with_beagle():
    loaded = "import sys; known = set(sys.modules); import beagle; print(*sorted(set(sys.modules) - known))"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, cwd=ROOT, check=True)
    ours = [name for name in found.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names]
    assert ours == ["beagle", "beagle.report"]
    assert not {"asyncio", "socket", "sqlite3", "threading", "logging"} & set(found.stdout.split())


# Sizes ---------------------------------------------------------------------------------------------------------------


def test_files_stay_short():
    lengths = {path: lines(path) for path in CODE}
    assert median(lengths.values()) <= 100
    assert {path: length for path, length in lengths.items() if length > 350} == {}


def test_functions_stay_short():
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = {(name, node.name): node.end_lineno - node.lineno + 1 for name, node in nodes(functions)}
    assert quantiles(lengths.values(), n=10)[-1] <= 25
    assert {where: length for where, length in lengths.items() if length > 50} == {}


def test_there_is_at_least_as_much_test_as_code():
    assert sum(map(lines, TESTS)) >= sum(map(lines, CODE))


# Routes = what the actors handle -------------------------------------------------------------------------------------


class Composed(Ensemble):
    """The composition, written down instead of started."""

    def _begin(self, actor: type[BusActor], queues: tuple[str, ...], *more: object) -> None:
        self._actors.append((actor, queues))


@pytest.fixture
def consumers(tmp_path) -> Iterator[dict[str, list[type[BusActor]]]]:
    """Who consumes each queue."""
    store, clock = SqliteStore(tmp_path / "beagle.sqlite"), Clock()
    world = World(store=store, bus=MemoryBus({}), clock=clock, site="local", plans=Plans(store))
    composed = Composed(world, PaperOrchestrator(world.now))
    composed.start()
    found: dict[str, list[type[BusActor]]] = {}
    for actor, queues in composed._actors:
        for queue in queues:
            found.setdefault(queue, []).append(actor)
    found[QUEUE] = [Events]  # it listens for HTTP's streams, and is no actor
    yield found
    clock.close()
    store.close()


def handled_by(actor: type[BusActor]) -> set[type[Message]]:
    """The monitor's host hands what belongs to an attempt to that attempt's actor."""
    more = {*ExperimentMonitor.handles, *Forwarder.handles} if actor is Monitor else set()
    return set(actor.handles) | more


def examples(kind: type[Message]) -> list[Message]:
    one = ONE_OF_EACH[kind]
    return [one.model_copy(update={"state": state}) for state in State] if kind is ExperimentChanged else [one]


def queues_of(kind: type[Message]) -> set[str]:
    """Every queue that a message of this kind may come to."""
    taken = set()
    for message in examples(kind):
        route, key = address(message)
        for name, binding in bindings("local").items():
            if binding.exchange == route.exchange and any(fits(pattern, key) for pattern in binding.patterns):
                taken.add(name)
    return taken


def test_every_message_has_a_route_and_every_route_a_message():
    assert set(ROUTES) == set(get_args(AnyMessage))


def test_every_queue_is_consumed_by_one_kind_of_actor(consumers):
    assert set(consumers) == set(bindings("local"))
    assert {queue: found for queue, found in consumers.items() if len(found) != 1} == {}


@pytest.mark.parametrize("kind", ROUTES, ids=lambda kind: kind.__name__)
def test_who_is_sent_a_message_handles_it_and_nobody_else_does(consumers, kind):
    sent = {actor for queue in queues_of(kind) for actor in consumers[queue]}
    actors = {actor for found in consumers.values() for actor in found}
    assert {actor for actor in actors if kind in handled_by(actor)} == sent
    assert sent or not ROUTES[kind].mandatory


# Who writes what -----------------------------------------------------------------------------------------------------


WRITES = {"add", "replace", "append", "remove", "remove_metrics"}


def test_each_kind_of_record_has_one_writer():
    writers: dict[str, set[str]] = {}
    for name, node in nodes(ast.Call):
        match node.func:
            case ast.Attribute(attr=method, value=owner) if (
                method in WRITES and ast.unparse(owner).rpartition(".")[2] == "store"
            ):
                writers.setdefault(name, set()).add(method)
    assert writers == {
        "beagle/lifecycle.py": {"add", "replace"},
        "beagle/places.py": {"add", "replace"},
        "beagle/projects.py": {"add", "replace", "remove"},  # Project and Plan
        "beagle/models.py": {"add", "replace"},
        "beagle/deployment.py": {"add"},
        "beagle/removal.py": {"remove", "remove_metrics"},
        "beagle/system.py": {"add", "replace"},
        "beagle/members.py": {"add", "replace", "remove"},
        "actors/account.py": {"add", "replace"},  # Summary
        "actors/watch.py": {"append"},  # Metric
        "actors/heuristic.py": {"add"},  # Observation
        "actors/orders/front.py": {"add", "replace"},  # Applied
    }


MAKERS = {
    "Place": {"beagle/places.py"},
    "System": {"beagle/system.py"},
    "Observation": {"actors/heuristic.py"},
    "Member": {"beagle/members.py"},
    "Deployment": {"beagle/deployment.py"},
    "Applied": {"actors/orders/front.py"},
    "Model": {"beagle/models.py"},
    "Metric": {"actors/watch.py"},
}


@pytest.mark.parametrize("record", MAKERS)
def test_a_record_is_made_only_where_it_is_written(record):
    stores = "beagle/stores/"  # they make records of what is stored
    made = {name for name, node in nodes(ast.Call) if isinstance(node.func, ast.Name) and node.func.id == record}
    assert {name for name in made if not name.startswith(stores)} == MAKERS[record]


def test_states_change_only_by_the_transition_of_the_table():
    changes = {
        name for name, node in nodes(ast.Call) if ast.unparse(node.func) in {"transition", "experiment.transition"}
    }
    assert changes == {"beagle/lifecycle.py"}


# Errors and leftovers ------------------------------------------------------------------------------------------------

# Where a broad `except` may swallow, each with its reason on the line: at the edge to a user or to other callers.
EDGES = (
    "actors/cli/",
    "actors/http/guard.py",
    "actors/reporter.py",
    "actors/starts.py",
    "bus/rabbitmq_link.py",
    "beagle/orchestrators/",
    "beagle/stores/sqlite_file.py",
)


def is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or bool(
        {"Exception", "BaseException"} & set(re.findall(r"\w+", ast.unparse(handler.type)))
    )


def test_errors_end_where_they_are_understood():
    for name, handler in nodes(ast.ExceptHandler):
        if not is_broad(handler) or isinstance(handler.body[-1], ast.Raise) or name == "actors/base.py":
            continue
        line = (ROOT / name).read_text().splitlines()[handler.lineno - 1]
        assert name.startswith(EDGES), f"{name}:{handler.lineno} swallows everything"
        assert re.search(r"#.*[a-z]+ [a-z]+ [a-z]+", line), f"{name}:{handler.lineno} gives no reason"


def test_nothing_is_left_to_do_and_no_test_is_left_out():
    marker = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "NotImple" + "mented", r"skip" + r"\(", "XX" + "X"]))
    found = [path for path in [*CODE, *TESTS] if marker.search(path.read_text())]
    assert found == []


def test_packages_hide_nothing_in_their_init():
    told = [path for path in [*CODE, *TESTS] if path.name == "__init__.py" and path.read_text().strip()]
    assert told == [ROOT / "beagle/__init__.py"]  # the names that a training program uses


def test_no_module_knows_another_for_its_types_only():
    assert [path for path in CODE if "TYPE_CHECKING" in path.read_text()] == []
