"""What every party that trains can do, and the owner; what everybody knows, and what can't be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import Spec
from benchmark.architectures.catalogue import LIBRARIES, architecture_spec
from benchmark.architectures.net import Net, build
from benchmark.architectures.weights import put_weights
from benchmark.data.splits import Data
from benchmark.data.tasks import Task
from benchmark.identity import stream_seed
from benchmark.training.augmentation import Augment
from benchmark.training.batches import BatchSource, Step
from benchmark.training.engine import EAGER, Engine
from benchmark.training.flops import Meter
from benchmark.training.loop import fit
from benchmark.training.recipe import Recipe


@dataclass(frozen=True)
class TaskContext:
    """What everybody knows: the task, the house architecture and its recipe, the device and the way to train on it.

    weights: reads those that house nets begin with in place of random ones; the owner's alone, None where there are
    none.
    """

    task: Task
    architecture: str
    recipe: Recipe
    device: torch.device
    precision: str = "auto"
    engine: Engine = EAGER
    weights: Callable[[], Mapping[str, Tensor]] | None = None

    def spec(self, architecture: str | None = None) -> Spec:
        if self.task.kind == "image-to-image":
            return {"builder": architecture or self.architecture, "channels": self.task.shape[0]}
        found = architecture_spec(architecture or self.architecture)
        if found["builder"] in LIBRARIES:  # which know the normalisation of each of their nets
            return {**found, "classes": self.task.classes, "size": self.task.shape[1]}
        return {
            **found,
            "classes": self.task.classes,
            "mean": list(self.task.mean), "std": list(self.task.std),
        }  # fmt: skip


class Unreadable(Exception):
    """The court can't read this suspect (another architecture, changed shapes): no evidence, with the reason."""


def stream(*parts: object) -> torch.Generator:
    """A random stream named by (replicate, role, plug-in, task, ...), whatever the plug-in's code and parameters."""
    return torch.Generator().manual_seed(stream_seed(*parts))


class Party:
    """Someone with data, a stream of randomness and a machine: the owner, and the thief."""

    def __init__(
        self, context: TaskContext, data: Data | Callable[[], Data], rng: torch.Generator, meter: Meter | None = None
    ) -> None:
        self.context, self.task, self.device = context, context.task, context.device
        self.rng, self.meter, self._data = rng, meter or Meter(), data

    @property
    def data(self) -> Data:
        """The party's labelled images, on the device."""
        return self._data() if callable(self._data) else self._data

    @property
    def inputs(self) -> Tensor:
        """The party's images without their labels, uint8 (N, C, H, W)."""
        return self.data.x

    def recipe(self, **changes: Any) -> Recipe:
        """The recipe of the house architecture, with the fields named changed, such as `lr=0.01`."""
        return replace(self.context.recipe, **changes)

    def build(self, architecture: str | None = None) -> nn.Module:
        """A freshly initialised net of the house architecture, or of another one, such as "resnet18(width=16)".

        A house net has the weights that its owner brought, where he did; a head of another width than the task's is
        drawn.
        """
        model = self.assemble(self.context.spec(architecture))
        if architecture in (None, self.context.architecture):
            self._put_weights(model)
        return model

    def given(self) -> nn.Module | None:
        """The house net as the owner brought it; None where he brought none, or one for another number of classes."""
        if self.context.weights is None:
            return None
        model = self.assemble(self.context.spec())
        return None if self._put_weights(model) else model

    def _put_weights(self, model: nn.Module) -> list[str]:
        """The names of the tensors that stay as they were drawn for want of weights that fit."""
        read = self.context.weights
        return [] if read is None else put_weights(model, read(), self.task.classes)

    def assemble(self, spec: Spec) -> nn.Module:
        """A freshly initialised net of any spec; the draw comes from the party's stream."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (), generator=self.rng)))
            return build(spec).to(self.device)

    def fit(
        self, model: nn.Module, recipe: Recipe | None = None, *, data: Data | BatchSource | None = None,
        beside: Sequence[BatchSource] = (), step: Step | None = None, augment: Augment | None = None,
        parameters: Sequence[nn.Parameter] | None = None, only: nn.Module | None = None,
    ) -> nn.Module:  # fmt: skip
        """Train `model` in place and return it; see `benchmark.training.loop.fit`. Counted.

        `data` (default: the party's own) sets the epoch; each step also takes a batch of every source in `beside`.
        """
        recipe = recipe or self.context.recipe
        first = self.data if data is None else data
        main = first if isinstance(first, BatchSource) else BatchSource.of(first, min(recipe.batch, len(first)))
        fit(
            model, [main, *beside], recipe, self.rng, step=step, augment=augment, parameters=parameters, only=only,
            precision=self.context.precision, engine=self.context.engine, meter=self.meter,
        )  # fmt: skip
        return model

    def minimise(
        self, loss: Callable[[], Tensor], parameters: Sequence[Tensor], steps: int, lr: float, *,
        rule: Literal["adam", "sign"] = "adam", project: Callable[[Tensor], Tensor] | None = None, images: int = 0,
    ) -> None:  # fmt: skip
        """Minimise `loss()` over the leaf tensors `parameters`, in place: for what is no training of a net.

        `rule`: Adam at rate `lr`, or every number moved by `lr` against the sign of its gradient (projected gradient
        descent, Madry et al. 2018, section 2.1). Each step ends with `project` of every parameter. Counted: the steps,
        and the `images` that the loss pushes through a net in each of them.
        """
        optimiser = torch.optim.Adam(parameters, lr) if rule == "adam" else torch.optim.SGD(parameters, lr)
        for _ in range(steps):
            for one, slope in zip(parameters, torch.autograd.grad(loss(), parameters), strict=True):
                one.grad = slope if rule == "adam" else slope.sign()
            optimiser.step()
            if project is not None:
                with torch.no_grad():
                    for one in parameters:
                        one.copy_(project(one))
        self.meter.steps += steps
        self.meter.samples += steps * images


class Owner(Party):
    """Embeds the mark. `host` is his own unmarked net, trained on his split (a private copy each time).

    used_host: whether he asked for it since that was last set to False.
    """

    used_host = False

    def __init__(
        self, context: TaskContext, data: Data | Callable[[], Data], rng: torch.Generator,
        host: Net | Callable[[], Net] | None = None, meter: Meter | None = None,
    ) -> None:  # fmt: skip
        super().__init__(context, data, rng, meter)
        self._host = host

    @property
    def host(self) -> nn.Module:
        """The unmarked net, on the device, in eval mode. Raises LookupError when the scheme didn't ask for one."""
        if self._host is None:
            raise LookupError("this scheme has no host: declare `host = True`")
        self.used_host = True
        if callable(self._host):
            self._host = self._host()
        return self._host.module(self.device)
