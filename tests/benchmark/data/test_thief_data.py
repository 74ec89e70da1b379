"""The thief's data: what has labels, what he holds out, numbers and pools as an axis, and a thief who has nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.data.tasks import find_task
from benchmark.errors import BenchError
from benchmark.execution.run_file import describe
from benchmark.planning.plan import Plan, make_plan
from benchmark.planning.profile import Profile, load_profile
from benchmark.plugins.registry import Registry, load
from benchmark.plugins.selection import select_attacks, select_schemes

REGISTRY = Registry.discover()


def planned(attacks: str = "none,finetune(epochs=1),fresh-key", **thief: Any) -> Plan:
    profile = load_profile("quick").with_options(**thief)
    return make_plan(profile, select_schemes("adi", REGISTRY), select_attacks(attacks, REGISTRY), {})


def split(labelled: int, unlabelled: int = 0, pool: str = "disjoint", replicate: int = 0, **kind: str) -> Any:
    """The images that a thief uses, with labels and without, and those he holds out, as sets of bytes."""
    from benchmark.data.splits import load, thief_data
    from benchmark.data.tasks import find_task
    from benchmark.protocol.parties import stream

    splits = load(find_task("digits"))
    whole = splits.owner if pool == "owner" else splits.thief
    parts = thief_data(whole, labelled, unlabelled, stream(replicate, "thief-data", "digits"), **kind)
    return [
        {image.numpy().tobytes() for image in images} for part in parts for images in (part.labelled.x, part.unlabelled)
    ]


def test_the_first_images_have_labels_and_the_last_tenth_is_held_out() -> None:
    own, more, own_out, more_out = split(30, 370)
    assert [len(one) for one in (own, more, own_out, more_out)] == [30, 330, 0, 40]
    assert len(own | more | more_out) == 400
    for labelled, unlabelled in ((30, 100), (10, 370), (24, 0), (0, 60)):
        fewer = split(labelled, unlabelled)
        assert fewer[0] <= own
        assert fewer[0] | fewer[1] <= own | more
        assert sum(map(len, fewer)) == labelled + unlabelled
    assert split(30, 100) == split(30, 100) != split(30, 100, replicate=1)


def test_labels_are_held_out_only_where_nothing_else_is() -> None:
    assert [len(one) for one in split(400)] == [360, 0, 40, 0]
    assert [len(one) for one in split(395, 5)] == [360, 0, 35, 5]
    assert [len(one) for one in split(5)] == [5, 0, 0, 0]
    assert split(200)[0] <= split(400)[0]


def test_an_image_to_image_thief_holds_out_pairs() -> None:
    assert [len(one) for one in split(64, 336, kind="image-to-image")] == [57, 336, 7, 0]
    assert [len(one) for one in split(4, kind="image-to-image")] == [3, 0, 1, 0]


def test_an_owners_pool_is_the_owners_own_images() -> None:
    from benchmark.data.splits import load
    from benchmark.data.tasks import find_task

    owners = {image.numpy().tobytes() for image in load(find_task("digits")).owner.x}
    own, more, own_out, more_out = split(100, 100, "owner")
    assert own | more | own_out | more_out <= owners
    assert not split(400)[0] & owners


def test_a_thief_without_images_gets_a_reason_and_what_needs_none_still_runs() -> None:
    """In a process of its own: torch is not for planners."""
    code = """
import torch
from attacks.finetune import Finetune
from attacks.copies.extraction import Extract
from attacks.prune import Prune
from benchmark.data.splits import Data
from benchmark.errors import NotApplicable
from benchmark.protocol.parties import stream
from benchmark.protocol.thief import Thief
from benchmark.planning.profile import load_profile
from benchmark.protocol.objects import Service
from benchmark.architectures.net import Net, build
from benchmark.execution.job_context import context_of
context = context_of(load_profile("quick").world(), torch.device("cpu"))
nothing = Data(torch.zeros(0, 1, 16, 16, dtype=torch.uint8), torch.zeros(0, dtype=torch.long))
running = Service(Net.of(build(context.spec()))).running()
thief = Thief(context, nothing, stream(0), running, "weights")
print(type(Prune()(thief).model).__name__)
for attack in (Finetune(), Extract()):
    try:
        attack(thief)
    except NotApplicable as reason:
        print(reason)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    assert lines[0] == "Stack", done.stderr
    assert len(lines) == 3
    assert all("this thief has none" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("scheme", "attacks", "sentence"),
    [
        (
            "rose", "fresh-key,redraw-search,pick-triggers,forged-triggers,overwrite",
            "rose needs 40 different images, the party has 1",
        ),
        (
            "passport", "fresh-key,fake1(passports=untrained),fake1(passports=trained),accessory-block,overwrite",
            "a passport and its twin need an image each",
        ),
    ],
)  # fmt: skip
def test_a_thief_with_too_few_images_for_a_key_gets_the_schemes_own_reason(
    lab: Any, scheme: str, attacks: str, sentence: str
) -> None:
    import torch

    from benchmark.app.single_model import scheme_of
    from benchmark.contract import NotApplicable, Owner
    from benchmark.protocol.objects import Release
    from benchmark.protocol.parties import stream
    from benchmark.protocol.steps import embed, steal

    (setting,) = select_schemes(scheme, REGISTRY)
    mark, one = scheme_of(setting), lab.splits.thief.take(torch.arange(1))
    service = lab.null(101).service
    for attack in select_attacks(attacks, REGISTRY):
        stages = [load(stage.declaration)(**stage.parameters) for stage in attack.stages]
        with pytest.raises(NotApplicable, match=f"^the thief can't draw a key of his own: {sentence}"):
            steal(stages, lab.context, one, 0, Release(service, mark.release), mark)
    with pytest.raises(ValueError, match=f"^{sentence}"):  # the owner's own mistake
        embed(mark, Owner(lab.context, one, stream("few"), service.net), stream("key"))


def test_the_first_number_is_the_matrix_and_the_others_only_add_cells() -> None:
    alone, several = planned(thief_labelled=(100,)), planned(thief_labelled=(100, 30))
    assert {job.id for job in alone.jobs} < {job.id for job in several.jobs}
    matrix = [cell for cell in several.cells if cell.labelled == 100]
    assert matrix == list(alone.cells)
    others = [cell for cell in several.cells if cell.labelled == 30]
    assert [cell.attack for cell in others] == [cell.attack for cell in matrix if not cell.innocent]
    assert not any(cell.innocent for cell in others)
    described = describe(several, "run", "bench", ()).as_json()
    assert described["profile"]["thief"] == {"pool": "disjoint", "labelled": 100, "unlabelled": 300}
    held = {(cell["pool"], cell["labelled"], cell["unlabelled"]) for cell in described["cells"]}
    assert held == {("disjoint", 100, 300), ("disjoint", 30, 370)}
    assert not any("share" in cell for cell in described["cells"])


def test_numbers_of_images_change_the_jobs_of_thieves_and_no_others() -> None:
    one, other = planned(thief_labelled=(100,)), planned(thief_unlabelled=(0,))
    ids = {job.id for job in other.jobs}
    changed = {job.kind for job in one.jobs if job.id not in ids}
    assert changed == {"attacked", "judged"}
    marked = {job.id for job in one.jobs if job.kind == "marked"}
    assert marked <= ids


def test_pools_and_numbers_cross() -> None:
    plan = planned(thief_pool=("disjoint", "owner"), thief_labelled=(30, 100), thief_unlabelled=(300, 0))
    assert [*dict.fromkeys((cell.pool, cell.labelled, cell.unlabelled) for cell in plan.cells)] == [
        (pool, labelled, unlabelled)
        for pool in ("disjoint", "owner") for labelled in (30, 100) for unlabelled in (300, 0)
    ]  # fmt: skip


def test_an_image_track_has_a_thief_of_its_own() -> None:
    """Which the options ask for as many images."""
    schemes, attacks = select_schemes("adi,deepmodel", REGISTRY), select_attacks("none,surrogate", REGISTRY)

    def thieves(profile: Profile) -> set[tuple[str, int | None, int | None]]:
        cells = make_plan(profile, schemes, attacks, {}).cells
        return {(cell.scheme.split("(")[0], cell.labelled, cell.unlabelled) for cell in cells}

    quick = load_profile("quick")
    (own,) = quick.tracks[1].thieves
    whole = find_task("derain").thief
    assert thieves(quick) == {("adi", 18, 382), ("deepmodel", own.labelled, whole - own.labelled)}
    assert thieves(quick.with_options(thief_labelled=(10, 20))) == {
        ("adi", 10, 390), ("adi", 20, 380), ("deepmodel", 10, whole - 10), ("deepmodel", 20, whole - 20),
    }  # fmt: skip
    plan = make_plan(quick, schemes, attacks, {})
    image = describe(plan, "run", "bench", ()).as_json()["profile"]["image"]
    assert image["thief"] == {"pool": own.pool, "labelled": own.labelled, "unlabelled": own.unlabelled}


def test_a_pool_can_give_no_more_than_it_has() -> None:
    with pytest.raises(BenchError, match="profile quick: 30 labelled and 371 unlabelled images are more than the 400"):
        planned(thief_labelled=(30,), thief_unlabelled=(371,))
    (cell, *_) = planned(thief_labelled=("all",)).cells
    assert (cell.labelled, cell.unlabelled) == (400, 0)


def test_a_profile_writes_one_value_or_several(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "small.toml").read_text()
    assert 'labelled = "all"\n' in text
    path = tmp_path / "many.toml"
    path.write_text(text.replace('labelled = "all"\n', 'labelled = [0, 30, "all"]\n'))
    profile: Profile = load_profile(str(path))
    assert [(one.pool, one.labelled, one.unlabelled) for one in profile.thieves] == [
        ("disjoint", 0, 0), ("disjoint", 30, 0), ("disjoint", 400, 0),
    ]  # fmt: skip
    for wrong, sentence in (
        ("labelled = []", "thief: labelled is a number of images, or all, not nothing"),
        ("labelled = [5, -2]", "thief: labelled is a number of images, or all, not 5, -2"),
        ('labelled = [400, "all"]', "pool, labelled and unlabelled name each thief once"),
        ("labelled = [0.5]", "thief: labelled number 0 must be a whole number or all, not 0.5"),
        ("labelled = 401", "401 labelled and 0 unlabelled images are more than the 400 of the disjoint pool of digits"),
        ("share = 1.0", "thief: share is gone: write labelled and unlabelled, numbers of images"),
    ):
        path.write_text(text.replace('labelled = "all"\n', f"{wrong}\n"))
        with pytest.raises(BenchError, match=re.escape(sentence)):
            load_profile(str(path))
    path.write_text(text.replace('pool = "disjoint"', 'pool = "stolen"'))
    with pytest.raises(BenchError, match=r"thief: pool is disjoint, owner or disjoint,owner, not 'stolen'"):
        load_profile(str(path))
