"""Uchida et al. 2017: bits in the mean filter of one layer, read through a secret matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm


@dataclass(frozen=True, kw_only=True)
class UchidaKey(wm.Key):
    """The bits, the `layer` that carries them, and of how many numbers its mean filter is.

    The matrix is not kept: it follows from the secret, as the bits do.
    """

    layer: str
    size: int = wm.field(low=1)
    bits: Tensor = wm.field(dtype=torch.bool, shape=("bits",), unbound="the bits do not follow from the secret")


@dataclass(frozen=True)
class Uchida(wm.Scheme[UchidaKey]):
    """Bit j is the sign of row j of a secret matrix times the mean filter of a layer.

    Uchida et al. 2017, section 3: filters (C_out, C_in, k, k) are averaged over C_out, so that their order plays no
    part, and flattened to w of M = C_in k k numbers; the matrix (T, M) is standard normal ("random", their best); the
    loss gains `strength` times the sum of T binary cross-entropies of sigmoid(matrix w). Their strength is 0.01 with
    M = 576; the fewer numbers a kernel has, the more it takes.
    Different from the authors' code: the bits are a keyed hash of the secret, where they write ones, and the matrix
    follows from the secret, too. A claimant who could choose either would read his bits in any net. The layer is the
    last convolution, where theirs is one in the middle: small nets have the room there alone. A net that has no hidden
    convolution, as a transformer, is marked in the last linear layer before its head, whose filters are (C_out, C_in).
    What that one writes is normalised layer by layer, which takes the mean over its outputs away: the bits hang on
    nothing that the net answers by.
    """

    name = "uchida"
    paper = "Uchida et al. 2017, ICMR (arXiv:1701.04082)"
    court = "weights"
    host = True
    capabilities = ("overwrite",)
    item = "bit"
    null_law = "exact"
    settings = ("", "bits=256")

    bits: int = wm.parameter(128, "length of the mark, at most the numbers of a mean filter", low=1)
    layer: str = wm.parameter("", "what carries it, by its name; empty: the last convolution, else linear layer")
    strength: float = wm.parameter(0.1, "weight of the bits' loss beside the task's", low=0.0)
    epochs: int = wm.parameter(20, "training epochs over the owner's images", low=1)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> UchidaKey:
        """A key for a net like the party's host."""
        layers = carriers(party.host if isinstance(party, wm.Owner) else party.build())
        if not layers:
            raise wm.NotApplicable("the net has no layer but its head, and nothing else could carry the bits")
        layer = self.layer or list(layers)[-1]
        if layer not in layers:
            raise ValueError(f"the net has no layer {layer}: it has {', '.join(layers)}")
        size = mean_filter(layers[layer]).numel()
        if size < self.bits:
            raise ValueError(f"the mean filter of {layer} is {size} numbers, too few for {self.bits} bits: lower bits")
        secret = wm.secret(rng)
        return UchidaKey(secret=secret, layer=layer, size=size, bits=drawn(secret, self.bits))

    def rebind(self, key: UchidaKey, secret: bytes) -> UchidaKey:
        return replace(key, secret=secret, bits=drawn(secret, len(key.bits)))

    def embed(self, owner: wm.Owner, key: UchidaKey) -> wm.Marked:
        return self.mark(owner, owner.build(), key, owner.recipe(epochs=self.epochs, lr=self.lr))

    def mark(self, owner: wm.Owner, model: nn.Module, key: UchidaKey, recipe: wm.Recipe) -> wm.Marked:
        """Cross-entropy of the task plus `strength` times that of the bits (equation 3 there)."""
        read, wanted, layer = matrix(key).to(owner.device), key.bits.float().to(owner.device), carrier(model, key)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((x, y),) = batches
            bits = F.binary_cross_entropy_with_logits(read @ mean_filter(layer), wanted, reduction="sum")
            return F.cross_entropy(model(x), y) + self.strength * bits

        return wm.Marked(owner.fit(model, recipe, step=step), key)

    def observe(self, suspect: wm.Suspect, key: UchidaKey, court: wm.Court) -> wm.Observations:
        """The bits read from the suspect's weights, and again from these after alignment to the delivered net.

        The order of a net's inputs is free, and so are signs and sizes of its filters. Alignment has no law, since the
        delivered net was trained with the bits.
        """
        net = suspect.net()
        channels = {"bits": wm.Channel(hits(net, key), wm.binomial(0.5))}
        views = ("bits_aligned",) if court.reference else ()
        for view in views:
            turned = suspect.aligned({})
            channels[view] = wm.Channel(hits(net if turned is None else turned, key))
        return wm.Observations("bits", channels, views=views)


def carriers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """The layers of a net that can carry bits by their names, from the input to the output."""
    return wm.filter_layers(wm.plain(model))


def carrier(model: nn.Module, key: UchidaKey) -> nn.Conv2d | nn.Linear:
    """The layer of `model` that `key` names. Raises Unreadable where there is none of its shape."""
    layer = carriers(model).get(key.layer)
    if layer is None:
        raise wm.Unreadable(f"the net has no layer {key.layer} that could carry bits")
    if (size := mean_filter(layer).numel()) != key.size:
        raise wm.Unreadable(f"the mean filter of {key.layer} is {size} numbers, and the matrix reads {key.size}")
    return layer


def mean_filter(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """The mean of a layer's filters, (C_in k k,), of a linear layer (C_in,)."""
    return layer.weight.mean(0).flatten()


def matrix(key: UchidaKey) -> Tensor:
    """What reads the bits, float32 (T, M)."""
    return wm.prf_normals(key.secret, b"uchida matrix", len(key.bits) * key.size).view(len(key.bits), key.size)


def drawn(secret: bytes, count: int) -> Tensor:
    return wm.prf_bits(secret, b"uchida bits", count)


@torch.no_grad()
def hits(model: nn.Module, key: UchidaKey) -> Tensor:
    """Which bits a net shows, boolean (T,)."""
    return (matrix(key) @ mean_filter(carrier(model, key)).cpu() >= 0) == key.bits
