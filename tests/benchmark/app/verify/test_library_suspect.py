"""Suspects that are a file of weights and the name of a net of torchvision or timm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from lab import Exhibit, Lab

from schemes.uchida import Uchida, matrix

from .suspect_forms import written

NET = "shufflenet_v2_x0_5"


@pytest.fixture
def weights(tmp_path: Path) -> Callable[..., str]:
    def saved(classes: int = 10, name: str = NET) -> str:
        torch.manual_seed(1)
        path = tmp_path / "net.pt"
        torch.save({"state_dict": torchvision.models.get_model(name, num_classes=classes).state_dict()}, path)
        return str(path)

    return saved


def test_an_innocent_net_is_asked_and_accused_of_nothing(
    verify: Callable[..., dict[str, Any]], weights: Callable[..., str]
) -> None:
    found = verify("--suspect", f"torchvision:{NET}", "--weights", weights())
    assert (found["verdict"] != "present", found["form"], found["sequential"]["needed"]) == (True, "library net", None)


def test_timm_has_nets_too(verify: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(1)
    path = tmp_path / "net.pt"
    torch.save(timm.create_model("resnet10t", num_classes=10).state_dict(), path)
    found = verify("--suspect", "timm:resnet10t", "--weights", str(path))
    assert (found["verdict"], found["form"]) == ("absent", "library net")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--suspect", f"torchvision:{NET}"), "go together: give both or neither"),
        (("--suspect", "model.onnx", "--weights", "net.pt"), "go together: give both or neither"),
        (("--suspect", "net.onnx", "--nulls", "timm:resnet18"), "--nulls timm:resnet18 names a net, not a folder"),
        (("--suspect", "torchvision:resnet0", "--weights", "net.pt"), "torchvision has no net 'resnet0'"),
        (("--suspect", "torchvision:resnet/18", "--weights", "net.pt"), "names no net: write torchvision:NAME"),
        (("--suspect", f"torchvision:{NET}", "--weights", "net.pt"), "--weights net.pt is missing"),
    ],
)
def test_what_names_no_net_is_one_sentence(refused: Callable[..., str], words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(*words)


def test_weights_of_another_net_or_head_are_one_sentence(
    refused: Callable[..., str], weights: Callable[..., str]
) -> None:
    other = weights(name="mnasnet0_5")
    assert "the weights are another net's: " in refused("--suspect", f"torchvision:{NET}", "--weights", other)
    wide = weights(classes=1000)
    assert "a head of other classes than the 10 of digits" in refused(
        "--suspect", f"torchvision:{NET}", "--weights", wide
    )


def test_a_court_that_reads_weights_reads_them(
    lab: Lab, marked: Exhibit, weights: Callable[..., str], verify: Callable[..., dict[str, Any]], owner: Path
) -> None:
    scheme = Uchida()
    drawn = scheme.keygen(lab.owner(scheme), torch.Generator().manual_seed(1))
    key = replace(drawn, layer="net.conv5.0", size=192)  # of this net
    written(owner, "uchida", marked.service, key, lab.context)
    given = weights()
    found = verify("--suspect", f"torchvision:{NET}", "--weights", given)
    assert (found["verdict"], found["form"], found["evidence"]["n"]) == ("absent", "library net", 128)
    state = torch.load(given)["state_dict"]
    read, filters = matrix(key), state["conv5.0.weight"]
    missing = 2.0 * key.bits - 1 - read @ filters.mean(0).flatten()
    filters += torch.linalg.lstsq(read, missing).solution[:, None, None]
    torch.save(state, given)
    found = verify("--suspect", f"torchvision:{NET}", "--weights", given)
    assert (found["verdict"], found["evidence"]["total"]) == ("present", 128)
