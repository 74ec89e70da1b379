"""Ambiguity: a thief claims the unchanged marked model with a key of his own, drawn, searched for or made to fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

_AT_ONCE = 1024  # secrets whose labels are compared with the answers together


@dataclass(frozen=True)
class FreshKey(wm.Attack):
    """A key that the thief draws by the scheme's own rules, claimed on the marked model as it is.

    The naive pirate of Adi et al. 2018 (ownership piracy), who trains nothing: does a key fit by chance?
    """

    name = "fresh-key"
    family = "ambiguity"
    paper = "Adi et al. 2018, USENIX Security"
    kind = "ambiguity"
    access = "labels"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        return wm.AttackResult(claim=thief.keygen())


@dataclass(frozen=True)
class ForgedTriggers(wm.Attack):
    """Fresh triggers, moved by projected gradient steps until the marked model gives them their labels.

    Tests what Adi et al. 2018 call non-trivial ownership. The forged pictures are targeted adversarial examples (Madry
    et al. 2018), as in False Claims (Liu et al. 2024), made there on other models for innocent suspects. The scheme's
    public rule then labels the new pictures: where labels do not depend on the pictures the forgery fits, and only a
    commitment older than the model refutes it; where they do, it is back at chance.
    """

    name = "forged-triggers"
    family = "ambiguity"
    paper = "Adi et al. 2018, USENIX Security; Liu et al. 2024, USENIX Security (arXiv:2304.06607)"
    kind = "ambiguity"
    requires = "triggers"
    settings = ("", "eps=0.03")

    eps: float = wm.parameter(0.125, "largest change of a pixel, as a share of its range", low=0.0, high=1.0)
    steps: int = wm.parameter(40, "gradient steps", low=1)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme: wm.TriggerScheme = thief.scheme
        own, classes, model = wm.secret(thief.rng), thief.task.classes, thief.model
        fresh = scheme.triggers(thief.keygen()).x
        goal = scheme.triggers(scheme.trigger_key(fresh, own, classes)).to(thief.device)
        images = moved(thief, goal, [model], self.eps, self.steps)
        return wm.AttackResult(claim=scheme.trigger_key(wm.as_bytes(images), own, classes))


def moved(thief: wm.Thief, goal: wm.Data, nets: Sequence[nn.Module], eps: float, steps: int) -> Tensor:
    """The images of `goal` as floats, moved by `eps` at most until `nets`, on the mean, give them the labels of `goal`.

    Projected gradient descent on the cross-entropy (Madry et al. 2018, section 2.1), in `steps` of 2.5 eps together.
    """
    start = goal.images()
    images = start.clone().requires_grad_()

    def loss() -> Tensor:
        return torch.stack([F.cross_entropy(net(images), goal.y, reduction="sum") for net in nets]).mean()

    thief.minimise(
        loss, [images], steps, 2.5 * eps / steps, rule="sign", images=len(images) * len(nets),
        project=lambda x: (start + (x - start).clamp(-eps, eps)).clamp(0, 1),
    )  # fmt: skip
    return images.detach()


@dataclass(frozen=True)
class RedrawSearch(wm.Attack):
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

    bits: int = wm.parameter(12, "2 to the power of this many secrets are tried", low=0, high=24)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme: wm.TriggerScheme = thief.scheme
        images = scheme.triggers(thief.keygen()).x
        answers = thief.ask(wm.as_float(images), "labels").cpu()
        best, most = b"", -1
        for start in range(0, 2**self.bits, _AT_ONCE):
            secrets = [wm.secret(thief.rng) for _ in range(min(_AT_ONCE, 2**self.bits - start))]
            labels = torch.stack([scheme.trigger_labels(images, one, thief.task.classes) for one in secrets])
            hits = (labels == answers).sum(1)
            if int(hits.max()) > most:
                best, most = secrets[int(hits.argmax())], int(hits.max())
        return wm.AttackResult(claim=scheme.trigger_key(images, best, thief.task.classes))


@dataclass(frozen=True)
class PickTriggers(wm.Attack):
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

    rounds: int = wm.parameter(20, "fresh keys' worth of images that are asked about", low=1)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        scheme: wm.TriggerScheme = thief.scheme
        own, classes = wm.secret(thief.rng), thief.task.classes
        images = scheme.triggers(thief.keygen()).x
        wanted = scheme.trigger_labels(images, own, classes)
        missing = thief.ask(wm.as_float(images), "labels").cpu() != wanted
        used = {bytes(image.numpy()) for image in images}
        for _ in range(self.rounds - 1):
            fresh = scheme.triggers(thief.keygen()).x
            for image, answer in zip(fresh, thief.ask(wm.as_float(fresh), "labels").tolist(), strict=True):
                fits = (missing & (wanted == answer)).nonzero().flatten()
                if len(fits) and bytes(image.numpy()) not in used:
                    used.add(bytes(image.numpy()))
                    images[fits[0]] = image
                    missing[fits[0]] = False
        return wm.AttackResult(claim=scheme.trigger_key(images, own, classes))
