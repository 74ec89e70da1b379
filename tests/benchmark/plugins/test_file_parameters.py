"""Parameters that name files or folders: the content, not the path alone, is part of what names a result."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmark.errors import BenchError
from benchmark.identity import content_hash
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

PLUGIN = '''
from benchmark.contract import Scheme, parameter


class Pictured(Scheme):
    """A scheme under test."""

    name = "pictured"
    file_parameters = ("images",)

    images: str = parameter("", "a folder of images")
'''


def marked(tmp_path: Path, scheme: str) -> str:
    """The id of the job that marks a model."""
    plugin = tmp_path / "pictured.py"
    plugin.write_text(PLUGIN)
    registry = Registry.discover([plugin])
    plan = make_plan(load_profile("quick"), select_schemes(scheme, registry), select_attacks("none", registry), {})
    return next(job.id for job in plan.jobs if job.kind == "marked")


def test_what_a_folder_holds_names_the_job(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.png").write_bytes(b"a")
    setting = f"pictured(images='{folder}')"
    before = marked(tmp_path, setting)
    assert marked(tmp_path, setting) == before
    (folder / "deep" / "a.png").write_bytes(b"b")
    assert marked(tmp_path, setting) != before
    assert marked(tmp_path, "pictured") != before  # the default names no file


def test_names_and_bytes_count_and_the_place_does_not(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    (one / "a").write_bytes(b"x")
    shutil.copytree(one, other)
    assert content_hash(one) == content_hash(other)
    (other / "a").rename(other / "b")
    assert content_hash(one) != content_hash(other)
    assert content_hash(one / "a") == content_hash(other / "b") != content_hash(one)


def test_a_file_that_is_missing_is_named_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"nowhere\.toml can't be read: No such file"):
        marked(tmp_path, "pictured(images='nowhere.toml')")


def test_what_never_ends_is_not_hashed(tmp_path: Path) -> None:
    """`bench plan` waited for a pipe, and filled memory with a device."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(BenchError, match=f"{name} can't be read: It is no regular file"):
            marked(tmp_path, f"pictured(images='{tmp_path / name}')")


def test_a_trait_that_names_no_text_parameter_is_refused(tmp_path: Path) -> None:
    plugin = tmp_path / "wrong.py"
    plugin.write_text(PLUGIN.replace('("images",)', '("picture",)'))
    with pytest.raises(BenchError, match="file_parameters names 'picture', which is no parameter of type str"):
        Registry.discover([plugin])


@pytest.mark.parametrize(
    ("trait", "reason"),
    [
        ('secret_files = ("image",)', "secret_files names 'image', which is not among the file_parameters"),
        ('null_law = "drawn"', "null_law must be one of exact, redrawn, none, not 'drawn'"),
    ],
)
def test_traits_of_a_scheme_that_do_not_fit_are_one_sentence(tmp_path: Path, trait: str, reason: str) -> None:
    plugin = tmp_path / "wrong.py"
    plugin.write_text(PLUGIN.replace("    file_parameters", f"    {trait}\n    file_parameters"))
    with pytest.raises(BenchError, match=reason):
        Registry.discover([plugin])
