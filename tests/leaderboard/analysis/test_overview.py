"""The overview: families of schemes against kinds and families of attacks, counted and with the worst attack named."""

from __future__ import annotations

from typing import Any

from leaderboard.analysis.meetings import ensemble
from leaderboard.analysis.overview import FamilyRow, Overview, overview, overviews, thieves

from ..conftest import published_board

HELD, GONE, OPEN = 96, 5, 17  # hits of 100: present, absent, unclear


def seen(case: Any) -> Overview:
    """Two settings of `toy` and one of `rose`, over two seeds, under three attacks."""
    case.run["profile"]["seeds"] = 2
    case.attack("cut", family="pruning")
    case.attack("trim", family="pruning")
    case.attack("tune", family="fine-tuning")
    for label, hits in (("a", (HELD, OPEN, HELD)), ("b", (HELD, GONE, GONE)), ("rose", (HELD, HELD, HELD))):
        for replicate in range(2):
            shared = case.scheme(label, replicate=replicate)
            for attack, found in zip(("cut", "trim", "tune"), hits, strict=True):
                work = 100 if attack == "tune" else 10
                case.hit(shared, label, attack, found, replicate=replicate, operations=work)
            case.hit(shared, label, "steal", GONE, kind="extraction", replicate=replicate)
            case.hit(shared, label, "wreck", GONE, wrong=80, kind="extraction", replicate=replicate)
        case.innocent(shared, label, "none", 9)
    for scheme in case.run["schemes"][:2]:
        scheme["name"] = "toy"
    return overview(case.board())


def family(found: Overview, name: str) -> FamilyRow:
    (row,) = [row for row in found.rows if row.name == name]
    return row


def test_settings_and_seeds_of_a_family_are_counted_together(case: Any) -> None:
    found = seen(case)
    removal, extraction = found.kinds
    square = family(found, "toy").at(removal)
    assert (square.held, square.useless, square.broken, square.undecided) == (6, 0, 4, 2)
    assert square.share == (6 / 12, 8 / 12)
    taken = family(found, "rose").at(extraction)
    assert (taken.held, taken.useless, taken.broken, taken.undecided) == (0, 2, 2, 0)
    assert family(found, "toy").labels == ["a", "b"]
    assert family(found, "toy").alarms.count("not-marked") == 2
    assert found.judged == 12 + 8 + 6 + 4


def test_the_columns_are_kinds_and_families_of_attacks(case: Any) -> None:
    found = seen(case)
    assert [(one.kind, one.family, list(one.attacks)) for one in found.families] == [
        ("removal", "pruning", ["cut", "trim"]),
        ("removal", "fine-tuning", ["tune"]),
        ("extraction", "made up", ["steal", "wreck"]),
    ]
    pruned = family(found, "toy").at(found.families[0])
    assert (pruned.held, pruned.broken, pruned.undecided) == (4, 2, 2)


def test_the_worst_attack_is_the_one_that_breaks_most_and_of_equals_the_cheapest(case: Any) -> None:
    found = seen(case)
    worst = family(found, "toy").at(found.kinds[0]).worst
    assert worst is not None
    assert (worst.attack, worst.scheme, worst.relative) == ("trim", "b", 0.01)  # as many by `tune`, at ten times more
    assert (worst.tally.broken, worst.tally.judged, worst.on.broken, worst.on.judged) == (2, 4, 2, 2)
    assert family(found, "rose").at(found.kinds[0]).worst is None


def test_rows_are_ordered_by_what_survives(case: Any) -> None:
    assert [row.name for row in seen(case).rows] == ["rose", "toy"]


def test_a_claim_held_is_one_rejected(full: Any) -> None:
    (claims,) = [one for one in overview(full.board()).kinds if one.claim]
    (row,) = [row for row in overview(full.board()).rows if row.name == "adi"]
    square = row.at(claims)
    assert (square.held, square.broken, square.undecided, square.committed.broken) == (1, 1, 1, 0)


def test_each_track_has_its_own(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "cut", HELD)
    case.image_track(attacks=[("shift", 0.01, 0.1)])
    found = overviews(case.board())
    assert [(one.track.task, [row.name for row in one.rows]) for one in found] == [
        ("digits", ["adi"]), ("photos", ["deepmodel"]),
    ]  # fmt: skip
    assert found[1].rows[0].at(found[1].kinds[0]).broken == 1


def test_a_board_with_nothing_judged_has_an_overview(case: Any) -> None:
    case.row("adi")
    case.attack("cut")
    case.cell("adi", "cut", {}, reason="it needs passports")
    (found,) = overviews(case.board())
    square = found.rows[0].at(found.kinds[0])
    assert (found.judged, square.judged, square.left_out, square.worst, square.share) == (0, 0, 0, None, (0.0, 0.0))


def test_survival_on_a_track_is_under_the_members_that_are_on_it() -> None:
    board = published_board("quick")
    auto = ensemble(board)
    assert auto is not None
    there = {part.track.task: thieves(part) for part in board.parts}
    assert {label for those in there.values() for label in those} == set(auto.members)
    for part in board.parts:
        assert set(there[part.track.task]) <= {row.label for row in part.attacks}
        assert len(there[part.track.task]) >= 4
