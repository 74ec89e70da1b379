"""Opened items of a committed trigger set as one JSON file, and their check against a published root."""

from __future__ import annotations

import json
import re
import reprlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmark.crypto import commitment
from benchmark.crypto.commitment import Opening, commit, label_counts_fit, open_item, published_root, root_of
from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.files import read_json
from benchmark.protocol.objects import Key
from benchmark.protocol.scheme import Scheme, TriggerScheme

ROOT = "commitments_root"  # its name on a card, and among what a key makes public
OTHER_ROOT = "commitments, scheme and classes are not those whose root was published"
MOST_CLASSES = 100_000
HINT = "give the path of a file of openings"


@dataclass(frozen=True)
class OpenedItem:
    """One item. index: counted from 0. image: uint8 in base64, of this shape. The salts are hexadecimal."""

    index: int
    shape: list[int]
    image: str
    label: int
    image_salt: str
    label_salt: str

    @classmethod
    def of(cls, one: Opening) -> OpenedItem:
        pixels = b64encode(one.image.contiguous().numpy().tobytes()).decode()
        return cls(one.index, list(one.image.shape), pixels, one.label, one.image_salt.hex(), one.label_salt.hex())

    def opening(self) -> Opening:
        """Raises ValueError where a text is not what its form says."""
        pixels = np.frombuffer(b64decode(self.image, validate=True), dtype=np.uint8).copy()
        salts = bytes.fromhex(self.image_salt), bytes.fromhex(self.label_salt)
        try:
            return Opening(self.index, torch.from_numpy(pixels).view(self.shape), self.label, *salts)
        except RuntimeError:
            raise ValueError(f"item {self.index} has {len(pixels)} bytes, not those of shape {self.shape}") from None


@dataclass(frozen=True)
class OpenedItems:
    """What the owner shows: chosen items, and the commitments to all of them, two for each, in hexadecimal."""

    schema: Literal[1, 2]  # 1: of a root that fixes neither scheme nor classes
    scheme: str
    classes: int
    commitments_root: str
    commitments: list[str]
    items: list[OpenedItem]

    def __post_init__(self) -> None:
        if not 2 <= self.classes <= MOST_CLASSES:
            raise ValueError(f"classes must lie between 2 and {MOST_CLASSES}, not {self.classes}")

    @property
    def committed(self) -> int:
        """How many items the key has."""
        return len(self.commitments) // 2


@dataclass(frozen=True)
class Verified:
    """Whether `items` among `committed` open to the root, or the reason why they don't.

    even: the p-value of their labels if drawn evenly over the classes; None where nothing opens. older: the root is of
    the form until version 0.2, which fixes images and labels and neither the scheme nor the classes.
    """

    opens: bool
    reason: str | None
    items: int
    committed: int
    even: float | None
    older: bool = False


def opened(scheme: Scheme, key: Key, items: Sequence[int]) -> OpenedItems:
    """The chosen items with their salts, and the commitments to all. No other item, no secret.

    Raises BenchError for a key without commitments, one that its root does not fit, and items it does not have.
    """
    if ROOT not in key.public() or not isinstance(scheme, TriggerScheme):
        raise BenchError(f"{scheme.name} commits to its keys as a whole: there are no items to open")
    found = scheme.admissible(key)
    if not (found.well_formed and found.bound):
        raise BenchError(f"the key is not admissible, so nothing of it is opened: {found.reason}")
    triggers, secret, classes = scheme.triggers(key), key.secret, key.classes  # type: ignore[attr-defined]
    try:
        shown = [OpenedItem.of(open_item(triggers.x, triggers.y, secret, index)) for index in items]
    except IndexError as error:
        raise BenchError(str(error)) from None
    leaves = [leaf.hex() for leaf in commit(triggers.x, triggers.y, secret)]
    return OpenedItems(2, scheme.name, classes, str(key.public()[ROOT]), leaves, shown)


def write(path: Path, opened: OpenedItems) -> None:
    """Write a new file of openings. Raises BenchError where there is one already, or none can be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(asdict(opened), indent=1, sort_keys=True) + "\n")
    except FileExistsError as error:
        raise BenchError(f"{path} exists already: choose another --out") from error
    except OSError as error:
        raise BenchError(f"{path} can't be written ({error.strerror}): choose another --out") from error


def verify(path: Path, published: str) -> Verified:
    """Whether the openings in a file are those of the `published` root (64 hexadecimal digits).

    Raises BenchError for a root or a file of another form.
    """
    if not re.fullmatch("[0-9a-fA-F]{64}", published):
        raise BenchError(f"--root has 64 hexadecimal digits, as {ROOT} in card.json, not {reprlib.repr(published)}")
    file = read(OpenedItems, read_json(path, HINT), str(path), HINT)
    try:
        openings = [item.opening() for item in file.items]
        leaves, given = tuple(bytes.fromhex(leaf) for leaf in file.commitments), bytes.fromhex(published)
        root = root_of(leaves)
        older = root == given
        fixed = older or (file.schema == 2 and published_root(root, file.scheme, file.classes) == given)
        reason = commitment.verify(openings, leaves, root) if fixed else OTHER_ROOT
        even = label_counts_fit(openings, file.classes) if openings and reason is None else None
    except (ValueError, OverflowError) as error:
        raise BenchError(f"{path} can't be read as openings ({error}): {HINT}") from None
    return Verified(reason is None, reason, len(openings), file.committed, even, older)
