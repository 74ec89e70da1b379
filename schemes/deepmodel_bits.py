"""Deep-model watermarking with bits: every image that the service sends carries a bit string, whose law is exact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm
from schemes.deepmodel import PAPERS
from schemes.deepmodel_bits_net import BIT_READER, BIT_SERVICE, BitReader, BitService, reads_images

STRINGS, TOGETHER = 2, 16  # random strings in each step, and images that share one
RANDOM_STRINGS = 4096  # random strings that training draws from


@dataclass(frozen=True, kw_only=True, eq=False)
class DeepModelBitsKey(wm.Key):
    """The owner's name, his bits, and R, which was trained to read random strings and never saw these bits.

    The bits follow from the secret, the name and R's weights: R comes first, so nobody can train it for them.
    """

    identity: str
    bits: Tensor = wm.field(
        dtype=torch.bool, shape=("bits",), unbound="the bits do not follow from the secret, the name and the reader"
    )
    reader: wm.Net


@dataclass(frozen=True)
class DeepModelBits(wm.Scheme[DeepModelBitsKey]):
    """A secret's bits in every output, which surrogates of the service learn to output too.

    Deep watermarking with a bit string for its payload, as HiDDeN (Zhu et al. 2018) hides one: an embedder H behind the
    owner's net M and an extractor R are trained together on random strings. That a string which is the same in all
    images passes on to a net that learns from them is what Yu et al. 2021 found. Here H and R are a filter each,
    without a discriminator, and R is told the question: it reads in what an answer differs from M's own.

    The bits are drawn by the secret after R is finished, and R's weights enter the draw. So whatever R reads in a
    suspect, each bit agrees with probability 1/2 unless the suspect has the bits from the service. All bits are read
    from the judge's images together.
    """

    name = "deepmodel-bits"
    paper = (
        "Zhang et al. 2021, TPAMI (arXiv:2103.04980); Zhu et al. 2018, ECCV (arXiv:1807.09937); "
        "Yu et al. 2021, ICCV (arXiv:2007.08457)"
    )
    tasks = ("image-to-image",)
    release = "outputs"
    court = "outputs"
    host = True
    capabilities = ("embedder", "extractor")
    item = "bit"
    null_law = "exact"

    bits: int = wm.parameter(64, "bits that every image carries", low=32, high=64)
    identity: str = wm.parameter("owner", "ASCII text that names the owner")
    strength: float = wm.parameter(0.05, "the most that H may change a pixel, of 1", low=0.001, high=1.0)
    fidelity: float = wm.parameter(400.0, "weight of the squared error between b' and b", low=0.0)
    epochs: int = wm.parameter(40, "passes over the owner's images", low=1)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> DeepModelBitsKey:
        reader = wm.Net.of(party.assemble({"builder": BIT_READER, "host": party.context.spec(), "bits": self.bits}))
        return self._bound(wm.secret(rng), self.identity, reader)

    def _bound(self, secret: bytes, identity: str, reader: wm.Net) -> DeepModelBitsKey:
        """The key of a reader: its bits are drawn by the secret, once name and reader are settled.

        Raises ValueError unless the name is ASCII and not empty.
        """
        if not identity or not identity.isascii():
            raise ValueError(f"the identity must be ASCII text, at least one character, not {identity!r}")
        label = b"deepmodel bits " + digest(reader) + identity.encode("ascii")
        return DeepModelBitsKey(
            secret=secret, identity=identity, bits=wm.prf_bits(secret, label, self.bits), reader=reader
        )

    def embed(self, owner: wm.Owner, key: DeepModelBitsKey) -> wm.Marked:
        host = owner.host
        service = cast(BitService, owner.assemble({"builder": BIT_SERVICE, "host": wm.Net.of(host).spec,
                                                   "bits": self.bits, "strength": self.strength}))  # fmt: skip
        reader = cast(BitReader, key.reader.module(owner.device))
        for net in (service, reader):
            net.host.load_state_dict(host.state_dict())
        reader.carriers.load_state_dict(service.carriers.state_dict())
        self._train(owner, service, reader)
        finished = self._bound(key.secret, key.identity, wm.Net.of(reader))
        service.payload.copy_(signs(finished.bits)[None])
        return wm.Marked(service, finished)

    def _train(self, owner: wm.Owner, service: BitService, reader: BitReader) -> None:
        """H and R together, on random strings.

        R reads with what a surrogate may get wrong on top: up to half of what M gets wrong, in either direction.
        """
        made = wm.as_bytes(wm.logits(service.host, wm.as_float(owner.data.x)))
        count = min(STRINGS, len(made))
        together = min(TOGETHER, len(made) // count)
        strings = torch.randint(2, (RANDOM_STRINGS, self.bits, 1, 1), generator=owner.rng, dtype=torch.uint8) * 255
        wrong = torch.rand(RANDOM_STRINGS, together, generator=owner.rng) - 0.5
        images = wm.BatchSource(made, owner.data.y, count * together)
        drawn = wm.BatchSource(strings.to(owner.device), wrong.to(owner.device), count)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            (clean, truth), (wanted, errors) = batches
            wanted = wanted.flatten(1)
            added = service.added(clean, 2 * wanted - 1)
            differences = added + errors.view(-1, 1, 1, 1) * (truth - clean)
            read = reader.carriers.gather(differences, clean).view(len(wanted), -1, self.bits).mean(1)
            return F.binary_cross_entropy_with_logits(read, wanted) + self.fidelity * added.square().mean()

        both = nn.ModuleList([service.carriers, reader.carriers])
        owner.fit(both, owner.recipe(epochs=self.epochs, lr=4e-3, **PAPERS), data=images, step=step, beside=[drawn])

    def observe(self, suspect: wm.Suspect, key: DeepModelBitsKey, court: wm.Court) -> wm.Observations:
        """Which bits R reads right, by the mean of its logits over the suspect's answers to the judge's images.

        Printed beside them: what it reads where the clean image itself is the answer. Raises Unreadable for an R that
        reads no images, or others than the task's.
        """
        if reason := self.malformed(key):
            raise wm.Unreadable(reason)
        device, degraded = court.context.device, court.probe.images()
        if (channels := key.reader.spec["host"]["channels"]) != degraded.shape[1]:
            raise wm.Unreadable(f"the task's images have {degraded.shape[1]} channels, the reader reads {channels}")
        reader, bits = key.reader.module(device), key.bits.to(device)
        answers = {"bits": suspect.answers.to(device).clamp(0, 1), self.grindable: wm.as_float(court.probe.y)}
        read = {name: wm.logits(reader, torch.cat([degraded, images], 1)).mean(0) for name, images in answers.items()}
        hits = {name: wm.Channel((logits > 0) == bits, wm.binomial(0.5)) for name, logits in read.items()}
        return wm.Observations("bits", hits)

    def extractor(self, key: DeepModelBitsKey, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
        """R's logits of the bits (N, n), which are around 0 where the answer carries none."""
        net = key.reader.module(device).requires_grad_(False)
        return lambda queries, answers: net(torch.cat([queries, answers], 1))

    @property
    def grindable(self) -> str:
        """R is the claimant's own, and reads something in any image."""
        return "clean"

    def malformed(self, key: DeepModelBitsKey) -> str | None:
        built, bits = key.reader.spec.get("builder"), key.reader.spec.get("bits")
        if built != BIT_READER:
            return f"the reader is a {built}, not a {BIT_READER}"
        if bits != self.bits:
            return f"the reader reads {bits} bits, not {self.bits}"
        return None if reads_images(key.reader) else "the reader is built around a net that makes no image of an image"

    def rebind(self, key: DeepModelBitsKey, secret: bytes) -> DeepModelBitsKey:
        return self._bound(secret, key.identity, key.reader)


def digest(net: wm.Net) -> bytes:
    """SHA-256 of a net's spec and tensors, with their names, types and shapes."""
    found = hashlib.sha256(json.dumps(net.spec, sort_keys=True).encode())
    for name, tensor in sorted(net.state.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.contiguous().numpy().tobytes())
    return found.digest()


def signs(bits: Tensor) -> Tensor:
    """Booleans as +1 and -1."""
    return bits.float() * 2 - 1
