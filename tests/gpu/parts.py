"""What the check measures, part by part. Whoever only runs commands imports no torch here."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

from card import NVIDIA_SMI, STAND_IN, bench, watched
from check import Row

from benchmark.app.planned_run import use_data_root
from benchmark.planning.profile import PROFILES, Profile, load_profile

HERE = Path(__file__).parent
SECRET = HERE.parent / "support" / "secret.txt"  # one for both runs that are compared
IMAGES_OF_FINETUNING = 5_000 * 20


@dataclass(frozen=True)
class Size:
    """How large everything is. attacks: whose cells are timed; None: those of `bench speed`.

    epochs: of the run in which the card is watched. watched, everything, subset: schemes and attacks of the runs, and
    folders: where their results lie.
    """

    device: str
    trained: Path  # the profile of training, cells and the watched run
    judged: Path  # the profile of all schemes against all attacks
    epochs: int
    rounds: int  # of timed trainings, by the engine and by hand
    cell_rounds: int
    attacks: tuple[str, ...] | None
    watched: tuple[str, str]
    everything: tuple[str, str]
    subset: tuple[str, str]
    foreign: str  # schemes that meet somebody else's attack
    folders: tuple[str, str, str]
    sampler: tuple[str, ...]


FULL = Size(
    device="cuda", trained=PROFILES / "cifar10.toml", judged=PROFILES / "quick.toml",
    epochs=8, rounds=2, cell_rounds=3, attacks=None,
    watched=("adi(epochs=8)", "none,prune(amount=0.5),finetune(mode=ftal,epochs=20)"), everything=("all", "grid"),
    subset=("adi,rose", "none,prune*,quantize*,jpeg*,sign-flip,finetune*"), foreign="adi,passport",
    folders=("watched", "card", "processor"), sampler=NVIDIA_SMI,
)  # fmt: skip
DRY = Size(
    device="cpu", trained=HERE.parent / "small.toml", judged=HERE.parent / "small.toml",
    epochs=1, rounds=1, cell_rounds=1, attacks=("quantize(bits=8)", "finetune(mode=ftal,epochs=1)"),
    watched=("adi(epochs=1)", "none"), everything=("adi(epochs=1)", "none"), subset=("adi(epochs=1)", "none"),
    foreign="adi(epochs=1)", folders=("all", "all", "all"), sampler=STAND_IN,
)  # fmt: skip


def measure(part: str, data: Path, out: Path, dry: bool) -> list[Row]:
    """The rows of one part. Raises what goes wrong."""
    use_data_root(data)
    measured: Callable[[Size, Path], list[Row]] = {
        "training": training, "cells": cells, "busy": busy, "quick": quick, "confined": confined,
    }[part]  # fmt: skip
    return measured(DRY if dry else FULL, out)


def training(size: Size, out: Path) -> list[Row]:
    """The profile's whole recipe by the engine, in alternation with as many epochs of the fast loop by hand.

    The first training is not timed: in it the compiler works and kernels are chosen, once for a process.
    """
    import torch

    from benchmark.app.speed.samples import timed
    from benchmark.app.speed.training import Trainers, alternated, compared, matrix_rate, operations_per_image
    from benchmark.data.splits import load
    from benchmark.training.device import device_of
    from benchmark.training.loop import logits

    device, profile = device_of(size.device), _profile(size, out)
    trainers = Trainers.of(profile, device)
    recipe = trainers.recipe(trainers.context.recipe.epochs)
    test = load(trainers.context.task).test.to(device)
    nets = list[torch.nn.Module]()

    def engine() -> None:
        party = trainers.party(seed=len(nets))
        nets.append(party.fit(party.build()))

    first = timed(engine, device)
    fast, note = trainers.fast()
    print(note)
    hand, loop = ("fast loop", fast) if fast else ("bare loop", trainers.bare)
    taken = alternated({"engine": engine, hand: partial(loop, recipe)}, device, size.rounds)
    accuracies = [100 * float((logits(net, test.images()).argmax(1) == test.y).float().mean()) for net in nets]
    images = recipe.epochs * (len(trainers.data) // recipe.batch) * recipe.batch
    found, rate = compared(taken, images), matrix_rate(device, profile.precision)
    pace, ratio = found["engine"].value, found["engine's time / the best by hand's"].value
    net, times = f"{profile.architecture} on {profile.task}", len(taken["engine"])
    return [
        Row(f"{net}: images a second", pace, "images/s", "at least", 70_000.0),
        Row("its share of the matrix product", 100 * operations_per_image(trainers.context) * pace / rate, "%"),
        Row(f"the {hand} by hand: images a second", found[hand].value, "images/s"),
        Row(f"engine's time / the {hand}'s", ratio, "", "at most", 1.05),
        Row(f"one training, the longest of {times}", max(taken["engine"]), "s", "at most", 20.0),
        Row("the first of the process, with compiling", first, "s"),
        Row(f"accuracy on {len(test):,} test images, mean of {len(nets)}", fmean(accuracies), "%", "at least", 94.0),
        *(Row(f"accuracy, seed {seed}", one, "%") for seed, one in enumerate(accuracies)),
    ]


def cells(size: Size, out: Path) -> list[Row]:
    """Cells from end to end in a worker that has done one of each before."""
    from benchmark.app.speed.cells import TRAINED, UNTRAINED, measure_cells
    from benchmark.training.device import device_of

    attacks, pace = size.attacks or (*UNTRAINED, *TRAINED), 70_000.0 if size.device == "cuda" else 2_000.0
    found = measure_cells(_profile(size, out), device_of(size.device), pace, [1], attacks, size.cell_rounds)
    rows = []
    for attack, samples in found.samples.items():
        seconds = found.figures[f"cell of {attack}"].value
        if samples:
            rows.append(
                Row(f"{attack}, for 5,000 images", seconds * IMAGES_OF_FINETUNING / samples, "s", "at most", 3.0)
            )
        else:
            rows.append(Row(f"cell of {attack}", seconds, "s", "at most", 0.5))
    return rows


def busy(size: Size, out: Path) -> list[Row]:
    """The card during a whole run, which is short: so its start weighs more than in a longer one."""
    words = _run(size, out / size.folders[0], _shortened(size.trained, size.epochs, out), size.watched)
    began = time.monotonic()
    code, load = watched(words, size.sampler)
    return [
        Row("the card busy during a whole run", load.busy, "%", "at least", 60.0),
        Row("that run's time", time.monotonic() - began, "s"),
        Row("that run's exit code", code, "", "at most", 0),
        Row("the card's memory, at most", load.memory, "MB"),
    ]


def quick(size: Size, out: Path) -> list[Row]:
    """Every scheme against every attack on the card, and some of them on the CPU as well."""
    _, card, processor = (out / folder for folder in size.folders)
    began = time.monotonic()
    code, load = watched(_run(size, card, _judged(size, out), size.everything), size.sampler)
    took = time.monotonic() - began
    own = bench(*_run(replace(size, device="cpu"), processor, _judged(size, out), size.subset))
    bench("compare", str(processor / "check"), str(card / "check"), "--json", into=out / "compared.json")
    found = json.loads((out / "compared.json").read_text())
    both = found["same"] + found["compared"]
    changed = len(found["worse"]) + len(found["better"]) + len(found["unjudged"])
    return [
        Row("quick, all against all: exit code", code, "", "at most", 0),
        Row("its time", took, "s"),
        Row("the card busy meanwhile", load.busy, "%"),
        Row("the same on the CPU, a part: exit code", own, "", "at most", 0),
        Row("cells of that part", both, "", "at least", 1),
        Row("of them with another verdict", 100 * changed / max(1, both), "%", "at most", 5.0),
    ]


def confined(size: Size, out: Path) -> list[Row]:
    """Somebody else's attack, in processes with walls and a /dev/shm of their own, on the card."""
    from benchmark.execution.processes.namespaces import can_separate

    words = _run(size, out / size.folders[1], _judged(size, out), (size.foreign, "weight-noise"))
    code = bench(*words, "--run", "confined", "--plugin", str(HERE / "weight_noise.py"))
    return [
        Row("a /dev/shm of its own for a confined process (1: yes)", can_separate(), "", "at least", 1),
        Row("somebody else's attack: exit code", code, "", "at most", 0),
    ]


def _run(size: Size, results: Path, profile: str, cells: tuple[str, str]) -> list[str]:
    crossed = ["--profile", profile, "--seeds", "1", "--schemes", cells[0], "--attacks", cells[1]]
    return [
        "run", *crossed, "--device", size.device, "--results", str(results), "--run", "check", "--secret", str(SECRET),
    ]  # fmt: skip


def _profile(size: Size, out: Path) -> Profile:
    return load_profile(str(size.trained) if size.device == "cuda" else _shortened(size.trained, size.epochs, out))


def _judged(size: Size, out: Path) -> str:
    return str(size.judged) if size.device == "cuda" else _shortened(size.judged, size.epochs, out)


def _shortened(profile: Path, epochs: int, out: Path) -> str:
    """A copy of a profile's file with another number of epochs."""
    text, times = re.subn(r"(?m)^epochs = \d+", f"epochs = {epochs}", profile.read_text())
    if times != 1:
        raise ValueError(f"{profile} has {times} lines with epochs")
    short = out / f"{profile.stem}-{epochs}.toml"
    short.write_text(text)
    return str(short)
