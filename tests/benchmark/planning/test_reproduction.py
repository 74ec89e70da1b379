"""The files of the reproductions: what they hold, and one sentence for every mistake in them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from bench import PROFILE, SCHEME, bench_here, stamps

from benchmark.errors import BenchError
from benchmark.planning.profile import load_profile
from benchmark.planning.reproduction import SCALES, load_reproduction, read_reproduction, works
from benchmark.planning.tolerance import Tolerance
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes

GOOD = """
about = "a work"
paper = "Somebody 2020"
[full]
profile = "quick"
seeds = 3
schemes = { one = "adi" }
attacks = { none = "none", prune = "prune(amount=0.3)" }
[small]
profile = "quick"
seeds = 1
schemes = { one = "adi" }
attacks = { none = "none" }
[[claim]]
id = "fresh"
text = "the mark is there"
where = "Table 1"
tag = "reported"
scheme = "one"
attack = "none"
quantity = "mark"
reported = 100
full = "within 1"
small = "at least 90"
[[claim]]
id = "pruned"
text = "pruning takes some"
where = "Table 2"
tag = "derived"
scheme = "one"
attack = "prune"
quantity = "mark"
reported = 80
full = "below fresh"
"""


def read(text: str, folder: Path) -> object:
    path = folder / "work.toml"
    path.write_text(text)
    return read_reproduction(path)


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "work.toml").write_text(GOOD)
    work = read_reproduction(tmp_path / "work.toml")
    fresh, pruned = work.claim
    assert (work.work, fresh.reported, fresh.tolerance("small")) == ("work", 100.0, Tolerance.parse("at least 90"))
    assert pruned.tolerance("small") is None
    assert pruned.tolerance("full") == Tolerance("below fresh", "below", other="fresh")
    assert (work.run_name("full"), work.run_name("small")) == ("reproduce-work", "reproduce-work-small")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('tag = "reported"', 'tag = "reportd"', "claim fresh: tag must be one of reported"),
        ('tag = "reported"', 'tag = "unconfirmed"', "'within 1' would compare with a figure that is unconfirmed"),
        ('tag = "reported"', 'tag = "ours"', "what is not in the paper has no reported value"),
        ('quantity = "mark"\nreported = 100', 'quantity = "marks"', "claim fresh: quantity is one of accuracy"),
        ('quantity = "mark"\nreported = 100', 'quantity = "channel"', "'channel' names its channel"),
        ('quantity = "mark"\nreported = 100', 'quantity = "verdict"', "verdict is a word, which 'within 1' does not"),
        (
            'quantity = "mark"\nreported = 80',
            'quantity = "accuracy"\nreported = 80',
            "compares different quantities",
        ),
        ("reported = 80\n", "", "claim pruned: what is derived has a reported value: give it"),
        ("reported = 100\n", "", "'within 1' needs a reported number"),
        ("reported = 100", "reported = true", "claim fresh: reported must be a number or a text, not True"),
        ('"within 1"', '"about 1"', "'about 1' is no tolerance"),
        ('"within 1"', '"within one"', "'within one' needs a number where it says 'one'"),
        ('"within 1"', '"at least nan"', "needs a number where it says 'nan'"),
        ('"within 1"', '"is survived"', "mark is a number, which 'is survived' does not fit"),
        ('"below fresh"', '"below other"', "'below other' names no other claim held at full scale"),
        ('"below fresh"', '"below pruned"', "'below pruned' names no other claim held at full scale"),
        ('attack = "prune"\n', 'attack = "pruned"\n', "claim pruned: full has no attack called 'pruned'"),
        ('full = "below fresh"', 'small = "below fresh"', "claim pruned: small has no attack called 'prune'"),
        ('full = "below fresh"', "", "it needs a tolerance for full or small, or the reason why it is unmeasured"),
        ('full = "below fresh"', 'full = "below fresh"\nunmeasured = "no"', "it can't be held at full scale"),
        ('id = "pruned"', 'id = "fresh"', "two claims are called 'fresh'"),
        ('where = "Table 2"', 'were = "Table 2"', "claim pruned: unknown key 'were': did you mean where?"),
        ('text = "pruning takes some"\n', "", "claim pruned: text is missing"),
        ('text = "pruning takes some"', "text = 3", "claim pruned: text must be a text, not 3"),
        ('schemes = { one = "adi" }', "schemes = 3", "full: schemes must be a table, not 3"),
        ('schemes = { one = "adi" }', "schemes = { one = 3 }", "full: schemes: one must be a text, not 3"),
        ("seeds = 3\n", "", "full: seeds is missing"),
        ("seeds = 3", "seeds = 0", "full: seeds must be at least 1, not 0"),
        ('about = "a work"', "", "about is missing"),
        ('about = "a work"', 'about = "a work"\nby = 1', "unknown key 'by'"),
        ("[[claim]]", "[[claim", "is not valid TOML"),
    ],
)
def test_a_mistake_is_one_sentence(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(BenchError) as error:
        read(GOOD.replace(old, new, 1), tmp_path)
    message = str(error.value)
    assert said in message
    assert message.startswith("reproduction work.toml")
    assert "\n" not in message.replace(new, "")


def test_an_unknown_work_is_named() -> None:
    with pytest.raises(BenchError, match="did you mean keynet"):
        load_reproduction("keynt")


def test_all_five_works_have_a_file() -> None:
    assert works() == ["adi", "deepmodel", "keynet", "passport", "rose"]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("work", works())
def test_what_a_file_names_is_there(work: str, scale: str) -> None:
    """Profiles, schemes and attacks with their parameters, each one setting; no claim is idle at both scales."""
    wanted, registry = load_reproduction(work).scales[scale], Registry.discover(())
    load_profile(wanted.profile)
    for text in wanted.schemes.values():
        assert len(select_schemes(text, registry)) == 1
    for text in wanted.attacks.values():
        assert len(select_attacks(text, registry)) == 1


@pytest.mark.parametrize("work", works())
def test_every_short_name_serves_a_claim_or_a_control(work: str) -> None:
    told = load_reproduction(work)
    for scale in SCALES:
        held = [claim for claim in told.claim if claim.tolerance(scale)]
        assert set(told.scales[scale].schemes) == {claim.scheme for claim in held}
        idle = set(told.scales[scale].attacks) - {claim.attack for claim in held}
        assert idle <= {"none", "scratch"}


@pytest.mark.parametrize(
    ("text", "measured", "reported", "other", "held"),
    [
        ("at least 95", 95.0, None, None, True),
        ("at least 95", 94.9, None, None, False),
        ("at most 35", 35.0, None, None, True),
        ("at most 35", 35.1, None, None, False),
        ("within 0.5", 90.5, 91.0, None, True),
        ("within 0.5", 91.6, 91.0, None, False),
        ("is survived or utility-lost", "utility-lost", None, None, True),
        ("is survived or utility-lost", "removed", None, None, False),
        ("above other", 2.0, None, 1.0, True),
        ("above other", 1.0, None, 1.0, False),
        ("below other", 0.5, None, 1.0, True),
        ("below other", 1.0, None, 1.0, False),
    ],
)
def test_tolerances(text: str, measured: float | str, reported: float | None, other: float | None, held: bool) -> None:
    assert Tolerance.parse(text).holds(measured, reported, other) is held


def test_a_reproduction_is_an_ordinary_run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes every job from the store of a run of the same cells, and writes its page beside the others."""
    told = f"""
about = "about"
paper = "paper"
[full]
profile = "paper-adi"
seeds = 1
schemes = {{ one = "adi" }}
attacks = {{ none = "none" }}
[small]
profile = "{PROFILE}"
seeds = 1
schemes = {{ one = "{SCHEME}" }}
attacks = {{ none = "none", prune = "prune(amount=0.3)" }}
[[claim]]
id = "fresh"
text = "the mark is there"
where = "Table 1"
tag = "reported"
scheme = "one"
attack = "none"
quantity = "verdict"
small = "is survived"
[[claim]]
id = "pruned"
text = "it stays"
where = "Table 1"
tag = "ours"
scheme = "one"
attack = "prune"
quantity = "accuracy"
small = "at least 101"
"""
    (tmp_path / "tiny.toml").write_text(told)
    monkeypatch.setattr("benchmark.planning.reproduction.REPRODUCTIONS", tmp_path)
    results = shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)
    before = stamps(results)
    command = ("reproduce", "tiny", "--scale", "small", "--results", str(results), "--device", "cpu")
    code, out, _ = bench_here(*command)
    assert code == 0
    assert "2 claims: 1 direction holds, 1 outside our bound." in out
    assert stamps(results) == before
    folder = results / "reproduce-tiny-small"
    assert (folder / "leaderboard.md").is_file()
    page = (folder / "reproduction.md").read_text()
    assert "# Reproduction: tiny (small scale: not the paper's size)" in page
    run = json.loads((folder / "run.json").read_text())
    assert run["reproduction"]["sha256"] == hashlib.sha256(told.encode()).hexdigest()
    found = json.loads((folder / "reproduction.json").read_text())["claims"]
    assert all(reading["record"] in run["jobs"] for one in found for reading in one["readings"])
    (tmp_path / "tiny.toml").write_text(told.replace(f'"{SCHEME}"', '"adi,rose"'))
    assert bench_here(*command)[::2] == (2, "'adi,rose' is 2 settings, and 'one' must be one")


def test_bad_commands_are_one_sentence(tmp_path: Path) -> None:
    code, _, said = bench_here("reproduce", "adii", "--results", str(tmp_path))
    assert (code, said) == (2, "no reproduction is called 'adii': did you mean adi?")
    import torch

    if not torch.cuda.is_available():
        code, _, said = bench_here("reproduce", "adi", "--results", str(tmp_path))
        assert code == 2
        assert "there is no GPU here: take --scale small" in said
    assert not list(tmp_path.iterdir())
