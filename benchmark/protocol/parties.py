"""Owner, thief, suspect and court: what each may see. The types keep the key from whoever attacks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

import benchmark.architectures.convnets  # registers its builders, as the other two do
import benchmark.architectures.image_to_image
import benchmark.architectures.resnets  # noqa: F401
from benchmark.architectures.blocks import Net, Spec, build
from benchmark.architectures.catalogue import architecture_spec
from benchmark.data.splits import Data
from benchmark.data.tasks import Task
from benchmark.identity import stream_seed
from benchmark.protocol.objects import Key, Marked, Running
from benchmark.training.loop import BatchSource, Meter, Recipe, Step, fit, logits
from benchmark.vocabulary import Access, may


@dataclass(frozen=True)
class TaskContext:
    """What everybody knows: the task, the house architecture and its recipe, the device."""

    task: Task
    architecture: str
    recipe: Recipe
    device: torch.device
    precision: str = "auto"

    def spec(self, architecture: str | None = None) -> Spec:
        if self.task.kind == "image-to-image":
            return {"builder": architecture or self.architecture, "channels": self.task.shape[0]}
        return {
            **architecture_spec(architecture or self.architecture),
            "classes": self.task.classes,
            "mean": list(self.task.mean),
            "std": list(self.task.std),
        }


class PublicScheme(Protocol):
    """What of a scheme's code a thief can play owner with (Kerckhoffs): see `benchmark.protocol.scheme.Scheme`."""

    name: ClassVar[str]

    def keygen(self, party: Party, rng: torch.Generator) -> Key: ...

    def embed(self, owner: Owner, key: Key) -> Marked: ...


class Unreadable(Exception):
    """The court can't read this suspect (another architecture, changed shapes): no evidence, with the reason."""


class NotApplicable(Exception):
    """This attack can't be run on this release or scheme; the message says why."""


def stream(*parts: object) -> torch.Generator:
    """A random stream named by (replicate, role, plug-in, task, ...): neither source nor strength is in the name."""
    return torch.Generator().manual_seed(stream_seed(*parts))


class Party:
    """Someone with data, a stream of randomness and a machine: the owner, and the thief."""

    def __init__(
        self, context: TaskContext, data: Data | Callable[[], Data], rng: torch.Generator, meter: Meter | None = None
    ) -> None:
        self.context = context
        self.rng = rng
        self.meter = meter or Meter()
        self._data = data

    @property
    def task(self) -> Task:
        return self.context.task

    @property
    def device(self) -> torch.device:
        return self.context.device

    @property
    def data(self) -> Data:
        """The party's labelled images, on the device."""
        return self._data() if callable(self._data) else self._data

    @property
    def inputs(self) -> Tensor:
        """The party's images without their labels, uint8 (N, C, H, W)."""
        return self.data.x

    def build(self, architecture: str | None = None) -> nn.Module:
        """A freshly initialised net of the house architecture, or of another one, such as "resnet18(width=16)"."""
        return self.assemble(self.context.spec(architecture))

    def assemble(self, spec: Spec) -> nn.Module:
        """A freshly initialised net of any spec; the draw comes from the party's stream."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (), generator=self.rng)))
            return build(spec).to(self.device)

    def fit(
        self,
        model: nn.Module,
        recipe: Recipe | None = None,
        *,
        data: Data | BatchSource | None = None,
        beside: Sequence[BatchSource] = (),
        step: Step | None = None,
        parameters: Sequence[nn.Parameter] | None = None,
        only: nn.Module | None = None,
    ) -> nn.Module:
        """Train `model` in place and return it; see `benchmark.training.loop.fit`. Counted.

        `data` (default: the party's own) sets the epoch; each step also takes a batch of every source in `beside`.
        """
        recipe = recipe or self.context.recipe
        first = self.data if data is None else data
        main = first if isinstance(first, BatchSource) else BatchSource.of(first, min(recipe.batch, len(first)))
        fit(
            model, [main, *beside], recipe, self.rng, step=step, parameters=parameters, only=only,
            precision=self.context.precision, meter=self.meter,
        )  # fmt: skip
        return model


class Owner(Party):
    """Embeds the mark. `host` is his own unmarked net, trained on his split (a private copy each time)."""

    def __init__(
        self,
        context: TaskContext,
        data: Data | Callable[[], Data],
        rng: torch.Generator,
        host: Net | Callable[[], Net] | None = None,
        meter: Meter | None = None,
    ) -> None:
        super().__init__(context, data, rng, meter)
        self._host = host

    @property
    def host(self) -> nn.Module:
        """The unmarked net, on the device, in eval mode. Raises LookupError when the scheme didn't ask for one."""
        if self._host is None:
            raise LookupError("this scheme has no host: declare `host = True`")
        if callable(self._host):
            self._host = self._host()
        return self._host.module(self.device)


@dataclass
class ThiefCost:
    """What a thief used, counted as he uses it."""

    labelled: int = 0
    unlabelled: int = 0
    queries: int = 0
    meter: Meter = field(default_factory=Meter)

    def record(self) -> dict[str, int]:
        return {
            "labelled": self.labelled,
            "unlabelled": self.unlabelled,
            "queries": self.queries,
            **self.meter.record(),
        }


class Thief(Party):
    """Attacks a release. He has what the release grants, his own data, and the public code of a scheme."""

    def __init__(
        self,
        context: TaskContext,
        data: Data,
        rng: torch.Generator,
        running: Running | None,
        grants: Access,
        *,
        scheme: PublicScheme | None = None,
        bill: ThiefCost | None = None,
    ) -> None:
        self.bill = bill or ThiefCost()
        super().__init__(context, data, rng, self.bill.meter)
        self._images = data
        self.grants = grants
        self._running = running
        self._scheme = scheme

    @property
    def data(self) -> Data:
        """The thief's labelled images. Counted as labelled. Raises NotApplicable if he has none."""
        self._some_images()
        self.bill.labelled = max(self.bill.labelled, len(self._images))
        return self._images

    @property
    def inputs(self) -> Tensor:
        """The thief's images without their labels, uint8 (N, C, H, W). Counted as unlabelled.

        Raises NotApplicable if he has none.
        """
        self._some_images()
        self.bill.unlabelled = max(self.bill.unlabelled, len(self._images))
        return self._images.x

    def _some_images(self) -> None:
        if not len(self._images):
            raise NotApplicable("the attack needs images, and this thief has none (a share of 0 of his pool)")

    @cached_property
    def model(self) -> nn.Module:
        """The stolen net: the thief's own copy, in eval mode. Raises NotApplicable unless weights were released."""
        if self._running is None or not may(self.grants, "weights"):
            raise NotApplicable(f"the release grants {self.grants}, this attack needs weights")
        return copy.deepcopy(self._running.model)

    def ask(self, x: Tensor, access: Access = "probabilities") -> Tensor:
        """Query the stolen service with images (N, C, H, W) in [0, 1]. Counted. Raises NotApplicable if not granted."""
        if self._running is None or not may(self.grants, access):
            raise NotApplicable(f"the release grants {self.grants}, this attack asks for {access}")
        self.bill.queries += len(x)
        return self._running.ask(x.to(self.device), access)

    @property
    def scheme(self) -> PublicScheme:
        """The public code of the scheme under attack (Kerckhoffs), without any key."""
        if self._scheme is None:
            raise NotApplicable("there is no scheme to imitate: the model is innocent")
        return self._scheme

    def as_owner(self, host: Net | None = None) -> Owner:
        """The thief playing owner: to forge a key or to overwrite. What he reads and trains is counted.

        `host`: the net he marks or draws from; without one he trains his own where it is asked for.
        """
        return Owner(self.context, lambda: self.data, self.rng, host or self._own_host, self.meter)

    def keygen(self, host: Net | None = None) -> Key:
        """A key that he draws as owner by the scheme's public code.

        Raises NotApplicable where the scheme can't draw one for him, as when he has too few images.
        """
        try:
            return self.scheme.keygen(self.as_owner(host), self.rng)
        except ValueError as reason:
            raise NotApplicable(f"the thief can't draw a key of his own: {reason}") from reason

    def _own_host(self) -> Net:
        return Net.of(self.fit(self.build()))


class Insider(Thief):
    """A thief who was told the owner's `key`: only the attacks of the key-oracle lane are played by one."""

    def __init__(self, *thief: Any, key: Key, **more: Any) -> None:
        super().__init__(*thief, **more)
        self.key = copy.deepcopy(key)  # as with the model, his own copy


class Suspect:
    """A service under examination. `ask` answers as the court's access allows; `net` only with weights."""

    def __init__(self, running: Running, access: Access) -> None:
        self._running = running
        self.access = access

    def ask(self, x: Tensor) -> Tensor:
        """Labels (N,), probabilities (N, classes) or outputs for images (N, C, H, W) in [0, 1]."""
        return self._running.ask(x, "probabilities" if self.access == "weights" else self.access)

    def labels(self, x: Tensor) -> Tensor:
        """Labels (N,), whatever more the court may see."""
        return self._running.ask(x, "labels")

    def net(self) -> nn.Module:
        """The suspect's net, a copy. Raises Unreadable unless the court sees weights."""
        if self.access != "weights":
            raise Unreadable(f"the court sees {self.access}, not weights")
        return copy.deepcopy(self._running.model)


@dataclass(frozen=True)
class Court:
    """The judge's own data (nobody else's) and randomness."""

    context: TaskContext
    probe: Data
    rng: torch.Generator

    def right(self, model: nn.Module) -> Tensor:
        """Which probe images `model` classifies correctly, boolean (N,)."""
        return logits(model, self.probe.images()).argmax(1) == self.probe.y
