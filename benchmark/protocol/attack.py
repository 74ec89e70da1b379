"""What an attack is: `run` is the contributor's, the rules that bind all attacks are in the outer call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, final

import torch
from torch import nn

from benchmark.protocol.objects import AttackResult, Key
from benchmark.protocol.thief import Insider, Thief
from benchmark.vocabulary import Access


class Attack(ABC):
    """What a thief does. A frozen dataclass: its fields are its parameters. Contributors write `run`.

    Traits (literals): `family`; `kind` (removal, function-preserving, evasion, extraction, ambiguity, false-claim,
    control); `access`, what it uses of a release, and so gets; `tasks`, the kinds of task it can be run on; `requires`,
    a scheme capability; `layers_needed`, "normalised convolutions" or "batch normalisation", which the net must have;
    `target`, "none" when it never looks at the marked model; `evidence`, the channel that decides against this attack
    where the scheme observes it, in place of the scheme's own: for one whose paper reads the mark elsewhere;
    `settings`, its variants, of which `--attacks all` runs the first and `--attacks grid` every one; `file_parameters`,
    those that name a file or folder; `paper`.
    """

    name: ClassVar[str]
    family: ClassVar[str] = ""
    paper: ClassVar[str] = ""
    kind: ClassVar[str] = "removal"
    access: ClassVar[Access] = "weights"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    requires: ClassVar[str] = ""
    layers_needed: ClassVar[str] = ""
    target: ClassVar[str] = "release"
    evidence: ClassVar[str] = ""
    settings: ClassVar[tuple[str, ...]] = ("",)
    file_parameters: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def run(self, thief: Thief) -> nn.Module | AttackResult:
        """Attack, and return what the thief ends up with: a module, or AttackResult with filters or a key to claim.

        Raises NotApplicable with the reason where the attack can't be run.
        """

    @final
    def __call__(self, thief: Thief) -> AttackResult:
        """Run the attack under the rules that bind all: the answer must be a net that rebuilds and stays finite."""
        result = self.run(thief)
        if not isinstance(result, nn.Module | AttackResult):
            raise TypeError(f"{self.name} returned {type(result).__name__}: run() must return a Module or AttackResult")
        found = AttackResult(result) if isinstance(result, nn.Module) else result
        if not isinstance(found.claim, Key | None):
            raise TypeError(f"{self.name} returned a {type(found.claim).__name__} as its claim: it must be a Key")
        returned = (*([found.model] if found.model is not None else []), *found.filters, *found.answer_filters)
        for module in returned:
            for name, tensor in module.state_dict().items():
                if not bool(torch.isfinite(tensor).all()):
                    raise ValueError(f"{self.name} returned a model with NaN or infinity in {name}")
        return found


class OracleAttack(Attack):
    """An attack that is given the owner's key: the upper bound of what a thief of any knowledge could do.

    `kind` is "oracle-removal" or "oracle-ambiguity". It has a process and a board of its own, and enters no rank or
    cost to break. Its claims are judged as all others.
    """

    kind: ClassVar[str] = "oracle-removal"

    @abstractmethod
    def run(self, thief: Insider) -> nn.Module | AttackResult:  # type: ignore[override]  # `steal` gives this lane the key
        """As `Attack.run`, with `thief.key` beside all that a thief has."""
