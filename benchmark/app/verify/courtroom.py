"""Where a claim is heard: the judge's images, what the court asks, and randomness that follows from the key."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from benchmark.app.single_model import MODEL
from benchmark.app.standalone_files import open_service, peek
from benchmark.app.verify.claims import Claim, card_beside
from benchmark.app.verify.pictures import digest
from benchmark.architectures.net import Net
from benchmark.data.splits import Data, as_bytes, load_split
from benchmark.errors import BenchError
from benchmark.execution.job_context import context_of
from benchmark.protocol.answers import Answers
from benchmark.protocol.court import OWN, Court, Suspect
from benchmark.protocol.objects import Asked, Running, Service
from benchmark.protocol.parties import TaskContext, stream
from benchmark.training.device import device_of
from leaderboard.stats.sequential import items_needed


class Unasked(Exception):
    """The court asks for images, uint8 (N, C, H, W), that nobody has answered yet.

    own: how many images of its own it asks beside them.
    """

    def __init__(self, images: Tensor, own: int) -> None:
        super().__init__()
        self.images, self.own = images, own


@dataclass(frozen=True)
class WaitingCourt(Court):
    """A court that stops at the first images which are not among those `answered`, by the digests of their pixels."""

    answered: Collection[str] = ()

    def ask(self, service: Asked, x: Tensor, own: Tensor) -> Tensor:
        images = as_bytes(x).cpu()
        if missing := [i for i, image in enumerate(images) if digest(image) not in self.answered]:
            raise Unasked(images[missing], len(own))
        return super().ask(service, x, own)


class DeafCourt(Court):
    """A court that hears the same answer to everything, and so asks nobody."""

    def ask(self, service: Asked, x: Tensor, own: Tensor) -> Tensor:
        return torch.zeros(len(x) + len(own), self.context.task.classes)


def stranger(form: str) -> Service:
    """What stands for a model whose net nobody here knows."""
    return Service(Net({"builder": form}, {}))


@dataclass(frozen=True)
class Courtroom:
    """A claim before a court. occasion: what names its random streams; whoever repeats it draws the same."""

    claim: Claim
    context: TaskContext
    test: Data
    occasion: str

    @classmethod
    def of(cls, claim: Claim, device: str, occasion: str) -> Courtroom:
        on = device_of(device)
        context = context_of(claim.profile.world(), on)
        return cls(claim, context, load_split(context.task, "test").to(on), occasion)

    def rng(self, role: str) -> torch.Generator:
        return self.claim.streams(self.occasion).stream(0, role, self.claim.scheme.name, self.context.task.name)

    @cached_property
    def delivered(self) -> Net | None:
        """The net that weights are aligned to: in the model's file beside the key, where the card that commits to the
        key names that file, too. Whoever could choose it later would align a suspect to the bits of his key.
        """
        path = self.claim.file.path.with_name(MODEL)
        if self.claim.scheme.court != "weights" or self.claim.card is not True or not path.is_file():
            return None
        card, sha256 = card_beside(self.claim.file), peek(path).sha256
        if card is None or card.files.get(MODEL) != sha256:
            return None
        with suppress(BenchError):  # its net can't be built here: nothing is aligned to it
            return open_service(path, self.claim.setting.stages[0].declaration, self.claim.registry).net
        return None

    def court(self, probe: Data, answered: Collection[str] | None = None, *, aligns: bool = False) -> Court:
        """A court whose own images are `probe`. aligns: it reads weights aligned to the delivered net, too.

        answered: see `WaitingCourt`; None: whoever is asked answers.
        """
        if answered is None:
            return Court(self.context, probe, self.rng("court"), self.delivered if aligns else None)
        return WaitingCourt(self.context, probe, self.rng("court"), answered=answered)

    def answers(self, asked: Asked, probe: Data, among: Tensor | None = None) -> Answers:
        """What a suspect answers to the judge's images, among others as `Court.answers` says.

        Raises ValueError or ServiceFailed where it doesn't answer.
        """
        return Court(self.context, probe, stream("answers", self.context.task.name)).answers(asked, among)

    def first_questions(self) -> tuple[Tensor, Data]:
        """What the court asks first, uint8 (N, C, H, W), and as many of the judge's images as hide it. Asks nobody.

        All of the judge's images where the scheme makes its questions of them, or asks no others, as those of
        image-to-image nets do: N is 0 there. Raises BenchError where it can't ask
        with this key.
        """
        if not self.claim.admission["well_formed"]:
            raise BenchError(f"the key is not well formed, so nothing is asked: {self.claim.admission['reason']}")
        try:
            images, own = self._asked(self.test)
        except Exception as error:
            raise BenchError(f"{self.claim.scheme.name} can't ask with {self.claim.file.path} ({error})") from error
        if not len(images):
            return images, self.test
        order = torch.randperm(len(self.test), generator=self.rng("innocents"))[:own]
        some = self.test.take(order.sort().values.to(self.test.x.device))
        with suppress(Exception):  # too few for it
            if torch.equal(self._asked(some)[0], images):
                return images, some
        return images, self.test

    def beforehand(self) -> str:
        """How many items the sequential test takes, in words; "" where no law in closed form says what one proves."""
        scheme, alpha = self.claim.scheme, self.claim.profile.alpha
        if scheme.null_law != "exact" or self.context.task.kind == "image-to-image":
            return ""
        court = DeafCourt(self.context, self.test, self.rng("court"))
        law = None
        with suppress(Exception):  # a key that can't be examined is named once somebody was asked
            seen = scheme.observe(self._nobody(court), self.claim.key, court)
            law = seen.channels[seen.evidence].law
        if law is None or law.kind != "binomial":
            return ""
        p = cast(float, law.parameters["p"])
        whole, half = (items_needed(rate, p, alpha) for rate in (1.0, 0.5))
        return (
            f"A sequential test, which is printed beside the verdict, takes {whole} {scheme.item}s of a mark that is "
            f"whole, and {half} where half of it is left, each among {OWN} of the judge's own."
        )

    def _nobody(self, court: Court) -> Suspect:
        """A suspect that was never asked."""
        task = self.context.task
        shape = task.shape if task.kind == "image-to-image" else (task.classes,)
        answers = Answers(torch.zeros(len(court.probe), *shape))
        return Suspect(stranger("nobody"), Running(torch.nn.Identity()), answers, self.claim.scheme.court, court)

    def _asked(self, probe: Data) -> tuple[Tensor, int]:
        """The first images that the scheme asks, where the judge has these, and how many of his own beside them.

        None where it reads the mark from the answers to the judge's own.
        """
        scheme, court = self.claim.scheme, self.court(probe, ())
        try:
            scheme.observe(self._nobody(court), self.claim.key, court)
        except Unasked as first:
            return first.images, min(first.own, len(probe))
        return probe.x[:0], len(probe)
