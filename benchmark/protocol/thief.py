"""The thief: what he may use of a release, what is his own, and what it costs. Only an Insider has the owner's key."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from benchmark.architectures import alignment
from benchmark.architectures.net import Net
from benchmark.data.splits import Data, Holdings, as_float
from benchmark.errors import NotApplicable
from benchmark.protocol.objects import Key, Running
from benchmark.protocol.parties import Owner, Party, TaskContext
from benchmark.protocol.scheme import Scheme
from benchmark.training.flops import Meter, uncounted
from benchmark.vocabulary import Access, may, smaller


class Declared(Protocol):
    """What an attack declares, and so what its thief gets: see `benchmark.protocol.attack.Attack`."""

    name: ClassVar[str]
    access: ClassVar[Access]
    requires: ClassVar[str]


class UndeclaredAccess(Exception):
    """An attack uses more of the release than its trait `access` says; the message says what to write."""


@dataclass
class ThiefCost:
    """What a thief used, counted as he uses it: images with labels and without, answers of the service, and work."""

    labelled: int = 0
    unlabelled: int = 0
    queries: int = 0
    meter: Meter = field(default_factory=Meter)

    def record(self) -> dict[str, int]:
        used = asdict(self)
        work = used.pop("meter")
        return used | work


class Thief(Party):
    """Attacks a release. He has his own data, the public code of a scheme, and of the release what it grants and the
    attack declares, whichever is less: an attack that gets by with labels has no weights.
    """

    def __init__(
        self, context: TaskContext, images: Holdings | Data, rng: torch.Generator, running: Running | None,
        grants: Access, *, attack: Declared | None = None, scheme: Scheme | None = None,
        cost: ThiefCost | None = None, stolen: Running | None = None,
    ) -> None:  # fmt: skip
        """images: `Data` are those of a thief who has labels for all. stolen: the release itself where it gives labels,
        while `running` is what earlier stages of a chain have made of it.
        """
        self.cost = cost or ThiefCost()
        images = Holdings.of(images) if isinstance(images, Data) else images
        super().__init__(context, images.labelled, rng, self.cost.meter)
        self.grants = smaller(grants, attack.access) if attack else grants
        self._images, self._running, self._granted = images, running, grants
        self._attack, self._scheme, self._stolen = attack, scheme, stolen

    @property
    def data(self) -> Data:
        """The thief's images with labels. Counted as labelled. Raises NotApplicable if he has none."""
        own = self._images.labelled
        if not len(own):
            raise NotApplicable("the attack needs labelled images, and this thief has none")
        self.cost.labelled = max(self.cost.labelled, len(own))
        return own

    @property
    def inputs(self) -> Tensor:
        """All his images without labels, uint8 (N, C, H, W), the labelled ones first.

        Counted as unlabelled. Raises NotApplicable if he has none.
        """
        if not len(self._images):
            raise NotApplicable("the attack needs images, and this thief has none")
        self.cost.unlabelled = max(self.cost.unlabelled, len(self._images))
        return self._images.inputs

    @cached_property
    def annotated(self) -> Data:
        """All his images with labels: his own where he has them, else those that the stolen service gives, whatever
        earlier stages of a chain have made of his copy. On image-to-image tasks his pairs alone: what a service makes
        of an image is no truth about it.

        Counted as labelled, unlabelled and queried. Raises NotApplicable if he has no images.
        """
        own, more = self._images.labelled, self._images.unlabelled
        if not len(more) or self.task.kind == "image-to-image":
            return self.data
        at_hand = self._released("labels")
        self.cost.queries += len(more)
        bought = Data(more, (self._stolen or at_hand).ask(as_float(more).to(self.device), "labels"))
        _ = self.inputs
        return self.data.joined(bought) if len(own) else bought

    def _released(self, wanted: Access) -> Running:
        """The stolen service, for a use that needs `wanted`."""
        if self._attack and not may(declared := self._attack.access, wanted):
            what = f'declares access = "{declared}" and uses {wanted}: write access = "{wanted}" in its class'
            raise UndeclaredAccess(f"{self._attack.name} {what}")
        if self._running is None or not may(self._granted, wanted):
            raise NotApplicable(f"the release grants {self._granted}, this attack needs {wanted}")
        return self._running

    @cached_property
    def model(self) -> nn.Module:
        """The stolen net: the thief's own copy, in eval mode. Raises NotApplicable unless weights were released."""
        return copy.deepcopy(self._released("weights").model)

    def ask(self, x: Tensor, access: Access = "probabilities") -> Tensor:
        """Query the stolen service with images (N, C, H, W) in [0, 1]. Counted. Raises NotApplicable if not granted."""
        service = self._released(access)
        self.cost.queries += len(x)
        return service.ask(x.to(self.device), access)

    @property
    def scheme(self) -> Any:
        """The public code of the scheme under attack (Kerckhoffs), without any key: a `Scheme` with the capability that
        the attack `requires`. Raises NotApplicable where the model is innocent, or the scheme has no such capability.
        """
        if self._scheme is None:
            raise NotApplicable("there is no scheme to imitate: the model is innocent")
        if self._attack and self._attack.requires not in ("", *self._scheme.capabilities):
            wanted, given = self._attack.requires, self._scheme.name
            raise NotApplicable(f"{self._attack.name} needs a scheme with {wanted}, and {given} has none")
        return self._scheme

    def as_owner(self, host: Net | None = None, data: Data | None = None) -> Owner:
        """The thief as owner, to forge a key or to overwrite. What he reads and trains is counted.

        `host`: the net he marks or draws from (default: he trains one). `data`: in place of `annotated`.
        """
        images = (lambda: self.annotated) if data is None else data

        def trained() -> Net:
            return Net.of(self.fit(self.build(), data=images() if callable(images) else images))

        return Owner(self.context, images, self.rng, host or trained, self.meter)

    def keygen(self, host: Net | None = None) -> Key:
        """A key that he draws by the scheme's public code. Raises NotApplicable where none can be drawn."""
        try:
            return cast(Key, self.scheme.keygen(self.as_owner(host), self.rng))
        except (ValueError, NotApplicable) as reason:
            raise NotApplicable(f"the thief can't draw a key of his own: {reason}") from reason


def aligned(model: nn.Module, reference: nn.Module, shape: Sequence[int]) -> nn.Module:
    """A plain net that computes what `model` does on images (C, H, W) of `shape`, its channels in the order of those of
    `reference` that are most alike; see `benchmark.architectures.alignment.aligned`. Raises ValueError for nets of
    different shapes.

    It reads weights alone, and traces a net of a shape once for a process: so nothing of it is counted.
    """
    with uncounted():
        return alignment.aligned(model, reference, shape)


class Insider(Thief):
    """A thief who has the owner's `key`: only the attacks of the key-oracle lane get one."""

    def __init__(self, *thief: Any, key: Key, **more: Any) -> None:
        super().__init__(*thief, **more)
        self.key = copy.deepcopy(key)  # as with the model, his own copy
