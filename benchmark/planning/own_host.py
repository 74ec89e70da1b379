"""The profile of a host of the user's own: what --host, --weights and --data say, over a profile. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.architectures.catalogue import is_foreign
from benchmark.data.own_images import PAIRS
from benchmark.data.tasks import find_task
from benchmark.errors import BenchError
from benchmark.planning.own_nets import data_task
from benchmark.planning.profile import Profile, load_profile

FOR_HOSTS = "own"  # the profile whose recipe fits a host with weights


@dataclass(frozen=True)
class OwnHost:
    """What a command was given of a host; None where it was not. weights: a file. data: a folder, or a data set."""

    host: str | None = None
    weights: Path | None = None
    data: str | None = None

    def __bool__(self) -> bool:
        return (self.host, self.weights, self.data) != (None, None, None)


def profile_for(name: str | None, usual: str, own: OwnHost, task: str | None = None) -> Profile:
    """The profile called `name`, with the host in place of its house net.

    Without a name the usual one, or, with a host, the one that is made for hosts. Raises BenchError.
    """
    profile = load_profile(name or (FOR_HOSTS if own else usual))
    if not own:
        return profile
    if own.data is not None and task is not None:
        raise BenchError("--data and --task both say which images: leave one of them out")
    if own.host is not None:
        if not is_foreign(own.host) and ":" in own.host:
            raise BenchError(
                f"--host {own.host}: write torchvision:NAME, timm:NAME, file:PATH:FUNCTION, or a house net"
            )
        named = profile.architecture
        if profile.name != FOR_HOSTS and is_foreign(named) and named != own.host:
            raise BenchError(f"profile {profile.name} names the host {named}, and --host {own.host}: leave one out")
        if profile.name != FOR_HOSTS and profile.weights and own.weights is None:
            raise BenchError(f"profile {profile.name} brings weights of its own: give --host those that are its own")
    if own.data is not None:
        task = data_task(own.data, own.host or profile.architecture)
    named = task or profile.task
    if named.startswith(PAIRS) or find_task(named).kind != "classification":
        raise BenchError("--host, --weights and --data are for nets that classify: leave them out on this task")
    weights = None if own.weights is None else str(own.weights.expanduser())
    return profile.with_options(architecture=own.host, weights=weights, task=task)


def has_own_host(profile: Profile) -> bool:
    """Whether the house net of a profile is one that the benchmark didn't make, or begins with somebody's weights."""
    return is_foreign(profile.architecture) or bool(profile.weights)
