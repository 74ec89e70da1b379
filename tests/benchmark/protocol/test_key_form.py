"""What is said of a key that is not of its declared form, and what binds it to its secret."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark import contract as wm
from benchmark.protocol.key_form import malformed
from benchmark.protocol.parties import stream


@dataclass(frozen=True, kw_only=True)
class ToyKey(wm.Key):
    images: Tensor = wm.field(dtype=torch.uint8, shape=("n", 1, "W"), distinct=True)
    labels: Tensor = wm.field(
        dtype=torch.int64, shape=("n",), low=0, below="classes", unbound="the labels do not follow"
    )
    classes: int = wm.field(low=2)
    names: tuple[str, ...] = wm.field(length="layers", distinct=True)
    scales: tuple[Tensor, ...] = wm.field(length="layers", dtype=torch.float32, shape=("C",))
    shifts: tuple[Tensor, ...] = wm.field(length="layers", dtype=torch.float32, shape=("C",))


class Toy(wm.Scheme[ToyKey]):
    name = "toy"
    keygen = embed = observe = None  # type: ignore[assignment]

    def rebind(self, key: ToyKey, secret: bytes) -> ToyKey:
        return replace(key, secret=secret, labels=wm.prf_labels(secret, b"toy", len(key.images), key.classes))


KEY = Toy().rebind(
    ToyKey(
        secret=b"", images=torch.arange(12, dtype=torch.uint8).view(4, 1, 3), labels=torch.empty(0), classes=5,
        names=("a", "b"), scales=(torch.ones(2), torch.ones(3)), shifts=(torch.ones(2), torch.ones(3)),
    ),
    bytes(32),
)  # fmt: skip


def test_the_type_of_its_keys_is_the_one_that_a_scheme_names() -> None:
    assert Toy.key_type is ToyKey


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"images": "x"}, "images is of type str, not Tensor"),
        ({"images": KEY.images.float()}, "images holds torch.float32, not torch.uint8"),
        ({"images": KEY.images[:, 0]}, "images has shape (4, 3), not (4, 1, W)"),
        ({"images": KEY.images[:3]}, "images has shape (3, 1, 3), not (4, 1, W)"),
        ({"images": KEY.images[[0, 1, 2, 0]]}, "images holds the same item twice"),
        ({"labels": KEY.labels[:3]}, "labels has shape (3,), not (4)"),
        ({"labels": torch.tensor([0, 1, 2, 5])}, "labels holds values from 0 to 5, not from 0 to 4"),
        ({"classes": 1}, "classes is 1, less than 2"),
        ({"classes": True}, "classes is of type bool, not int"),
        ({"names": ("a", "a")}, "names holds the same item twice"),
        ({"names": ("a", 3)}, "names[1] is of type int, not str"),
        ({"names": ("a",)}, "scales has 2 items, not 1"),
        ({"shifts": KEY.shifts[::-1]}, "shifts[0] has shape (3,), not (2)"),
        ({"scales": (torch.ones(2), torch.tensor([1, 2, torch.inf]))}, "scales[1] has NaN or infinity in it"),
        ({"secret": b"short"}, "secret has 5 bytes, not 32"),
    ],
)
def test_the_first_fault_is_said_in_words(change: dict[str, Any], reason: str) -> None:
    assert malformed(KEY, {"n": 4}) is None
    assert malformed(replace(KEY, **change), {"n": 4}) == reason


def test_sizes_that_nobody_fixes_are_free_but_agree() -> None:
    assert malformed(replace(KEY, images=KEY.images[:3], labels=KEY.labels[:3]), {}) is None
    assert malformed(replace(KEY, images=KEY.images[:3]), {}) == "labels has shape (4,), not (3)"


def test_a_key_is_bound_where_it_is_what_its_secret_makes_of_it() -> None:
    toy = Toy()
    assert toy.admissible(KEY) == wm.Admission(True, True, True)
    other = replace(KEY, labels=(KEY.labels + 1) % 5)
    assert toy.admissible(other) == wm.Admission(True, False, True, "the labels do not follow")
    fresh = toy.redraw(KEY, stream("toy"))
    assert fresh.secret == wm.secret(stream("toy"))
    assert fresh.images is KEY.images
    assert toy.admissible(fresh).bound


def test_every_field_counts_whether_it_has_a_sentence_or_not() -> None:
    class Named(Toy):
        def rebind(self, key: ToyKey, secret: bytes) -> ToyKey:
            return replace(key, secret=secret, names=(secret.hex(), "b"))

    assert Named().admissible(KEY) == wm.Admission(True, False, True, "names does not follow from the secret")
    assert Named().admissible(Named().rebind(KEY, KEY.secret)).bound


def test_a_rule_that_cannot_be_applied_refuses_the_key_in_its_own_words() -> None:
    found = Toy().admissible(replace(KEY, classes=2**70))
    assert found == wm.Admission(False, False, True, f"labels are drawn for 1 to 65536 classes, not {2**70}")
