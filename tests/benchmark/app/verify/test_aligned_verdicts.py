"""`bench verify` before a court that reads weights: a thief who reorders channels moves bits, and the court moves them
back to the model that the card names.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from bench import PROFILE, bench_here

import benchmark as wb

NOTE = "has no p-value without unmarked models that are aligned alike"


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An owner's folder, `mine`, and beside it what a thief made of its model, `stolen`."""
    folder = tmp_path_factory.mktemp("aligned")
    wb.embed("uchida(bits=128)", folder / "mine", profile=str(PROFILE), seed=3, device="cpu")
    wb.attack(folder / "mine", "rearrange", folder / "stolen", profile=str(PROFILE), device="cpu")
    return folder


def verified(key: Path, suspect: Path, *options: str) -> dict[str, Any]:
    words = ("--key", str(key), "--suspect", str(suspect), "--profile", str(PROFILE), "--device", "cpu", "--json")
    code, said, error = bench_here("verify", *words, *options)
    assert code == 0, error
    found: dict[str, Any] = json.loads(said)
    return found


def test_reordered_channels_hide_no_bits_where_unmarked_models_are_compared(owned: Path, finished: Path) -> None:
    stolen = owned / "stolen" / "model.safetensors"
    found = verified(owned / "mine", stolen, "--nulls", str(finished))
    seen = found["evidence"]
    assert (found["verdict"], seen["view"], seen["tries"], found["nulls"]) == ("present", "bits_aligned", 2, 16)
    assert (seen["total"], seen["n"], seen["log10_p_key"]) == (128, 128, None)
    assert 40 < seen["views"]["bits"]["total"] < 88
    assert seen["grade"] == "extrapolated"
    late = found["without_commitment"]  # the net could have been chosen when the suspect was known
    assert (late["verdict"], late["claim"]) == ("absent", "refused")
    words = ("--key", str(owned / "mine"), "--suspect", str(stolen), "--profile", str(PROFILE), "--device", "cpu")
    _, page, _ = bench_here("verify", *words, "--nulls", str(finished))
    assert "128 of 128 bits came out as the key says" in page
    assert "That is the view bits_aligned, of 2 in which the weights were read" in page
    assert "once in 2,000 times in each of 2 views (extrapolated)" in page


def test_without_them_the_page_says_what_it_can_not_weigh(owned: Path) -> None:
    found = verified(owned / "mine", owned / "stolen" / "model.safetensors")
    assert (found["verdict"], found["nulls"], found["evidence"]["tries"]) == ("absent", 0, 1)
    (note,) = found["notes"]
    assert "the weights show 128 of 128" in note
    assert NOTE in note


def test_an_unmarked_model_is_aligned_like_the_nulls_and_absent(owned: Path, finished: Path, tmp_path: Path) -> None:
    wb.attack(owned / "mine", "scratch(recipe=house)", tmp_path / "other", profile=str(PROFILE), device="cpu", seed=9)
    found = verified(owned / "mine", tmp_path / "other" / "model.safetensors", "--nulls", str(finished))
    assert found["verdict"] in ("absent", "unclear")
    assert (found["evidence"]["tries"], found["claim"] == "accepted") == (2, False)


def test_only_the_model_on_the_card_is_aligned_to(owned: Path, tmp_path: Path) -> None:
    """Without a card, without the model, or with another key's card the weights are read as they are."""
    stolen = owned / "stolen" / "model.safetensors"
    for missing in ("card.json", "model.safetensors"):
        mine = shutil.copytree(owned / "mine", tmp_path / missing)
        (mine / missing).unlink()
        found = verified(mine, stolen, "--scheme", "uchida(bits=128)")
        assert found["evidence"]["tries"] == 1
        assert not any(NOTE in one for one in found["notes"])
    mine = shutil.copytree(owned / "mine", tmp_path / "exchanged")
    shutil.copy(stolen, mine / "model.safetensors")
    assert not any(NOTE in one for one in verified(mine, stolen)["notes"])
