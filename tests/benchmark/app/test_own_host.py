"""A host of the user's own, from its weights to a verdict and to a board."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
from bench import bench_here, records
from own_pictures import digit_pictures, module_at

from benchmark.data.tasks import DATA_ROOT
from benchmark.planning.profile import PROFILES
from benchmark.protocol.parties import Owner
from benchmark.protocol.scheme import Scheme

NET = "shufflenet_v2_x0_5"
FUNCTION = """
import torch
from torch import nn


def build(classes):
    layers = nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(128, classes))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real pictures, weights with a head for their classes, a file that makes a net, and a profile."""
    place = tmp_path_factory.mktemp("own")
    digit_pictures(place / "pictures", 60)
    torch.manual_seed(0)
    state = torchvision.models.get_model(NET, num_classes=3).state_dict()
    safetensors.torch.save_file(state, place / "net.safetensors")
    (place / "net.py").write_text(FUNCTION)
    text = (PROFILES / "own.toml").read_text()
    (place / "short.toml").write_text(
        text.replace("epochs = 3 ", "epochs = 1 ").replace('"torchvision:resnet18"', '"file:net.py:build"')
    )
    return place


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv(DATA_ROOT, str(folder))


@pytest.fixture(scope="module")
def marked(folder: Path) -> tuple[Path, str]:
    """A marked model, and what was said of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(DATA_ROOT, str(folder))
        code, output, error = bench_here(
            "embed", "--scheme", "adi(mode=finetune,n=20,k=20,epochs=16,lr=0.05)", "--host", f"torchvision:{NET}",
            "--weights", "net.safetensors", "--data", "pictures:32", "--out", "mine", "--seed", "1", "--device", "cpu",
        )  # fmt: skip
    assert code == 0, error
    return folder / "mine", output


def test_the_marked_tensors_have_the_librarys_own_names(marked: tuple[Path, str]) -> None:
    mine, said = marked
    assert "before" in said
    net = torchvision.models.get_model(NET, num_classes=3)
    net.load_state_dict(safetensors.torch.load_file(mine / "state_dict.safetensors"), strict=True)
    assert stat.S_IMODE((mine / "key.safetensors").stat().st_mode) == 0o600
    world = json.loads((mine / "card.json").read_text())["profile"]["world"]
    assert world["architecture"] == f"torchvision:{NET}"
    assert world["weights"] == hashlib.sha256(Path("net.safetensors").read_bytes()).hexdigest()
    key = ("verify", "--key", str(mine), "--device", "cpu", "--json")
    named = ("--suspect", f"torchvision:{NET}", "--weights", str(mine / "state_dict.safetensors"))
    (one, own, _), (two, found, _) = (
        bench_here(*key, *words) for words in (("--suspect", str(mine / "model.safetensors")), named)
    )
    assert (one, two) == (0, 0)
    seen, same = json.loads(found), json.loads(own)
    assert (seen["verdict"], seen["form"]) == ("present", "library net")
    assert (seen["evidence"], seen["utility"]) == (same["evidence"], same["utility"])
    images = torch.rand(3, 3, 32, 32)
    shown = torchvision.models.get_model_weights(NET).DEFAULT.transforms()
    plain = net.eval()(torchvision.transforms.functional.normalize(images, shown.mean, shown.std))
    program = torch.export.load(mine / "model.pt2").module()
    assert torch.allclose(program(images), plain, atol=1e-4)


def test_unmarked_models_begin_with_the_hosts_weights_wherever_they_lie(
    marked: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named, or found beside the key by what they hold; a file that holds others is refused."""
    from benchmark.app.verify import examination
    from benchmark.planning.own_nets import weights_path
    from benchmark.planning.profile import Profile

    class Reached(Exception):
        """The nulls would be trained now."""

    def reached(profile: Profile, *_: object) -> None:
        raise Reached(weights_path(profile.weights))

    monkeypatch.setattr(examination, "null_models", reached)
    mine = shutil.copytree(marked[0], tmp_path / "mine")
    words = ("verify", "--key", str(mine), "--suspect", str(mine / "model.safetensors"), "--device", "cpu")
    nulls = ("--nulls", str(tmp_path / "results"))
    code, _, error = bench_here(*words, *nulls)
    assert (code, "give --host-weights FILE, or put the file into the key's folder" in error) == (2, True), error
    code, _, error = bench_here(*words, *nulls, "--host-weights", str(mine / "state_dict.safetensors"))
    assert (code, "has another SHA-256 than the host's weights" in error) == (2, True), error
    code, _, error = bench_here(*words, "--host-weights", str(tmp_path / "none.pt"))
    assert (code, "none.pt can't be read: give the path of a file" in error) == (2, True), error
    for given, where in (
        (("--host-weights", "net.safetensors"), Path("net.safetensors").absolute()),
        ((), Path(shutil.copy("net.safetensors", mine / "renamed.safetensors"))),
    ):
        with pytest.raises(Reached, match=re.escape(str(where))):
            bench_here(*words, *nulls, *given)


def test_the_onnx_file_answers_as_the_model_does(marked: tuple[Path, str]) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(marked[0] / "model.onnx"), providers=["CPUExecutionProvider"])
    images = torch.rand(5, 3, 32, 32)
    (answers,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    program = torch.export.load(marked[0] / "model.pt2").module()
    assert np.allclose(answers, program(images).detach().numpy(), atol=1e-3)


def test_the_exporter_of_onnx_tries_other_ways_where_tracing_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.app.plain_forms import ONNX, PROGRAM, write_plain_forms

    pytest.importorskip("onnxscript")
    export, tries = torch.export.export, list[Any]()

    def fails_first(*words: Any, **named: Any) -> torch.export.ExportedProgram:
        tries.append(named)
        if len(tries) == 1:
            raise RuntimeError("not in this way")
        return export(*words, **named)

    monkeypatch.setattr(torch.export, "export", fails_first)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 6, 3))
    assert write_plain_forms(tmp_path, net, (3, 8, 8), onnx=True) == {PROGRAM: "RuntimeError: not in this way"}
    assert (tmp_path / ONNX).stat().st_size > 0


def test_its_mark_is_found_without_weights_and_nulls(marked: tuple[Path, str]) -> None:
    code, output, error = bench_here(
        "verify", "--key", "mine", "--suspect", "mine/model.safetensors", "--json", "--device", "cpu"
    )
    assert code == 0, error
    found = json.loads(output)
    assert found["verdict"] == "present"
    assert not Path("results").exists()


def test_a_host_with_the_tasks_head_is_marked_as_it_is(marked: tuple[Path, str]) -> None:
    """What is said of the accuracy before is that of the weights, which no training has touched."""
    from benchmark.app.single_model import utility_of
    from benchmark.data.splits import load
    from benchmark.data.tasks import find_task
    from benchmark.protocol import steps

    task = find_task(f"folder:{Path('pictures').absolute()}:32")
    test = load(task).test
    net = torchvision.models.get_model(NET, num_classes=3)
    net.load_state_dict(safetensors.torch.load_file("net.safetensors"))
    shown = torchvision.models.get_model_weights(NET).DEFAULT.transforms()
    with torch.no_grad():
        answers = net.eval()(torchvision.transforms.functional.normalize(test.images(), shown.mean, shown.std))
    right = utility_of(steps.utility(answers, test), task).value
    assert f"accuracy {100 * right:.1f} %" in next(line for line in marked[1].splitlines() if "before " in line)


def test_a_scheme_without_a_host_gets_none_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.protocol import steps

    def embed(scheme: Scheme, owner: Owner, rng: torch.Generator) -> None:
        with pytest.raises(LookupError, match="no host"):
            _ = owner.host
        raise ValueError("looked for it")

    monkeypatch.setattr(steps, "embed", embed)
    code, _, error = bench_here(
        "embed", "--scheme", "rose", "--host", f"torchvision:{NET}", "--weights", "net.safetensors", "--data",
        "pictures:32", "--out", "hostless", "--device", "cpu",
    )  # fmt: skip
    assert (code, "looked for it" in error) == (2, True)


def run(*words: str) -> tuple[int, str, str]:
    return bench_here(
        "run", "--profile", "short.toml", "--data", "pictures:32", "--schemes", "adi(n=20,epochs=2)", "--device", "cpu",
        *words,
    )  # fmt: skip


def test_a_matrix_on_a_net_of_a_file_with_weights_of_its_own(folder: Path) -> None:
    """Its code runs in processes beside the courts'; a copy of the file elsewhere renames nothing."""
    torch.manual_seed(0)
    torch.save({"state_dict": module_at(folder / "net.py").build(3).state_dict()}, "file.pt")
    words = ("--attacks", "prune(amount=0.3),distill(architecture=house)", "--results", "by-file")
    code, _, error = run(*words, "--weights", "file.pt")
    assert code == 0, error
    found = records(Path("by-file"))
    assert {one["status"] for one in found.values()} == {"ok"}
    (host,) = (one for one in found.values() if one["kind"] == "host")
    world = host["job"]["world"]
    assert world["architecture"].startswith("file:net.py:build#")
    assert world["weights"] == hashlib.sha256(Path("file.pt").read_bytes()).hexdigest()
    assert host["result"]["cost"]["samples"] == 0  # the weights have a head for the task
    costs = {one["result"]["cost"]["samples"] for one in found.values() if one["kind"] == "null"}
    assert costs == {96}  # a fine-tune of them, or from scratch: an epoch of 108 images, in batches of 16
    nulls = [one for one in found.values() if one["kind"] == "null"]
    assert sum("weights" in one["job"]["world"] for one in nulls) == 17
    assert len(nulls) == 17 + 8  # from scratch, which count as a second pool

    Path("elsewhere").mkdir()
    (folder / "file.pt").rename("elsewhere/same.pt")
    (Path("elsewhere") / "net.py").write_text(FUNCTION + "\n# only a comment\n")
    Path("elsewhere/short.toml").write_text(Path("short.toml").read_text())
    code, _, error = run(*words, "--profile", "elsewhere/short.toml", "--weights", "elsewhere/same.pt")
    assert code == 0, error
    assert records(Path("by-file")).keys() == found.keys()


def test_a_net_that_only_its_owner_can_build_is_asked_through_its_program() -> None:
    scheme = "adi(mode=finetune,n=20,k=20,epochs=16,lr=0.05)"
    words = ("--profile", "short.toml", "--data", "pictures:32", "--seed", "1", "--device", "cpu")
    code, _, error = bench_here("embed", "--scheme", scheme, "--out", "by-function", *words)
    assert code == 0, error
    code, output, error = bench_here("verify", "--key", "by-function", "--suspect", "by-function/model.pt2", "--json")
    assert code == 0, error
    assert json.loads(output)["verdict"] == "present"
    code, _, error = bench_here("verify", "--key", "by-function", "--suspect", "by-function/model.safetensors")
    assert code == 2
    assert "which is not here: ask the model.pt2 beside it" in error
