"""A laboratory of a few epochs on a few images, in which a plug-in acts as it would in a run.

The tasks, the images and who has them are those of the quick profile, and so are the acts
(`benchmark.protocol.steps`); only the training of others is short. Nothing here is a result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch._dynamo  # noqa: F401  # an optimiser's first step imports it, which replaces functions: no plug-in's fault
from torch import Tensor

from benchmark.data.splits import Data, Holdings, load_split, thief_data
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import LEAST_NULLS, load_profile
from benchmark.plugins.parameters import Declaration
from benchmark.plugins.registry import Registry, load
from benchmark.protocol import steps
from benchmark.protocol.answers import Answers
from benchmark.protocol.court import Court, Suspect
from benchmark.protocol.objects import Key, Service
from benchmark.protocol.parties import Owner, Party, stream
from benchmark.protocol.scheme import Scheme
from benchmark.training.device import device_of

EPOCHS = {"classification": 3, "image-to-image": 1}  # of hosts and unmarked models
SIGNIFICANCE = 1e-3
USUAL = {"classification": "adi", "image-to-image": "deepmodel-bits"}  # the scheme under an attack that needs none


def shortened(declaration: Declaration, text: str = "") -> Any:
    """The plug-in at a setting, with one epoch of training where it has a parameter for that."""
    short = {"epochs": 1} if any(one.name == "epochs" for one in declaration.parameters) else {}
    return load(declaration)(**declaration.read(text) | short)


@dataclass(frozen=True)
class Target:
    """What an attack is let loose on: a service, the scheme whose code is public, and where one was drawn the key."""

    service: Service
    scheme: Scheme[Any]
    key: Key | None = None


class TinyLab:
    """The quick profile's track for a kind of task, with short training, on the CPU."""

    def __init__(self, kind: str, registry: Registry) -> None:
        track = load_profile("quick").track([kind])
        if track is None:
            raise ValueError(f"the quick profile has no {kind} task")
        track = replace(track, training=replace(track.training, epochs=EPOCHS[kind]))
        self.kind, self.registry, self._thief = kind, registry, track.thieves[0]
        self.context = context_of(track.world(), device_of("cpu"))
        self._targets: dict[object, Target] = {}
        self._nulls: dict[int, Service] = {}

    @cached_property
    def owner_data(self) -> Data:
        return load_split(self.context.task, "owner").copy()

    @cached_property
    def test(self) -> Data:
        return load_split(self.context.task, "test").copy()

    @cached_property
    def thief_images(self) -> Holdings:
        """What the matrix's thief of the quick profile uses: few labels, more images without."""
        task, thief = self.context.task, self._thief
        whole = load_split(task, "thief")
        rng = stream(0, "thief-data", task.name)
        return thief_data(whole, thief.labelled or 0, thief.unlabelled or 0, rng, task.kind)[0].copy()

    def null(self, index: int) -> Service:
        """An unmarked model."""
        if index not in self._nulls:
            rng = stream(index, "null", self.context.task.name, self.context.architecture)
            self._nulls[index] = steps.train_unmarked(Party(self.context, self.owner_data, rng))
        return self._nulls[index]

    @property
    def nulls(self) -> list[Service]:
        """As many as a verdict needs at least."""
        return [self.null(index) for index in range(LEAST_NULLS[self.kind])]

    @property
    def innocent(self) -> Service:
        """An unmarked model beside these."""
        return self.null(LEAST_NULLS[self.kind])

    def owner(self, scheme: Scheme[Any]) -> Owner:
        rng = stream(0, "owner", scheme.name, self.context.task.name)
        return Owner(self.context, self.owner_data, rng, self.null(100).net if scheme.host else None)

    def embedded(self, scheme: Scheme[Any]) -> tuple[Service, Key]:
        """What the owner marks, and his key."""
        rng = stream(0, "owner-key", scheme.name, self.context.task.name)
        release, key = steps.embed(scheme, self.owner(scheme), rng)
        return release.service, key

    def target(self, requires: str, *, key: bool, innocent: bool) -> Target | None:
        """A model of a scheme with the capability `requires`; None where no scheme for this kind of task has it.

        Marked, by short training, where the attack needs the mark or the key; else an unmarked model serves as well.
        """
        fit = [one for one in self.registry.schemes if self.kind in one.traits["tasks"]]
        able = [one for one in fit if requires in ("", *one.traits["capabilities"])]
        usual = [one for one in able if one.name == USUAL[self.kind]]
        declaration = next(iter(usual or able), None)
        if declaration is None:
            return None
        marked = (key or requires != "") and not innocent
        if (name := (declaration.name, marked)) not in self._targets:
            scheme = shortened(declaration, declaration.traits["settings"][0])
            made = self.embedded(scheme) if marked else (self.null(0), None)
            self._targets[name] = Target(made[0], scheme, made[1])
        return self._targets[name]

    def answers(self, service: Service) -> Answers:
        """What a service answers to the judge's images. Raises ValueError where it doesn't."""
        return self._court("answers").answers(service.running())

    def utility(self, answers: Answers) -> float:
        """The share of right answers, or the mean PSNR in dB."""
        found = steps.utility(answers.outputs, self.test)
        values = found.get("psnr") or [sign == "1" for sign in found["correct"]]
        return sum(values) / len(values)

    def inconsistent(self, service: Service, answers: Answers, asked: Tensor) -> str | None:
        """Why a service that is asked other images beside the judge's has no one answer to these; None where it has."""
        court = self._court("consistency")
        suspect = Suspect(service, service.running(), answers, "labels", court)
        suspect.ask(asked)
        return suspect.inconsistent

    def observed(self, scheme: Scheme[Any], key: Key, suspects: Sequence[Service]) -> list[Mapping[str, Any]]:
        """What the court observes of each under one key."""
        found: list[Mapping[str, Any]] = []
        for service in suspects:
            court = self._court(scheme.name)
            suspect = Suspect(service, service.running(), self.answers(service), scheme.court, court)
            found.append(steps.examine(scheme, key, suspect, court))
        return found

    def _court(self, *name: object) -> Court:
        return Court(self.context, self.test, stream(0, "court", *name, self.context.task.name))
