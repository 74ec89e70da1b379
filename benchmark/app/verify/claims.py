"""A claim: an owner's key, and what belongs to it: its scheme, the card beside it, and the profile of its nets."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.app import standalone_files
from benchmark.app.card import CARD, Card, read_card
from benchmark.app.single_model import KEY, scheme_of, track_of
from benchmark.architectures.weights import ENDINGS
from benchmark.crypto.secret_streams import SecretStreams
from benchmark.data.tasks import find_task
from benchmark.description import read
from benchmark.digest.code_digest import source_hash
from benchmark.errors import BenchError, message_of
from benchmark.files import MOST_TENSORS, content
from benchmark.identity import canonical
from benchmark.planning.own_nets import BY_SHA256, weights_digest
from benchmark.planning.profile import Profile, Training, load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import Setting, one_scheme
from benchmark.protocol import steps
from benchmark.protocol.objects import Key
from benchmark.protocol.scheme import Scheme


@dataclass(frozen=True)
class Claim:
    """A key as its owner brings it before a court.

    profile: the track of the task on which the scheme marks nets. admission: of the key, as a judged record keeps it;
    committed where a card beside the key names its hash: whether that card was published in time is for the court to
    find out. card: whether there is one that holds the key's hash; None where there is no card. source: 32 bytes that
    follow from the key's file.
    """

    setting: Setting
    scheme: Scheme
    registry: Registry
    profile: Profile
    file: standalone_files.ArtefactFile
    key: Key
    admission: Mapping[str, Any]
    card: bool | None
    notes: tuple[str, ...]
    source: bytes = field(repr=False)

    def streams(self, occasion: str) -> SecretStreams:
        """The court's random streams on one occasion. Whoever has no key can't draw them, and they can be repeated."""
        return SecretStreams(hmac.digest(self.source, occasion.encode(), "sha256"))


def read_claim(
    where: Path, scheme: str | None, profile: str | None, registry: Registry, options: Mapping[str, Any],
    host_weights: Path | None = None,
) -> Claim:  # fmt: skip
    """The claim whose key lies at `where`, a file or a folder that `bench embed` made.

    scheme, profile: in place of what the card beside the key names. options: alpha, budget and strict, None for the
    profile's. host_weights: the file that unmarked models begin with. Raises BenchError for files that are damaged or
    of another scheme, and where nothing names the scheme.
    """
    path = where / KEY if where.is_dir() else where
    if not path.exists():
        raise BenchError(f"--key {where}: {path} is missing: give the folder that `bench embed` wrote, or {KEY} in it")
    file = standalone_files.peek(path)
    card = card_beside(file)
    if scheme is None and card is None:
        raise BenchError(f"no {CARD} lies beside {path} to name its scheme: give --scheme, such as 'adi'")
    setting = one_scheme(scheme or card.scheme.label, registry)  # type: ignore[union-attr]  # one of the two is there
    made = scheme_of(setting)
    own = profile_of(card) if profile is None and card is not None else load_profile(profile or "quick")
    own = _with_host_weights(track_of(setting, own.with_options(**options)), host_weights, file.path.parent)
    key = standalone_files.open_key(path, made, registry)
    committed = None if card is None else card.commitment == file.sha256
    return Claim(
        setting, made, registry, own, file, key,
        admission=_admission(made, key, committed=bool(committed)), card=committed,
        notes=() if card is None else tuple(_differences(card, setting, own)),
        source=hmac.digest(content(path, MOST_TENSORS), b"court", "sha256"),
    )  # fmt: skip


def profile_of(card: Card) -> Profile:
    """The profile that a card names; where it is not here, or has changed, the quick one with the card's nets."""
    said, world = card.profile, card.profile.world
    kinds = [find_task(str(world.get("task"))).kind]
    try:
        named = load_profile(said.name)
        if any(canonical(track.world()) == canonical(world) for track in named.tracks):
            return named
    except BenchError:  # a file of the owner's own, which is not here
        pass
    quick = load_profile("quick").track(kinds)
    assert quick is not None  # it has a track of either kind
    try:
        training = read(Training, world["training"], "training")
        if "weights" in world:
            world = {**world, "weights": f"{BY_SHA256}{world['weights']}"}
        rest = {
            name: world[name] for name in ("task", "architecture", "precision", "engine", "weights") if name in world
        }
        return quick.with_options(
            name=said.name, nulls=said.nulls, training=training,
            thief_labelled=("all",), thief_unlabelled=(0,), **rest,  # nobody steals here, and the pool may be small
        )  # fmt: skip
    except (BenchError, KeyError) as error:
        raise BenchError(f"{CARD} describes a profile that can't be read ({error}): give --profile") from error


def _with_host_weights(profile: Profile, given: Path | None, folder: Path) -> Profile:
    """The profile with the file of its host's weights: the one that was given, else one in the key's folder.

    As it was where there is none, since most verdicts need none. Raises BenchError for a file that is another.
    """
    wanted = weights_digest(profile.weights)
    if given is not None:
        if not wanted:
            raise BenchError(f"--host-weights {given}: nets of {profile.name} begin with no weights, leave it out")
        if not given.is_file():
            raise BenchError(f"--host-weights {given} can't be read: give the path of a file")
        if weights_digest(str(given)) != wanted:
            raise BenchError(
                f"--host-weights {given} has another SHA-256 than the host's weights, {wanted[:12]}…: give the file "
                "that bench embed was given"
            )
        return profile.with_options(weights=str(given))
    if profile.weights.startswith(BY_SHA256):
        for path in sorted(one for one in folder.iterdir() if one.suffix.lower() in ENDINGS and one.is_file()):
            if weights_digest(str(path)) == wanted:
                return profile.with_options(weights=str(path))
    return profile


def _admission(scheme: Scheme, key: Key, committed: bool) -> dict[str, Any]:
    """Whether the key is admissible: not where the scheme fails, in whatever way, at fields of a key from outside."""
    try:
        return steps.admission(scheme, key, committed)
    except Exception as error:
        reason = f"{type(error).__name__}: {message_of(error, 120)}"
        return {"well_formed": False, "bound": False, "hash_bound": False, "committed": committed, "reason": reason}


def card_beside(file: standalone_files.ArtefactFile) -> Card | None:
    """The card beside a file. Raises BenchError where it names another file."""
    card = read_card(file.path.parent)
    if card is not None and card.files.get(file.path.name, file.sha256) != file.sha256:
        raise BenchError(f"{file.path} is damaged or exchanged: its SHA-256 is not the one in {CARD} beside it")
    return card


def _differences(card: Card, setting: Setting, profile: Profile) -> list[str]:
    """How what is in use differs from what is on the card, in words."""
    stage, found = setting.stages[0], list[str]()
    if card.scheme.parameters != stage.parameters:
        found.append(f"the card beside the key names {card.scheme.label}, and {setting.label} was asked for")
    elif card.scheme.code != source_hash(stage.declaration.source):
        found.append(f"the code of {stage.declaration.name} has changed since the key was made")
    if canonical(card.profile.world) != canonical(profile.world()):
        found.append(f"the card beside the key names a profile {card.profile.name} of other nets than {profile.name}")
    elif card.data != find_task(profile.task).data_hash():
        found.append(f"the images of {profile.task} are not those on the card beside the key")
    return found
