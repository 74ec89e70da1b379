"""Which profile a host of the user's own gives, and by what its net, its weights and its images are named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmark.data.tasks import DATA_ROOT
from benchmark.errors import BenchError
from benchmark.planning.calibration import calibration_plan
from benchmark.planning.own_host import OwnHost, has_own_host, profile_for
from benchmark.planning.own_nets import data_task, host_source, net_name, net_size, weights_digest
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import PROFILES, load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.vocabulary import SCRATCH_POOL

WEIGHTS = b"what is in the file"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA_ROOT, str(tmp_path))
    Path("net.py").write_text("def build(classes):\n    return classes\n")
    Path("net.pt").write_bytes(WEIGHTS)


def test_without_a_host_the_usual_profile_serves_and_with_one_that_for_hosts() -> None:
    assert profile_for(None, "quick", OwnHost()).name == "quick"
    chosen = profile_for(None, "quick", OwnHost("timm:vit_tiny_patch16_224", None, "cifar10"))
    assert (chosen.name, chosen.architecture, chosen.task) == ("own", "timm:vit_tiny_patch16_224", "cifar10")
    assert profile_for("quick", "quick", OwnHost("torchvision:resnet18")).training == load_profile("quick").training


def test_a_house_net_is_a_host_too_and_jobs_of_profiles_without_one_have_no_new_field() -> None:
    chosen = profile_for("quick", "quick", OwnHost("resnet8", Path("net.pt")))
    assert has_own_host(chosen)
    assert chosen.tracks[0].world()["weights"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert "weights" not in chosen.tracks[1].world()  # of image-to-image nets
    assert "weights" not in load_profile("quick").world()
    assert not has_own_host(load_profile("quick"))


def test_names_say_what_net_and_weights_are_and_not_where_they_lie() -> None:
    name = net_name("file:net.py:build")
    Path("other").mkdir()
    Path("other/net.py").write_text(Path("net.py").read_text() + "# a comment\n")
    assert net_name("file:other/net.py:build") == name == net_name(name)
    Path("changed").mkdir()
    Path("changed/net.py").write_text("def build(classes):\n    return classes + 1\n")
    assert net_name("file:changed/net.py:build") != name
    source = host_source("file:net.py:build")
    assert source is not None
    assert (source.trusted, source.builder, source.class_name) == (False, name, "build")
    assert host_source("torchvision:resnet18") is None
    assert weights_digest("net.pt") == weights_digest(f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}")


def test_every_job_that_makes_nets_knows_where_they_are_and_only_owners_where_weights_are() -> None:
    profile = profile_for(None, "quick", OwnHost("file:net.py:build", Path("net.pt"), "digits"))
    registry = Registry.discover()
    chosen = select_schemes("adi", registry), select_attacks("finetune,distill", registry)
    jobs = make_plan(profile, *chosen, {}).jobs
    assert all(job.sources["host"].builder == net_name("file:net.py:build") for job in jobs)
    assert all(job.foreign for job in jobs)
    with_weights = {job.kind for job in jobs if job.weights}
    assert with_weights == {"host", "null", "marked", "twin"}
    assert {job.weights for job in jobs if job.weights} == {str(Path("net.pt").absolute())}
    assert not any(str(Path.cwd()) in str(job.payload) for job in jobs)


@pytest.mark.parametrize(
    ("data", "task"),
    [("cifar10", "cifar10"), ("CIFAR10", "cifar10"), ("fmnist", "fashion-mnist"), ("FashionMNIST", "fashion-mnist")],
)
def test_data_sets_are_known_by_their_usual_names(data: str, task: str) -> None:
    assert data_task(data, "torchvision:resnet18") == task


def test_a_folder_is_read_at_the_size_that_the_net_wants() -> None:
    Path("photos").mkdir()
    place = Path("photos").absolute()
    assert data_task("photos", "timm:vit_base_patch16_384") == f"folder:{place}:384"
    assert data_task("photos", "torchvision:resnet18") == f"folder:{place}:224"
    assert data_task("photos:64", "torchvision:resnet18") == f"folder:{place}:64"
    assert net_size("file:net_64.py:build") == 224


def test_a_profile_names_host_and_weights_beside_itself() -> None:
    Path("profiles").mkdir()
    Path("net.pt").rename("profiles/net.pt")
    Path("net.py").rename("profiles/net.py")
    text = (PROFILES / "own.toml").read_text().replace('"torchvision:resnet18"', '"file:net.py:build"')
    Path("profiles/mine.toml").write_text('weights = "net.pt"\n' + text)
    world = load_profile("profiles/mine.toml").world()
    assert world["weights"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert world["architecture"].startswith("file:net.py:build#")
    with pytest.raises(BenchError, match="leave one out"):
        profile_for("profiles/mine.toml", "quick", OwnHost("torchvision:resnet18"))


def test_models_that_begin_with_weights_need_the_file() -> None:
    profile = load_profile("own").with_options(weights=f"sha256:{'0' * 64}", task="digits")
    registry = Registry.discover()
    with pytest.raises(BenchError, match="the weights with the SHA-256 000000000000… are not here"):
        make_plan(profile, select_schemes("adi", registry), select_attacks("none", registry), {})


def test_what_no_net_of_a_library_can_serve_is_said_by_the_plan() -> None:
    profile = profile_for(None, "quick", OwnHost("torchvision:resnet18", None, "digits"))
    registry = Registry.discover()
    plan = make_plan(profile, select_schemes("passport(),adi()", registry), select_attacks("none", registry), {})
    reasons = {cell.scheme.partition("(")[0]: cell.reason for cell in plan.cells if not cell.innocent}
    assert reasons["adi"] is None
    assert reasons["passport"] is not None
    assert reasons["passport"].endswith(
        "needs normalised convolutions that it knows how to change, and torchvision:resnet18 has none"
    )


def test_beside_fine_tunes_of_one_checkpoint_nets_from_scratch_count_as_nulls() -> None:
    profile = profile_for("quick", "quick", OwnHost("resnet8", Path("net.pt")))
    registry = Registry.discover()
    plan = make_plan(profile, select_schemes("adi()", registry), select_attacks("none", registry), {})
    jobs, (cell, *_) = {job.id: job for job in plan.jobs}, plan.cells
    fine_tuned, scratch = (jobs[cell.jobs[role]].payload["suspects"] for role in ("nulls", "scratch_nulls"))
    assert (len(fine_tuned), len(scratch)) == (16, 8)
    assert all(jobs[one].weights for one in fine_tuned)
    assert not any(jobs[one].weights or "weights" in jobs[one].payload["world"] for one in scratch)
    assert {jobs[one].payload["world"]["architecture"] for one in scratch} == {"resnet8"}


def test_a_calibration_counts_as_many_nets_from_scratch_as_a_run_does() -> None:
    profile = profile_for("quick", "quick", OwnHost("resnet8", Path("net.pt")))
    registry = Registry.discover()
    (scratch, near), rows = select_attacks("scratch,finetune(mode=ftal)", registry), select_schemes("adi()", registry)
    plan, (entry,) = calibration_plan(profile, rows, [near], scratch, {"classification": near}, {})
    jobs = {job.id: job for job in plan.jobs}
    judged = entry["pools"][SCRATCH_POOL], entry["scratch_nulls"]
    suspects, counted = (jobs[one].payload["suspects"] for one in judged)
    assert (len(suspects), counted) == (16, suspects[:9])  # eight of them, without the suspect itself
