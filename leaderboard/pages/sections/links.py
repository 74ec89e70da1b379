"""Where a scheme, an attack and the cells of one under the other stand among the pages of a board, as links."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import Span, anchor
from leaderboard.pages.short_names import names, slugs


class Links:
    """The names of a board's schemes and attacks, each a link to its own page."""

    def __init__(self, board: Board) -> None:
        self.names = names(board)
        self._settings = slugs(self.names.schemes.values())

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

    def cells(self, text: str, scheme: str, attack: str) -> Span:
        """`text`, which leads to the cells of a scheme under an attack, both given by their labels."""
        return Span(text, "link", self.names.scheme_page(scheme, attack))

    def setting(self, label: str) -> Span:
        """The place of a scheme's setting on the page of its family."""
        return anchor(self._setting(label))

    def attacked(self, label: str) -> Span:
        """The place of an attack's setting on its own page, and of its cells on the page of a scheme."""
        return anchor(self.names.attack_slugs[label])

    def _setting(self, label: str) -> str:
        return f"setting-{self._settings[self.names.schemes[label]]}"  # an attack may have the same slug
