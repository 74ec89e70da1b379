"""Salted SHA-256 commitments to the images and labels of a trigger set, opened one by one (Adi et al. 2018).

The owner publishes `published_root` when he embeds his mark. To open an item he shows its image and label, their two
salts and the list of all commitments, which is the paper's verification key. The other items stay hidden: each of their
salts is a hash of the owner's secret, 256 bits long.

An opened item shows that this image and this label were fixed when the root was published, not that nobody chose the
label. For that a judge takes the whole key, secret included, and computes all labels anew (`admissible`); on opened
items alone, `label_counts_fit` catches only labels that are not spread evenly. The paper's zero-knowledge proof is not
implemented.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.crypto.prf import prf_bytes

Leaves = tuple[bytes, ...]  # 32 bytes each: image 0, label 0, image 1, label 1, ...


@dataclass(frozen=True)
class Opening:
    """One item and what opens it: uint8 `image` (C, H, W), `label`, and a salt of 32 bytes for each of the two."""

    index: int
    image: Tensor
    label: int
    image_salt: bytes
    label_salt: bytes


def commit(images: Tensor, labels: Tensor, secret: bytes) -> Leaves:
    """The commitments to every one of uint8 `images` (n, C, H, W) and int64 `labels` (n,), salted by `secret`."""
    return tuple(leaf for index in range(len(images)) for leaf in _leaves(open_item(images, labels, secret, index)))


def root_of(leaves: Leaves) -> bytes:
    """32 bytes that fix all commitments and their order."""
    return hashlib.sha256(b"commitments " + b"".join(leaves)).digest()


def published_root(root: bytes, scheme: str, classes: int) -> bytes:
    """What is published of a trigger set: 32 bytes that fix the `root`, whose scheme it is, and how many classes.

    Until version 0.2 the root itself was published, and an owner could still choose by which classes labels are drawn.
    """
    return hashlib.sha256(f"openings 2 of {scheme}, {classes} classes ".encode() + root).digest()


def open_item(images: Tensor, labels: Tensor, secret: bytes, index: int) -> Opening:
    """Item `index`, opened. Raises IndexError where there is none."""
    if not 0 <= index < len(images):
        raise IndexError(f"item {index} can't be opened: there are items 0 to {len(images) - 1}")
    salts = prf_bytes(secret, b"commitment salts", 64, 2 * index)
    return Opening(index, images[index], int(labels[index]), salts[:32], salts[32:])


def verify(openings: Sequence[Opening], leaves: Leaves, published: bytes) -> str | None:
    """Why these openings are not those of the `published` root, or None where they are."""
    if not hmac.compare_digest(root_of(leaves), published):
        return "the list of commitments is not the one whose root was published"
    if len({one.index for one in openings}) < len(openings):
        return "an item is opened twice"
    for one in openings:
        if not 0 <= one.index < len(leaves) // 2:
            return f"there is no commitment to item {one.index}"
        image, label = _leaves(one)
        if image != leaves[2 * one.index]:
            return f"the image of item {one.index} is not the one committed to"
        if label != leaves[2 * one.index + 1]:
            return f"the label of item {one.index} is not the one committed to"
    return None


def label_counts_fit(openings: Sequence[Opening], classes: int) -> float:
    """p-value of Pearson's chi-square test of opened labels against the uniform law over `classes`.

    Approximate below five items a class. Raises ValueError for a label outside the classes, or nothing opened.
    """
    from scipy import stats  # only here: the schemes that commit don't need it

    labels = torch.tensor([one.label for one in openings])
    if not len(labels) or int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(f"the test needs labels among 0 to {classes - 1}")
    return float(stats.chisquare(torch.bincount(labels, minlength=classes).numpy()).pvalue)


def _leaves(opened: Opening) -> tuple[bytes, bytes]:
    """The commitments to an opened image and its label."""
    image = opened.image.cpu().contiguous()
    form = f"image {opened.index} {image.dtype} {tuple(image.shape)} ".encode()
    label = f"label {opened.index} {opened.label}".encode()
    return (
        hmac.digest(opened.image_salt, form + image.numpy().tobytes(), "sha256"),
        hmac.digest(opened.label_salt, label, "sha256"),
    )
