"""The card of an embedded model: what its owner publishes before the release. It holds nothing secret."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.description import read
from benchmark.files import read_json, write_whole

CARD = "card.json"


@dataclass(frozen=True)
class CardScheme:
    """code: SHA-256 of the plug-in's source, as `identity.source_hash` takes it."""

    name: str
    label: str
    parameters: Mapping[str, Any]
    code: str


@dataclass(frozen=True)
class CardProfile:
    """world: what decides how nets are trained, as `Profile.world` says it. nulls: how many a verdict rests on."""

    name: str
    world: Mapping[str, Any]
    nulls: int


@dataclass(frozen=True)
class CardUtility:
    """unit: "share of right answers", in [0, 1], or "dB"."""

    value: float
    unit: str


@dataclass(frozen=True)
class Card:
    """What was embedded and how. All hashes are SHA-256 in hexadecimal.

    data: of the task's images and splits. files: of the model's and the key's file, by name. commitment: of the key's
    file. public: what the key itself makes public, such as the root of its commitments.
    """

    scheme: CardScheme
    profile: CardProfile
    data: str
    utility: CardUtility
    files: Mapping[str, str]
    commitment: str | None = None
    public: Mapping[str, Any] | None = None
    schema: Literal[1] = 1

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "public" or value}


def write_card(folder: Path, card: Card) -> None:
    """Raises OSError."""
    write_whole(folder / CARD, (json.dumps(card.as_json(), indent=1, sort_keys=True) + "\n").encode())


def read_card(folder: Path) -> Card | None:
    """The card in `folder`, or None where there is none. Raises BenchError for a file of another form."""
    path, mend = folder / CARD, "restore the card or move it away"
    return read(Card, read_json(path, mend), str(path), mend) if os.path.lexists(path) else None
