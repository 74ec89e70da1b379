"""Profiles: what a table may hold, and the tracks of a run with tasks of two kinds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.errors import BenchError
from benchmark.planning.profile import PROFILES, Profile, load_profile, profile_names
from benchmark.training.recipe import Recipe

IMAGE = """
[image]
task = "derain"
architecture = "unet"
budget = 1.5
nulls = 8
[image.training]
epochs = 3
lr = 0.002
batch = 8
weight_decay = 0.0
shift = 0
flip = false
optimiser = "adam"
"""


def written(tmp_path: Path, more: str = IMAGE, **changed: str) -> Path:
    """The small test profile as a file, some lines changed, with `more` at its end."""
    text = (Path(__file__).parents[2] / "small.toml").read_text()
    for line, other in changed.items():
        text = "\n".join(f"{line} = {other}" if one.startswith(f"{line} =") else one for one in text.splitlines())
    path = tmp_path / "mine.toml"
    path.write_text(text + more)
    return path


def load(path: Path) -> Profile:
    return load_profile(str(path))


def test_every_profile_that_ships_can_be_read() -> None:
    for name in profile_names():
        for track in load_profile(name).tracks:
            assert track.image is None
            assert track.world()["training"]["epochs"] >= 1
    assert (PROFILES / "quick.toml").is_file()


def test_what_came_later_enters_a_job_only_where_it_is_used(tmp_path: Path) -> None:
    later = {"smoothing", "decay_norms", "border"}
    usual = load(written(tmp_path)).world()
    assert "engine" not in usual
    assert later.isdisjoint(usual["training"])
    other = load(written(tmp_path, 'smoothing = 0.1\ndecay_norms = false\nborder = "reflect"\n')).world()
    assert {name: other["training"][name] for name in later} == {
        "smoothing": 0.1, "decay_norms": False, "border": "reflect"
    }  # fmt: skip
    path = written(tmp_path, "")
    path.write_text('engine = "eager"\n' + path.read_text())
    assert load(path).world()["engine"] == load(path).described().engine == "eager"
    assert Recipe(**other["training"]).border == "reflect"


def test_a_table_of_images_is_a_track_of_its_own(tmp_path: Path) -> None:
    profile = load(written(tmp_path))
    main, image = profile.tracks
    assert (main.task, main.budget, main.nulls) == ("digits", 5.0, 16)
    assert (image.task, image.architecture, image.budget, image.nulls) == ("derain", "unet", 1.5, 8)
    assert image.training.optimiser == "adam"
    assert main.training.optimiser == "sgd"
    assert profile.track(("image-to-image",)) == image
    assert profile.track(("classification",)) == main
    assert main.track(("image-to-image",)) is None
    assert image.seeds == main.seeds


def test_a_task_on_the_command_line_replaces_that_of_its_kind(tmp_path: Path) -> None:
    profile = load(written(tmp_path))
    assert [track.task for track in profile.with_options(task="denoise").tracks] == ["digits", "denoise"]
    assert [track.task for track in profile.with_options(task="fashion-mnist").tracks] == ["fashion-mnist", "derain"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (IMAGE.replace("derain", "digits"), "names a task of image-to-image nets"),
        (IMAGE.replace("derain", "deran"), "no task is called 'deran': did you mean derain"),
        (IMAGE.replace("nulls = 8", "nulls = 7"), "nulls must be at least 8, not 7"),
        (IMAGE.replace("nulls = 8", "nulls = 100000000"), "nulls must be at most 10000, not 100000000"),
        (IMAGE.replace("budget = 1.5\n", ""), "image: budget is missing"),
        (IMAGE.replace('"adam"', '"adamw"'), "image: training: optimiser must be one of sgd, adam, not 'adamw'"),
        ("\n[image]\nimages = 3\n", "unknown key 'images'"),
    ],
)
def test_what_is_wrong_in_it_is_said_in_one_sentence(tmp_path: Path, wrong: str, sentence: str) -> None:
    with pytest.raises(BenchError, match=sentence):
        load(written(tmp_path, wrong))


def test_the_main_part_needs_more_nulls(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="nulls must be at least 16, not 15"):
        load(written(tmp_path, nulls="15"))


@pytest.mark.parametrize("line", ["nulls", "seeds"])
def test_a_plan_that_no_memory_holds_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(BenchError, match=f"{line} must be at most 10*, not 10000000"):
        load(written(tmp_path, **{line: "10000000"}))


def test_thieves_are_counted(tmp_path: Path) -> None:
    thief = load(written(tmp_path)).thief
    with pytest.raises(ValueError, match="pool, labelled and unlabelled make at most 100 thieves"):
        replace(thief, labelled=tuple(range(101)))


def test_a_table_must_be_one(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    path.write_text("image = 3\n" + path.read_text())
    with pytest.raises(BenchError, match="image must be a table"):
        load(path)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('schedule = "step"', "training: schedule must be one of cosine, constant, steps, linear, not 'step'"),
        ('schedule = "steps"', "training: drops and the schedule steps go together"),
        ("drops = [0.5]", "training: drops and the schedule steps go together"),
        ('schedule = "steps"\ndrops = [0.5, 1.0]', "training: drops must lie between 0 and 1, not 0.5, 1.0"),
        ("smoothing = 1.0", "training: smoothing must be at least 0 and below 1, not 1.0"),
        ('optimiser = "adams"', "training: optimiser must be one of sgd, adam, not 'adams'"),
    ],
)
def test_a_schedule_that_is_none_is_refused(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(BenchError) as error:
        load(written(tmp_path, f"{line}\n"))
    assert sentence in str(error.value)


def test_an_architecture_is_checked_and_its_arguments_are_part_of_the_world(tmp_path: Path) -> None:
    small = load(written(tmp_path, "", architecture='"resnet18(width=16)"'))
    assert small.world()["architecture"] == "resnet18(width=16)"
    with pytest.raises(
        BenchError, match=r"profile mine\.toml: no architecture is called 'resnet19': did you mean resnet18"
    ):
        load(written(tmp_path, "", architecture='"resnet19"'))
