"""Why a pair of scheme and attack can't be run: what the attack needs, and the scheme or the task hasn't got."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.architectures.catalogue import is_foreign, layers_of
from benchmark.data.tasks import Task
from benchmark.planning.own_nets import net_name
from benchmark.plugins.selection import Setting
from benchmark.vocabulary import may


@dataclass(frozen=True)
class Obstacle:
    """What stands between an attack and a scheme. reason: of this pair, a sentence.

    attacks, schemes: which ones it keeps apart, in words that are the same for all of them and stand behind "attacks"
    and "schemes": "of classification nets", "on derain".
    """

    attacks: str
    schemes: str
    reason: str


def unmarkable(scheme: Setting, task: Task, architecture: str) -> Obstacle | None:
    """What keeps the scheme from marking nets of the task and the architecture, if anything."""
    if task.kind not in scheme.tasks:
        kinds = " or ".join(scheme.tasks)
        return Obstacle("", f"for {kinds} nets", f"{scheme.label} marks {kinds} nets, and {task.name} is {task.kind}")
    if missing := _missing(scheme, architecture):
        return Obstacle("", f"requiring {missing}", _without(scheme, missing, architecture))
    return None


def _missing(plugin: Setting, architecture: str) -> str:
    """Which layers the plug-in needs and the architecture is known not to have, in words."""
    there = layers_of(architecture)
    return "" if there is None else " and ".join(one for one in plugin.layers_needed if one not in there)


def _without(plugin: Setting, missing: str, architecture: str) -> str:
    blocks = " that it knows how to change" if is_foreign(architecture) else ""
    return f"{plugin.label} needs {missing}{blocks}, and {net_name(architecture)} has none"


def obstacle(attack: Setting, scheme: Setting, task: Task, architecture: str) -> Obstacle | None:
    """What keeps the attack from what the scheme is and releases on nets of the architecture, if anything."""
    release = scheme.traits["release"]
    if missing := " and ".join(sorted(attack.requires - set(scheme.traits["capabilities"]))):
        reason = f"{attack.label} needs a scheme with {missing}; {scheme.label} has none"
        return Obstacle(f"requiring {missing}", "without", reason)
    if task.kind not in attack.tasks:
        kinds = " or ".join(attack.tasks) or "no"
        reason = f"{attack.label} attacks {kinds} nets, and {task.name} is {task.kind}"
        return Obstacle(f"of {kinds} nets", f"on {task.name}", reason)
    if missing := _missing(attack, architecture):
        return Obstacle(f"requiring {missing}", f"on {architecture}", _without(attack, missing, architecture))
    if not may(release, attack.access):
        reason = f"{attack.label} needs {attack.access}; {scheme.label} releases only {release}"
        return Obstacle(f"requiring {attack.access}", f"releasing {release}", reason)
    return None
