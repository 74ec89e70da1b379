"""Curves of utility against evidence, over the strength of an attack and over the thief's data."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_text import page, pages

from benchmark.errors import BenchError
from benchmark.store.run_description import DescribedThief
from leaderboard.analysis.sweeps import choices, curves
from leaderboard.pages.sections.sweeps import curve_tables
from leaderboard.pages.writers import markdown


def swept(
    case: Any, shared: dict[str, str], amount: float, hits: int, wrong: int, held_out: int | None = None,
    *, name: str = "prune", field: str = "amount", replicate: int = 0, scheme: str = "adi", **cell: Any,
) -> None:  # fmt: skip
    """A setting of a sweep; `held_out`: how many of the thief's 40 held-out images he loses."""
    label = f"{name}({field}={amount})"
    stages = [{"name": name, "parameters": {field: amount, "mode": "global", "fast": True}}]
    case.attack(label, stages=stages)
    jobs = case.hit(shared, scheme, label, hits, wrong, replicate=replicate)
    case.run["cells"][-1] |= cell
    if held_out is not None:
        record = case.store.read(jobs["attacked"])
        assert record is not None
        after = "0" * held_out + "1" * (40 - held_out)
        seen = {"before": {"correct": "1" * 40}, "after": {"correct": after}}
        case.store.write(record | {"result": record["result"] | {"thief_utility": seen}})


def test_a_curve_has_the_numbers_of_its_cells_in_order(case: Any) -> None:
    shared = case.scheme("adi")
    for amount, hits, wrong in ((0.9, 5, 200), (0.1, 96, 4), (0.5, 60, 8)):
        swept(case, shared, amount, hits, wrong)
    case.hit(shared, "adi", "other", 96)
    board = case.board()
    (curve,) = curves(board)
    assert (curve.scheme, curve.attack, curve.field, curve.choice) == ("adi", "prune(amount=*)", "amount", None)
    assert [point.value for point in curve.points] == [0.1, 0.5, 0.9]
    assert [point.utility_change for point in curve.points] == pytest.approx([-1.0, -2.0, -50.0])
    assert [point.rate for point in curve.points] == [0.96, 0.6, 0.05]
    assert [point.verdict for point in curve.points] == ["survived", "survived", "utility-lost"]
    (cell,) = board.at("adi", "prune(amount=0.5)")
    assert cell.after is not None
    assert curve.points[1].log10_p == cell.after.log10_p


def test_settings_that_differ_in_two_numbers_or_in_words_make_no_curve(case: Any) -> None:
    shared = case.scheme("adi")
    for label, parameters in (
        ("tune(lr=0.1,epochs=10)", {"lr": 0.1, "epochs": 10}),
        ("tune(lr=0.2,epochs=20)", {"lr": 0.2, "epochs": 20}),
        ("cut(mode=a)", {"mode": "a", "fast": False}),
        ("cut(mode=b)", {"mode": "b", "fast": False}),
        ("cut(fast)", {"mode": "b", "fast": True}),
    ):
        case.attack(label, stages=[{"name": label.partition("(")[0], "parameters": parameters}])
        case.hit(shared, "adi", label, 50)
    assert curves(case.board()) == []


def test_a_swept_field_inside_a_chain_is_named_in_its_place(case: Any) -> None:
    shared = case.scheme("adi")
    for quality in (30, 75):
        label = "prune(amount=0.3)+jpeg" if quality == 75 else f"prune(amount=0.3)+jpeg(quality={quality})"
        stages = [
            {"name": "prune", "parameters": {"amount": 0.3}},
            {"name": "jpeg", "parameters": {"quality": quality}},
        ]
        case.attack(label, stages=stages)
        case.hit(shared, "adi", label, quality)
    (curve,) = curves(case.board())
    assert (curve.attack, curve.field) == ("prune(amount=0.3)+jpeg(quality=*)", "quality")
    assert [point.value for point in curve.points] == [30, 75]


def test_the_thief_chooses_the_strongest_setting_that_he_can_afford_by_his_own_images(case: Any) -> None:
    """On the test set 0.7 would be affordable, too; he never sees it. Two of his 40 images are 5 points."""
    shared = case.scheme("adi")
    for amount, wrong, held_out in ((0.1, 0, 0), (0.3, 200, 2), (0.5, 4, 3), (0.7, 4, 30)):
        swept(case, shared, amount, 60, wrong, held_out)
    board = case.board()
    (curve,) = curves(board)
    assert curve.choice == 0.3
    assert choices(board) == {("adi", "prune(amount=0.3)")}
    assert case.board(budget=10).budget == 10
    (wider,) = curves(case.board(budget=10))
    assert wider.choice == 0.5
    for name in ("matrix-removal.md", "schemes/adi.md"):
        (line,) = [line for line in pages(board)[name].splitlines() if "thief's choice" in line]
        assert "[prune amount=0.3]" in line
    assert "thief's choice" in pages(board)["scores.md"]  # in the curve


def test_strength_may_grow_downwards(case: Any) -> None:
    """JPEG harms more at low quality: the end with the larger loss is the strong one."""
    shared = case.scheme("adi")
    for quality, held_out in ((10, 20), (40, 1), (90, 0)):
        swept(case, shared, quality, 60, 0, held_out, name="jpeg", field="quality")
    assert curves(case.board())[0].choice == 40


def test_nothing_is_chosen_without_held_out_images_or_where_every_setting_is_too_dear(case: Any) -> None:
    shared = case.scheme("adi")
    swept(case, shared, 0.1, 60, 0, 0)
    swept(case, shared, 0.5, 60, 0)
    for quality in (10, 90):
        swept(case, shared, quality, 60, 0, 39, name="jpeg", field="quality")
    assert [curve.choice for curve in curves(case.board())] == [None, None]


def test_several_seeds_make_one_point(case: Any) -> None:
    case.run["profile"]["seeds"] = 2
    for replicate, hits, wrong in ((0, 96, 4), (1, 90, 12)):
        shared = case.scheme("adi", replicate=replicate)
        for amount in (0.1, 0.5):
            swept(case, shared, amount, hits, wrong, replicate, replicate=replicate)
    (curve,) = curves(case.board())
    assert [point.rate for point in curve.points] == pytest.approx([0.93, 0.93])
    assert [point.utility_change for point in curve.points] == pytest.approx([-2.0, -2.0])
    assert curve.choice == 0.5


def test_thieves_draw_curves_over_their_labels_and_over_their_other_images(case: Any) -> None:
    shared = case.scheme("adi")
    case.run["profile"]["thief"] = {"pool": "disjoint", "labelled": 30, "unlabelled": 370}
    thieves = ((30, 370, 5), (100, 300, 20), (100, 370, 10), (30, 0, 50))
    for number, (labelled, unlabelled, hits) in enumerate(thieves):
        jobs = case.hit(shared, "adi", f"tune {number}", hits)
        held = {"pool": "disjoint", "labelled": labelled, "unlabelled": unlabelled}
        case.run["cells"][-1] |= {"attack": "tune", "jobs": jobs} | held
    case.run["attacks"] = [attack | {"label": "tune"} for attack in case.run["attacks"][:1]]
    board = case.board()
    assert [(cell.thief.labelled, cell.thief.unlabelled) for cell in board.at("adi", "tune")] == [(30, 370)]
    assert {curve.field: [(point.value, point.rate) for point in curve.points] for curve in curves(board)} == {
        "labelled images (disjoint pool, 370 unlabelled)": [(30, 0.05), (100, 0.1)],
        "labelled images (disjoint pool, 400 images in all)": [(30, 0.05), (100, 0.2)],
        "unlabelled images (disjoint pool, 30 labelled)": [(0, 0.5), (370, 0.05)],
        "unlabelled images (disjoint pool, 100 labelled)": [(300, 0.2), (370, 0.1)],
    }
    first, *_ = curve_tables(board).parts
    assert first.title == "tune, over the labelled images (disjoint pool, 370 unlabelled)"
    assert first.header[0] == "labelled images"


COUNTED = {"labelled": 30, "unlabelled": 0}


@pytest.mark.parametrize(("usual", "own", "said"), [
    (COUNTED, {"share": 0.5}, "or a share of his pool"), ({"share": 1.0}, COUNTED, "or a share of his pool"),
    (COUNTED, {"labelled": -1}, "below 0"), ({"share": 1.0}, {"share": 1.5}, "not in"), ({"share": -0.5}, {}, "not in"),
])  # fmt: skip
def test_a_thief_of_no_form_or_of_two_is_a_users_mistake(case: Any, usual: Any, own: Any, said: str) -> None:
    case.hit(case.scheme("adi"), "adi", "tune", 5)
    case.run["profile"]["thief"] = {"pool": "disjoint", **usual}
    case.run["cells"][-1] |= own
    with pytest.raises(BenchError, match=rf"run\.json: .*{said}"):
        case.board()


def test_what_a_cell_leaves_open_of_its_thief_is_the_profile_s(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "tune", 5)
    case.run["profile"]["thief"] = {"pool": "owner", **COUNTED}
    case.run["cells"][-1] |= {"labelled": 20, "unlabelled": None, "share": None}
    (cell,) = case.board().beside
    assert cell.thief == DescribedThief("owner", 20, 0)


def test_older_thieves_draw_a_curve_over_the_share_and_stay_out_of_the_matrix(case: Any) -> None:
    shared = case.scheme("adi")
    case.run["profile"]["thief"] = {"pool": "disjoint", "share": 1.0}
    for share, hits, wrong in ((1.0, 5, 4), (0.1, 40, 8), (0.0, 96, 0)):
        jobs = case.hit(shared, "adi", f"tune {share}", hits, wrong)
        case.run["cells"][-1] |= {"attack": "tune", "pool": "disjoint", "share": share, "jobs": jobs}
    case.run["attacks"] = [attack | {"label": "tune"} for attack in case.run["attacks"][:1]]
    board = case.board()
    assert [cell.thief.share for cell in board.at("adi", "tune")] == [1.0]
    assert [cell.thief.share for cell in board.beside] == [0.1, 0.0]
    (curve,) = curves(board)
    assert (curve.attack, curve.field, curve.choice) == ("tune", "thief share (disjoint pool)", None)
    assert [(point.value, point.rate) for point in curve.points] == [(0.0, 0.96), (0.1, 0.4), (1.0, 0.05)]
    (part,) = curve_tables(board).parts
    assert part.title == "tune, over the thief share (disjoint pool)"


def test_untrusted_names_stay_words(case: Any) -> None:
    shared = case.scheme("<b>|adi")
    for amount in (0.1, 0.5):
        swept(case, shared, amount, 60, 0, name="a|b<i>", scheme="<b>|adi")
    text = markdown.page("", [curve_tables(case.board())])
    assert "a\\|b&lt;i&gt;" in text
    assert "&lt;b&gt;\\|adi" in text
    assert "<b>" not in text
    assert "<i>" not in text


def test_a_run_without_sweeps_has_no_section(full: Any) -> None:
    board = full.board()
    assert curves(board) == []
    assert curve_tables(board) is None
    assert "## Curves" not in page(board)
