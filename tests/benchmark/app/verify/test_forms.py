"""The same net in every form that a suspect may have, and what can't be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from bench import bench_here
from lab import Exhibit, Lab
from torch import nn

from benchmark.architectures.net import Net
from benchmark.execution.suspect_process import PATIENCE, RemoteService, suspect_process
from benchmark.execution.walls import Walls
from benchmark.protocol.objects import Service, ServiceFailed

from .suspect_forms import DIGITS, save, written

FUNCTIONS = """
import numpy, time, torch
net = torch.jit.load({path!r})
def scores(x): return net(torch.from_numpy(x)).detach().numpy()
def labels(x): return scores(x).argmax(1)
def shares(x): return net(torch.from_numpy(x)).softmax(1).detach()
def two(x): return scores(x), labels(x)
def nan(x): return scores(x) * numpy.nan
def one(x): return scores(x)[:, :1]
def fewer(x): return scores(x)[1:]
def wider(x): return numpy.pad(scores(x), ((0, 0), (0, 2)), constant_values=-1e4)
def leaves(x): raise SystemExit(3)
def sleeps(x): time.sleep(600)
"""


@pytest.fixture
def net(marked: Exhibit) -> nn.Module:
    return marked.service.net.module().eval()


@pytest.fixture
def functions(net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(net, tmp_path / "traced.pt")
    (tmp_path / "suspects.py").write_text(FUNCTIONS.format(path=str(path)))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("ending", [".pt", ".pt2", ".onnx"])
def test_a_file_of_another_library_is_asked_like_the_own_one(
    verify: Callable[..., dict[str, Any]], owner: Path, net: nn.Module, tmp_path: Path, ending: str
) -> None:
    if ending == ".onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    own = verify("--suspect", str(owner / "model.safetensors"))
    found = verify("--suspect", str(save(net, tmp_path / f"model{ending}")))
    assert (own["verdict"], own["nulls"], own["asked"] > own["own_images"]) == ("present", 0, True)
    assert (own["sequential"]["items"], own["sequential"]["needed"]) == (40, 4)
    assert found["evidence"] == own["evidence"]
    assert found["utility"] == own["utility"]
    assert found["model_sha256"] != own["model_sha256"]
    if ending == ".pt2":  # it takes one image at a time
        found = verify("--suspect", str(save(net, tmp_path / f"one{ending}", DIGITS[:1], any_number=False)))
        assert found["evidence"] == own["evidence"]


def test_half_precision_is_given_halves(verify: Callable[..., dict[str, Any]], net: nn.Module, tmp_path: Path) -> None:
    path = save(net.half(), tmp_path / "half.pt", DIGITS.half())
    assert verify("--suspect", str(path))["verdict"] == "present"


@pytest.mark.parametrize("name", ["labels", "shares"])
def test_a_function_may_answer_with_labels_or_probabilities(
    verify: Callable[..., dict[str, Any]], functions: None, name: str
) -> None:
    found = verify("--suspect", f"suspects:{name}")
    assert (found["verdict"], found["evidence"]["total"], found["form"]) == ("present", 40, "function")
    assert found["utility"]["value"] > 0.9


def test_an_innocent_model_is_absent(verify: Callable[..., dict[str, Any]], lab: Lab, tmp_path: Path) -> None:
    path = save(lab.null(0).service.net.module(), tmp_path / "innocent.pt")
    found = verify("--suspect", str(path))
    assert (found["verdict"], found["claim"], found["sequential"]["needed"]) == ("absent", "refused", None)


def test_more_classes_than_the_task_has_hide_nothing_and_are_named(
    verify: Callable[..., dict[str, Any]], functions: None
) -> None:
    found = verify("--suspect", "suspects:wider")
    assert (found["verdict"], found["evidence"]["total"]) == ("present", 40)
    assert found["notes"] == ["the suspect answers with 12 classes, and digits has 10"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("suspects:two", "it answers with a tuple of 2, not with one array"),
        ("missing.onnx", "missing.onnx"),
        ("missing.pt", "can't be read: give the path of a file"),
        ("model.h5", "is nothing that can be asked: give a file that ends in .onnx, .pt2, .pt, .safetensors"),
        ("ftp://host/model", "is nothing that can be asked"),
    ],
)
def test_what_can_t_be_asked_is_one_sentence(
    refused: Callable[..., str], functions: None, name: str, sentence: str
) -> None:
    assert sentence in refused("--suspect", name)


@pytest.fixture(scope="module")
def remote() -> Iterator[RemoteService]:
    with suspect_process("cpu", Walls(())) as service:
        yield service


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nan", "NaN or infinity"),
        ("one", "one number an image, which names no class"),
        ("fewer", r"answers 2 images with the shape \(1, 10\)"),
        ("leaves", "SystemExit: 3"),
        ("missing", "has no attribute 'missing'"),
    ],
)
def test_a_function_that_answers_with_nonsense_is_one_sentence(
    remote: RemoteService, functions: None, tmp_path: Path, name: str, sentence: str
) -> None:
    def asked() -> None:
        remote.open("function", f"suspects:{name}", str(tmp_path), 10)
        remote.ask(DIGITS, "outputs")

    with pytest.raises(ServiceFailed, match=sentence):
        asked()


def test_a_function_that_sleeps_is_not_waited_for(functions: None, tmp_path: Path) -> None:
    with suspect_process("cpu", Walls(())) as service:
        service.open("function", "suspects:sleeps", str(tmp_path), 10)
        assert service.patience == PATIENCE
        service.patience = 1.0  # from here on: to begin the process takes longer
        with pytest.raises(ServiceFailed, match="took longer than 1 s for one answer"):
            service.ask(DIGITS, "outputs")
        with pytest.raises(ServiceFailed, match="ended"):  # what comes now would belong to the question before
            service.ask(DIGITS, "outputs")


def test_another_image_size_is_one_sentence(refused: Callable[..., str], tmp_path: Path) -> None:
    large = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    path = save(large, tmp_path / "large.pt2", torch.rand(2, 3, 32, 32))
    assert "it takes images of 3x32x32, and is asked images of 1x16x16" in refused("--suspect", str(path))


class Odd(nn.Module):
    """A net that answers otherwise than a classifier should."""

    def __init__(self, net: nn.Module, way: str) -> None:
        super().__init__()
        self.net, self.way = net, way

    def forward(self, x: torch.Tensor) -> Any:
        scores = self.net(x)
        if self.way == "nan":
            return scores / (scores - scores)
        if self.way == "tuple":
            return scores, x
        return scores[:, :1] if self.way == "one" else scores[0]


@pytest.mark.parametrize("ending", [".pt", ".onnx"])
@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("nan", "does not answer the images of digits (the suspect answers with NaN or infinity)"),
        ("tuple", "it answers with a tuple of 2, not with one array: give a function that returns the scores"),
        ("one", "it answers with one number an image, which names no class"),
        ("first", "the suspect answers 100 images with the shape (10,)"),
    ],
)
def test_a_file_that_answers_with_nonsense_is_one_sentence(
    refused: Callable[..., str], net: nn.Module, tmp_path: Path, way: str, sentence: str, ending: str
) -> None:
    if ending == ".onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    assert sentence in refused("--suspect", str(save(Odd(net, way).eval(), tmp_path / f"odd{ending}")))


@pytest.mark.parametrize(("ending", "dtype"), [(".pt", "float32"), (".onnx", "float32"), (".onnx", "uint8")])
def test_a_file_that_takes_something_else_is_one_sentence(
    refused: Callable[..., str], tmp_path: Path, ending: str, dtype: str
) -> None:
    if ending == ".onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")

    class Large(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3 * 32 * 32, 10)

        def forward(self, x: torch.Tensor) -> Any:
            return self.head(x.float().flatten(1))

    path = save(Large(), tmp_path / f"large{ending}", torch.ones(2, 3, 32, 32, dtype=getattr(torch, dtype)))
    error = refused("--suspect", str(path))
    if dtype == "uint8":
        assert "it takes images as tensor(uint8), not as numbers with a fraction: wrap it in a function" in error
    elif ending == ".onnx":
        assert "it takes images of 3x32x32, and is asked images of 1x16x16: resize them in a function" in error
    else:  # it says nothing of its size
        assert "does not answer the images of digits (ValueError: RuntimeError: mat1 and mat2 shapes" in error


def test_fewer_classes_than_the_task_has_are_named(
    verify: Callable[..., dict[str, Any]], net: nn.Module, tmp_path: Path
) -> None:
    class Few(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> Any:
            return self.net(x)[:, :4]

    found = verify("--suspect", str(save(Few().eval(), tmp_path / "few.pt")))
    assert found["notes"] == ["the suspect answers with 4 classes, and digits has 10"]
    assert found["evidence"]["n"] == 40


def test_a_pickle_is_not_read(refused: Callable[..., str], net: nn.Module, tmp_path: Path) -> None:
    torch.save(net.state_dict(), tmp_path / "state.pt")
    assert "can't be opened as TorchScript" in refused("--suspect", str(tmp_path / "state.pt"))


def test_either_a_suspect_or_its_answers(refused: Callable[..., str]) -> None:
    assert "needs one of --suspect" in refused()


def test_answers_show_no_weights(lab: Lab, net: nn.Module, tmp_path: Path) -> None:
    from schemes.uchida import Uchida

    scheme, rng = Uchida(), torch.Generator().manual_seed(1)
    key = scheme.keygen(lab.owner(scheme), rng)
    folder = written(tmp_path / "uchida", "uchida", Service(Net.of(net)), key, lab.context)
    for words in (
        ["verify", "--suspect", str(save(net, tmp_path / "model.pt"))],
        ["ask", "--out", str(tmp_path / "q")],
    ):
        code, _, error = bench_here(*words, "--key", str(folder), "--device", "cpu")
        assert (code, "reads weights, which answers don't show" in error) == (2, True)
    words = ["--key", str(folder), "--suspect", str(folder / "model.safetensors"), "--device", "cpu", "--json"]
    code, output, error = bench_here("verify", *words)
    assert (code, json.loads(output)["nulls"]) == (0, 0), error


def test_the_page_says_what_was_asked_found_and_not_proved(owner: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ("--key", str(owner), "--suspect", str(owner / "model.safetensors"), "--device", "cpu", "--html", str(page))
    code, said, error = bench_here("verify", *words)
    assert code == 0, error
    html = page.read_text()
    for sentence in (
        "Verdict: present", "What was asked", "those of the key&#39;s triggers among 397 of the judge&#39;s own",
        "40 of 40 triggers came out as the key says.", "1 in 10^40 would do as well", "What this does not prove",
        "enough after 4 of 40 in the key&#39;s order, at alpha 0.001 (e-value 10^38.4); no part of the verdict",
    ):  # fmt: skip
        assert sentence in html
        assert sentence.replace("&#39;", "'") in said
    assert "<script" not in html
