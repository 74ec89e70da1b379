"""What pages call a scheme, an attack and the cells of one under the other, as links to where these stand."""

from __future__ import annotations

from collections.abc import Sequence

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Inline, Span, anchor, listed
from leaderboard.pages.short_names import names, slugs


class Links:
    """The names of a board's schemes and attacks as links, given labels of settings or names of families."""

    def __init__(self, board: Board) -> None:
        self.names = names(board)
        self._settings = slugs(self.names.schemes.values())

    def family(self, name: str) -> Span:
        """The name of a family of schemes, which leads to its page."""
        return Span(name, "link", self.names.scheme_page(name))

    def families(self, named: Sequence[str]) -> Inline:
        return listed([self.family(name) for name in named])

    def scheme(self, label: str) -> Span:
        """The short name of a scheme at one setting, which leads to its row among the settings of its family."""
        short = self.names.schemes[label]
        return Span(short, "link", f"{self.names.scheme_page(label)}#{self._setting(label)}")

    def attack(self, label: str) -> Span | str:
        """The short name of an attack at one setting; innocents are also seen after none, which the run may lack."""
        if label not in self.names.attacks:
            return label
        return Span(
            self.names.attacks[label], "link", f"{self.names.attack_page(label)}#{self.names.attack_slugs[label]}"
        )

    def attack_page(self, label: str) -> Span:
        """The short name of an attack at one setting, which leads to the top of its page."""
        return Span(self.names.attacks[label], "link", self.names.attack_page(label))

    def cells(self, scheme: str, attack: str, text: str = "") -> Span:
        """A scheme's cells under an attack, by labels; the attack's short name where there is no other text."""
        return Span(text or self.names.attacks[attack], "link", self.names.scheme_page(scheme, attack))

    def setting(self, label: str) -> Span:
        """The place of a scheme's setting on the page of its family."""
        return anchor(self._setting(label))

    def attacked(self, label: str) -> Span:
        """The place of an attack's setting on its own page, and of its cells on the page of a scheme."""
        return anchor(self.names.attack_slugs[label])

    def _setting(self, label: str) -> str:
        return f"setting-{self._settings[self.names.schemes[label]]}"  # an attack may have the same slug
