"""What must hold of an attack, tried in the tiny lab by the acts of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmark.app.kit.common_acts import (
    check_results,
    must_answer_alike,
    must_leave_process,
    must_repeat,
    seed_generators,
)
from benchmark.app.kit.findings import (
    CheckResult,
    Fault,
    blamed,
    differing_part,
    maker,
    rebuilt,
    sentence,
)
from benchmark.app.kit.lab import Target, TinyLab
from benchmark.architectures.blocks import BUILDERS
from benchmark.errors import NotApplicable
from benchmark.execution.processes.plugin_class import place
from benchmark.execution.processes.process_state import ProcessState
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import load
from benchmark.protocol import steps
from benchmark.protocol.answers import alike
from benchmark.protocol.attack import Attack, OracleAttack
from benchmark.protocol.objects import AttackResult, Key, Release, Running, Service
from benchmark.protocol.thief import Thief
from benchmark.store import artefacts
from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS, Access

_WEAKER: dict[str, Access] = {"weights": "probabilities", "probabilities": "labels", "labels": "none"}
_BRIEFLY = 5.0  # seconds of a whole run beyond which all that is compared is run with one epoch
_KEPT = 0.95  # of answers that are equal but for rounding, where a kind promises that none changes


def _watched(attack: Attack) -> list[AttackResult]:
    """Where this attack's results will be, as `run` returns them: a stored service doesn't tell all of them."""
    found: list[AttackResult] = []
    run: Callable[[Any], Any] = attack.run

    def watched(thief: Thief) -> Any:
        result = run(thief)
        found.append(result if isinstance(result, AttackResult) else AttackResult(result))
        return result

    object.__setattr__(attack, "run", watched)
    return found


def attack_findings(declaration: Declaration, lab: TinyLab) -> Iterator[CheckResult]:
    """Every check in their order; after one that failed, those that rest on it are left out."""
    case = _Case(declaration, lab)
    return check_results("attack", case, ("runs", "rebuilds"), case.run, declaration.source)


class _Case:
    def __init__(self, declaration: Declaration, lab: TinyLab) -> None:
        self.declaration, self.lab, self.kind = declaration, lab, str(declaration.traits["kind"])
        self.type = load(declaration)
        self.run: Any = self.type.run  # type: ignore[attr-defined]
        self.where = place(self.run)
        self.before = ProcessState()

    def attack(self, text: str, *, brief: bool = False) -> Attack:
        """It at a setting; brief: with one epoch."""
        with blamed(self.type, self.declaration.source):
            made: Attack = self.type(**self.declaration.read(text) | ({"epochs": 1} if brief else {}))
            return made

    def runs(self) -> str:
        """Every setting once, on a service of which it gets all that it declares."""
        traits = self.declaration.traits
        needs_key = issubclass(self.type, OracleAttack)
        found = self.lab.target(traits["requires"], key=needs_key, innocent=self.kind == "false-claim")
        if found is None:
            raise Fault(f"{self.where}: requires = {traits['requires']!r}, and no scheme for its tasks offers that")
        self.target: Target = found
        self.builders = set(BUILDERS)  # those of the file, which is imported, and of the scheme under attack
        self.images = self.lab.thief_images.copy()
        self.state = {name: tensor.clone() for name, tensor in found.service.net.state.items()}
        first, *others = traits["settings"]
        began = time.perf_counter()
        self.first = self._stolen(self.attack(first), "weights", 1)
        seconds, self.found, work = time.perf_counter() - began, self.returned, self.cost.record()
        self.brief = seconds > _BRIEFLY and any(one.name == "epochs" for one in self.declaration.parameters)
        self.small = self._stolen(self.attack(first, brief=True), "weights", 1) if self.brief else self.first
        for text in others:
            self._stolen(self.attack(text, brief=self.brief), "weights", 1)
        used = [f"{work[name]} {word}" for name, word in (("queries", "queries"), ("steps", "steps")) if work.get(name)]
        return ", ".join([f"{1 + len(others)} settings, the first in {seconds:.1f} s", *used])

    def _stolen(self, attack: Attack, grants: Access, seed: int) -> tuple[Service, Key | None]:
        """What the thief ends up with."""
        seed_generators(seed)
        returned = _watched(attack)
        release = None if self.declaration.traits["target"] == "none" else Release(self.target.service, grants)
        told = self.target.key if isinstance(attack, OracleAttack) else None
        try:
            service, claim, self.cost = steps.steal(
                [attack], self.lab.context, self.lab.thief_images, 0, release, self.target.scheme, told
            )
        except (Exception, SystemExit) as error:
            made = returned[0].model if returned else None
            blame = self.run if made is None else maker(made, self.run)
            raise Fault(sentence(error, blame, self.declaration.source)) from error
        try:
            artefacts.packed("", service)
            if claim is not None:
                artefacts.packed("", claim)
        except (ValueError, TypeError) as error:
            raise Fault(f"{self.where}: what it returns can't be stored ({error}): keep spec() plain JSON") from error
        self.returned = returned[0]
        return service, claim

    def result(self) -> str:
        """A claim where the kind is one of claims, and nowhere else, of the scheme's type of key."""
        service, claim = self.first
        claims = self.kind in CLAIM_KINDS
        if claims and claim is None:
            raise Fault(f"{self.where}: its kind is {self.kind}, and it claims nothing: return AttackResult(claim=key)")
        if claim is not None and not claims:
            kinds = '"oracle-ambiguity"' if self.kind in ORACLE_KINDS else '"ambiguity" or "false-claim"'
            raise Fault(f"{self.where}: its kind is {self.kind}, and it claims a key: write kind = {kinds}")
        if claim is not None and not isinstance(claim, self.target.scheme.key_type):
            wanted = self.target.scheme.key_type.__name__
            raise Fault(f"{self.where}: it claims a {type(claim).__name__}, no {wanted}: draw one with thief.keygen()")
        changed = self.found.model is not None
        return "a claim" if claims else "a model" if changed else f"{len(service.parts) - 1} filters"

    def repeats(self) -> str:
        """Two runs from one seed are equal byte by byte, the second with no more of the release than is declared."""
        declared = self.declaration.traits["access"]
        first, claim = self.small
        setting = self.declaration.traits["settings"][0]
        service, again = self._stolen(self.attack(setting, brief=self.brief), declared, 2)
        part = differing_part(service, first)
        if part is None and (claim is None) != (again is None):
            part = "whether there is a claim"
        if part is None and claim is not None and again is not None:
            part = differing_part(claim, again)
        return must_repeat(part, self.where, "thief.rng")

    def access(self) -> str:
        """More than is declared was refused in the run; the same result with less means that less is enough."""
        declared = self.declaration.traits["access"]
        weaker = _WEAKER.get(declared) if self.lab.kind == "classification" else "none"
        ignores = self.declaration.traits["target"] == "none" or issubclass(self.type, OracleAttack)
        serves_it = self.found.model is None  # so he needs the service, whatever he asks of it before
        if declared == "none" or weaker is None or ignores or serves_it:
            return f"{declared}, and no more"
        try:
            setting = self.declaration.traits["settings"][0]
            less, _ = self._stolen(self.attack(setting, brief=self.brief), weaker, 1)
        except Fault as refused:
            if isinstance(refused.__cause__, NotApplicable):
                return f"{declared}, and no more"
            raise
        if differing_part(less, self.small[0]) is None:
            raise Fault(
                f"{self.where}: it declares access = {declared!r} and does the same with {weaker}: write "
                f"access = {weaker!r}, so that it counts as the attack of a weaker thief, which it is"
            )
        return f"{declared}, and no more"

    def shared(self) -> str:
        """The stolen model, the thief's images and the settings of the process are as they were."""
        now = self.target.service.net.state
        if not all(torch.equal(tensor, now[name]) for name, tensor in self.state.items()):
            raise Fault(f"{self.where}: it changed the stolen model for others: work on thief.model, which is a copy")
        own = self.lab.thief_images
        if not torch.equal(own.inputs, self.images.inputs) or not torch.equal(own.labelled.y, self.images.labelled.y):
            raise Fault(f"{self.where}: it wrote into the thief's images: clone what is changed")
        return must_leave_process(self.before, self.where)

    def rebuilds(self) -> str:
        """From spec and tensors alone comes the same service, in answers too."""
        found = self.found
        blame = self.run if found.model is None else maker(found.model, self.run)
        service, _ = self.first
        self.service = rebuilt(service, self.builders, blame)
        x = self.lab.test.images()[:64]
        given = self.target.service.net.module() if found.model is None else found.model.eval()
        front, behind = (tuple(one.eval() for one in each) for each in (found.filters, found.answer_filters))
        mine = Running(given, front, behind)
        with blamed(blame, self.declaration.source):
            first, second = mine.ask(x, "outputs").detach(), mine.ask(x, "outputs").detach()
            stored = self.service.running().ask(x, "outputs").detach()
        if not torch.equal(first, second):
            raise Fault(
                f"{place(blame)}: it answers one image otherwise each time: a filter draws from the second argument of "
                "`forward(self, x, draws)`, which follows from the image, and a net draws nothing"
            )
        return must_answer_alike(first, stored, self.service, blame)

    def answers(self) -> str:
        """The rebuilt service answers the court, alike among other images, and as before where the kind promises it."""
        with blamed(self.run, self.declaration.source):
            after = self.lab.answers(self.service)
            asked = self.lab.test.images().flip(-1)[:100]
            inconsistent = self.lab.inconsistent(self.service, after, asked)
        if inconsistent:
            raise Fault(f"{self.where}: {inconsistent}: an answer may depend on its own image alone")
        before = self.lab.answers(self.target.service)
        if self.kind == "function-preserving" and (kept := alike(before, after.outputs)) < _KEPT:
            raise Fault(
                f"{self.where}: its kind is function-preserving, and it keeps {kept:.0%} of the answers: write "
                "kind = 'removal', or find what is not undone"
            )
        unit = "right" if self.lab.kind == "classification" else "dB"
        shown = [f"{100 * value:.0f} %" if unit == "right" else f"{value:.1f}" for value in
                 (self.lab.utility(before), self.lab.utility(after))]  # fmt: skip
        return f"{shown[0]} {unit} before, {shown[1]} after"
