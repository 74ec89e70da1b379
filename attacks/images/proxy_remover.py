"""A remover that is trained on marks of the thief's own, made by the scheme's public code."""

from __future__ import annotations

from dataclasses import dataclass

from attacks.images.remover import remover_of
from benchmark import contract as wm


@dataclass(frozen=True)
class Remover(wm.Attack):
    """A remover trained against an extractor of the thief's own: he marks images himself, as the scheme's owners do.

    An et al. 2024, section 5, the strictest of their three settings: the owner's extractor is out of reach, so the
    thief makes an embedder and an extractor by the scheme's public code, on images without a mark (his degraded ones:
    the net in front of the embedder leaves them as they are). A UNet learns to undo what his embedder does and to leave
    his extractor nothing, and is put behind the service. The paper's remover keeps to the marked image; here it goes
    back to the unmarked one, which he knows, since he marked it himself.
    """

    name = "remover"
    family = "remover"
    kind = "evasion"
    access = "none"
    tasks = ("image-to-image",)
    requires = "extractor"
    paper = "An et al. 2024 (arXiv:2405.09863)"

    images: int = wm.parameter(128, "of his images that he marks; all where he has fewer", low=1)
    weight: float = wm.parameter(0.01, "of what the extractor reads, beside the squared error of a pixel", low=0.0)
    epochs: int = wm.parameter(20, "passes of the remover over the marked images", low=1)

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        unmarked = thief.inputs[: self.images]
        untrained = wm.Net.of(thief.build())  # a house net for images begins as the identity
        owner = thief.as_owner(untrained, wm.Data(unmarked, unmarked))
        own: wm.Marked = thief.scheme.embed(owner, thief.keygen(untrained))
        marked = wm.as_bytes(wm.logits(own.model, wm.as_float(unmarked)))
        reads = thief.scheme.extractor(own.key, thief.device)
        return wm.AttackResult(
            answer_filters=(remover_of(thief, unmarked, marked, unmarked, reads, self.weight, self.epochs),)
        )
