"""Steps that are recorded once: the same training, the same count, nothing left behind, and a way back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch._dynamo
import torch.nn.functional as F
from step_tape import taped
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.training import capture, loop
from benchmark.training.batches import Batch, BatchSource
from benchmark.training.engine import EAGER, Engine, engine_for
from benchmark.training.flops import Meter, counted
from benchmark.training.loop import fit
from benchmark.training.recipe import Recipe

CAPTURED = Engine(captured=True)
RECIPE = Recipe(epochs=3, lr=2**-4, batch=8, schedule="constant", flip=True, shift=1)  # a rate without rounding


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def source(n: int = 32, batch: int = 8) -> BatchSource:
    x = torch.randint(0, 256, (n, 1, 16, 16), dtype=torch.uint8, generator=seeded(1))
    return BatchSource(x, torch.arange(n) % 10, batch)


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3, 2), nn.Flatten(), nn.Linear(72, 10)
    )


def trained(engine: Engine, recipe: Recipe = RECIPE, make: Callable[[nn.Module], Any] | None = None) -> Any:
    """The tensors of a net after training, what it cost, and the next number of the party's stream."""
    model, meter, rng = net(), Meter(), seeded(0)
    with counted(meter):
        fit(model, [source(), source(16, 4)], recipe, rng, step=make and make(model), engine=engine, meter=meter)
    return model.state_dict(), meter.record(), int(torch.randint(2**40, (), generator=rng))


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one[0].values(), other[0].values(), strict=True))


def replays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "recorded", taped)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_captured_steps_train_as_eager_ones_on_the_same_batches(
    monkeypatch: pytest.MonkeyPatch, optimiser: str
) -> None:
    """The warm-up leaves no trace: neither in weights and statistics nor in momentum."""
    recipe = Recipe(epochs=3, lr=2**-8, batch=8, schedule="constant", flip=True, shift=1, optimiser=optimiser)
    seen: list[list[Batch]] = []
    model = net()

    def spied(batches: Sequence[Batch]) -> Tensor:
        x, targets = (torch.cat(part) for part in zip(*batches, strict=True))
        return F.cross_entropy(model(x), targets)

    places: list[Batch] = []
    place_for = loop._place_for

    def noted(batch: Batch) -> Batch:
        places.append(place_for(batch))
        return places[-1]

    def recorded(run: Callable[[], object], side: torch.cuda.Stream | None) -> Callable[[], object]:
        again = taped(run, side)

        def repeat() -> None:
            seen.append([(x.clone(), targets.clone()) for x, targets in places])
            again()

        return repeat

    monkeypatch.setattr(loop, "_place_for", noted)
    monkeypatch.setattr(capture, "recorded", recorded)
    fit(model, [source(), source(16, 4)], recipe, seeded(0), step=spied, engine=CAPTURED)
    assert len(seen) == 12

    other = net().train().to(memory_format=torch.channels_last)
    optimise = recipe.optimise(list(other.parameters()))
    for batches in seen:
        x, targets = (torch.cat(part) for part in zip(*batches, strict=True))
        optimise.zero_grad()
        F.cross_entropy(other(x), targets).backward()
        optimise.step()
    assert all(map(torch.equal, other.state_dict().values(), model.state_dict().values()))


def test_a_captured_run_counts_what_an_eager_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    eager = trained(EAGER)[1]
    replays(monkeypatch)
    assert trained(CAPTURED)[1] == eager
    assert eager["operations"] > 0
    assert eager["steps"] == 12


def counting(model: nn.Module) -> Any:
    calls = itertools.count(1)
    return lambda batches: F.cross_entropy(model(batches[0][0]), batches[0][1]) / next(calls)


def drawing(model: nn.Module) -> Any:
    rng = seeded(5)
    return lambda batches: (
        F.cross_entropy(model(batches[0][0]), batches[0][1]) * torch.rand((), generator=rng).clamp(0.5)
    )


@pytest.mark.parametrize("make", [counting, drawing])
def test_the_tape_of_these_tests_shows_what_a_graph_would_not_repeat(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[nn.Module], Any]
) -> None:
    by_python = trained(CAPTURED, make=make)
    replays(monkeypatch)
    assert not same(trained(CAPTURED, make=make), by_python)


def asking(model: nn.Module) -> Any:
    def loss(batches: Sequence[Batch]) -> Tensor:
        found = F.cross_entropy(model(batches[0][0]), batches[0][1])
        return found if found.detach().item() > 0 else -found

    return loss


def test_a_step_that_can_not_be_captured_runs_step_by_step_as_if_nothing_had_been_tried(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    eager = trained(EAGER, make=asking)
    replays(monkeypatch)
    tried = trained(CAPTURED, make=asking)
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "a training step can't be captured, and training goes on step by step (RuntimeError: " in said
    assert same(tried, eager)
    assert tried[1:] == eager[1:]


def broken(graph: Any, inputs: Any) -> Any:
    raise RuntimeError("no compiler is installed")


def at_any_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "compiles", lambda engine, steps, operations: bool(engine.compiler))


def test_a_compiler_that_fails_leaves_captured_steps(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    replays(monkeypatch)
    at_any_price(monkeypatch)
    torch._dynamo.register_backend(broken, name="broken")
    try:
        tried = trained(Engine(captured=True, compiler="broken"))
    finally:
        torch._dynamo.reset()
    said = capfd.readouterr().err
    assert said.count("training goes on") == 1
    assert "a training step can't be compiled, and training goes on uncompiled (" in said
    assert "no compiler is installed" in said
    plain = trained(CAPTURED)
    assert same(tried, plain)
    assert tried[1:] == plain[1:]


def test_compiled_steps_train_alike_and_leave_the_net_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    replays(monkeypatch)
    at_any_price(monkeypatch)
    plain = trained(CAPTURED)
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", _noting(nn.Module.compile, compiled))
    try:
        found = trained(Engine(captured=True, compiler="aot_eager"))
    finally:
        torch._dynamo.reset()
    assert capfd.readouterr().err == ""
    assert [len(one) for one in compiled] == [len(net())]  # the net itself, and none of its layers
    assert compiled[0]._compiled_call_impl is None
    assert found[1:] == plain[1:]
    for one, other in zip(found[0].values(), plain[0].values(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_process_compiles_more_kinds_of_nets_than_torch_would_let_it() -> None:
    made: list[int] = []
    torch._dynamo.reset()
    torch._dynamo.register_backend(lambda graph, inputs: made.append(1) or graph.forward, name="counting")
    try:
        for width in range(1, 13):
            one = nn.Sequential(nn.Linear(width, 1))
            capture._compile([one], "counting")
            one(torch.zeros(2, width))
    finally:
        torch._dynamo.reset()
    assert len(made) == 12


def _noting(original: Callable[..., None], made: list[nn.Module]) -> Callable[..., None]:
    def compile(module: nn.Module, **options: Any) -> None:
        made.append(module)
        original(module, **options)

    return compile


class Asked(TorchDispatchMode):
    """Counts the values that Python asks for, and what is drawn at random."""

    def __init__(self) -> None:
        super().__init__()
        self.values = self.draws = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.values += func is torch.ops.aten._local_scalar_dense.default
        self.draws += "rand" in str(func)
        return func(*args, **(kwargs or {}))


def asked(batch: int, epochs: int) -> tuple[int, int]:
    recipe = Recipe(epochs=epochs, batch=batch, shift=1, flip=True, clip=1.0)
    with Asked() as mode:
        fit(net(), [source(batch=batch)], recipe, seeded(0), engine=CAPTURED)
    return mode.values, mode.draws


def test_an_epoch_is_drawn_at_once_and_nobody_waits_for_the_device_in_it() -> None:
    (values, draws), (more_values, same_draws) = asked(16, 4), asked(4, 4)
    assert draws == same_draws
    assert values == more_values
    assert asked(4, 8)[0] == values


def test_who_trains_how() -> None:
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert engine_for(gpu, "auto") == Engine(captured=True, compiler="inductor")
    for device, wanted, foreign in ((cpu, "auto", False), (gpu, "eager", False), (gpu, "auto", True)):
        assert engine_for(device, wanted, foreign=foreign) == EAGER


def test_what_pays_for_a_compiler() -> None:
    engine, image = Engine(captured=True, compiler="inductor"), 1_670_000_000  # multiply-adds of ResNet-18
    assert engine.compiles(38 * 78, 512 * image)  # a host of cifar10
    assert not engine.compiles(20 * 8, 512 * image)  # fine-tuning on 4,500 images
    assert not engine.compiles(60 * 400, 100 * image)  # no gain at so small a batch
    assert not CAPTURED.compiles(38 * 78, 512 * image)
