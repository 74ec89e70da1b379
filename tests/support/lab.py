"""A lab that embeds, attacks and examines in this process, each thing once. Shared by the tests of plug-ins."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A service, the key that belongs to it, how it does on each test image, and what the thief used.

    `right`: whether it is right, or the PSNR of its image in dB.
    """

    service: Any
    key: Any
    right: Any
    cost: Any = None

    @property
    def accuracy(self) -> float:
        """Share of right answers, or the mean PSNR in dB."""
        return float(self.right.float().mean())


class Lab:
    """The acts of a case on a track of a quick profile, without jobs or files. Results are kept for the session."""

    def __init__(self, kind: str = "classification", profile: str = "quick") -> None:
        import torch

        from benchmark.data.splits import load
        from benchmark.execution.job_context import context_of
        from benchmark.planning.profile import load_profile

        torch.set_num_threads(1)
        track = load_profile(profile).track([kind])
        assert track is not None
        if kind == "image-to-image":  # a third of the steps is enough to restore an image, and to hide one
            track = replace(track, training=replace(track.training, epochs=track.training.epochs // 3))
        self.context = context_of(track.world(), torch.device("cpu"))
        self.splits = load(self.context.task)
        self.embed = cache(self.embed_afresh)
        self.null = cache(self._null)
        self.attack = cache(self.attack_afresh)
        self.observe = cache(self._observe)

    def hasty(self, epochs: int = 1) -> Lab:
        """This lab, where whoever trains by the profile's recipe does so for `epochs`. What it keeps is the lab's."""
        lab = copy(self)
        lab.context = replace(self.context, recipe=replace(self.context.recipe, epochs=epochs))
        return lab

    def _exhibit(self, service: Any, key: Any = None, cost: Any = None) -> Exhibit:
        import torch

        from benchmark.protocol.steps import utility

        found = utility(self.answers(service).outputs, self.splits.test)
        right = torch.tensor(found["psnr"] if "psnr" in found else [c == "1" for c in found["correct"]])
        return Exhibit(service, key, right, cost)

    def owner(self, scheme: Any, replicate: int = 0) -> Any:
        from benchmark.protocol.parties import Owner, stream

        host = self.null(100 + replicate).service.net if scheme.host else None
        rng = stream(replicate, "owner", scheme.name, self.context.task.name)
        return Owner(self.context, self.splits.owner, rng, host)

    def _null(self, index: int) -> Exhibit:
        from benchmark.protocol.parties import Party, stream
        from benchmark.protocol.steps import train_unmarked

        rng = stream(index, "null", self.context.task.name, self.context.architecture)
        return self._exhibit(train_unmarked(Party(self.context, self.splits.owner, rng)))

    def embed_afresh(self, scheme: Any, replicate: int = 0) -> Exhibit:
        from benchmark.protocol.parties import stream
        from benchmark.protocol.steps import embed

        keys = stream(replicate, "owner-key", scheme.name, self.context.task.name)
        release, key = embed(scheme, self.owner(scheme, replicate), keys)
        return self._exhibit(release.service, key)

    def attack_afresh(self, attack: Any, exhibit: Exhibit | None, scheme: Any = None, replicate: int = 0) -> Exhibit:
        from benchmark.protocol.objects import Release
        from benchmark.protocol.steps import steal

        stages = attack if isinstance(attack, Sequence) else (attack,)
        release = Release(exhibit.service, scheme.release if scheme else "weights") if exhibit else None
        key = exhibit.key if exhibit else None  # only an attack of the key-oracle lane is shown it
        service, claim, cost = steal(stages, self.context, self.splits.thief, replicate, release, scheme, key)
        return self._exhibit(service, claim, cost)

    def court(self, *name: object) -> Any:
        """A court whose stream has this name."""
        from benchmark.protocol.court import Court
        from benchmark.protocol.parties import stream

        return Court(self.context, self.splits.test, stream("court", *name))

    def answers(self, service: Any) -> Any:
        """What a service answers to the judge's images."""
        return self.court("answers").answers(service.running())

    def suspect(self, service: Any, access: str, court: Any, running: Any = None) -> Any:
        """A service that is asked in this process, or that `running` answers for."""
        from benchmark.protocol.court import Suspect

        running = running or service.running()
        return Suspect(service, running, court.answers(running), access, court)

    def _observe(
        self, scheme: Any, exhibit: Exhibit, key: Any = None, delivered: Exhibit | None = None
    ) -> dict[str, Any]:
        """The observation of `exhibit` under its own key, or under `key`, by a court that knows the net `delivered`."""
        from benchmark.protocol.court import Court, Suspect
        from benchmark.protocol.parties import stream
        from benchmark.protocol.steps import examine

        rng = stream(0, "court", scheme.name, self.context.task.name)
        court = Court(self.context, self.splits.test, rng, delivered.service.net if delivered else None)
        service = exhibit.service
        suspect = Suspect(service, service.running(), self.answers(service), scheme.court, court)
        return examine(scheme, exhibit.key if key is None else key, suspect, court)

    @staticmethod
    def total(observation: dict[str, Any]) -> int:
        """Hits of the channel that counts; 0 where the suspect was unreadable."""
        if observation["unreadable"]:
            return 0
        return int(observation["channels"][observation["evidence"]]["hits"].count("1"))
