"""The works that plug-ins cite, as BibTeX entries: those of the package's `works.bib`, and one for each unknown text.

A plug-in's `paper` trait is a sentence for people, such as `Adi et al. 2018, USENIX Security (arXiv:1802.04633)`;
several works are separated by semicolons. A work is found by its arXiv number, or by its authors and year.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from leaderboard.judge.board import Board
from leaderboard.pages.page_model import one_line
from leaderboard.pages.writers.tex_escape import escape


@dataclass(frozen=True)
class Work:
    """One work. key: of BibTeX; bibtex: its entry; signs: texts, any of which names it in a `paper` trait."""

    key: str
    bibtex: str
    signs: Sequence[str] = ()

    @classmethod
    def read(cls, bibtex: str) -> Work:
        """A work from its entry, which names author and year."""
        fields = dict(re.findall(r"^  (\w+) = \{(.*?)\},?$", bibtex, re.MULTILINE))
        families = [re.sub(r"[\\{}`'\"^~]", "", author.split(",")[0]) for author in fields["author"].split(" and ")]
        who = f"{families[0]} et al." if len(families) > 2 else " & ".join(families)
        number = [fields["eprint"]] if "eprint" in fields else []
        return cls(bibtex.partition("{")[2].partition(",")[0], bibtex, (*number, f"{who} {fields['year']}"))


@cache
def known_works() -> tuple[Work, ...]:
    text = files("leaderboard.pages").joinpath("works.bib").read_text(encoding="utf-8")
    return tuple(Work.read(f"@{entry.strip().removeprefix(chr(64))}\n") for entry in text.split("\n@") if entry.strip())


@cache
def works_of(paper: str) -> tuple[Work, ...]:
    """The works that a `paper` trait names, in its order; an unknown one is a @misc with the trait's own words."""
    parts = (one_line(part) for part in paper.split(";"))
    return tuple(_found(part) for part in parts if part)


def _found(text: str) -> Work:
    plain = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    for place in (0, -1):  # numbers before names: two works may have the same authors and year
        for work in known_works():
            if re.search(rf"(?<!\w){re.escape(work.signs[place])}(?!\w)", plain):
                return work
    key = f"work-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return Work(key, f"@misc{{{key},\n  note = {{{escape(text)}}},\n  key = {{{key}}}\n}}\n")


def bibliography(board: Board) -> str:
    """`works.bib`: every work that the board's schemes and attacks cite, each once, sorted by key."""
    papers = [row.described["paper"] for row in board.schemes] + [row.described["paper"] for row in board.attacks]
    return bibtex(work for paper in papers for work in works_of(paper))


def bibtex(works: Iterable[Work]) -> str:
    """BibTeX of `works`, each once, sorted by key."""
    by_key = {work.key: work.bibtex for work in works}
    return "\n".join(by_key[key] for key in sorted(by_key))
