"""Commitments to a trigger set: what was committed to opens, what was not does not."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
import torch

from benchmark.crypto.commitment import commit, label_counts_fit, open_item, root_of, verify
from benchmark.crypto.prf import prf_labels
from benchmark.protocol.parties import stream

SECRET = bytes(range(32))
IMAGES = torch.randint(256, (12, 1, 4, 5), generator=stream("commitment"), dtype=torch.uint8)
LABELS = prf_labels(SECRET, b"labels", 12, 10)
LEAVES = commit(IMAGES, LABELS, SECRET)
ROOT = root_of(LEAVES)
OPENINGS = [open_item(IMAGES, LABELS, SECRET, index) for index in range(12)]


@pytest.mark.parametrize("chosen", [[0], [11], [7, 2], range(12), []], ids=str)
def test_any_items_open(chosen) -> None:
    assert verify([OPENINGS[index] for index in chosen], LEAVES, ROOT) is None


def test_a_leaf_is_the_salted_hash_of_its_item() -> None:
    one = OPENINGS[3]
    form = b"image 3 torch.uint8 (1, 4, 5) " + bytes(IMAGES[3].flatten().tolist())
    assert LEAVES[6] == hmac.new(one.image_salt, form, hashlib.sha256).digest()
    assert LEAVES[7] == hmac.new(one.label_salt, b"label 3 %d" % int(LABELS[3]), hashlib.sha256).digest()
    salts = {salt for opened in OPENINGS for salt in (opened.image_salt, opened.label_salt)}
    assert len(salts) == 24
    assert {len(salt) for salt in salts} == {32}


def test_a_changed_pixel_label_salt_or_place_does_not_open() -> None:
    one = OPENINGS[3]
    image = one.image.clone()
    image[0, 2, 2] ^= 1
    for wrong, what in (
        (replace(one, image=image), "image of item 3"),
        (replace(one, image=one.image.view(1, 5, 4)), "image of item 3"),
        (replace(one, label=(one.label + 1) % 10), "label of item 3"),
        (replace(one, image_salt=bytes(32)), "image of item 3"),
        (replace(one, label_salt=bytes(32)), "label of item 3"),
        (replace(one, index=4), "image of item 4"),
        (replace(one, index=12), "no commitment to item 12"),
        (replace(one, index=-1), "no commitment to item -1"),
    ):
        assert what in (verify([OPENINGS[0], wrong], LEAVES, ROOT) or "")


def test_the_root_fixes_every_commitment_and_their_order() -> None:
    for changed in (LEAVES[1:], (*LEAVES[2:], *LEAVES[:2]), (*LEAVES[:-1], bytes(32))):
        assert "published" in (verify([], changed, ROOT) or "")
    assert "twice" in (verify([OPENINGS[1], OPENINGS[1]], LEAVES, ROOT) or "")
    assert root_of(commit(IMAGES, LABELS, bytes(32))) != ROOT


def test_equal_labels_have_unequal_commitments() -> None:
    """Without salts, ten tries would reveal every label."""
    same = commit(IMAGES, torch.zeros(12, dtype=torch.long), SECRET)
    assert len(set(same[1::2])) == 12


def test_what_is_not_there_is_not_opened() -> None:
    with pytest.raises(IndexError, match="items 0 to 11"):
        open_item(IMAGES, LABELS, SECRET, 12)


def test_labels_of_opened_items_are_tested_for_evenness() -> None:
    images = torch.zeros(60, 1, 2, 2, dtype=torch.uint8)

    def p(labels) -> float:
        return label_counts_fit([open_item(images, labels, SECRET, index) for index in range(60)], 10)

    assert p(torch.arange(60) % 10) == 1.0
    assert p(torch.arange(60) % 3) < 1e-6
    drawn = [p(prf_labels(bytes([index]) * 32, b"labels", 60, 10)) for index in range(40)]
    assert sum(value < 0.1 for value in drawn) < 12  # P(Bin(40, 1/10) >= 12) = 5e-4
    with pytest.raises(ValueError, match="among 0 to 9"):
        p(torch.full((60,), 10))
    with pytest.raises(ValueError, match="among 0 to 9"):
        label_counts_fit([], 10)
