"""The images that containers of the tests run, as tar archives made from what this machine has: nothing is pulled."""

from __future__ import annotations

import compileall
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.servers.keeper import need

ROOT = Path(__file__).parents[2]
BUSYBOX = "/bin/busybox"
FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "usr/bin", "var")
NOBODY = 65534
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "etc/group": "root:x:0:\n",
}
UNUSED = re.compile(r"(^|/)(test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|site-packages|config-.*)$")


def busybox() -> Iterator[bytes]:
    yield _archive(_add_busybox)


def python() -> Iterator[bytes]:
    """The interpreter is `python` and `python3` there, and its paths are those of this machine."""
    yield _archive(_add_busybox, _add_python)


def actors() -> Iterator[bytes]:
    """All that the actors need, as the image of the `Dockerfile` has it, with the command `beagle`."""
    yield _archive(_add_busybox, _add_python, _add_actors)


def _archive(*fill: Callable[[tarfile.TarFile], None]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for each in fill:
            each(archive)
    return content.getvalue()


def _add_busybox(archive: tarfile.TarFile) -> None:
    need("busybox")
    for folder in FOLDERS:
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
        archive.addfile(entry)
    archive.add(os.path.realpath(BUSYBOX), "bin/busybox")
    for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            _link(archive, f"bin/{name}", "busybox")
    for name, text in ACCOUNTS.items():
        _write(archive, name, text)


def _add_python(archive: tarfile.TarFile) -> None:
    import pika

    library = Path(sysconfig.get_path("stdlib"))
    program = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    modules = [*(library / "lib-dynload").glob("*.so")]
    _tree(archive, library, str(library))
    archive.add(program, str(program), recursive=False)
    for each in _libraries([program, *modules]):
        archive.add(os.path.realpath(each), each)
    for name in ("python", "python3"):
        _link(archive, f"bin/{name}", str(program))
    site = library / "site-packages"
    _tree(archive, Path(pika.__file__).parent, f"{site}/pika")
    _own(archive, "beagle", str(site))


def _add_actors(archive: tarfile.TarFile) -> None:
    site = f"{sysconfig.get_path('stdlib')}/site-packages"
    for each in ("bus", "actors", "config"):
        _own(archive, each, site)
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements-run.lock").read_text(), re.MULTILINE)
    compiled = []
    for name in {"beagleml", *locked} - {"pika"}:
        with suppress(PackageNotFoundError):  # some are for other systems
            for file in distribution(name).files or []:
                path = Path(str(file.locate()))
                if ".." not in file.parts and path.suffix != ".pth" and path.is_file():
                    archive.add(path, f"{site}/{file}")
                    compiled += [path] * (path.suffix == ".so")
    there = set(archive.getnames())
    for library in _libraries(compiled):
        if library.lstrip("/") not in there:
            archive.add(os.path.realpath(library), library)
    _write(archive, "usr/bin/beagle", "#!/bin/python\nfrom actors.cli.app import main\nmain()\n", 0o755)
    state = tarfile.TarInfo("var/lib/beagle")
    state.type, state.mode, state.uid = tarfile.DIRTYPE, 0o700, NOBODY
    archive.addfile(state)


def _write(archive: tarfile.TarFile, name: str, text: str, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text), mode
    archive.addfile(entry, io.BytesIO(text.encode()))


def _own(archive: tarfile.TarFile, name: str, site: str) -> None:
    """A package of this checkout, compiled: a container would do that again each time."""
    with TemporaryDirectory() as folder:
        copied = shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(copied, ddir=f"{site}/{name}", quiet=1)
        archive.add(copied, f"{site}/{name}")


def _tree(archive: tarfile.TarFile, folder: Path, place: str) -> None:
    archive.add(folder, place, filter=partial(_kept, place.lstrip("/")))


def _kept(root: str, entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    below = entry.name.removeprefix(root)
    return None if UNUSED.search(below) or below.endswith(".a") else entry


def _libraries(programs: list[Path]) -> list[str]:
    """The shared libraries that they are linked with, the loader among them."""
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return sorted(set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", told, re.MULTILINE)))


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)
