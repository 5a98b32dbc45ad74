"""The state folder: one owner at a time, and a sentence for each way in which it cannot serve."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beagle.errors import InvalidInput
from beagle.folder import Folder, find

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
OWN = """
import os, sys, time
from pathlib import Path
from beagle.folder import Folder
folder = Folder(Path(sys.argv[1]))
print(folder.own(), flush=True)
{then}
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "project" / ".beagle"


def owner(path: Path, then: str = "time.sleep(60)") -> subprocess.Popen[str]:
    """Another process that has tried to own `path`."""
    command = [sys.executable, "-c", OWN.format(then=then), str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)


def sentence(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        Folder(path).own()
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_a_new_folder_is_made_for_its_user_alone_with_its_version(path):
    assert Folder(path).own()
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / "version").read_text() == "1\n"


def test_nothing_is_made_before_it_is_owned(path):
    folder = Folder(path)
    assert folder.owner() is None
    assert not path.exists()


def test_everything_has_its_place_in_the_folder(path):
    folder = Folder(path)
    places = [folder.database, folder.socket, folder.experiments, folder.running]
    assert [place.relative_to(path).as_posix() for place in places] == [
        "beagle.sqlite",
        "beagle.sock",
        "experiments",
        "running",
    ]


def test_owning_again_does_nothing(path):
    folder = Folder(path)
    assert folder.own()
    assert folder.own()


def test_a_folder_has_one_owner_even_within_a_process(path):
    first, second = Folder(path), Folder(path)
    assert first.own()
    assert not second.own()
    first.release()
    first.release()
    assert second.own()


def test_a_folder_of_another_process_is_in_use_and_says_by_whom(path):
    with owner(path) as other:
        assert other.stdout.readline() == "True\n"
        folder = Folder(path)
        assert not folder.own()
        assert folder.owner() == other.pid
        assert folder.in_use().startswith(f"{path} is in use by process {other.pid}: ")
        other.kill()


def test_a_killed_owner_leaves_the_folder_free(path):
    with owner(path) as other:
        assert other.stdout.readline() == "True\n"
        other.kill()
    assert Folder(path).own()


def test_a_child_that_outlives_its_owner_does_not_hold_the_folder(path):
    then = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL).pid, flush=True)"
    with owner(path, then) as other:
        assert other.stdout.readline() == "True\n"
        child = int(other.stdout.readline())
        assert other.wait(30) == 0
        try:
            os.kill(child, 0)
            assert Folder(path).own()
        finally:
            os.kill(child, 9)


def test_an_owner_that_cannot_be_told_is_another_process(path):
    holder = Folder(path)
    holder.own()
    (path / "lock").write_text("")
    assert Folder(path).in_use().startswith(f"{path} is in use by another process: ")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    assert f"{tmp_path / 'file'} is not a folder" in sentence(tmp_path / "file")
    assert "is not a folder" in sentence(tmp_path / "file" / ".beagle")


def test_a_folder_of_another_version_is_refused_and_left_as_it_is(path):
    path.mkdir(parents=True)
    (path / "version").write_text("2\n")
    assert f"{path} is a state folder of version '2', and this Beagle uses version '1'" in sentence(path)
    assert [entry.name for entry in path.iterdir()] == ["version"]


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(path):
    path.mkdir(parents=True)
    (path / "thesis.tex").write_text("mine")
    assert "is no state folder: it holds thesis.tex" in sentence(path)
    assert [entry.name for entry in path.iterdir()] == ["thesis.tex"]


def test_a_folder_whose_maker_was_killed_halfway_is_finished(path):
    path.mkdir(parents=True)
    (path / "lock").write_text("77\n")
    (path / "version.new").write_text("")
    assert Folder(path).own()
    assert (path / "version").read_text() == "1\n"


def test_a_folder_that_stands_ready_is_owned_again(path):
    folder = Folder(path)
    folder.own()
    folder.database.write_text("data")
    folder.release()
    assert Folder(path).own()


MAKE = """
import sys
from pathlib import Path
from beagle.folder import Folder
sys.stdin.readline()
Folder(Path(sys.argv[1])).make()
"""


def test_many_processes_may_make_one_folder_and_share_it_and_another_may_own_it_later(path):
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKE, str(path)], stdin=subprocess.PIPE, env=ENVIRONMENT)
        for _ in range(6)
    ]
    for maker in makers:  # all of them at once, as far as the machine allows
        maker.stdin.write(b"go\n")
        maker.stdin.close()
    assert [maker.wait(60) for maker in makers] == [0] * 6
    assert [entry.name for entry in path.iterdir()] == ["version"]
    (path / "experiments").mkdir()
    Folder(path).make()
    assert Folder(path).own()


def test_what_cannot_serve_is_refused_to_those_who_share_it_too(path):
    path.mkdir(parents=True)
    (path / "thesis.tex").write_text("mine")
    with pytest.raises(InvalidInput, match=r"is no state folder: it holds thesis\.tex"):
        Folder(path).make()
    assert [entry.name for entry in path.iterdir()] == ["thesis.tex"]


def test_a_new_file_system_may_be_a_state_folder(path):
    path.mkdir(parents=True)
    (path / "lost+found").mkdir()
    assert Folder(path).own()


@pytest.mark.parametrize("ready", [True, False], ids=["an existing folder", "a folder to make"])
def test_a_read_only_folder_is_refused_in_a_sentence(tmp_path, ready):
    place = tmp_path / "place"
    place.mkdir()
    if ready:
        Folder(place / ".beagle").own()
        (place / ".beagle" / "lock").unlink()
        (place / ".beagle").chmod(0o555)
    place.chmod(0o555)
    # The right to write is nobody's here: root, too, gives its privileges up, after the imports.
    program = """
import os, traceback
from pathlib import Path
from beagle.errors import InvalidInput
from beagle.folder import Folder
path = Path(".beagle")
folder = Folder(path)
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
folder.path = path
try:
    folder.own()
except InvalidInput as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    place.chmod(0o755)
    assert done.stdout.strip() == ".beagle may not be written: give this user the right, or use --folder"


def test_the_nearest_state_folder_is_found_upwards(tmp_path):
    here = tmp_path / "project" / "src" / "deep"
    here.mkdir(parents=True)
    assert tmp_path not in (find(here) or Path("/")).parents
    (tmp_path / ".beagle").mkdir()
    assert find(here) == tmp_path / ".beagle"
    (tmp_path / "project" / ".beagle").mkdir()
    assert find(here) == tmp_path / "project" / ".beagle"
    assert find(tmp_path / "project") == tmp_path / "project" / ".beagle"
