"""How fast the engine trains: against loops written by hand, and against what the device can multiply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F

from benchmark.app.speed.loops import bare_loop, compiler_for, fast_loop
from benchmark.app.speed.samples import Figure, timed
from benchmark.data.download import provide
from benchmark.data.splits import Data, load
from benchmark.errors import BenchError, message_of
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import Profile
from benchmark.protocol.parties import Party, TaskContext
from benchmark.training.flops import Meter, counted
from benchmark.training.recipe import Recipe

ROUNDS = 9  # of each loop, at most; the interval then leaves out one round at either end
MATRIX_SIDES = {"cuda": 8192, "cpu": 1024}  # of the square matrices whose product is timed
Loop = Callable[[Recipe], None]  # trains a fresh net


@dataclass(frozen=True)
class TrainingSpeed:
    """What training came to. pace: images a second of the engine. note: what the fast loop is here, in words."""

    figures: Mapping[str, Figure]
    pace: float
    note: str


@dataclass(frozen=True)
class Trainers:
    """The house net of a profile, the owner's images on the device, and three ways to train a fresh net on them."""

    context: TaskContext
    data: Data

    @classmethod
    def of(cls, profile: Profile, device: torch.device) -> Trainers:
        """Raises BenchError for a profile of image-to-image nets."""
        context = context_of(profile.world(), device)
        if context.task.kind != "classification":
            raise BenchError(f"loops by hand train nets that name classes, and {context.task.name} has none")
        provide(context.task)
        return cls(context, load(context.task).owner.to(device))

    def recipe(self, epochs: int) -> Recipe:
        """The profile's batches, rate, shifts and mirroring, without what else a recipe may ask for."""
        own = self.context.recipe
        batch = min(own.batch, len(self.data))
        return Recipe(epochs=epochs, lr=own.lr, batch=batch, shift=own.shift, flip=own.flip)

    def party(self, seed: int = 0) -> Party:
        return Party(self.context, self.data, torch.Generator().manual_seed(seed))

    def engine(self, recipe: Recipe) -> None:
        party = self.party()
        party.fit(party.build(), recipe)

    def bare(self, recipe: Recipe) -> None:
        bare_loop(self.party().build(), self.data, recipe, self.context.precision)

    def fast(self) -> tuple[Loop | None, str]:
        """The fast loop that works here, warmed up, and what it is; None where it would be the bare one."""
        device, recipe = self.context.device, self.recipe(epochs=1)
        captured = "the whole step captured in a CUDA graph" if device.type == "cuda" else ""
        failed = "no compiler for the code that torch.compile writes was found"
        if compiler := compiler_for(device):
            try:
                self._fast(compiler, recipe)
            except Exception as error:  # whatever a compiler and its code can raise
                failed = f"torch.compile failed ({type(error).__name__}: {message_of(error, 200)})"
            else:
                return partial(self._fast, compiler), ", ".join(filter(None, ("fast loop: a compiled net", captured)))
        if not captured:
            return None, f"by hand there is the bare loop alone: {failed}"
        self._fast(None, recipe)
        return partial(self._fast, None), f"fast loop: {captured}; {failed}"

    def _fast(self, compiler: str | None, recipe: Recipe) -> None:
        fast_loop(self.party().build(), self.data, recipe, self.context.precision, compiler)


def measure_training(profile: Profile, device: torch.device, seconds: float, rounds: int = ROUNDS) -> TrainingSpeed:
    """Alternate engine, bare loop and fast loop for about `seconds`, on the profile's net, images and batch size.

    On a GPU each trains as long as the profile does, in 3 to `rounds` rounds: the engine compiles what is trained for
    long. On a CPU it trains as many epochs as `rounds` rounds have time for. Raises BenchError as `Trainers.of` does.
    """
    trainers = Trainers.of(profile, device)
    whole = trainers.context.recipe.epochs if device.type == "cuda" else 1
    recipe = trainers.recipe(whole)
    trainers.engine(recipe)
    trainers.bare(trainers.recipe(epochs=1))
    fast, note = trainers.fast()
    loops: dict[str, Loop] = {"engine": trainers.engine, "bare loop": trainers.bare}
    loops |= {"fast loop": fast} if fast else {}
    samples = seconds / len(loops) / timed(partial(trainers.engine, recipe), device)
    if device.type == "cuda":
        rounds = max(3, min(rounds, round(samples)))
    else:
        recipe = trainers.recipe(max(1, round(samples / rounds)))
    taken = alternated({name: partial(loop, recipe) for name, loop in loops.items()}, device, rounds)
    images = recipe.epochs * (len(trainers.data) // recipe.batch) * recipe.batch
    figures = compared(taken, images) | _share(trainers.context, taken["engine"], images)
    return TrainingSpeed(figures, figures["engine"].value, note)


def alternated(runs: Mapping[str, Callable[[], object]], device: torch.device, rounds: int) -> dict[str, list[float]]:
    """The seconds of each run in each round; another one begins every time, so that none is always the first."""
    names, taken = list(runs), {name: list[float]() for name in runs}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(timed(runs[name], device))
    return taken


def compared(taken: Mapping[str, list[float]], images: int) -> dict[str, Figure]:
    """Images a second of every loop, and the engine's time as a ratio to each of those by hand, round by round.

    The last ratio is that to the one which is faster here.
    """
    figures = {name: Figure.of([images / one for one in seconds], "images/s") for name, seconds in taken.items()}
    by_hand = [name for name in taken if name != "engine"]
    best = max(by_hand, key=lambda name: figures[name].value)
    for title, name in (*((name, name) for name in by_hand), ("the best by hand", best)):
        ratios = [one / other for one, other in zip(taken["engine"], taken[name], strict=True)]
        figures[f"engine's time / {title}'s"] = Figure.of(ratios, "")
    return figures


def _share(context: TaskContext, taken: list[float], images: int) -> dict[str, Figure]:
    """The device's rate in multiplying matrices, and the engine's share of it."""
    rate = matrix_rate(context.device, context.precision)
    share = [100 * operations_per_image(context) * images / seconds / rate for seconds in taken]
    return {
        "matrix product": Figure(2 * rate / 1e9, "GFLOP/s", 2 * rate / 1e9, 2 * rate / 1e9),
        "engine's share of it": Figure.of(share, "%"),
    }


def operations_per_image(context: TaskContext, images: int = 8) -> float:
    """Multiply-adds of a forward and a backward pass through the house net (`benchmark.training.flops`)."""
    model = Party(context, load(context.task).owner, torch.Generator().manual_seed(0)).build().train()
    x = torch.zeros(images, *context.task.shape, device=context.device)
    with counted(meter := Meter()):
        F.cross_entropy(model(x), torch.zeros(images, dtype=torch.long, device=context.device)).backward()
    return meter.operations / images


def matrix_rate(device: torch.device, precision: str, side: int | None = None) -> float:
    """Multiply-adds a second of the product of two square matrices, in the type that training computes in: the best of
    ten, since whatever else runs can only slow it down.
    """
    side = side or MATRIX_SIDES[device.type]
    kind = torch.bfloat16 if device.type == "cuda" and precision == "auto" else torch.float32
    one = torch.ones(side, side, dtype=kind, device=device)
    product = partial(torch.matmul, one, one)
    product()
    return side**3 / min(timed(product, device) for _ in range(10))
