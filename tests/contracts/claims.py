"""The claims that shims make, read and forged."""

from __future__ import annotations

import json
import os

from beagle.orchestrators.remains import began, boot_id, read


def alive(pid):
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] != b"Z"


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
