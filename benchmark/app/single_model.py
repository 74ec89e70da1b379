"""The practitioner's use, with no matrix: mark one model. `benchmark.app.verify` examines one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from benchmark.app.card import CARD, Card, CardProfile, CardScheme, CardUtility, write_card
from benchmark.app.plain_forms import ONNX, PROGRAM, TENSORS, write_plain_forms
from benchmark.architectures.net import Net
from benchmark.crypto.secret_streams import SECRET_BYTES, SecretStreams
from benchmark.data.splits import load as load_data
from benchmark.data.tasks import Task
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError, NotApplicable
from benchmark.execution.job_context import context_of, load_source
from benchmark.execution.processes.host_check import show_host
from benchmark.planning.own_host import has_own_host
from benchmark.planning.own_nets import host_source
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import load
from benchmark.plugins.selection import Setting
from benchmark.protocol import steps
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import Owner, Party
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.training.device import device_of
from leaderboard.stats.utility_test import level

Shown = Callable[[str], AbstractContextManager[None]]  # shows what is trained within, by a name for it
MODEL, KEY = "model.safetensors", "key.safetensors"
UNITS = {"classification": "share of right answers", "image-to-image": "dB"}


def scheme_of(setting: Setting) -> Scheme:
    """The scheme that a row of the matrix stands for, ready to use."""
    stage = setting.stages[0]
    made: Scheme = load(stage.declaration)(**stage.parameters)
    return made


def track_of(setting: Setting, profile: Profile) -> Profile:
    """The track of `profile` on which the scheme marks nets. Raises BenchError where there is none."""
    track = profile.track(setting.tasks)
    if track is None:
        kinds = " or ".join(setting.tasks)
        raise BenchError(
            f"{setting.label} marks {kinds} nets, and {profile.task} is no such task: choose another profile"
        )
    return track


def check_room(out: Path, names: Sequence[str]) -> None:
    """Raise BenchError where `out` can't be written, or holds one of these files: before minutes of training."""
    if taken := [name for name in names if (out / name).exists()]:
        raise BenchError(f"{out} already holds {', '.join(taken)}: choose another --out, a key is not overwritten")
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise BenchError(f"{out} can't be written, for {there} is no folder that can: choose another --out")


@dataclass(frozen=True)
class Embedded:
    """A marked model. before: how useful its host was, where it was made from one. missing: why a plain form of it is
    not there, by the form's file.
    """

    card: Card
    before: CardUtility | None
    missing: Mapping[str, str]


def embed_model(
    setting: Setting, profile: Profile, out: Path, seed: int | None, device: str, shown: Shown = lambda _: nullcontext()
) -> Embedded:
    """Mark a new model of the profile with a new key; writes model, key and card into `out`, and the model in plain
    forms. A host of the user's own is looked at first.

    shown: is told what is trained within. The key follows from `seed`; without one it is drawn from the system's
    randomness and kept nowhere else. The card holds nothing secret and no seed: it is what an owner publishes
    before he lets the model out. Raises BenchError where `out` holds one of the files already, or a parameter does
    not fit.
    """
    profile = track_of(setting, profile)
    check_room(out, (MODEL, KEY, CARD, TENSORS, PROGRAM, ONNX))
    show_host(profile, out.absolute())
    scheme = scheme_of(setting)
    streams = SecretStreams(secrets.token_bytes(SECRET_BYTES) if seed is None else seed.to_bytes(SECRET_BYTES, "big"))
    if (source := host_source(profile.architecture)) is not None:
        load_source(source)
    foreign = source is not None or setting.stages[0].declaration.origin != "built-in"
    context = context_of(profile.world(), device_of(device), foreign=foreign, weights=profile.weights)
    splits = load_data(context.task)
    owner_data = splits.owner.to(context.device)
    party = Party(context, owner_data, streams.stream("host", context.task.name, context.architecture))
    test = splits.test.to(context.device)
    try:
        if scheme.host:
            with shown("the unmarked host"):
                host: Service | None = steps.host(party)
        else:
            given = party.given()
            host = None if given is None else Service(Net.of(given))
        before = None if host is None else utility_of(steps.useful(host, test, context), context.task)
    except (ValueError, FloatingPointError) as error:  # its training diverged, or it answers with NaN
        raise BenchError(f"the unmarked host of the profile {profile.name} can't be used: {error}") from error
    own = host.net if host and scheme.host else None
    owner = Owner(context, owner_data, streams.stream("owner", scheme.name, context.task.name), own)
    try:
        with shown("marking"):
            release, key = steps.embed(scheme, owner, streams.stream("owner-key", scheme.name, context.task.name))
        outcomes = steps.useful(release.service, test, context)
    # a parameter, or what it names, does not fit the task or the net; or training diverged
    except (ValueError, FloatingPointError, NotApplicable) as error:
        raise BenchError(f"{setting.label}: {error}") from error
    stage = setting.stages[0]
    try:
        model_hash = artefacts.write(out / MODEL, "embed", release.service)
        key_hash = artefacts.write(out / KEY, "embed", key)
        card = Card(
            CardScheme(stage.declaration.name, setting.label, stage.parameters, source_hash(stage.declaration.source)),
            CardProfile(profile.name, profile.world(), profile.nulls),
            context.task.data_hash(),
            utility_of(outcomes, context.task),
            {MODEL: model_hash, KEY: key_hash},
            key_hash,
            key.public() or None,
        )
        write_card(out, card)
        net = release.service.net.module()
        missing = write_plain_forms(out, net, context.task.shape, onnx=has_own_host(profile))
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    return Embedded(card, before, missing)


def utility_of(outcomes: Mapping[str, Any], task: Task) -> CardUtility:
    """How useful a model is, from its item-by-item outcomes."""
    return CardUtility(cast(float, level(outcomes)), UNITS[task.kind])  # no test set is empty
