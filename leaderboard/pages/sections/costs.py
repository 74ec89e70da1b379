"""What embedding and the attacks cost, and what embedding did to the model."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.judge.summaries import Fidelity, work_share
from leaderboard.pages import wording
from leaderboard.pages.page_model import Section, per_task
from leaderboard.pages.short_names import names


@per_task
def fidelity(board: Board) -> Section:
    """What embedding did to accuracy (or mean PSNR), what it cost, how strong the fresh mark is, and what the control
    `scratch` loses.
    """
    short = names(board).schemes
    rows = [
        [short[row.label] + wording.seed(board, found.replicate), *_embedding(board, found)]
        for row in board.schemes
        for found in row.fidelity
    ]
    images = ["marked against unmarked"] if board.track.unit == "dB" else []
    header = ["scheme", "unmarked", "marked", f"change [90 %], {board.track.unit}", *images, "scratch [90 %]",
              "embedding", "of a host", "fresh mark", "present from", "nulls' mean"]  # fmt: skip
    text = (
        "Unmarked: a net of the same seed that was trained as long as the marked one, on the same images; where "
        "there is none, the host, which may have been trained for less (marked h), else the mean of the clean nulls "
        "(marked ~, and without an interval: those models are not paired). Scratch: the change from the unmarked net "
        "to one that the thief trains anew, and whether it is within the budget (kept). Fresh mark: the evidence "
        "before any attack. Present from: how much of the key must hit for the mark to count. Nulls' mean: what "
        "unmarked models hit."
    )
    if images:
        text += " Marked against unmarked: how close the two models' images are, whatever image was wanted."
    return Section("Fidelity and embedding cost", text, header, rows, "lrrr" + "r" * len(images) + "rrrlrr")


def _embedding(board: Board, found: Fidelity) -> list[str]:
    change, unit = "–", board.track.unit
    if found.drop is not None:
        change = wording.change_interval(found.drop)
    elif found.nulls is not None and found.marked is not None:
        change = wording.change(found.nulls - found.marked, unit)
    if found.twin is not None:
        unmarked = wording.score(found.twin, unit)
    elif found.host is not None:
        unmarked = f"h {wording.level(found.host, unit, found.host_ssim)}"
    else:
        unmarked = f"~ {wording.score(found.nulls, unit)}"
    mark, images = found.evidence, found.distortion
    return [
        unmarked,
        wording.level(found.marked, unit, found.marked_ssim),
        change,
        *([wording.level(images.psnr, unit, images.ssim) if images else "–"] if unit == "dB" else []),
        f"{wording.change_interval(found.scratch)}, {found.scratch.state}" if found.scratch else "–",
        wording.seconds(found.cost.seconds) if found.cost else "–",
        wording.of_a_host(work_share(found.cost, board.host_operations)),
        f"{wording.evidence(mark)}, {mark.state}" if mark else "–",
        wording.theta(mark) if mark else "–",
        f"{mark.null_mean:.3g}" if mark and mark.null_mean is not None else "–",
    ]


@per_task
def costs(board: Board) -> Section:
    """Everything an attack used, medians over the schemes."""
    rows, short = [], names(board).attacks
    for row in board.attacks:
        cost = row.cost
        counted = (cost.steps, cost.samples, cost.labelled, cost.unlabelled, cost.queries) if cost else (0,) * 5
        memory = f"{cost.peak_memory_mb:.0f} MB" if cost else "–"
        rows.append(
            [short[row.label], *wording.price(row), memory, *(f"{count:,}" if count else "–" for count in counted)]
        )
    header = ["attack", "device time", "of a host", "tier", "peak memory", "steps", "samples", "labelled",
              "unlabelled", "queries"]  # fmt: skip
    host = "unknown" if board.host_seconds is None else wording.seconds(board.host_seconds)
    work = "" if board.host_operations is None else f" and {board.host_operations:.2g} operations"
    text = (
        f"Medians over the schemes. Training one host (a net before it is marked) takes {host}{work}. The share of a "
        "host, and so the tier, is counted work over that: multiply-adds of convolutions and linear layers, forward "
        "and backward, queries among them, equal on every machine. Steps: optimiser steps; samples: images they saw; "
        "labelled and unlabelled: distinct images of the thief; queries: images answered by the stolen service. Peak "
        "memory is that of the worker process."
    )
    return Section("What the attacks cost", text, header, rows, "lrrrrrrrrr")
