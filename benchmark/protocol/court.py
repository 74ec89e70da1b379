"""The court: the judge's images, and how a suspect is asked so that it can't tell a key from what it is asked anyway.

Whoever serves a model may answer as he likes, but not by what else he is asked. So everything is asked in shuffled
batches of one size, in which what bears a key travels among several times as many images of the judge's own. Those it
has answered before, and it must answer them alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.architectures.alignment import aligned
from benchmark.architectures.blocks import FUSED, Spec, conv_blocks, plain
from benchmark.architectures.fusing import unfused
from benchmark.architectures.net import Net, build, known
from benchmark.data.splits import Data, as_float
from benchmark.errors import NotApplicable
from benchmark.protocol.answers import Answers, alike, checked, differing, probabilities
from benchmark.protocol.graph import fitted
from benchmark.protocol.objects import Asked, Running, Service, ServiceFailed
from benchmark.protocol.parties import TaskContext, Unreadable
from benchmark.training.device import answered_at_once
from benchmark.training.loop import logits
from benchmark.vocabulary import Access

BATCH = 100  # images in every question
OWN = 3  # of the judge's own images, to each that bears a key
REBUILT = 0.9  # of the judge's images a net rebuilt from a suspect's operators answers as the suspect did
SERVED = 0.98  # of the judge's images a net has the class that the service with somebody else's filters around it gave


class Inconsistent(Unreadable):
    """The suspect answers an image by what else it is asked; the message says what was seen."""


class Opaque(Unreadable):
    """The court can't read the suspect's net, for nobody but its maker knows how it is built."""


@dataclass(frozen=True)
class Court:
    """The judge's own data (nobody else's) and randomness, and the net that the owner delivered, where it is known.

    aligns: whether weights are read after alignment to that net, too.
    """

    context: TaskContext
    probe: Data
    rng: torch.Generator
    delivered: Net | None = None
    aligns: bool = True

    @property
    def reference(self) -> Net | None:
        """The net that suspects are aligned to."""
        return self.delivered if self.aligns else None

    def right(self, model: nn.Module) -> Tensor:
        """Which probe images `model` classifies correctly, boolean (N,)."""
        return logits(model, self.probe.images()).argmax(1) == self.probe.y

    def answers(self, service: Asked, among: Tensor | None = None) -> Answers:
        """What a new service answers to the judge's images, asked once. Raises ValueError where it doesn't answer.

        among: images uint8 (N, C, H, W) that are asked with them and not looked at, so that a service which remembers
        has met what bears a key together with what bears none.
        """
        others = as_float(self.probe.x[:0] if among is None else among)
        own = torch.arange(_filled(len(self.probe), len(others))) % len(self.probe)
        return Answers(self.ask(service, others, own)[len(others) :][: len(self.probe)])

    def ask(self, service: Asked, x: Tensor, own: Tensor) -> Tensor:
        """Outputs, float32 on the CPU, for images (N, C, H, W) in [0, 1] and behind them the probe's of index `own`.

        Raises ValueError where one of the images is not answered.
        """
        outputs: list[Tensor] = []
        order = torch.randperm(len(x) + len(own), generator=self.rng)
        for part in order.split(self._at_once(service)):
            batch = torch.empty(len(part), *self.probe.x.shape[1:], device=self.probe.x.device)
            foreign = part < len(x)
            batch[foreign] = x[part[foreign]].to(batch)
            batch[~foreign] = as_float(self.probe.x[own[part[~foreign] - len(x)]])
            outputs.append(checked(service.ask(batch, "outputs"), batch, self.context.task.kind))
        if len({one.shape[1:] for one in outputs}) > 1:
            raise ValueError("the model answers with another shape from batch to batch")
        return torch.cat(outputs)[order.argsort()]

    def expected(self) -> Iterator[Spec]:
        """Specs of what a suspect may have been made from: the delivered net and the house's, each also fused."""
        for spec in filter(known, ([self.delivered.spec] if self.delivered else []) + [self.context.spec()]):
            yield spec
            if any(conv_blocks(model := plain(build(spec)))):
                yield {**model.spec(), "norm": FUSED}  # type: ignore[operator]

    def _at_once(self, service: Asked) -> int:
        """Images that are asked together: `BATCH`, whoever answers. A model in this process is no stranger's and
        answers each image by itself, so a GPU is given many questions at a time.
        """
        return answered_at_once(self.probe.x, BATCH) if isinstance(service, Running) else BATCH

    def beside(self, asked: int, keyed: int) -> Tensor:
        """Which of the probe's images go beside `asked` others, of which `keyed` bear a key: their index.

        `OWN` times as many as bear a key, less those of the others that bear none, and as many as bear one at least.
        They fill the last batch; only where the judge has too few does an image come twice.
        """
        wanted = min(len(self.probe), max(keyed, OWN * keyed - (asked - keyed)))
        order, count = torch.randperm(len(self.probe), generator=self.rng), _filled(wanted, asked)
        return order.repeat(-(-count // len(order)))[:count]


def _filled(wanted: int, asked: int) -> int:
    """`wanted` images, and as many more as fill the last batch beside `asked` others."""
    return -(-(wanted + asked) // BATCH) * BATCH - asked


class Suspect:
    """A service under examination. `ask` answers as the court's access allows; `net` only with weights.

    running: the service, which is asked; `answers`: what it answered to the judge's images before.
    """

    def __init__(self, service: Service, running: Asked, answers: Answers, access: Access, court: Court) -> None:
        self.access, self._court, self._service, self._running = access, court, service, running
        self._before = answers
        self._turned: dict[object, Net | None] = {}  # aligned, by what alignment was blind to
        self.inconsistent: str | None = None  # why its answers are no answers of one model, once that is seen

    @property
    def answers(self) -> Tensor:
        """What it answers to the judge's images, in their order, as the court's access allows: see `ask`."""
        return self._shown(self._before.outputs)

    def ask(self, x: Tensor, keyed: int | None = None) -> Tensor:
        """Labels (N,), probabilities (N, classes) or outputs for images (N, C, H, W) in [0, 1].

        A label is the likeliest of all classes that the suspect knows, so it may be none of the task's; probabilities
        are those of the task's classes. keyed: how many of `x` bear the key, where the rest is the court's own and
        bears none; by default all do. Raises Inconsistent where it fails at images that it has answered before.
        """
        return self._shown(self._outputs(x, keyed)).to(x.device)

    def labels(self, x: Tensor, keyed: int | None = None) -> Tensor:
        """Labels (N,), whatever more the court may see."""
        return self._outputs(x, keyed).argmax(1).to(x.device)

    def _outputs(self, x: Tensor, keyed: int | None) -> Tensor:
        own = self._court.beside(len(x), len(x) if keyed is None else keyed)
        try:
            outputs = self._court.ask(self._running, x, own)
        except (ServiceFailed, ValueError) as error:
            if isinstance(error, ServiceFailed) and error.passing:
                raise
            self.inconsistent = f"the service fails beside other images at those it has answered before: {error}"
            raise Inconsistent(self.inconsistent) from error
        differ = differing(Answers(self._before.outputs[own]), outputs[len(x) :])
        if bool(differ.any()):
            seen = f"{int(differ.sum())} of {len(own)} of the judge's images"
            self.inconsistent = f"the service answers {seen} otherwise among other images"
        return outputs[: len(x)]

    def _shown(self, outputs: Tensor) -> Tensor:
        if self._court.context.task.kind == "image-to-image":
            return outputs
        if self.access == "labels":
            return outputs.argmax(1)
        return probabilities(outputs, self._court.context.task.classes)

    def net(self) -> nn.Module:
        """The suspect's net, a copy, with the normalisation that was fused into its convolutions behind them again.

        A net of an unknown builder is read as the net that was delivered, or as a house net. A net behind filters of
        unknown builders is read if it answers as they do: one filter could keep the images for another to answer.
        Raises Unreadable unless the court sees weights, and can read them.
        """
        if self.access != "weights":
            raise Unreadable(f"the court sees {self.access}, not weights")
        device = self._court.context.device
        if known(self._service.net.spec):
            shown = self._service.net.module(device)
            if not (self._service.known or self._serves(shown)):
                raise Opaque("what it answers is not what the net that it shows answers")
            return unfused(shown)
        builder = self._service.net.spec["builder"]
        shape = (2, *self._court.probe.x.shape[1:])
        try:
            operators = self._running.graph(shape)
        except ServiceFailed as error:
            if error.passing:
                raise
            raise Opaque(f"the net of the builder {builder!r} can't be traced: {error}") from error
        for spec in self._court.expected():
            model = fitted(operators, spec, shape)
            if model is not None and self._same(model.to(device)):
                return unfused(model)
        raise Opaque(f"no net that the court knows computes what the net of the builder {builder!r} does")

    def aligned(self, blind: Mapping[str, Tensor]) -> nn.Module | None:
        """The suspect's net without passports, a copy, in the order, scale and signs of the net that was delivered.

        None where the court aligns to none, or to one of another shape. Raises Unreadable as `net` does.

        blind: by convolution, the direction of its filters that bits are read in, (C_in, kH, kW), where nothing is
        compared: see `benchmark.architectures.alignment`. The rest of the delivered weights may hold something of the
        mark, too, and draw strange nets towards it. So what is read here has no law of its own, and is compared with
        what is read of nulls.
        """
        delivered, device = self._court.reference, self._court.context.device
        if delivered is None:
            return None
        name = tuple((layer, one.cpu().numpy().tobytes()) for layer, one in blind.items())
        if name not in self._turned:
            model, reference = plain(self.net()), unfused(plain(delivered.module(device)))
            try:
                self._turned[name] = Net.of(aligned(model, reference, self._court.context.task.shape, blind))
            except (ValueError, NotApplicable):
                self._turned[name] = None
        turned = self._turned[name]
        return None if turned is None else turned.module(device)

    def _serves(self, model: nn.Module) -> bool:
        """Whether `model` answers the judge's images as the service did whose net it is."""
        given = self._before.outputs
        if given.dim() != 2:
            return self._same(model)
        own = logits(model, self._court.probe.images()).cpu()
        return float((own.argmax(1) == given.argmax(1)).float().mean()) >= SERVED

    def _same(self, model: nn.Module) -> bool:
        """Whether `model` answers the judge's images as the suspect did."""
        try:
            return alike(self._before, logits(model, self._court.probe.images()).cpu()) >= REBUILT
        except RuntimeError:  # shapes that don't fit together
            return False
