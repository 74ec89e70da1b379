"""What the first page calls a scheme, an attack or a cell, with a link to all that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Inline, Span, spans
from leaderboard.pages.short_names import names


class References:
    """Links from the first page of a board, by labels and names of families."""

    def __init__(self, board: Board) -> None:
        self.names = names(board)

    def family(self, name: str) -> Span:
        return Span(name, "link", self.names.scheme_page(name))

    def attack(self, label: str) -> Span:
        return Span(self.names.attacks[label], "link", self.names.attack_page(label))

    def cell(self, scheme: str, attack: str, text: str = "") -> Span:
        """The cells of a scheme's setting under an attack; the attack's short name where there is no other text."""
        return Span(text or self.names.attacks[attack], "link", self.names.scheme_page(scheme, attack))

    def families(self, named: Sequence[str]) -> Inline:
        return listed([self.family(name) for name in named])


def listed(those: Sequence[Inline]) -> Inline:
    """`a`, `a and b`, `a, b and c`."""
    found: list[Inline] = []
    for place, one in enumerate(those):
        found += ["" if not place else " and " if place == len(those) - 1 else ", ", one]
    return joined(found)


def joined(those: Iterable[Inline]) -> Inline:
    """Pieces of text one after the other."""
    return tuple(piece for one in those for piece in spans(one) if piece)
