"""What is special to experiments that are processes: crashes of each part, strays, and process ids."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from beagle.errors import LaunchFailed, NotFound, Refused, Unavailable
from beagle.orchestrators import fork_server, shims, watcher
from beagle.orchestrators.process import ProcessOrchestrator
from beagle.orchestrators.remains import bearers, began, boot_id, read
from beagle.orchestrators.tail import Tail
from beagle.ports import Ended, Line
from tests.contracts.workloads import World, eventually, shell, workload

# Leaves the group and the session, and its parent; writes its process id as its first act.
STRAY = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open(sys.argv[1], "w").write(f"{os.getpid()} ")
time.sleep(60)
"""


@pytest.fixture
def world(tmp_path):
    world = World(lambda: ProcessOrchestrator(tmp_path / "state"), tmp_path)
    yield world
    world.close()


@pytest.fixture
def opened(world):
    return world.open()


@pytest.fixture
def orchestrator(opened):
    return opened[0]


@pytest.fixture
def seen(opened):
    return opened[1]


def alive(pid):
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] != b"Z"


def stray(world, then):
    """A service that starts a stray, waits until it is out, and does `then`; and the file with the stray's id."""
    (world.folder / "stray.py").write_text(STRAY)
    pid = world.folder / "stray.pid"
    start = f"{sys.executable} {world.folder}/stray.py {pid}; until test -s {pid}; do sleep 0.01; done; echo out; "
    return shell(start + then, grace=0.3), pid


def claim_of(world, job):
    return world.folder / "state" / "experiments" / job.experiment / str(job.attempt) / "shim.json"


def shim_of(world, job):
    return json.loads(claim_of(world, job).read_text())["pid"]


def forge_claim(world, job, **changes):
    """As a scheduler left it that ran on an earlier day."""
    folder = claim_of(world, job).parent
    folder.mkdir(parents=True)
    (world.folder / "state" / "running" / job.name).touch()
    claim = {"pid": os.getpid(), "began": began(os.getpid()), "boot": boot_id(), "started_at": 1.0, "services": []}
    claim_of(world, job).write_text(json.dumps({**claim, **changes}))


def test_a_stray_dies_with_the_end_of_the_main_program(world, orchestrator, seen):
    service, pid = stray(world, "exit 3")
    job = workload(service)
    orchestrator.start(job)
    assert seen.ended(job.name).status == 3
    assert not alive(int(pid.read_text()))


def test_a_stray_dies_with_a_stop(world, orchestrator, seen):
    service, pid = stray(world, "sleep 60")
    job = workload(service)
    orchestrator.start(job)
    seen.wait(job.name, Line, "out")
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == -signal.SIGTERM
    assert not alive(int(pid.read_text()))


def test_one_that_joins_the_group_of_its_shim_dies_alone(world, orchestrator, seen):
    code = "import os, sys, time; os.setpgid(0, os.getpgid(os.getppid())); print('joined', flush=True); time.sleep(60)"
    job = workload(shell(f'exec {sys.executable} -c "{code}"', grace=0.3))
    orchestrator.start(job)
    seen.wait(job.name, Line, "joined")
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == -signal.SIGTERM


def test_a_shim_that_is_killed_is_a_lost_workload_and_nothing_of_it_survives(world, orchestrator, seen):
    service, pid = stray(world, "sleep 60")
    job = workload(service)
    orchestrator.start(job)
    seen.wait(job.name, Line, "out")
    os.kill(shim_of(world, job), signal.SIGKILL)
    ended = seen.ended(job.name)
    assert (ended.status, ended.lost, ended.error) == (None, True, "the process that watched it is gone")
    assert not alive(int(pid.read_text()))
    assert bearers(job.name, f"file://{claim_of(world, job).parent}") == []


def test_a_shim_that_hangs_is_killed_some_time_after_the_grace(world, orchestrator, seen, monkeypatch):
    monkeypatch.setattr(watcher, "_BEYOND_GRACE", 0.1)
    job = workload(shell("echo up; exec sleep 60", grace=0.1))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    os.kill(shim_of(world, job), signal.SIGSTOP)
    orchestrator.stop(job.name)
    ended = seen.ended(job.name)
    assert ended.lost
    assert ended.error == "it did not end within 0.2 s of the stop, and was killed"


def test_a_process_id_that_is_anothers_by_now_is_not_adopted(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job, began=began(os.getpid()) - 1)
    orchestrator.start(job)
    assert seen.ended(job.name).lost


def test_a_process_of_an_earlier_boot_is_not_adopted(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job, boot="an earlier one")
    orchestrator.start(job)
    assert seen.ended(job.name).lost


def test_a_claim_that_a_crash_of_the_machine_left_empty_is_lost(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job)
    claim_of(world, job).write_text("")
    orchestrator.start(job)
    assert seen.ended(job.name).lost


def test_what_is_lost_stays_so(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job, boot="an earlier one")
    orchestrator.start(job)
    first = seen.ended(job.name)
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name) == first


def test_shims_are_used_again(world, orchestrator, seen):
    jobs = [workload(shell("exit 0")) for _ in range(5)]
    for job in jobs:
        orchestrator.start(job)
        seen.ended(job.name)
    assert len({shim_of(world, job) for job in jobs}) == 1


def test_a_late_stop_of_an_ended_workload_spares_the_next_one_of_its_shim(world, orchestrator, seen):
    first, second = workload(shell("exit 0")), workload(shell("echo up; sleep 0.2; exit 4"))
    orchestrator.start(first)
    seen.ended(first.name)
    orchestrator.start(second)
    seen.wait(second.name, Line, "up")
    assert shim_of(world, first) == shim_of(world, second)
    orchestrator.stop(first.name)
    os.kill(shim_of(world, second), signal.SIGTERM)
    assert seen.ended(second.name).status == 4


def test_an_idle_shim_that_died_is_replaced(world, orchestrator, seen):
    first, second = workload(shell("exit 0")), workload(shell("exit 0"))
    orchestrator.start(first)
    seen.ended(first.name)
    shim = shim_of(world, first)
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: not alive(shim))
    orchestrator.start(second)
    assert seen.ended(second.name).status == 0


def test_a_shim_that_hangs_before_its_claim_is_adopted_when_it_wakes(world, orchestrator, seen, monkeypatch):
    monkeypatch.setattr(shims, "_PATIENCE", 1)
    first, second = workload(shell("exit 0")), workload(shell(f"echo ran >> {world.folder}/ledger; exit 4"))
    orchestrator.start(first)
    seen.ended(first.name)
    shim = shim_of(world, first)
    os.kill(shim, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="did not answer within 1 s"):
        orchestrator.start(second)
    os.kill(shim, signal.SIGCONT)
    orchestrator.start(second)
    assert seen.ended(second.name).status == 4
    assert (world.folder / "ledger").read_text() == "ran\n"


def test_a_fork_server_that_died_is_replaced_and_its_shims_live_on(world, orchestrator, seen):
    first, second = workload(shell("echo up; sleep 0.3; exit 4")), workload(shell("exit 0"))
    orchestrator.start(first)
    seen.wait(first.name, Line, "up")
    orchestrator._shims._server.kill()
    orchestrator.start(second)
    assert seen.ended(second.name).status == 0
    assert seen.ended(first.name).status == 4


def test_closing_ends_idle_shims_and_the_fork_server(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    orchestrator.start(job)
    seen.ended(job.name)
    server, shim = orchestrator._shims._server.pid, shim_of(world, job)
    world.opened.remove(orchestrator)
    orchestrator.close()
    eventually(lambda: not alive(server) and not alive(shim))
    world.open()


def test_a_shim_that_cannot_write_its_claim_fails_the_launch_and_runs_nothing(world, orchestrator, seen):
    first, second = workload(shell("exit 0")), workload(shell(f"touch {world.folder}/ran"))
    orchestrator.start(first)
    seen.ended(first.name)
    resource.prlimit(shim_of(world, first), resource.RLIMIT_FSIZE, (0, 0))
    with pytest.raises(LaunchFailed, match=f"{second.name} could not be started: File too large"):
        orchestrator.start(second)
    assert orchestrator.list() == [first.name]
    assert not (world.folder / "ran").exists()


def test_a_machine_that_has_no_process_left_is_unavailable(world, orchestrator, monkeypatch):
    failing = "import os, errno\ndef fork(): raise BlockingIOError(errno.EAGAIN, '')\nos.fork = fork\n"
    monkeypatch.setattr(shims, "_CODE", failing + shims._CODE)
    job = workload(shell("exit 0"))
    with pytest.raises(Unavailable, match="no process could be started: Resource temporarily unavailable"):
        orchestrator.start(job)
    assert not claim_of(world, job).exists()


def test_a_fork_server_that_does_not_come_up_is_unavailable(orchestrator, monkeypatch):
    monkeypatch.setattr(shims, "_CODE", "raise SystemExit('no')")
    with pytest.raises(Unavailable, match=r"does not come up; .*shims.log may say why"):
        orchestrator.start(workload(shell("exit 0")))


def test_a_folder_that_cannot_be_made_fails_the_launch(world, orchestrator):
    job = workload(shell("exit 0"))
    (world.folder / "state" / "experiments" / job.experiment).touch()
    with pytest.raises(LaunchFailed, match="Not a directory"):
        orchestrator.start(job)


def test_what_runs_is_not_cleaned(orchestrator, seen):
    job = workload(shell("echo up; sleep 60"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    with pytest.raises(Refused, match="has not ended yet"):
        orchestrator.clean(job.name)


def test_a_script_without_an_interpreter_is_an_end_with_a_sentence(world, orchestrator, seen):
    script = world.folder / "train"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    service = shell("")
    job = workload(type(service)(name="train", command=(str(script),), environment={}, working_dir="/"))
    orchestrator.start(job)
    assert "no #! line" in seen.ended(job.name).error


def test_a_working_folder_that_is_gone_is_an_end_with_a_sentence(orchestrator, seen):
    service = shell("")
    job = workload(type(service)(name="train", command=("true",), environment={}, working_dir="/no/such/folder"))
    orchestrator.start(job)
    assert seen.ended(job.name).error == "train could not be started: No such file or directory: /no/such/folder"


def test_a_process_that_the_kernel_killed_for_memory_is_told_apart(tmp_path):
    service = {"name": "a", "command": ["sh", "-c", "kill -KILL $$"], "directory": "/", "environment": {}, "main": True}
    code = (
        "import json, sys; from beagle.orchestrators import supervision as s; counts = iter([3, 4]);"
        "s.out_of_memory_kills = lambda: next(counts); import signal;"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals());"
        "print(json.dumps(s.Supervision(json.loads(sys.argv[1])).run()))"
    )
    request = json.dumps({"folder": str(tmp_path), "grace": 1.0, "services": [service]})
    done = subprocess.run([sys.executable, "-c", code, request], capture_output=True, text=True, check=True)
    ending = json.loads(done.stdout)
    assert (ending["status"], ending["out_of_memory"]) == (-9, True)


def test_each_service_of_several_has_its_own_source_and_log(orchestrator, seen):
    job = workload(shell("echo one", name="a", main=False), shell("echo two", name="b", main=False))
    orchestrator.start(job)
    seen.ended(job.name)
    assert {(o.source, o.text) for o in seen.of(job.name) if isinstance(o, Line)} == {
        ("a/out", "one"),
        ("b/out", "two"),
    }
    assert orchestrator.logs(job.name).text == "one\n"
    assert orchestrator.logs(job.name, stream="b/out").text == "two\n"
    with pytest.raises(NotFound, match=r'no stream "../b/out"'):
        orchestrator.logs(job.name, stream="../b/out")


def test_a_fifo_that_is_called_a_report_is_no_trap(orchestrator, seen):
    job = workload(shell('mkfifo "${BEAGLE_REPORT_URL#file://}/x.report"; echo hello'))
    orchestrator.start(job)
    assert seen.ended(job.name).status == 0
    assert seen.lines(job.name) == ["hello"]


def test_a_tail_holds_little_of_a_line_without_end(tmp_path):
    path = tmp_path / "long.out"
    path.write_bytes(b"x" * 300_000 + b"\n")
    tail = Tail(str(path))
    more, found = True, []
    while more:
        assert len(tail._held) <= 65536
        lines, more = tail.read()
        found += lines
    tail.close()
    assert [(len(text), length) for _, text, length in found] == [(65536, 300_000)]


def test_a_fork_that_fails_is_told_by_its_errno(monkeypatch):
    def fork():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert fork_server._fork(ours, theirs) == 11


SCHEDULER = """
import sys, time
from pathlib import Path
from beagle.orchestrators.process import ProcessOrchestrator
from tests.contracts.workloads import shell, workload
folder = Path(sys.argv[1])
orchestrator = ProcessOrchestrator(folder / "state")
orchestrator.watch(lambda observed: None)
for number in range(6):
    script = f"echo ran >> {folder}/ledger.{number}; echo early; until test -e {folder}/gate; do sleep 0.01; done;"
    then = (folder / f"then.{number}").read_text()
    orchestrator.start(workload(shell(f"{script} echo late; {then}"), experiment=f"{number:024}"))
print("started", flush=True)
time.sleep(60)
"""


def test_a_scheduler_that_was_killed_finds_all_endings_on_its_return(world, opened):
    thens = ["exit 0", "exit 3", "kill -KILL $$", "exit 0", "sleep 0.3; exit 5", "sleep 60"]
    for number, then in enumerate(thens):
        (world.folder / f"then.{number}").write_text(then)
    with subprocess.Popen([sys.executable, "-c", SCHEDULER, str(world.folder)], stdout=subprocess.PIPE) as scheduler:
        assert scheduler.stdout.readline() == b"started\n"
        scheduler.kill()
    (world.folder / "gate").touch()
    time.sleep(0.1)
    orchestrator, seen = opened
    jobs = [workload(shell("echo a second run; exit 9"), experiment=f"{number:024}") for number in range(6)]
    assert orchestrator.list() == [job.name for job in jobs]
    for job in jobs:
        orchestrator.start(job)
    orchestrator.stop(jobs[5].name)
    assert [seen.ended(job.name).status for job in jobs] == [0, 3, -9, 0, 5, -15]
    for number, job in enumerate(jobs):
        assert seen.lines(job.name) == ["early", "late"]
        assert isinstance(seen.of(job.name)[-1], Ended)
        assert (world.folder / f"ledger.{number}").read_text() == "ran\n"
