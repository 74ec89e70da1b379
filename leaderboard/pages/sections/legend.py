"""What every verdict, flag and grade means."""

from __future__ import annotations

from collections.abc import Mapping

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Inline, Section, Span
from leaderboard.pages.sections.links import Links

LEGEND = {
    "survived": "the court would accept the owner's claim: evidence present (p <= alpha) and every gate kept",
    "removed": "the evidence is absent and the model is as useful as before",
    "unprovable": "the evidence is not absent, but a gate (a separate test) refuses the owner's claim, in a model as "
    "useful as before",
    "utility-lost": "the mark can't be proved, but the model lost more than the budget: counted as useless",
    "undecided": "neither shown nor ruled out; the word behind it says what is unclear: evidence, utility, both, nulls "
    "or a gate",
    "embed-failed": "the mark could not be proved before the attack: left out of survival",
    "forged": "a thief's claim that the court would believe",
    "rejected": "a thief's claim that the court would not believe",
    "no-court": "a claim before a court that no key of the scheme could convince, its true owner's neither: it says "
    "nothing and counts nowhere",
    "not-marked": "an innocent model that the owner's key does not accuse",
    "false-positive": "an innocent model that the owner's key accuses",
    "inconsistent": "the service answers the same images otherwise among others: its answers are those of no one model",
    "unreadable": "only the maker of the net can read how it is built: neither removed nor held",
    "not-applicable": "this pair can't be run; the reason is given",
    "crashed": "a job raised an error, or its worker was killed",
    "timeout": "a job ran past its time limit",
    "oom": "a job ran out of memory, also alone on its device",
    "not-run": "no job of this cell failed; it was simply not run yet",
    "no-better-than-scratch": "flag of removed and unprovable, written as a star behind the word: training anew on the "
    "thief's own data gives as useful a model",
    "useless": "flag of survived: the mark can still be proved, in a model that lost more than the budget",
    "key-in-pool": "flag: the thief had some of the key's own images, as many as the cell says",
    "innocents-as-high": "flag: present by an exact law, and some unmarked models score as high, too few to refute it",
}
GRADES = {
    "exact": "computed: what a key drawn anew would score on this model follows a law that is known in closed form",
    "ranked": "counted: the rank of the suspect among unmarked models, or of the key among keys drawn anew, so never "
    "smaller than 1 / (their number + 1)",
    "extrapolated": "fitted to unmarked models or to keys drawn anew, and read beyond the largest of them: where it "
    "says 0.001, innocents are accused at a rate of about 0.001, for single keys of up to 0.007",
}
OTHER_WORDS = {
    "alpha": "the largest p at which a mark counts as proved",
    "auto": "a fixed set of attacks, all tried on every mark: one that breaks it is enough",
    "budget": "the loss of utility up to which a thief's model is as useful as before",
    "case": "one setting of a scheme at one seed",
    "commitment": "the hash of a key, published before the model is released, so that no key can be made to fit it",
    "court": "who asks the suspect the key's questions and weighs the answers",
    "gate": "a separate test that can only refuse a claim",
    "host": "the unmarked net that a mark is embedded in; its training is the unit of work",
    "key": "the owner's secret: images and answers, or bits, by which the mark is found",
    "null": "an unmarked model of the judge, which shows what chance gives",
    "p": "how often a key drawn anew without looking at the model, or an unmarked model, would score as high",
    "scratch": "a net that the thief trains on his own images alone, without stealing",
    "utility": "how well a model does its task: accuracy on test images in points (per cent), or mean PSNR in dB",
}
RARE = ("no-court", "inconsistent", "unreadable", "key-in-pool", "innocents-as-high")  # explained only where they occur


def legend(board: Board) -> Section:
    """What every verdict, flag and grade means."""
    met = {word for cell in (*board.cells, *board.beside) for word in (cell.verdict.word, *cell.verdict.flags)}
    words = {word: meaning for word, meaning in LEGEND.items() if word in met or word not in RARE}

    def coded(words: Mapping[str, str]) -> list[list[Inline]]:
        return [[Span(word, "code"), meaning] for word, meaning in words.items()]

    grades = Section(header=["how a p-value is known", "meaning"], rows=coded(GRADES))
    others = Section(header=["other word", "meaning"], rows=[[word, meaning] for word, meaning in OTHER_WORDS.items()])
    return Section("Legend", header=["verdict or flag", "meaning"], rows=coded(words), parts=[grades, others])


def labels(board: Board) -> Section:
    """The label behind every short name."""
    links = Links(board)
    schemes: list[list[Inline]] = [[links.scheme(row.label), row.label] for row in board.schemes]
    attacks: list[list[Inline]] = [[links.attack(row.label), row.label] for row in board.attacks]
    text = (
        "Pages call a setting by the parameters that tell it from the others of this board. matrix.csv, records and "
        "commands use the label; the page of each has every parameter."
    )
    return Section("Names", text, parts=[Section(header=["scheme", "label"], rows=schemes),
                                         Section(header=["attack", "label"], rows=attacks)])  # fmt: skip
