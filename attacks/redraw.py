"""Searches for a trigger key that fits the marked model as it is: answers alone, no training, no gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from benchmark.contract import (
    Attack,
    AttackResult,
    Claim,
    NotApplicable,
    Thief,
    TriggerScheme,
    as_float,
    parameter,
    secret,
)

_AT_ONCE = 1024  # secrets whose labels are compared with the answers together


@dataclass(frozen=True)
class RedrawSearch(Attack):
    """The thief asks for the labels of his own key images once, then tries secrets and claims the best.

    The forger of Kallas & Furon 2022 (RoSe): a one-way function fixes the labels, so all he can do is draw again;
    rarity R takes about 2^R secrets. Adi's labels follow from a secret as well. Only a claim that was committed before
    the release is spared the charge for such a search.
    """

    name = "redraw-search"
    family = "ambiguity"
    paper = "Kallas & Furon 2022, WIFS (arXiv:2206.11024)"
    kind = "ambiguity"
    access = "labels"
    requires = "triggers"

    bits: int = parameter(12, "2 to the power of this many secrets are tried", low=0, high=24)

    def run(self, thief: Thief) -> AttackResult:
        scheme = thief.scheme
        if not isinstance(scheme, TriggerScheme):
            raise NotApplicable(f"{scheme.name} has no triggers to label")
        classes = thief.task.classes
        images = scheme.triggers(thief.keygen()).x
        answers = thief.ask(as_float(images), "labels").cpu()
        best, most = b"", -1
        for start in range(0, 2**self.bits, _AT_ONCE):
            secrets = [secret(thief.rng) for _ in range(min(_AT_ONCE, 2**self.bits - start))]
            labels = torch.stack([scheme.trigger_labels(images, one, classes) for one in secrets])
            hits = (labels == answers).sum(1)
            if int(hits.max()) > most:
                best, most = secrets[int(hits.argmax())], int(hits.max())
        return AttackResult(claim=Claim(scheme.trigger_key(images, best, classes)))


@dataclass(frozen=True)
class PickTriggers(Attack):
    """The thief fixes a secret, and picks for each of its labels an image that the model answers with it.

    The counterpart of `forged-triggers` for a thief who may only ask: where labels do not depend on the images, every
    trigger takes about as many fresh images as there are classes. Where they do (RoSe), picking redraws them all.
    """

    name = "pick-triggers"
    family = "ambiguity"
    paper = "Adi et al. 2018, USENIX Security (non-trivial ownership)"
    kind = "ambiguity"
    access = "labels"
    requires = "triggers"

    rounds: int = parameter(20, "fresh keys' worth of images that are asked about", low=1)

    def run(self, thief: Thief) -> AttackResult:
        scheme = thief.scheme
        if not isinstance(scheme, TriggerScheme):
            raise NotApplicable(f"{scheme.name} has no triggers to pick")
        own, classes = secret(thief.rng), thief.task.classes
        images = scheme.triggers(thief.keygen()).x
        wanted = scheme.trigger_labels(images, own, classes)
        missing = thief.ask(as_float(images), "labels").cpu() != wanted
        used = {bytes(image.numpy()) for image in images}
        for _ in range(self.rounds - 1):
            fresh = scheme.triggers(thief.keygen()).x
            for image, answer in zip(fresh, thief.ask(as_float(fresh), "labels").tolist(), strict=True):
                fits = (missing & (wanted == answer)).nonzero().flatten()
                if len(fits) and bytes(image.numpy()) not in used:
                    used.add(bytes(image.numpy()))
                    images[fits[0]] = image
                    missing[fits[0]] = False
        return AttackResult(claim=Claim(scheme.trigger_key(images, own, classes)))
