"""Plug-in files of a few lines, and what is read of them. Shared by the tests of declarations."""

from __future__ import annotations

import textwrap
from pathlib import Path

from benchmark.plugins.parameters import Declaration
from benchmark.plugins.source_reader import read_declarations

HEAD = """
from dataclasses import dataclass
from typing import ClassVar, Literal

from benchmark.contract import Attack, Scheme, parameter
from benchmark import contract

raise SystemExit("a declaration must never run the file")
"""
PRUNE = '''
@dataclass(frozen=True)
class Prune(Attack):
    """Global magnitude pruning."""

    name = "prune"
    family = "pruning"
    kind = "removal"
    settings = ("amount=0.3", "amount=0.5,mode=layer")
    year: ClassVar[int] = 2015
    rate = -1.5

    amount: float = parameter(0.5, "share of the weights", low=0, high=1)
    rounds: int = parameter(default=1, doc="how often", low=1)
    mode: Literal["global", "layer"] = "global"
    verbose: bool = False
    note: str = parameter("", doc="a remark")

    def run(self, thief): ...
'''


def write(folder: Path, body: str, name: str = "plugin.py") -> Path:
    path = folder / name
    path.write_text(HEAD + textwrap.dedent(body))
    return path


def only(folder: Path, body: str) -> Declaration:
    (declaration,) = read_declarations(write(folder, body))
    return declaration
