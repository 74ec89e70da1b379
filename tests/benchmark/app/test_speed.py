"""The instrument: what its figures mean, that its loops train alike, and that a difference to an earlier run shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from bench import bench_here
from torch import nn

from benchmark.app.speed import training
from benchmark.app.speed.cells import scaling
from benchmark.app.speed.loops import augmented, bare_loop, fast_loop
from benchmark.app.speed.report import SpeedReport, as_json, in_words, ratios, ratios_in_words, read_report
from benchmark.app.speed.samples import Figure
from benchmark.app.speed.training import TrainingSpeed, alternated, compared, measure_training, operations_per_image
from benchmark.data.splits import Data
from benchmark.errors import BenchError
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import load_profile
from benchmark.training.device import device_of
from benchmark.training.loop import Recipe

CPU = torch.device("cpu")


def report(**changed: object) -> SpeedReport:
    figures = {"engine": Figure(2000.0, "images/s", 1900.0, 2100.0), "cell of none": Figure(0.2, "s", 0.2, 0.2)}
    made = SpeedReport(1, "0.4.0", "bench speed", "2026-01-01T00:00:00+00:00", "quick", "a processor", 2,
                       {"torch": "2.14"}, "the fast loop: a compiled net", figures)  # fmt: skip
    return replace(made, **changed)  # type: ignore[arg-type]


def written(folder: Path, one: SpeedReport) -> Path:
    """As `bench speed --json` writes it."""
    (path := folder / "before.json").write_text(json.dumps(as_json(one, ratios(one, one))))
    return path


def test_the_interval_leaves_out_what_chance_allows() -> None:
    nine = Figure.of([9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 100.0], "s")
    assert (nine.low, nine.value, nine.high) == (2.0, 5.0, 9.0)  # 2 * (1 + 9) / 2^9 is below 5 %
    for few in ([3.0], [3.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]):  # 2 * (1 + 6) / 2^6 is not
        assert (Figure.of(few, "s").low, Figure.of(few, "s").high) == (min(few), max(few))


def test_the_engine_is_compared_round_by_round_with_the_faster_loop_by_hand() -> None:
    taken = {"engine": [2.0, 4.0, 2.0], "bare loop": [2.0, 4.0, 2.0], "fast loop": [1.0, 2.0, 1.0]}
    found = compared(taken, images=100)
    assert found["engine"].value == 50.0
    assert found["engine's time / bare loop's"] == Figure(1.0, "", 1.0, 1.0)
    assert found["engine's time / fast loop's"] == Figure(2.0, "", 2.0, 2.0)
    assert found["engine's time / the best by hand's"] == found["engine's time / fast loop's"]


def test_nobody_is_always_the_first_of_a_round() -> None:
    order: list[str] = []
    taken = alternated({name: lambda name=name: order.append(name) for name in "abc"}, CPU, rounds=3)  # type: ignore[misc]
    assert "".join(order) == "abcbcacab"
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 3, "b": 3, "c": 3}


def test_the_gain_of_more_workers_is_over_one() -> None:
    found = scaling({1: [4.0, 8.0, 4.0], 2: [2.0, 4.0, 2.0]})
    assert found["gain of 2 workers over 1"] == Figure(2.0, "x", 2.0, 2.0)
    assert scaling({1: [4.0]}) == {}


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))


def test_the_loops_by_hand_take_the_same_steps() -> None:
    labels = torch.arange(48) % 2
    images = (torch.rand(48, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 100).to(torch.uint8)
    data, recipe = Data(images + (100 * labels)[:, None, None, None].to(torch.uint8), labels), Recipe(8, 0.05, 16)
    trained = []
    for loop in (bare_loop, lambda *given: fast_loop(*given, "eager"), lambda *given: fast_loop(*given, None)):
        model = net()
        torch.manual_seed(4)
        loop(model, data, recipe, "auto")
        trained.append(model)
        assert (model.eval()(images.float() / 255).argmax(1) == labels).float().mean() >= 0.5
    weights = [torch.cat([one.flatten() for one in model.parameters()]) for model in trained]
    assert torch.allclose(weights[0], weights[1], atol=1e-5)
    assert torch.allclose(weights[0], weights[2], atol=1e-5)
    start = torch.cat([one.flatten() for one in net().parameters()])
    assert (weights[0] - start).abs().max() > 0.01


def test_augmented_images_are_moved_and_mirrored() -> None:
    torch.manual_seed(0)
    image = torch.zeros(64, 1, 9, 9)
    image[:, :, 4, 6] = 1.0
    moved = augmented(image, Recipe(shift=2, flip=True)).flatten(1).argmax(1)
    rows, columns = moved // 9, moved % 9
    assert set(rows.tolist()) == {2, 3, 4, 5, 6}
    assert set(columns.tolist()) >= {0, 1, 2, 6, 7, 8}
    assert torch.equal(augmented(image, Recipe()), image)


@pytest.fixture(scope="module")
def measured() -> TrainingSpeed:
    """The quick profile, with a compiler that is not there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "compiler_for", lambda device: "none-of-this-name")
        return measure_training(load_profile("quick"), device_of("cpu"), seconds=0.1, rounds=1)


def test_a_compiler_that_fails_leaves_the_bare_loop(measured: TrainingSpeed) -> None:
    assert "fast loop" not in measured.figures
    assert "by hand there is the bare loop alone: torch.compile failed (" in measured.note
    ratio = measured.figures["engine's time / bare loop's"].value
    assert ratio == pytest.approx(measured.figures["bare loop"].value / measured.figures["engine"].value)


def test_the_share_is_of_what_the_device_multiplies(measured: TrainingSpeed) -> None:
    operations = operations_per_image(context_of(load_profile("quick").world(), CPU))
    flops = 2 * operations * measured.figures["engine"].value
    share = measured.figures["engine's share of it"].value
    assert share == pytest.approx(100 * flops / (1e9 * measured.figures["matrix product"].value))
    assert measured.pace == measured.figures["engine"].value


def test_image_to_image_profiles_are_refused() -> None:
    with pytest.raises(BenchError, match="derain has none"):
        measure_training(load_profile("quick").tracks[1], CPU, 1.0)


def test_a_doubled_time_shows_beside_the_earlier_report(tmp_path: Path) -> None:
    before = read_report(written(tmp_path, report()))
    assert before == report()
    half = {**before.figures, "engine": Figure(1000.0, "images/s", 950.0, 1050.0), "new": Figure(1.0, "s", 1.0, 1.0)}
    found = {one.name: one.ratio for one in ratios(before, report(figures=half))}
    assert found == {"engine": 0.5, "cell of none": 1.0}
    assert "2,000     1,000 images/s  ratio 0.500" in ratios_in_words(ratios(before, report(figures=half)), before)
    assert "1,900 to 2,100" in in_words(before)


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"cores": 4000}, "is of other hardware"), ({"hardware": "another"}, "is of other hardware")],
)
def test_other_hardware_is_refused_before_anything_is_measured(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    path = written(tmp_path, report(**changed))
    code, _, error = bench_here("speed", "--device", "cpu", "--compare", str(path))
    assert code == 2
    assert said in error
    assert error.endswith("measure both in one place")


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "before.json").write_text('{"schema": 1}')
    code, _, error = bench_here("speed", "--compare", str(path))
    assert code == 2
    assert error.endswith("give a file that `bench speed --json` wrote")
