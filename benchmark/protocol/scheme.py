"""What a scheme is, and the capabilities by which attacks address the public code of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from benchmark.data.splits import Data
from benchmark.protocol.objects import Key, Marked
from benchmark.protocol.observations import Admission, Observations
from benchmark.protocol.parties import Court, NotApplicable, Owner, Party, Suspect
from benchmark.training.loop import Recipe
from benchmark.vocabulary import Access


class Scheme(ABC):
    """How an owner hides a mark and how a judge looks for it. A frozen dataclass: its fields are its parameters.

    Traits (literals): `release`, what leaves the house; `court`, what the judge sees of a suspect; `host`, whether
    the owner's trained unmarked net is needed; `capabilities`, which protocols below it offers; `settings`, the
    variants that "all" runs; `item`, what one key item is called; `null_law`, how `observe` knows what a fresh key
    would score: "exact" (a closed form), "redrawn" (from keys that it draws and scores) or "none", and a setting that
    knows less gives none; `file_parameters`, those that name a file or folder, whose content then counts among what
    names a result; `secret_files`, those of them that no thief gets; `expected_failures`, by setting, why its fresh
    mark is not found for every seed, and `expected_forgeries`, why a forged claim stands, where that is known
    beforehand; `paper`.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = ""
    release: ClassVar[Access] = "weights"
    court: ClassVar[Access] = "labels"
    host: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    capabilities: ClassVar[tuple[str, ...]] = ()
    item: ClassVar[str] = "item"
    settings: ClassVar[tuple[str, ...]] = ("",)
    expected_failures: ClassVar[Mapping[str, str]] = {}
    expected_forgeries: ClassVar[Mapping[str, str]] = {}
    null_law: ClassVar[str] = "none"
    file_parameters: ClassVar[tuple[str, ...]] = ()
    secret_files: ClassVar[tuple[str, ...]] = ()
    key_type: ClassVar[type[Key]]

    @abstractmethod
    def keygen(self, party: Party, rng: torch.Generator) -> Key:
        """Draw the secret part of a key; owner and forger alike.

        Raises ValueError in one sentence where none can be drawn: too few images, a parameter that doesn't fit. It is
        the owner's mistake; for a thief (`Thief.keygen`) the attack is not applicable.
        """

    @abstractmethod
    def embed(self, owner: Owner, key: Key) -> Marked:
        """Train the mark in; a learned part may join the key."""

    @abstractmethod
    def observe(self, suspect: Suspect, key: Key, court: Court) -> Observations:
        """One raw number per key item. Raises Unreadable where the court can't read what the key speaks of.

        The channel that counts carries the law of a fresh key where there is one (`null_law`). A scheme whose fresh
        keys must be redrawn scores them here, with `court.rng`, and gives their totals as the law `redrawn`.
        """

    @abstractmethod
    def admissible(self, key: Key) -> Admission:
        """Whether the key is well-formed, and its labels or bits follow from its secret."""

    def redraw(self, key: Key, rng: torch.Generator) -> Key:
        """A fresh key in place of `key`: only what the law of its total speaks of is drawn anew from `rng`.

        Everything else stays: new labels on the same images, new bits for the same passports. Realised error rates
        are counted with such keys. Raises NotApplicable (the default) where no fresh key can be drawn, as for an
        extractor that was trained for its secret.
        """
        raise NotApplicable(f"{self.name} says of no part of its keys how it would be drawn anew")


@runtime_checkable
class TriggerScheme(Protocol):
    """Capability "triggers": the key is a set of images whose labels follow from a secret by a public rule."""

    def trigger_key(self, images: Tensor, secret: bytes, classes: int) -> Key:
        """The key of uint8 `images` (N, C, H, W): its labels recomputed by the scheme's rule."""

    def trigger_labels(self, images: Tensor, secret: bytes, classes: int) -> Tensor:
        """The labels of that key alone, int64 (N,): what a search over many secrets computes."""

    def triggers(self, key: Key) -> Data:
        """The images and labels of a key."""


@runtime_checkable
class OverwriteScheme(Protocol):
    """Capability "overwrite": a mark can be trained into a net that exists already, even one that has a mark."""

    def mark(self, owner: Owner, model: nn.Module, key: Key, recipe: Recipe) -> Marked:
        """Train the mark of `key` into `model`, in place or in a net made from it, with the data of `owner`.

        `embed` calls it with the net and the recipe of the scheme's own; an overwriting thief with the plain stolen
        net and his recipe. `owner.host` is no part of it.
        """


@runtime_checkable
class PassportScheme(Protocol):
    """Capability "passports": scale and shift of some layers come from passports through the layer's own filters."""

    def places(self, model: nn.Module) -> list[str]:
        """The ConvBlocks of a net like `model` that have passports, from the input to the output."""

    def install(self, model: nn.Module, key: Key) -> nn.Module:
        """A copy of `model` that computes with the passports of `key`. Raises Unreadable when shapes differ."""

    def passport_key(self, model: nn.Module, passports: Sequence[tuple[Tensor, Tensor]], secret: bytes) -> Key:
        """The key of one (p_gamma, p_beta), each (1, C_in, H, W), per passport layer that a net like `model` has.

        Its bits follow from the secret; where the scheme lets a claimant declare them, they are the signs that these
        passports derive in `model`.
        """

    def signs(self, key: Key) -> list[Tensor]:
        """The bits of `key` per passport layer as +1 or -1, (C_out,)."""

    def passports(self, model: nn.Module) -> list[tuple[Tensor, Tensor]]:
        """What `model` computes with: (p_gamma, p_beta) per passport layer. Raises NotApplicable for a plain net."""

    def calibrated(self, key: Key, model: nn.Module, party: Party) -> Key:
        """`key` with the statistics that its branch of `model` has on the party's images.

        `key` itself where a claimant brings no statistics of his own: they ship, or the normalisation has none.
        """


@runtime_checkable
class CarrierScheme(Protocol):
    """Capability "carriers": a private head reads from a net's answers where on a picture the key's signature is."""

    def signed_carriers(self, key: Key, n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Data:
        """`n` uint8 pictures (n, *shape) to train a head on, and what it has to read from each, int64 (n,)."""

    def with_head(self, key: Key, weight: Tensor, bias: Tensor) -> Key:
        """`key` with an affine head over log-probabilities: `weight` (readings, classes), `bias` (readings,)."""
