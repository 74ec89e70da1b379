"""What a scheme is, and the capabilities by which attacks address the public code of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar, get_args, get_origin, runtime_checkable

import torch
from torch import Tensor, nn

from benchmark.crypto.prf import secret
from benchmark.data.splits import Data
from benchmark.errors import BenchError
from benchmark.protocol import key_form
from benchmark.protocol.court import Court, Suspect
from benchmark.protocol.objects import Key, Marked
from benchmark.protocol.observations import Admission, Observations
from benchmark.protocol.parties import Owner, Party
from benchmark.training.recipe import Recipe
from benchmark.vocabulary import Access

K = TypeVar("K", bound=Key)


class Scheme(ABC, Generic[K]):
    """How an owner hides a mark and how a judge looks for it. A frozen dataclass: its fields are its parameters.

    `class Adi(Scheme[AdiKey])` names the type of its keys, which then is `Adi.key_type`. Traits (literals):
    release, court: the access that the release grants, and that the judge has to a suspect.
    host: whether the owner's trained unmarked net is needed. tasks: the kinds of task it can be run on.
    capabilities: which of the protocols below it offers. layers_needed: "normalised convolutions" or "batch
    normalisation", which the net must have; "" where any will do. item: what one key item is called.
    settings: the variants that "all" runs. paper: where it was published.
    null_law: how `observe` knows what a fresh key would score: "exact" (a closed form), "redrawn" (from keys that it
    draws and scores) or "none". A setting that knows less gives none; beside redrawn keys one may have a closed form.
    file_parameters: those that name a file or folder, whose content is part of a job's id. secret_files: those of them
    that no thief gets. expected_failures: by setting, why its fresh mark is not found for every seed.
    expected_forgeries: by setting, why a forged claim stands, where that is known beforehand.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = ""
    release: ClassVar[Access] = "weights"
    court: ClassVar[Access] = "labels"
    host: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    capabilities: ClassVar[tuple[str, ...]] = ()
    layers_needed: ClassVar[str] = ""
    item: ClassVar[str] = "item"
    settings: ClassVar[tuple[str, ...]] = ("",)
    expected_failures: ClassVar[Mapping[str, str]] = {}
    expected_forgeries: ClassVar[Mapping[str, str]] = {}
    null_law: ClassVar[str] = "none"
    file_parameters: ClassVar[tuple[str, ...]] = ()
    secret_files: ClassVar[tuple[str, ...]] = ()
    key_type: ClassVar[type[Key]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Scheme:
                (cls.key_type,) = get_args(base)

    @abstractmethod
    def keygen(self, party: Party, rng: torch.Generator) -> K:
        """Draw the secret part of a key; owner and forger alike.

        Raises ValueError in one sentence where none can be drawn: too few images, a parameter that doesn't fit.
        Raises NotApplicable where a net of this kind can't be marked.
        """

    @abstractmethod
    def embed(self, owner: Owner, key: K) -> Marked:
        """Train the mark in; a learned part may join the key."""

    @abstractmethod
    def observe(self, suspect: Suspect, key: K, court: Court) -> Observations:
        """One raw number per key item. Raises Unreadable where the court can't read what the key belongs to.

        The evidence channel has the null distribution of a fresh key where it is known (`null_law`). A scheme whose
        fresh keys must be redrawn scores them here, with `court.rng`, and gives their totals to `redrawn`. One that
        reads weights reads `suspect.net()`, and `suspect.aligned()` in a channel without a law, which `views` names.
        """

    @abstractmethod
    def rebind(self, key: K, secret: bytes) -> K:
        """`key` with `secret` and all labels or bits that follow from it by the public rule; everything else stays.

        Raises ValueError where the rule can't be applied to the rest of the key.
        """

    @property
    def hash_bound(self) -> bool:
        """Whether `rebind` hashes a secret that is free to choose, so that a forger may search over secrets."""
        return True

    @property
    def grindable(self) -> str | None:
        """The channel of `observe` that shows what a key's own extractor reads in clean images; see `Admission`."""
        return None

    def malformed(self, key: K) -> str | None:
        """What is wrong with a key beyond the declared forms of its fields, in words; None for a well-formed one."""
        return None

    def admissible(self, key: K) -> Admission:
        """Whether every field of `key` has its declared form, and is what `rebind` makes from its own secret."""
        sizes = {name: value for name, value in vars(self).items() if isinstance(value, int)}
        if reason := key_form.malformed(key, sizes) or self.malformed(key):
            return Admission(False, False, self.hash_bound, reason, self.grindable)
        try:
            right = self.rebind(key, key.secret)
        except (ValueError, BenchError) as error:
            return Admission(False, False, self.hash_bound, str(error), self.grindable)
        reason = key_form.unbound(key, right)
        return Admission(True, reason is None, self.hash_bound, reason, self.grindable)

    def redraw(self, key: K, rng: torch.Generator) -> K:
        """A fresh key in place of `key`, bound to a secret of 32 bytes from `rng`, to count realised error rates.

        Raises NotApplicable where no fresh key can be drawn, as for an extractor that was trained for its secret.
        """
        return self.rebind(key, secret(rng))


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

        An overwriting thief calls it with the plain stolen net and his recipe. `owner.host` is not used.
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

        `key` itself where a claimant has no statistics of his own: they ship, or the normalisation has none.
        """


@runtime_checkable
class CarrierScheme(Protocol):
    """Capability "carriers": a private head reads from a net's answers where on a picture the key's signature is."""

    def signed_carriers(self, key: Key, n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Data:
        """`n` uint8 pictures (n, *shape) to train a head on, and what it has to read from each, int64 (n,)."""

    def with_head(self, key: Key, weight: Tensor, bias: Tensor) -> Key:
        """`key` with an affine head over log-probabilities: `weight` (readings, classes), `bias` (readings,)."""


@runtime_checkable
class ExtractorScheme(Protocol):
    """Capability "extractor": a net of the key reads the mark in the images that a service sends."""

    def extractor(self, key: Key, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
        """What the net reads for queries and the answers to them, images (N, C, H, W): 0 where there is no mark.

        It can be derived by the answers; the net's own weights are fixed.
        """
