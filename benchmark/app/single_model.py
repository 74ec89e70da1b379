"""The practitioner's use, with no matrix: mark one model, and examine one model under one key.

What the court sees is judged by `leaderboard.judge`, by the same path as a cell of the matrix.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from benchmark.app import standalone_files
from benchmark.app.card import CARD, Card, CardProfile, CardScheme, CardUtility, read_card, write_card
from benchmark.crypto.secret_streams import SECRET_BYTES, SecretStreams
from benchmark.data.splits import load as load_data
from benchmark.data.tasks import Task
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.execution.job_context import context_of
from benchmark.execution.run import Machine, carry_out
from benchmark.planning.clocks.estimates import Estimates
from benchmark.planning.job import Job
from benchmark.planning.null_pools import null_jobs
from benchmark.planning.profile import Profile
from benchmark.plugins.registry import Registry, load
from benchmark.plugins.selection import Setting
from benchmark.protocol import steps
from benchmark.protocol.answers import Answers
from benchmark.protocol.court import Court, Suspect
from benchmark.protocol.objects import Asked, Key, Service
from benchmark.protocol.parties import Owner, Party, stream
from benchmark.protocol.scheme import Scheme
from benchmark.store import artefacts
from benchmark.store.records import RecordStore
from benchmark.store.secret import store_secret
from benchmark.training.device import device_of
from leaderboard.judge.case_file import COUNTED
from leaderboard.judge.decide import Thresholds
from leaderboard.judge.opinion import Examined, Opinion, opinion
from leaderboard.stats.utility_test import level

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


def embed_model(setting: Setting, profile: Profile, out: Path, seed: int | None, device: str) -> Card:
    """Mark a new model of the profile with a new key; writes model, key and card into `out` and returns the card.

    The key follows from `seed`; without one it is drawn from the system's randomness and kept nowhere else. The
    card holds nothing secret and no seed: it is what an owner publishes before he lets the model out. Raises
    BenchError where `out` holds one of the files already, or a parameter does not fit.
    """
    profile = track_of(setting, profile)
    taken = [name for name in (MODEL, KEY, CARD) if (out / name).exists()]
    if taken:
        raise BenchError(f"{out} already holds {', '.join(taken)}: choose another --out, a key is not overwritten")
    scheme = scheme_of(setting)
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):  # before minutes of training, not after
        raise BenchError(f"{out} can't be written, for {there} is no folder that can: choose another --out")
    streams = SecretStreams(secrets.token_bytes(SECRET_BYTES) if seed is None else seed.to_bytes(SECRET_BYTES, "big"))
    foreign = setting.stages[0].declaration.origin != "built-in"
    context = context_of(profile.world(), device_of(device), foreign=foreign)
    splits = load_data(context.task)
    owner_data = splits.owner.to(context.device)
    host = None
    if scheme.host:
        rng = streams.stream("host", context.task.name, context.architecture)
        host = steps.train_unmarked(Party(context, owner_data, rng)).net
    owner = Owner(context, owner_data, streams.stream("owner", scheme.name, context.task.name), host)
    try:
        release, key = steps.embed(scheme, owner, streams.stream("owner-key", scheme.name, context.task.name))
    except ValueError as error:  # a parameter, or what it names, does not fit the task or the net
        raise BenchError(f"{setting.label}: {error}") from error
    stage = setting.stages[0]
    try:
        model_hash = artefacts.write(out / MODEL, "embed", release.service)
        key_hash = artefacts.write(out / KEY, "embed", key)
        outcomes = steps.useful(release.service, splits.test.to(context.device), context)
        card = Card(
            CardScheme(stage.declaration.name, setting.label, stage.parameters, source_hash(stage.declaration.source)),
            CardProfile(profile.name, profile.world(), profile.nulls),
            context.task.data_hash(),
            _utility(outcomes, context.task),
            {MODEL: model_hash, KEY: key_hash},
            key_hash,
            key.public() or None,
        )
        write_card(out, card)
    except OSError as error:
        raise BenchError(f"{out} can't be written ({error.strerror}): choose another --out") from error
    return card


@dataclass(frozen=True)
class Examination:
    """One model under one key, examined beside the profile's unmarked models, and a court's answer to the claim.

    admission: of the key, as a judged record keeps it. nulls: how many models each pool of nulls has. left_out: nulls
    that are the suspect itself. card: whether a card beside the key holds its commitment; None where there is no card.
    """

    scheme: str
    model: standalone_files.ArtefactFile
    key: standalone_files.ArtefactFile
    utility: CardUtility
    opinion: Opinion
    admission: Mapping[str, Any]
    nulls: Mapping[str, int]
    profile: str
    left_out: int = 0
    card: bool | None = None
    notes: Sequence[str] = ()


def examine_files(
    setting: Setting,
    profile: Profile,
    model: Path,
    key: Path,
    registry: Registry,
    machine: Machine,
    console: Console,
) -> Examination:
    """Examine the model in a file under the key in a file; trains the profile's nulls where the store lacks them.

    `admission.committed` is true where a card beside the key names its hash: whether that card was published in time
    is for the court to find out. Raises BenchError for files that are damaged or of another scheme.
    """
    profile = track_of(setting, profile)
    device = device_of(machine.device)
    scheme, declaration = scheme_of(setting), setting.stages[0].declaration
    key_file, model_file = standalone_files.peek(key), standalone_files.peek(model)
    card, secret = _card(key_file), standalone_files.open_key(key, scheme, registry)
    committed = None if card is None else card.commitment == key_file.sha256
    _card(model_file)
    service = standalone_files.open_service(model, declaration, registry)
    context, streams = context_of(profile.world(), device), SecretStreams(store_secret(machine.store.root))
    test = load_data(context.task).test.to(device)
    admission = _admission(scheme, secret, committed=bool(committed))

    def examined(one: Service, running: Asked, answers: Answers) -> Examined:
        outcomes = steps.utility(answers.outputs, test)
        if not admission["well_formed"]:  # its fields may be anything: nothing is examined with it
            reason = f"the key is not well formed: {admission['reason']}"
            return Examined({"evidence": "", "channels": {}, "gates": {}, "unreadable": reason}, outcomes)
        rng = streams.stream(0, "court", scheme.name, context.task.name)
        court = Court(context, test, rng)  # of no delivered net: no commitment covers what lies beside the key
        suspect = Suspect(one, running, answers, scheme.court, court)
        try:
            return Examined(steps.examine(scheme, secret, suspect, court), outcomes)
        except Exception as error:
            raise BenchError(f"{scheme.name} can't examine {model} ({error}): is it the scheme's own?") from error

    where = machine.store.root, context.task.name, [key]
    with standalone_files.served(model, service, registry, machine.device, *where) as running:
        try:
            answers = Court(context, test, stream("answers", context.task.name)).answers(running)
        except Exception as error:  # a net from outside may fail in any way at its first image
            raise BenchError(
                f"{model} does not answer the images of {context.task.name} ({error}): see --profile"
            ) from error
        nulls, left_out = null_models(profile, registry, machine, console, model_file.sha256)
        suspect = examined(service, running, answers)
    seen = {pool: [examined(one, one.running(device), its) for one, its in members] for pool, members in nulls.items()}
    court = Thresholds(profile.alpha, profile.budget, strict=profile.strict)
    return Examination(
        scheme=setting.label,
        model=model_file,
        key=key_file,
        utility=_utility(suspect.outcomes, context.task),
        opinion=opinion(suspect, seen, admission, court),
        admission=admission,
        nulls={pool: len(members) for pool, members in nulls.items()},
        profile=profile.name,
        left_out=left_out,
        card=committed,
        notes=() if card is None else _differences(card, setting),
    )


def _utility(outcomes: Mapping[str, Any], task: Task) -> CardUtility:
    return CardUtility(cast(float, level(outcomes)), UNITS[task.kind])  # no test set is empty


def _admission(scheme: Scheme, key: Key, committed: bool) -> dict[str, Any]:
    """Whether the key is admissible: not where the scheme fails, in whatever way, at fields of a key from outside."""
    try:
        return steps.admission(scheme, key, committed)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        return {"well_formed": False, "bound": False, "hash_bound": False, "committed": committed, "reason": reason}


def _card(file: standalone_files.ArtefactFile) -> Card | None:
    """The card beside a file. Raises BenchError where it names another file."""
    card = read_card(file.path.parent)
    if card is not None and card.files.get(file.path.name, file.sha256) != file.sha256:
        raise BenchError(f"{file.path} is damaged or exchanged: its SHA-256 is not the one in {CARD} beside it")
    return card


def _differences(card: Card, setting: Setting) -> tuple[str, ...]:
    """How the setting in use differs from the one on the card, in words."""
    stage = setting.stages[0]
    if card.scheme.parameters != stage.parameters:
        return (f"the card beside the key names {card.scheme.label}, and {setting.label} was asked for",)
    if card.scheme.code != source_hash(stage.declaration.source):
        return (f"the code of {stage.declaration.name} has changed since the key was made",)
    return ()


Null = tuple[Service, Answers]  # a model, and what it answers to the judge's images


def null_models(
    profile: Profile, registry: Registry, machine: Machine, console: Console, suspect: str
) -> tuple[dict[str, list[Null]], int]:
    """The profile's nulls by pool, and how many are the model with the SHA-256 `suspect` itself.

    These are left out of the pools; and of a suspect that is a null, its own surrogate or what it was copied from.
    """
    store = machine.store
    roles, jobs = null_jobs(profile, registry, Estimates(profile, store, machine.device))
    retries: tuple[tuple[str, ...], ...] = ((), ("damaged",))
    for retry in retries:  # the second time only where an artefact was damaged
        if retry or not all(store.finished(job.id) for job in jobs):
            with machine.lock(console):
                carry_out(jobs, machine, console, retry=retry)
        try:
            found = {job.id: _null(job, store) for job in jobs}
        except artefacts.DamagedArtefact as damaged:
            console.print(f"{damaged}: it is made again", style="yellow", markup=False)
            continue
        own = [job for job in jobs if found[job.id][0] == suspect]
        lineage = {one for job in own for one in (job.id, *job.parents)}
        kept = {job.id for job in jobs if lineage.isdisjoint((job.id, *job.parents))}
        pools = {pool: roles[role] for pool, role in COUNTED.items() if role in roles}
        return {pool: [found[id][1] for id in ids if id in kept] for pool, ids in pools.items()}, len(own)
    raise BenchError(f"the unmarked models in {store.root} are damaged again and again: choose another --results")


def _null(job: Job, store: RecordStore) -> tuple[str, Null]:
    """The null that a job trained, and the SHA-256 of its file. Raises DamagedArtefact or BenchError."""
    record = store.read(job.id)
    if record is None or record["status"] != "ok":
        why = record["reason"] if record else "it did not run"
        raise BenchError(f"{job.label} could not be trained ({why}): there is nothing to compare with")
    digests = record["result"]["artefacts"]
    service = artefacts.read_service(store.artefact_path(job.id, "service"), job.id, digests["service"])
    answers = artefacts.read_answers(store.artefact_path(job.id, "answers"), job.id, digests["answers"])
    return digests["service"], (service, answers)
