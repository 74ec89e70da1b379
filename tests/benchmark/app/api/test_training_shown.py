"""How far `bench embed` is, on a terminal, in a notebook and in a log; and how it ends where a training diverges."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from bench import PROFILE, bench_here
from rich.console import Console
from torch import nn

from benchmark.app.api.training_shown import TrainingShown
from benchmark.training.batches import BatchSource
from benchmark.training.loop import fit
from benchmark.training.recipe import Recipe


class Clock:
    """Each time that it is read, an epoch of so many seconds has passed."""

    def __init__(self, epoch: float) -> None:
        self.epoch, self.now = epoch, 0.0

    def __call__(self) -> float:
        self.now += self.epoch
        return self.now


def said(console: Console, file: io.StringIO, epochs: int, seconds: float) -> str:
    """What is shown of a real training whose epochs take so long."""
    x, y = torch.zeros(8, 1, 2, 2, dtype=torch.uint8), torch.arange(8) % 2
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with TrainingShown(console, Clock(seconds))("marking"):
        fit(net, [BatchSource(x, y, 4)], Recipe(epochs=epochs, lr=0.1, batch=4), torch.Generator())
    return file.getvalue()


def test_a_log_gets_a_line_for_each_tenth() -> None:
    file = io.StringIO()
    lines = said(Console(file=file), file, 40, 12.0).splitlines()
    assert lines[:2] == ["marking: epoch 1 of 40", "marking: epoch 5 of 40, about 7 min left"]
    assert lines[-1] == "marking: epoch 37 of 40, about 48 s left"
    assert len(lines) == 10


def test_a_short_training_fills_no_log() -> None:
    file = io.StringIO()
    assert said(Console(file=file), file, 40, 0.01).splitlines() == ["marking: epoch 1 of 40"]


def test_a_terminal_shows_one_line_twice_a_second_at_most() -> None:
    file = io.StringIO()
    shown = said(Console(file=file, force_terminal=True, width=80), file, 40, 0.2)
    drawn = [number for number in range(1, 41) if f"epoch {number} of 40" in shown]
    assert drawn == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40]
    assert "epoch 4 of 40, about 7 s left" in shown


def test_a_notebook_shows_it_below_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    display = pytest.importorskip("IPython.display")
    shown = list[str]()

    class Handle:
        def update(self, drawn: dict[str, str], raw: bool) -> None:
            assert raw
            shown.append(drawn["text/plain"])

    monkeypatch.setattr(display, "display", lambda *_, **__: Handle())
    file = io.StringIO()
    console = Console(file=file)
    console.is_jupyter = True
    assert said(console, file, 4, 1.0) == ""
    assert shown[-1] == "marking: epoch 4 of 4, about 1 s left"


def test_bench_embed_names_the_epoch(tmp_path: Path) -> None:
    words = ("--scheme", "adi(mode=finetune,n=40,k=16,epochs=2)", "--profile", str(PROFILE), "--device", "cpu")
    code, _, error = bench_here("embed", *words, "--out", str(tmp_path / "mine"))
    assert code == 0, error
    assert "the unmarked host: epoch 1 of 5" in error
    assert "marking: epoch 1 of 2" in error


@pytest.mark.parametrize(
    ("scheme", "rate", "sentence"),
    [
        ("adi(lr=1000000.0,epochs=2)", "0.05", "adi(mode=scratch,epochs=2,lr=1000000.0): training diverged"),
        ("adi(mode=finetune,epochs=2)", "1e9", "the unmarked host of the profile wild can't be used: training div"),
    ],
)
def test_a_training_that_diverges_is_one_sentence(tmp_path: Path, scheme: str, rate: str, sentence: str) -> None:
    wild = tmp_path / "wild.toml"
    wild.write_text(PROFILE.read_text().replace("lr = 0.05", f"lr = {rate}"))
    out = tmp_path / "out"
    code, _, error = bench_here("embed", "--scheme", scheme, "--out", str(out), "--profile", str(wild))
    assert (code, sentence in error, "\n" in error, "lower lr" in error) == (2, True, False, True), error
    assert not out.exists()
