"""The thief's data: what he trains on and holds out, shares and pools as an axis, and a thief who has nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


def split(share: float, pool: str = "disjoint", replicate: int = 0) -> tuple[set[bytes], set[bytes]]:
    from benchmark.data.splits import load, thief_data
    from benchmark.data.tasks import find_task
    from benchmark.protocol.parties import stream

    splits = load(find_task("digits"))
    whole = splits.owner if pool == "owner" else splits.thief
    parts = thief_data(whole, share, stream(replicate, "thief-data", "digits"))
    both: Any = tuple({image.numpy().tobytes() for image in part.x} for part in parts)
    return both


def test_training_and_held_out_parts_are_apart_and_nested_in_the_share() -> None:
    training, held_out = split(1.0)
    assert (len(training), len(held_out)) == (360, 40)
    assert not training & held_out
    for share in (0.5, 0.1, 0.05, 0.0):
        fewer, fewer_held_out = split(share)
        assert len(fewer) + len(fewer_held_out) == round(400 * share)
        assert fewer <= training
        assert fewer_held_out <= held_out
    assert split(0.1) == split(0.1) != split(0.1, replicate=1)


def test_an_owners_pool_is_the_owners_own_images() -> None:
    from benchmark.data.splits import load
    from benchmark.data.tasks import find_task

    owners = {image.numpy().tobytes() for image in load(find_task("digits")).owner.x}
    training, held_out = split(0.1, "owner")
    assert training | held_out <= owners
    assert not split(1.0)[0] & owners


def test_a_thief_without_images_gets_a_reason_and_what_needs_none_still_runs() -> None:
    """In a process of its own: torch is not for planners."""
    code = """
import torch
from attacks.finetune import Finetune
from attacks.extraction import Extract
from attacks.prune import Prune
from benchmark.data.splits import Data
from benchmark.protocol.parties import NotApplicable, stream
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


def test_the_first_share_is_the_matrix_and_the_others_only_add_cells() -> None:
    alone, several = planned(thief_share=(0.5,)), planned(thief_share=(0.5, 0.1))
    assert {job.id for job in alone.jobs} < {job.id for job in several.jobs}
    matrix = [cell for cell in several.cells if cell.share == 0.5]
    assert matrix == list(alone.cells)
    others = [cell for cell in several.cells if cell.share == 0.1]
    assert [cell.attack for cell in others] == [cell.attack for cell in matrix if not cell.innocent]
    assert not any(cell.innocent for cell in others)
    described = describe(several, "run", "bench", ())
    assert (described.profile.thief.pool, described.profile.thief.share) == ("disjoint", 0.5)
    assert {(cell.pool, cell.share) for cell in described.cells} == {("disjoint", 0.5), ("disjoint", 0.1)}


def test_a_share_changes_the_jobs_of_thieves_and_no_others() -> None:
    one, other = planned(thief_share=(1.0,)), planned(thief_share=(0.1,))
    ids = {job.id for job in other.jobs}
    changed = {job.kind for job in one.jobs if job.id not in ids}
    assert changed == {"attacked", "judged"}
    marked = {job.id for job in one.jobs if job.kind == "marked"}
    assert marked <= ids


def test_pools_and_shares_cross() -> None:
    plan = planned(thief_pool=("disjoint", "owner"), thief_share=(1.0, 0.1))
    assert [*dict.fromkeys((cell.pool, cell.share) for cell in plan.cells)] == [
        ("disjoint", 1.0), ("disjoint", 0.1), ("owner", 1.0), ("owner", 0.1),
    ]  # fmt: skip


def test_a_profile_writes_one_value_or_several(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "small.toml").read_text()
    path = tmp_path / "many.toml"
    path.write_text(text.replace("share = 1.0", "share = [0, 0.05, 1.0]"))
    profile: Profile = load_profile(str(path))
    assert profile.thief.axis == [("disjoint", 0.0), ("disjoint", 0.05), ("disjoint", 1.0)]
    for wrong, sentence in (
        ("share = []", "thief: share must lie between 0 and 1, not nothing"),
        ("share = [0.5, 2]", "thief: share must lie between 0 and 1, not 0.5, 2.0"),
        ("share = [0.5, 0.5]", "thief: pool and share name each value once"),
        ('share = ["all"]', "thief: share number 0 must be a number, not 'all'"),
    ):
        path.write_text(text.replace("share = 1.0", wrong))
        with pytest.raises(BenchError, match=sentence.replace(".", r"\.")):
            load_profile(str(path))
    path.write_text(text.replace('pool = "disjoint"', 'pool = "stolen"'))
    with pytest.raises(BenchError, match=r"thief: pool is disjoint or owner, not 'stolen'"):
        load_profile(str(path))
