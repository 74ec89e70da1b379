"""A look at a host that the user brings, in a process of its own, before anything rests on it.

It is built, given its weights, trained for one step and asked, so whatever is wrong with it is one sentence now, and
not what the first job of many says hours later.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmark.architectures.catalogue import file_net
from benchmark.data.own_images import few
from benchmark.data.prepared import say
from benchmark.data.tasks import find_task
from benchmark.description import read
from benchmark.errors import BenchError, message_of
from benchmark.execution.processes.import_check import teller, told
from benchmark.execution.processes.lease import Zygote
from benchmark.execution.walls import walls
from benchmark.planning.clocks.rates import Rates, TrainingRate
from benchmark.planning.job import PluginSource
from benchmark.planning.own_host import has_own_host
from benchmark.planning.own_nets import host_source, net_name, weights_digest
from benchmark.planning.profile import Profile

LOOK_SECONDS = 300.0  # that building, reading weights and one step may take


@dataclass(frozen=True)
class HostFacts:
    """What was seen of a host. parameters: numbers it learns. new_head: tensors that are drawn, for want of weights.
    rate: how fast it is trained, where that was asked for.
    """

    parameters: int
    new_head: tuple[str, ...]
    rate: Mapping[str, float] | None = None


def host_facts(profile: Profile, root: Path, hidden: Iterable[Path] = (), timed_on: str | None = None) -> HostFacts:
    """Look at the host of a profile. Raises BenchError in one sentence where it can't be marked.

    root: the store, which its code can't read; hidden: more that it can't. timed_on: the device to time it on, too.
    """
    source = host_source(profile.architecture)
    asked = {
        "world": profile.world(), "weights": profile.weights, "source": None if source is None else asdict(source),
        "name": profile.architecture, "timed_on": timed_on,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="bench-host-") as folder:
        zygote = Zygote(["benchmark.execution.processes.host_probe", "torchvision"], Path(folder) / "zygote.log")
        around = walls("suspect", root, {}, None, hidden=hidden)
        try:
            found = told(zygote, f"{__name__}:looked_at", asked, Path(folder) / "host.log", around, LOOK_SECONDS)
        finally:
            zygote.close()
    if found.ending is not None:
        raise BenchError(f"--host {profile.architecture}: {found.ending}, while it was looked at: mend it")
    said = next((line for line in found.lines if {"fault", "parameters"} & line.keys()), {"fault": "it said nothing"})
    if "fault" in said:
        raise BenchError(str(said["fault"]))
    return read(HostFacts, {name: one for name, one in said.items() if one is not None}, "what the host's process says")


def show_host(
    profile: Profile, root: Path, hidden: Sequence[Path] = (), device: str | None = None
) -> tuple[Path, ...]:  # fmt: skip
    """Look at the host of a profile, if it is the user's own, and say what was found. device: that it is timed on.

    Returns the file of its weights, which no code of others may read. Raises BenchError as `host_facts` does.
    """
    if not has_own_host(profile):
        return ()
    rates = None if device is None or file_net(profile.architecture) is None else Rates([profile.world()], device)
    facts = host_facts(profile, root, hidden, device if rates and rates.missing() else None)
    if rates and facts.rate:
        rates.keep(profile.world(), read(TrainingRate, facts.rate))
    say(f"host {net_name(profile.architecture)}: {facts.parameters:,} parameters")
    if not profile.weights:
        return ()
    say(f"weights {profile.weights}: SHA-256 {weights_digest(profile.weights)}")
    if facts.new_head:
        classes = find_task(profile.task).classes
        say(f"its head answers with other classes than the {classes} of the task: {few(facts.new_head)} are drawn anew")
    return (Path(profile.weights),)


def looked_at(
    pipe: Connection, world: Mapping[str, Any], weights: str, source: Mapping[str, Any] | None, name: str,
    timed_on: str | None,
) -> None:  # fmt: skip
    """Tell what `host_facts` asks for, or one fault."""
    tell = teller(pipe)
    try:
        from benchmark.execution.processes.host_probe import look

        tell(**look(world, weights, None if source is None else PluginSource(**source), name, timed_on))
    except BenchError as error:
        tell(fault=str(error))
    except Exception as error:  # a net of somebody else's may fail in any way
        tell(fault=f"--host {name}: {type(error).__name__}: {message_of(error, 200)}: mend the net")
    tell(end=True)
