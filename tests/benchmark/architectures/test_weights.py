"""Weights that somebody brings: in which forms they are read, which are put into a net, and what is refused."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torchvision
from torch import Tensor, nn

from benchmark.architectures.hosts import maker_net
from benchmark.architectures.net import build
from benchmark.architectures.weights import head_names, put_weights, read_weights
from benchmark.errors import BenchError
from benchmark.planning.own_nets import weights_digest

NAME = "squeezenet1_1"
SPEC = {"builder": "torchvision", "name": "resnet18", "size": 32}


def state(classes: int, name: str = "resnet18") -> dict[str, Tensor]:
    torch.manual_seed(1)
    found: dict[str, Tensor] = torchvision.models.get_model(name, num_classes=classes).state_dict()
    return found


FORMS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda given: given,
    "nested": lambda given: {"epoch": 3, "state_dict": given},
    "nested twice": lambda given: {"model": {"state_dict": given}},
    "spread": lambda given: {f"module.{name}": one for name, one in given.items()},
    "compiled": lambda given: {f"module._orig_mod.{name}": one for name, one in given.items()},
    "Lightning": lambda given: {"state_dict": {f"model.{name}": one for name, one in given.items()}},
    "averaged": lambda given: {"n_averaged": torch.tensor(2)} | {f"module.{n}": one for n, one in given.items()},
    "halves": lambda given: {n: one.half() if one.is_floating_point() else one for n, one in given.items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_is_read(form: str, tmp_path: Path) -> None:
    given = state(4)
    torch.save(FORMS[form](given), tmp_path / "net.pt")
    model = build({**SPEC, "classes": 4})
    assert put_weights(model, read_weights(tmp_path / "net.pt"), 4) == []
    tolerance = 1e-3 if form == "halves" else 0.0
    for name, tensor in maker_net(model).state_dict().items():
        assert tensor.dtype == given[name].dtype
        assert torch.allclose(tensor.float(), given[name].float(), atol=tolerance), name


def test_safetensors_and_the_old_form_of_torch_are_read(tmp_path: Path) -> None:
    given = state(4, NAME)
    safetensors.torch.save_file(given, tmp_path / "net.safetensors")
    torch.save(given, tmp_path / "net.pth", _use_new_zipfile_serialization=False)
    for name in ("net.safetensors", "net.pth"):
        read = read_weights(tmp_path / name)
        assert read.keys() == given.keys()
        assert all(torch.equal(read[one], given[one]) for one in given)


def test_a_head_of_another_width_stays_as_it_was_drawn(tmp_path: Path) -> None:
    model = build({**SPEC, "classes": 4})
    drawn = maker_net(model).state_dict()["fc.weight"].clone()
    given = state(1000)
    assert put_weights(model, given, 4) == ["fc.weight", "fc.bias"]
    now = maker_net(model).state_dict()
    assert torch.equal(now["fc.weight"], drawn)
    assert torch.equal(now["conv1.weight"], given["conv1.weight"])
    without = {name: one for name, one in given.items() if not name.startswith("fc.")}
    assert put_weights(model, without, 4) == ["fc.weight", "fc.bias"]


def test_a_head_that_is_a_convolution_is_found() -> None:
    model = build({**SPEC, "name": NAME, "classes": 4})
    assert put_weights(model, state(1000, NAME), 4) == ["classifier.1.weight", "classifier.1.bias"]


def test_both_heads_of_a_distilled_net_are_found() -> None:
    layers = OrderedDict(body=nn.Linear(6, 3), head=nn.Linear(3, 4), head_dist=nn.Linear(3, 4), norm=nn.LayerNorm(4))
    heads = ["head.weight", "head.bias", "head_dist.weight", "head_dist.bias"]
    assert head_names(nn.Sequential(layers), 4) == heads
    assert head_names(nn.Sequential(layers), 3) == ["body.weight", "body.bias"]
    assert head_names(nn.Sequential(layers), 5) == []


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("was-run"),)


def test_code_in_a_pickle_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": _Evil()}, tmp_path / "net.pt")
    with pytest.raises(BenchError, match="holds more than tensors, and code in it is not run"):
        read_weights(tmp_path / "net.pt")
    assert not (tmp_path / "was-run").exists()


def packed_anew(path: Path, *, how: int, more: int) -> None:
    """The same file of torch with `more` bytes behind its pickle, all compressed by `how`."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", how) as new:
        for name, data in parts.items():
            new.writestr(name, data + bytes(more * name.endswith("data.pkl")))


def test_a_small_file_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    """A view that repeats one number, and a pickle that unpacks to gigabytes, did: the process was killed."""
    path, small = tmp_path / "net.pt", {"weight": torch.zeros(1)}
    for size in (2**31, 10**13):
        torch.save({"weight": torch.zeros(1).expand(size)}, path)
        with pytest.raises(BenchError, match="more than 2 GiB of numbers"):
            read_weights(path)
    for how, more, said in (
        (zipfile.ZIP_DEFLATED, 0, "it is compressed"),
        (zipfile.ZIP_STORED, 5 << 20, "more than 4 MiB of it are no tensors"),
    ):
        torch.save(small, path)
        packed_anew(path, how=how, more=more)
        with pytest.raises(BenchError, match=said):
            read_weights(path)
    torch.save({"state_dict": small, "note": "x" * (5 << 20)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(BenchError, match="more than 4 MiB of it are no tensors"):
        read_weights(path)
    torch.save({"weight": torch.ones(3 << 20)}, path, _use_new_zipfile_serialization=False)
    assert read_weights(path)["weight"].sum() == 3 << 20


def test_weights_are_not_waited_for(tmp_path: Path) -> None:
    for ending in (".pt", ".safetensors"):
        os.mkfifo(tmp_path / f"net{ending}")
        with pytest.raises(BenchError, match="It is no regular file"):
            weights_digest(str(tmp_path / f"net{ending}"))
        with pytest.raises(BenchError, match="is missing: give the path of a file"):
            read_weights(tmp_path / f"net{ending}")


def test_what_is_no_file_of_weights_is_one_sentence(tmp_path: Path) -> None:
    broken = state(4)
    broken["layer1.0.conv1.weight"][0] = torch.nan
    endless: dict[str, Any] = {}
    endless["model"] = endless
    few = {"weight": torch.eye(3)}
    with warnings.catch_warnings(action="ignore"):
        quantised = torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8)
    for name, content, said in (
        ("a.pt", broken, "holds NaN or infinity in layer1.0.conv1.weight"),
        ("b.pt", {"epoch": 3}, "holds no state_dict"),
        ("c.pt", [1, 2], "holds no state_dict"),
        ("g.pt", endless, "holds no state_dict"),
        ("h.pt", {"n_averaged": torch.tensor(2)}, "holds no weights"),
        ("i.pt", few | {"fc.weight": torch.eye(3).to_sparse()}, r"sparse, quantised or empty tensors \(fc.weight\)"),
        ("j.pt", few | {"fc.weight": quantised}, r"sparse, quantised or empty tensors \(fc.weight\)"),
        ("k.pt", few | {"fc.weight": torch.eye(3, device="meta")}, r"quantised or empty tensors \(fc.weight\)"),
    ):
        torch.save(content, tmp_path / name)
        with pytest.raises(BenchError, match=said):
            read_weights(tmp_path / name)
    for name, data, said in (
        ("d.safetensors", b"not tensors at all", "can't be read as safetensors"),
        ("e.pt", b"not tensors at all", "can't be read"),
        ("f.onnx", b"", "is no file of weights"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BenchError, match=said):
            read_weights(tmp_path / name)
    with pytest.raises(BenchError, match="is missing"):
        read_weights(tmp_path / "nowhere.pt")


def test_another_nets_weights_are_named() -> None:
    model = build({**SPEC, "classes": 4})
    with pytest.raises(BenchError, match=r"another net's: .* and \d+ more are missing"):
        put_weights(model, state(4, NAME), 4)
    with pytest.raises(BenchError, match=r"extra\.weight are not in the net"):
        put_weights(model, state(4) | {"extra.weight": torch.zeros(2)}, 4)
    odd = state(4)
    odd["layer4.0.conv1.weight"] = torch.zeros(5, 5, 3, 3)
    with pytest.raises(BenchError, match=r"layer4.0.conv1.weight have another shape"):
        put_weights(model, odd, 4)
