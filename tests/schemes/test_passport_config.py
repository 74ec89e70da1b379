"""Which layers get passports and what is written there; where passports come from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmark.contract import build
from benchmark.errors import BenchError, NotApplicable
from benchmark.protocol.parties import Owner, stream
from schemes.passport import Passport
from schemes.passport_key import drawn, message_bits, read_config, whitened_bits


def configured(tmp_path: Path, text: str, **changed: Any) -> Passport:
    path = tmp_path / "layers.toml"
    path.write_text(text)
    return Passport(config=str(path), **changed)


def test_a_file_names_the_layers_and_their_texts(lab: Any, tmp_path: Path) -> None:
    scheme = configured(tmp_path, 'blocks.2 = "last"\n"blocks.1" = true\nblocks.0 = false\n', signature="me")
    key = scheme.keygen(lab.owner(scheme), stream("key"))
    assert key.layers == ("blocks.1", "blocks.2")  # from the input to the output, whatever the file's order
    assert key.texts == ("", "last")
    assert [len(bits) for bits in key.bits] == [32, 64]
    assert scheme.admissible(key).bound
    assert not scheme.admissible(replace(key, texts=("", "mine"))).bound
    marked = lab.embed(scheme)
    seen = lab.observe(scheme, marked)["channels"]["bits"]["hits"]
    assert (len(seen), seen.count("1")) == (96, 96)


def test_own_texts_are_written_into_their_layers_and_the_rest_shares_the_signature() -> None:
    silent = torch.cat(whitened_bits("AB", ["", "Z", ""], [8, 16, 8], bytes(32)))
    other = torch.cat(whitened_bits("AC", ["", "Z", ""], [8, 16, 8], bytes(32)))
    assert (silent ^ other).nonzero().flatten().tolist() == [31]  # B and C differ in their last bit
    own = torch.cat(whitened_bits("AB", ["", "[", ""], [8, 16, 8], bytes(32)))
    assert (silent ^ own).nonzero().flatten().tolist() == [15, 23]  # repeated over its layer
    alone = whitened_bits("", ["Z"], [16], bytes(32))  # no layer is left for a signature
    assert torch.equal(alone[0] ^ whitened_bits("Z", [""], [16], bytes(32))[0], torch.zeros(16, dtype=torch.bool))
    assert message_bits("Z", 16).sum() == 8


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("blocks.7 = true", r"the net has no layer blocks\.7: it has blocks\.0, blocks\.1, blocks\.2"),
        ('blocks.1 = "five!"', "the signature 'five!' needs 40 bits, its passport layers have 32: shorten it"),
        ('blocks.1 = "é"', "must be ASCII text"),
        ("blocks.1 = ", r"layers\.toml is not valid TOML"),
        ("blocks.1 = 1979-05-27", r"it holds a date"),
        (f"blocks.1 = '{'é' * 9000}'", "must be ASCII text"),
        (f"{'x' * 9000} = 1", "must be true, false or the text"),
        (f"{'x' * 9000} = true", "the net has no layer xxx"),
        ("blocks.1 = 3", r"blocks\.1 must be true, false or the text of its signature, not 3"),
        ('blocks.1 = ""', r"blocks\.1 must be true, false or the text"),
        ("", "names no layer: write one a line"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(lab: Any, tmp_path: Path, text: str, sentence: str) -> None:
    scheme = configured(tmp_path, text)
    with pytest.raises((ValueError, BenchError), match=sentence) as error:
        scheme.keygen(lab.owner(scheme), stream("key"))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"gone\.toml can't be read"):
        read_config(str(tmp_path / "gone.toml"))
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(BenchError, match=r"pipe\.toml can't be read \(It is no regular file\)"):
        read_config(str(tmp_path / "pipe.toml"))


def test_a_net_without_normalised_convolutions_has_no_place_for_passports(lab: Any) -> None:
    with pytest.raises(NotApplicable, match="no normalised convolution"):
        Passport().places(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    with pytest.raises(ValueError, match="layers=4 is more than the 3 convolutions"):
        Passport(layers=4).places(build(lab.context.spec()))


def test_what_the_recipes_draw() -> None:
    x = torch.arange(1.0, 1 + 6 * 4).view(6, 4, 1, 1)
    shuffled = drawn("shuffle", x, stream("draw"))
    signed = drawn("signed", x, stream("draw"))
    assert torch.equal(signed.abs(), shuffled)
    assert 0 < int((signed < 0).sum()) < 4
    assert torch.equal(drawn("image", x, stream("draw")), x[:1])
    noise = drawn("random", x.new_zeros(2, 64, 8, 8), stream("draw"))
    assert noise.shape == (1, 64, 8, 8)
    assert -1 <= float(noise.min()) < -0.9
    assert abs(float(noise.mean())) < 0.05


@pytest.mark.parametrize("recipe", ["signed", "random", "image"])
def test_every_recipe_can_be_marked(lab: Any, recipe: Any) -> None:
    scheme = Passport(recipe=recipe)
    marked = lab.embed(scheme)
    assert lab.total(lab.observe(scheme, marked)) == 96
    assert marked.accuracy > 0.94
    negative = [float((p < 0).float().mean()) for p in marked.key.p_gamma]
    assert all(0.1 < share < 0.9 for share in negative) if recipe != "image" else max(negative) == 0


def test_too_few_images_for_a_passport_are_said_so(lab: Any) -> None:
    host = lab.null(0).service.net
    owner = Owner(lab.context, lab.splits.owner.take(torch.arange(1)), stream("owner"), host)
    with pytest.raises(ValueError, match="need an image each, and the party has fewer than 2"):
        Passport(recipe="image").keygen(owner, stream("image"))
