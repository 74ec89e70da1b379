"""Where a scheme, an attack and the cells of one under the other stand among the pages of a board, as links."""

from __future__ import annotations

from leaderboard.judge.board import Board
from leaderboard.pages import short_names
from leaderboard.pages.page_model import Span

SETTING = "setting-"  # before the slug of a scheme's setting, which an attack may have, too


class Links:
    """The names of a board's schemes and attacks, each a link to its own page."""

    def __init__(self, board: Board) -> None:
        self.schemes, self.attacks = short_names.scheme_names(board), short_names.attack_names(board)
        families, plugins = short_names.family_slugs(board), short_names.attack_slugs(board)
        self.family = {row.label: f"schemes/{families[str(row.described['name'])]}.md" for row in board.schemes}
        self.plugin = {
            row.label: f"attacks/{plugins[short_names.attack_name(row.described)]}.md" for row in board.attacks
        }

    def scheme(self, label: str) -> Span:
        """The short name of a scheme at one setting."""
        return Span(self.schemes.short[label], "link", f"{self.family[label]}#{SETTING}{self.schemes.slugs[label]}")

    def attack(self, label: str) -> Span | str:
        """The short name of an attack at one setting; innocents are also seen after none, which the run may lack."""
        if label not in self.plugin:
            return label
        return Span(self.attacks.short[label], "link", f"{self.plugin[label]}#{self.attacks.slugs[label]}")

    def cells(self, text: str, scheme: str, attack: str) -> Span:
        """`text`, which leads to the cells of a scheme under an attack, both given by their labels."""
        return Span(text, "link", f"{self.family[scheme]}#{self.attacks.slugs[attack]}")
