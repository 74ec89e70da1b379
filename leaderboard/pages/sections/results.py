"""What a run found, as sections of `leaderboard.md` below the matrix."""

from __future__ import annotations

from benchmark.vocabulary import CLAIM_KINDS, ORACLE_KINDS
from leaderboard.judge.board import Board
from leaderboard.judge.cell import Cell
from leaderboard.judge.summaries import AttackRow, Fidelity, SchemeRow, work_share
from leaderboard.judge.verdicts import Tally
from leaderboard.pages import wording
from leaderboard.pages.md_table import escape, table
from leaderboard.pages.sections.section import on_tracks
from leaderboard.stats.seeds import what_seeds_allow


def by_board(board: Board) -> str:
    """Every word's count on every board, and the share that is undecided."""
    tallies: dict[str, Tally] = {}
    for part in board.parts:
        on = f", {escape(part.track.task)}" if len(board.parts) > 1 else ""
        tallies |= {f"{kind}{on}": Tally.of(cell.verdict for cell in part.owners(kind)) for kind in part.kinds}
        tallies[f"innocent models{on}"] = Tally.of(cell.verdict for cell in part.cells if cell.innocent)
    words = [word for word in wording.LEGEND if any(tally.count(word) for tally in tallies.values())]
    rows = [
        [
            name,
            *(str(tally.count(word) or "–") for word in words),
            wording.percent(tally.undecided / tally.judged if tally.judged else None),
        ]
        for name, tally in tallies.items()
    ]
    return table(["board", *words, "undecided, of judged"], rows, "l" + "r" * (len(words) + 1))


def ranked_schemes(board: Board) -> str:
    """Schemes by the share that held, board by board in the pages' order; counts, never a sum."""
    kinds = board.ranked_kinds

    def shares(row: SchemeRow) -> list[tuple[float, float]]:
        return [row.tallies[kind].shares for kind in kinds]

    rows = []
    for row in sorted(board.schemes, key=shares, reverse=True):
        cells = [escape(row.label)]
        for kind in kinds:
            tally = row.tallies[kind]
            cells.append(wording.held(tally) + _apart("utility lost in", tally.count("utility-lost")))
            if kind in CLAIM_KINDS:
                cells.append(wording.held(row.committed[kind]))
        left_out = Tally.of(cell.verdict for cell in board.owners(*kinds) if cell.scheme == row.label).left_out
        rows.append([*cells, str(left_out)])
    header = ["scheme"]
    for kind in kinds:
        header += [f"{kind}: rejected", "… with commitment"] if kind in CLAIM_KINDS else [f"{kind}: held"]
    return f"{what_seeds_allow(board.run.profile['seeds'])} {_ORDER}\n\n" + table(
        [*header, "squares left out"], rows, "l" + "r" * len(header)
    )


NEAREST = 3  # innocents shown for every scheme
_ORDER = (
    "Ordered by the share held on the first board, then on the next; boards are never summed. Left out: "
    "embed-failed, not-applicable, crashed, timeout and the like."
)


def _apart(what: str, count: int) -> str:
    return f" ({what} {count})" if count else ""


def ranked_attacks(board: Board) -> list[str]:
    """One table for each board: attacks by how many marks they removed or claims they forged, then by cost."""
    seeds = board.run.profile["seeds"]
    parts = [
        f"{what_seeds_allow(seeds)} Counts are of schemes{' and seeds' if seeds > 1 else ''}. "
        "Utility and cost are medians over the schemes. Tiers, of the work of training one host: "
        "0 up to 1 %, 1 up to 5 %, 2 up to 25 %, 3 up to 100 %, 4 above."
    ]
    for kind in board.kinds:
        if kind == "control":
            continue
        claims = kind in CLAIM_KINDS
        rows = [
            [
                escape(row.label),
                wording.broken(row.tally),
                wording.broken(row.committed) if claims else str(row.no_better or "–"),
                *([] if claims else [str(row.tally.count("utility-lost") or "–"), _change(row, board.track.unit)]),
                *wording.price(row),
            ]
            for row in sorted((row for row in board.attacks if row.kind == kind), key=_danger)
        ]
        counts = (
            ["forged", "… with commitment"]
            if claims
            else ["removed", "no better than scratch", "utility lost", f"change, {board.track.unit}"]
        )
        header = ["attack", *counts, "cost", "of training a host", "tier"]
        parts += [f"### {kind.capitalize()}"]
        if kind in ORACLE_KINDS:
            parts.append(wording.ABOUT_ORACLES)
        parts.append(table(header, rows, "l" + "r" * len(header)))
    return parts


def _danger(row: AttackRow) -> tuple[float, float, float]:
    m = row.tally.judged
    return -(row.tally.broken / m if m else -1.0), -(row.tally.undecided / m if m else 0.0), row.relative or 0.0


def _change(row: AttackRow, unit: str) -> str:
    return "–" if row.change is None else wording.change(row.change, unit)


def claims(board: Board) -> list[str]:
    """Claims of thieves before two courts: without and with commitment; nothing where the run has none."""
    squares = (board.at(scheme.label, attack.label) for attack in board.attacks for scheme in board.schemes)
    cells = [cell for square in squares for cell in square if cell.claim and cell.after is not None]
    if not cells:
        return []
    rows = [
        [
            escape(cell.attack),
            escape(cell.scheme) + _seed(board, cell.replicate),
            wording.verdict(cell),
            cell.committed.word if cell.committed else "–",
            wording.evidence(cell.after) if cell.after else "–",
            "<br>".join(
                f"{escape(name)}: {wording.change_interval(gate)} {gate.unit}, {gate.state}"
                for name, gate in cell.gates.items()
            )
            or "–",
            escape(cell.verdict.reason or _with_commitment(cell) or "–"),
        ]
        for cell in cells
    ]
    header = [
        "attack",
        "scheme",
        "verdict",
        "with commitment",
        "evidence for the claim",
        "gates",
        "why rejected",
    ]
    text = (
        "What a court believes when a thief brings a key of his own. A gate is a separate test that can only refuse, "
        "such as accuracy with the claimed passports installed against accuracy as delivered. A p-value of a key made "
        "after seeing the model means nothing by itself: whoever asks for keys that were committed before the model "
        "was released rejects them: all of them, since no thief here commits one so early. Hash-bound keys that were "
        "not committed are charged a search over 2^64 keys."
    )
    return ["## Claims", text, table(header, rows)]


def _with_commitment(cell: Cell) -> str:
    return f"with commitment: {cell.committed.reason}" if cell.committed and cell.committed.reason else ""


def _seed(board: Board, replicate: int) -> str:
    return f" (seed {replicate})" if board.run.profile["seeds"] > 1 else ""


def false_alarms(board: Board) -> str:
    """How often each scheme's keys accuse models that never saw them, with Clopper-Pearson bounds."""
    rows = [[escape(row.label), *wording.alarms(row.false_alarms)] for row in board.schemes]
    text = (
        "An innocent model, as it is and after every attack, under each owner's key; and each clean null judged by all "
        "the others. Bounds are one-sided 95 % Clopper-Pearson bounds of the rate over independent models: attacks on "
        "one model share it. Another owner's model is the one that the scheme marked with the next seed's key: it is "
        "innocent of this key but carries a mark, which no null does; it is printed and never counted, and absent "
        "where there is one seed."
    )
    header = ["scheme", "false positives, of verdicts", "models ever accused", "nulls accused by the others",
              "other owners' models accused"]  # fmt: skip
    return f"{text}\n\n" + table(header, rows, "lrrrr")


def near_misses(board: Board) -> str:
    """The innocent models that came nearest to an accusation, for every scheme."""
    rows = []
    for row in board.schemes:
        seen = [cell for cell in board.cells if cell.innocent and cell.scheme == row.label]
        read = [(cell.after, cell) for cell in seen if cell.after is not None and not wording.is_unreadable(cell.after)]
        ordered = sorted(read, key=lambda pair: pair[0].log10_p)[:NEAREST]
        for place, (found, cell) in enumerate(ordered):
            accused = f"**{cell.verdict.word}**" if cell.verdict.word == "false-positive" else cell.verdict.word
            name = escape(row.label) if place == 0 else ""
            needed = wording.total(found.theta, found.n, found.kind == "count") if found.theta is not None else "–"
            rows.append([name, escape(cell.attack) + _seed(board, cell.replicate), wording.evidence(found), needed,
                         accused])  # fmt: skip
    if not rows:
        return "No innocent model was read."
    text = (
        f"Near misses: the {NEAREST} verdicts on innocent models with the smallest p of each scheme. Among many "
        "verdicts the smallest p is small by chance: it is no p-value of the scheme."
    )
    header = ["scheme", "innocent model, after", "evidence", "present from", "verdict"]
    return f"{text}\n\n" + table(header, rows, "lllrl")


def fidelity(board: Board) -> str:
    """What embedding did to accuracy (or mean PSNR), what it cost, and how strong the fresh mark is; on one track."""
    rows = [
        [escape(row.label) + _seed(board, found.replicate), *_embedding(board, found)]
        for row in board.schemes
        for found in row.fidelity
    ]
    images = ["marked against unmarked"] if board.track.unit == "dB" else []
    header = ["scheme", "unmarked", "marked", f"change [90 %], {board.track.unit}", *images, "embedding", "of a host",
              "fresh mark", "present from", "nulls' mean"]  # fmt: skip
    text = (
        "Unmarked: the host of the same seed where there is one, else the mean of the clean nulls (marked ~, and "
        "without an interval: those models are not paired)."
    )
    if images:
        text += " Marked against unmarked: how close the two models' images are, whatever image was wanted."
    return f"{text}\n\n" + table(header, rows, "lrrr" + "r" * len(images) + "rrlrr")


def _embedding(board: Board, found: Fidelity) -> list[str]:
    change, unit = "–", board.track.unit
    if found.drop is not None:
        change = wording.change_interval(found.drop)
    elif found.nulls is not None and found.marked is not None:
        change = wording.change(found.nulls - found.marked, unit)
    nulls = f"\\~ {wording.score(found.nulls, unit)}"
    unmarked = wording.level(found.host, unit, found.host_ssim) if found.host is not None else nulls
    took = found.cost.seconds if found.cost else None
    mark = found.evidence
    count = mark is not None and mark.kind == "count"
    return [
        unmarked,
        wording.level(found.marked, unit, found.marked_ssim),
        change,
        *([wording.distortion(found.distortion)] if unit == "dB" else []),
        wording.seconds(took) if took is not None else "–",
        wording.of_a_host(work_share(found.cost, board.host_operations)),
        f"{wording.evidence(mark)}, {mark.state}" if mark else "–",
        wording.total(mark.theta, mark.n, count) if mark and mark.theta is not None else "–",
        f"{mark.null_mean:.3g}" if mark and mark.null_mean is not None else "–",
    ]


def channels(board: Board) -> list[str]:
    """Channels beside the evidence: printed, never a second chance. Nothing where no scheme has any."""
    if not any(cell.channels for cell in board.owners()):
        return []
    text = "Channels beside the evidence, as delivered → in the suspect. They are printed and never counted."
    return ["## Other channels", text, *on_tracks(board, _channels)]


def _channels(board: Board) -> list[str]:
    columns = dict.fromkeys((c.scheme, name) for c in board.owners() for name in c.channels)
    rows = []
    for attack in board.attacks:
        row = [
            "<br>".join(
                f"{wording.channel(cell.channels[name][0])} → {wording.channel(cell.channels[name][1])}"
                for cell in board.at(scheme, attack.label)
                if name in cell.channels
            )
            for scheme, name in columns
        ]
        if any(row):
            rows.append([escape(attack.label), *(text or "–" for text in row)])
    header = ["attack", *(f"{escape(scheme)}: {escape(name)}" for scheme, name in columns)]
    return [table(header, rows, "l" + "r" * len(columns))] if rows else ["No scheme of this track has one."]
