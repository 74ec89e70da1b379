"""The process in which a plug-in that is checked acts: it tells each finding as it comes."""

from __future__ import annotations

from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

from benchmark.app.kit.attack_acts import attack_findings
from benchmark.app.kit.lab import TinyLab
from benchmark.app.kit.scheme_acts import scheme_findings
from benchmark.execution.processes.import_check import teller
from benchmark.plugins.parameters import PluginRole
from benchmark.plugins.registry import Registry


def act(pipe: Connection, path: str, role: PluginRole, name: str) -> None:
    """Try one plug-in of a file."""
    tell = teller(pipe)
    registry = Registry.discover([Path(path)])
    declaration = registry.find(role, name)
    lab = TinyLab(declaration.traits["tasks"][0], registry)
    for finding in (attack_findings if role == "attack" else scheme_findings)(declaration, lab):
        tell(**asdict(finding))
    tell(end=True)
