"""The thief's use, with no matrix: attack one marked model, by the step that attacks the models of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmark.app import standalone_files
from benchmark.app.card import CARD, CardUtility
from benchmark.app.single_model import KEY, MODEL, check_room, scheme_of, track_of, utility_of
from benchmark.app.verify.claims import card_beside, profile_of
from benchmark.data.splits import Holdings, load_split, thief_data
from benchmark.errors import BenchError, NotApplicable
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import Profile, load_profile
from benchmark.plugins.registry import Registry, load
from benchmark.plugins.selection import Setting, one_scheme
from benchmark.protocol import steps
from benchmark.protocol.objects import Release
from benchmark.protocol.parties import TaskContext, stream
from benchmark.store import artefacts
from benchmark.training.device import device_of


@dataclass(frozen=True)
class Stolen:
    """What a thief ends up with.

    model: its file. claim: the file of the key that he claims the model by, None where the attack claims nothing.
    utility: of the model on the judge's images. cost: the images, queries and work that he used, counted.
    """

    model: Path
    claim: Path | None
    utility: CardUtility
    cost: Mapping[str, int]


def attack_model(
    model: Path, attack: Setting, out: Path, scheme: str | None, profile: str | None, registry: Registry, seed: int,
    device: str,
) -> Stolen:  # fmt: skip
    """Attack the model at `model`, a file or the folder of its owner, with the images of the profile's first thief.

    scheme, profile: None for those of the card beside it. Raises BenchError where the attack can't be run on it, the
    model can't be read or `out` can't be written.
    """
    path = model / MODEL if model.is_dir() else model
    card = card_beside(standalone_files.peek(path))
    if scheme is None and card is None:
        raise BenchError(f"no {CARD} lies beside {path} to name its scheme: give its scheme, such as 'adi'")
    setting = one_scheme(scheme or card.scheme.label, registry)  # type: ignore[union-attr]  # one of the two is there
    own = profile_of(card) if profile is None and card is not None else load_profile(profile or "quick")
    own = track_of(setting, own)
    stages = (*setting.stages, *attack.stages)
    foreign = any(stage.declaration.origin != "built-in" for stage in stages)
    context = context_of(own.world(), device_of(device), foreign=foreign)
    if attack.oracle:
        raise BenchError(f"{attack.label} is given the owner's key, and here the thief has none: see `bench run`")
    if context.task.kind not in attack.tasks:
        kinds = " or ".join(attack.tasks)
        raise BenchError(f"{attack.label} attacks {kinds} nets, and {context.task.name} is {context.task.kind}")
    check_room(out, (MODEL, KEY))
    service = standalone_files.open_service(path, setting.stages[0].declaration, registry)
    thieves = [load(stage.declaration)(**stage.parameters) for stage in attack.stages]
    images, held_out = _images(own, context, seed)
    made, release = scheme_of(setting), None
    if attack.ignores_target:  # he has no strength to choose by what he held out
        images = images.joined(held_out)
    else:
        release = Release(service, made.release)
    try:
        found, claim, cost = steps.steal(thieves, context, images, seed, release, made if release else None)
    except (NotApplicable, FloatingPointError) as reason:  # the latter where a training of its own diverges
        raise BenchError(f"{attack.label} can't be run on {path}: {reason}") from reason
    try:
        outcomes = steps.useful(found, load_split(context.task, "test").to(context.device), context)
    except ValueError as error:
        raise BenchError(f"{attack.label} leaves a model that can't be used: {error}") from error
    try:
        artefacts.write(out / MODEL, "attack", found)
        if claim is not None:
            artefacts.write(out / KEY, "attack", claim)
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    claimed = None if claim is None else out / KEY
    return Stolen(out / MODEL, claimed, utility_of(outcomes, context.task), cost.record())


def _images(profile: Profile, context: TaskContext, seed: int) -> tuple[Holdings, Holdings]:
    """What the matrix's thief of a seed uses, and what he holds out."""
    thief, task = profile.thieves[0], context.task
    pool = load_split(task, "thief" if thief.pool == "disjoint" else "owner")
    numbers = thief.labelled or 0, thief.unlabelled or 0  # None in runs of old alone
    drawn = thief_data(pool, *numbers, stream(seed, "thief-data", task.name), task.kind)
    images, held_out = (some.to(context.device) for some in drawn)
    return images, held_out
