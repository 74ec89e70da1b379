"""Bits in a mean filter: read, refused, lost when channels move, and found again after alignment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from attacks.prune import Prune, PruneStructured
from attacks.rewriting.rearrange import Rearrange
from benchmark.contract import prf_bits
from benchmark.protocol.parties import stream
from schemes.uchida import Uchida, carriers, matrix, mean_filter

SCHEME = Uchida()


def hits(seen: dict[str, Any], channel: str = "bits") -> int:
    return int(seen["channels"][channel]["hits"].count("1"))


def test_the_marked_net_alone_shows_the_bits_and_the_task_is_kept(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    assert hits(lab.observe(SCHEME, marked)) >= 126
    assert marked.accuracy >= lab.null(100).accuracy - 0.02
    for index in (100, 101):
        assert abs(hits(lab.observe(SCHEME, lab.null(index), marked.key)) - 64) < 25  # two-sided P = 1e-5


def test_a_bit_is_the_sign_of_a_row_of_the_matrix_times_the_mean_filter(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    seen = lab.observe(SCHEME, marked)["channels"]["bits"]
    weight = marked.service.net.state["blocks.2.conv.weight"]
    kernel = weight.sum(0).flatten() / len(weight)
    read = [bool(row @ kernel >= 0) == bool(bit) for row, bit in zip(matrix(marked.key), marked.key.bits, strict=True)]
    assert seen["hits"] == "".join("01"[one] for one in read)
    assert seen["law"] == {"kind": "binomial", "p": 0.5}
    assert matrix(marked.key).shape == (128, 32 * 9)


@pytest.mark.parametrize("how", ["permute", "all"])
def test_rearranging_takes_the_bits_to_chance_and_alignment_gives_them_back(lab: Any, how: Any) -> None:
    marked = lab.embed(SCHEME)
    moved = lab.attack(Rearrange(how), marked, SCHEME)
    assert torch.equal(moved.right, marked.right)
    seen = lab.observe(SCHEME, moved, marked.key, marked)
    assert seen["views"] == ["bits_aligned"]
    assert "law" not in seen["channels"]["bits_aligned"]  # the delivered weights hold the bits
    assert hits(seen) < 90
    assert hits(seen, "bits_aligned") == hits(lab.observe(SCHEME, marked))


def test_pruning_keeps_the_bits_and_cutting_channels_leaves_nothing_to_read(lab: Any) -> None:
    marked = lab.embed(SCHEME)
    assert hits(lab.observe(SCHEME, lab.attack(Prune(0.5), marked, SCHEME), marked.key)) >= 120
    cut = lab.observe(SCHEME, lab.attack(PruneStructured(0.25), marked, SCHEME), marked.key)
    assert cut["unreadable"] == "the mean filter of blocks.2.conv is 216 numbers, and the matrix reads 288"
    gone = lab.observe(SCHEME, marked, replace(marked.key, layer="blocks.7.conv"))
    assert gone["unreadable"] == "the net has no convolution blocks.7.conv"


def test_the_order_of_outputs_plays_no_part_and_their_signs_do(lab: Any) -> None:
    """The paper's reason for the mean; and what its reader does not foresee."""
    marked = lab.embed(SCHEME)
    layer = carriers(marked.service.net.module())["blocks.2.conv"]
    kernel = mean_filter(layer)
    with torch.no_grad():
        layer.weight.copy_(layer.weight[torch.randperm(64)])
    torch.testing.assert_close(mean_filter(layer), kernel)
    assert hits(lab.observe(SCHEME, lab.attack(Rearrange(how="sign"), marked, SCHEME), marked.key)) < 110


def test_bits_follow_from_the_secret_and_what_does_not_fit_is_refused(lab: Any) -> None:
    owner = lab.owner(SCHEME)
    key = SCHEME.keygen(owner, stream("test-uchida"))
    assert torch.equal(key.bits, prf_bits(key.secret, b"uchida bits", 128))
    assert (key.layer, key.size) == ("blocks.2.conv", 288)
    assert Uchida(layer="blocks.1.conv").keygen(owner, stream("test-uchida")).size == 144
    with pytest.raises(ValueError, match=r"the mean filter of blocks\.0\.conv is 9 numbers, too few for 128 bits"):
        Uchida(layer="blocks.0.conv").keygen(owner, stream("test-uchida"))
    with pytest.raises(
        ValueError, match=r"the net has no convolution last: it has blocks\.0\.conv, blocks\.1\.conv, bloc"
    ):
        Uchida(layer="last").keygen(owner, stream("test-uchida"))
    declared = replace(key, bits=~key.bits)
    assert (SCHEME.admissible(declared).bound, SCHEME.admissible(declared).reason) == (
        False, "the bits do not follow from the secret",
    )  # fmt: skip
