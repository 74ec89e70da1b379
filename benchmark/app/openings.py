"""Opened items of a committed trigger set as one JSON file, and their check against a published root."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.crypto.commitment import Leaves, Opening, commit, label_counts_fit, open_item, verify
from benchmark.errors import BenchError
from benchmark.protocol.objects import Key
from benchmark.protocol.scheme import Scheme, TriggerScheme

SCHEMA = 1
ROOT = "commitments_root"  # its name on a card, and among what a key makes public


def opened(scheme: Scheme, key: Key, items: Sequence[int]) -> dict[str, Any]:
    """What the owner shows: the chosen items, their salts, and the commitments to all. No other item, no secret.

    Raises BenchError for a key without commitments, one that its root does not fit, and items it does not have.
    """
    if ROOT not in key.public() or not isinstance(scheme, TriggerScheme):
        raise BenchError(f"{scheme.name} commits to its keys as a whole: there are no items to open")
    found = scheme.admissible(key)
    if not (found.well_formed and found.bound):
        raise BenchError(f"the key is not admissible, so nothing of it is opened: {found.reason}")
    triggers, secret, classes = scheme.triggers(key), key.secret, key.classes  # type: ignore[attr-defined]
    try:
        openings = [open_item(triggers.x, triggers.y, secret, index) for index in items]
    except IndexError as error:
        raise BenchError(str(error)) from None
    return {
        "schema": SCHEMA,
        "scheme": scheme.name,
        "classes": classes,
        ROOT: key.public()[ROOT],
        "commitments": [leaf.hex() for leaf in commit(triggers.x, triggers.y, secret)],
        "items": [_packed(one) for one in openings],
    }


def check(path: Path, published: str) -> dict[str, Any]:
    """Whether the openings in a file are those of the `published` root (64 hexadecimal digits).

    Returns `opens`, the `reason` where they don't, the number of `items` among `committed`, and `even`: the p-value of
    their labels under the uniform law, None where nothing opens. Raises BenchError for a file of another form.
    """
    try:
        file = json.loads(path.read_bytes())
        leaves: Leaves = tuple(bytes.fromhex(leaf) for leaf in file["commitments"])
        openings = [_unpacked(item) for item in file["items"]]
        classes, root = int(file["classes"]), bytes.fromhex(published)
        reason = verify(openings, leaves, root)
        even = label_counts_fit(openings, classes) if openings and reason is None else None
    except OSError as error:
        raise BenchError(f"{path} can't be read ({error.strerror}): give the path of a file of openings") from None
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BenchError(f"{path} or the root can't be read as openings ({type(error).__name__}: {error})") from None
    return {"opens": reason is None, "reason": reason, "items": len(openings), "committed": len(leaves) // 2,
            "even": even}  # fmt: skip


def _packed(one: Opening) -> dict[str, Any]:
    return {
        "index": one.index,
        "shape": list(one.image.shape),
        "image": b64encode(one.image.contiguous().numpy().tobytes()).decode(),
        "label": one.label,
        "image_salt": one.image_salt.hex(),
        "label_salt": one.label_salt.hex(),
    }


def _unpacked(item: dict[str, Any]) -> Opening:
    pixels = np.frombuffer(b64decode(item["image"], validate=True), dtype=np.uint8).copy()
    image = torch.from_numpy(pixels).view([int(size) for size in item["shape"]])
    salts = bytes.fromhex(item["image_salt"]), bytes.fromhex(item["label_salt"])
    return Opening(int(item["index"]), image, int(item["label"]), *salts)
