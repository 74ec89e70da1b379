"""Untrusted text in LaTeX and BibTeX: plain words that every engine typesets, whatever they hold."""

from __future__ import annotations

import re
import unicodedata

from leaderboard.pages.page_model import piece

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "`": r"\textasciigrave{}", "$": r"\$", "%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_",
    "×": r"\ensuremath{\times}", "≤": r"\ensuremath{\leq}", "≥": r"\ensuremath{\geq}",
    "±": r"\ensuremath{\pm}", "−": r"\ensuremath{-}", "α": r"\ensuremath{\alpha}",
    "→": r"\ensuremath{\rightarrow}", "‘": "`", "’": "'", "“": "``", "”": "''",
    "ß": r"\ss{}", "ø": r"\o{}", "Ø": r"\O{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0327": "c ", "\u030c": "v ",
    "\u0304": "=", "\u0307": ".", "\u030b": "H ", "\u0306": "u ",
}  # fmt: skip


def escape(text: str) -> str:
    """Untrusted text as words of a TeX paragraph, in ASCII.

    Braces come out balanced (BibTeX counts them), dashes don't join, and a sign that the standard fonts lack is
    written as its code point.
    """
    return re.sub(r"-(?=-)", "-{}", "".join(_sign(sign) for sign in piece(text).replace("–", "-").replace("—", "-")))


def _sign(sign: str) -> str:
    if sign in _SPECIAL:
        return _SPECIAL[sign]
    if sign.isascii():
        return sign
    parts = unicodedata.normalize("NFD", sign)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in _ACCENTS:
        return rf"{{\{_ACCENTS[parts[1]]}{{{parts[0]}}}}}"
    return rf"\texttt{{U+{ord(sign):04X}}}"
