"""The spies of tests/hostile/plugins/spies.py with no walls around them and an open key beside them: what they find.

Started as a driver is, with `--results` on its command line. It forks once, as a driver does, and the spies look around
in the child; which of them came home with what they were after is printed as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from bench import records

from benchmark.contract import NotApplicable, as_float
from benchmark.data.splits import load_split
from benchmark.data.tasks import find_task
from benchmark.plugins.registry import load_class
from benchmark.protocol.parties import stream
from benchmark.store import artefacts
from benchmark.store.records import RecordStore
from schemes.adi import Adi, AdiKey

SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)  # where only a parent may look into its children
TASK = find_task("digits")


def den(spy: Any, thief: Any, images: torch.Tensor) -> bool:
    """Whether a thief comes with a filter that knows the key's images."""
    return any(bool((one.key[: len(images)] == images).all()) for one in spy.run(thief).filters)


def court(spy: Any, thief: Any, key: AdiKey) -> bool:
    """Whether a filter blanks the key's images, with `key` in a frame and among the objects of its process."""
    (one,) = spy.run(thief).filters
    return not one(as_float(key.images)).any()


def burglar(spy: Any, thief: Any) -> bool:
    """Whether a thief comes with somebody else's net, one that knows the judge's images, or a tale of what he read."""
    try:
        net = spy.run(thief)
    except NotApplicable as tale:
        return "has read" in str(tale)
    if net is thief.model:
        return False
    test = load_split(TASK, "test")
    return spy.haul == "nets" or bool((net(test.images()).argmax(1) == test.y).all())


def found(results: Path, plugin: Path) -> dict[str, bool]:
    """For each spy whether it found what it looks for."""
    store = RecordStore(results / "store")
    made = [one for one in records(results).values() if one["kind"] == "marked"]
    [marked] = [one for one in made if one["job"]["scheme"]["name"] == "adi"]
    id, digests = marked["id"], marked["result"]["artefacts"]
    key = artefacts.read_key(store.artefact_path(id, "key"), id, digests["key"], AdiKey)
    model = artefacts.read_service(store.artefact_path(id, "service"), id, digests["service"]).net.module()
    thief: Any = SimpleNamespace(task=TASK, model=model)
    in_den, in_court, burglary = (load_class(plugin, name) for name in ("InDen", "InCourt", "Burglar"))
    public = Adi(n=40).keygen(thief, stream(0, "owner-key", "adi", "digits")).images  # as it was drawn once
    return {
        **{f"spy-in-den(place={place})": den(in_den(place=place), thief, key.images) for place in ("files", "proc")},
        "spy-in-den(place=names)": den(in_den(place="names"), thief, public),
        **{
            f"spy-in-court(place={place})": court(in_court(place=place), thief, key)
            for place in ("memory", "objects", "frames", "files", "proc")
        },
        **{
            f"burglar(haul={haul})": burglar(burglary(haul=haul), thief)
            for haul in ("module", "raw", "nets", "records", "secret", "memory")
        },
    }


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(SET_PTRACER, ANYBODY, 0, 0, 0)
    if (child := os.fork()) == 0:
        print(json.dumps(found(Path(sys.argv[2]), Path(sys.argv[3]))), flush=True)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
