"""The works that plug-ins cite, as BibTeX entries.

A plug-in's `paper` trait is a sentence for people, such as `Adi et al. 2018, USENIX Security (arXiv:1802.04633)`;
several works are separated by semicolons. A known work is found by its arXiv number or by the words of its entry.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaderboard.judge.board import Board
from leaderboard.pages.md_table import one_line
from leaderboard.pages.tex_escape import escape


@dataclass(frozen=True)
class Work:
    """One work. key: of BibTeX; signs: texts, any of which names it in a `paper` trait; fields: written in TeX."""

    key: str
    entry: str
    signs: Sequence[str]
    fields: Sequence[tuple[str, str]]

    @property
    def bibtex(self) -> str:
        lines = "".join(f",\n  {name} = {{{value}}}" for name, value in self.fields)
        return f"@{self.entry}{{{self.key}{lines}\n}}\n"


def _work(key: str, authors: str, title: str, year: int, where: str, arxiv: str, *signs: str) -> Work:
    """`where`: the proceedings, or a journal as `journal: its name`, empty where the work is known from arXiv alone.

    `arxiv`: its number, if any.
    """
    journal = where.removeprefix("journal: ") if where.startswith("journal: ") else ""
    fields = [("author", authors), ("title", f"{{{title}}}"), ("year", str(year))]
    if where:
        fields.insert(2, ("journal", journal) if journal else ("booktitle", where))
    if arxiv:
        fields += [("eprint", arxiv), ("archiveprefix", "arXiv")]
        signs = (arxiv, *signs)
        if not where:
            fields.append(("note", f"arXiv:{arxiv}"))
    return Work(key, "article" if journal else "inproceedings" if where else "misc", signs, tuple(fields))


WORKS = (
    _work(
        "adi2018turning",
        "Adi, Yossi and Baum, Carsten and Cisse, Moustapha and Pinkas, Benny and Keshet, Joseph",
        "Turning Your Weakness Into a Strength: Watermarking Deep Neural Networks by Backdooring",
        2018, "27th USENIX Security Symposium", "1802.04633", "Adi et al. 2018",
    ),
    _work(
        "fan2019rethinking",
        "Fan, Lixin and Ng, Kam Woh and Chan, Chee Seng",
        "Rethinking Deep Neural Network Ownership Verification: Embedding Passports to Defeat Ambiguity Attacks",
        2019, "Advances in Neural Information Processing Systems 32", "1909.07830", "Fan et al. 2019",
    ),
    _work(
        "kallas2022rose",
        "Kallas, Kassem and Furon, Teddy",
        "{ROSE}: A {RO}bust and {SE}cure {DNN} Watermarking",
        2022, "IEEE International Workshop on Information Forensics and Security", "2206.11024", "Kallas & Furon 2022",
    ),
    _work(
        "hinton2015distilling",
        "Hinton, Geoffrey and Vinyals, Oriol and Dean, Jeff",
        "Distilling the Knowledge in a Neural Network",
        2015, "", "1503.02531", "Hinton et al. 2015",
    ),
    _work(
        "tramer2016stealing",
        "Tram{\\`e}r, Florian and Zhang, Fan and Juels, Ari and Reiter, Michael K. and Ristenpart, Thomas",
        "Stealing Machine Learning Models via Prediction {API}s",
        2016, "25th USENIX Security Symposium", "1609.02943", "Tramèr et al. 2016",
    ),
    _work(
        "han2015learning",
        "Han, Song and Pool, Jeff and Tran, John and Dally, William J.",
        "Learning both Weights and Connections for Efficient Neural Networks",
        2015, "Advances in Neural Information Processing Systems 28", "1506.02626", "Han et al. 2015",
    ),
    _work(
        "li2017pruning",
        "Li, Hao and Kadav, Asim and Durdanovic, Igor and Samet, Hanan and Graf, Hans Peter",
        "Pruning Filters for Efficient ConvNets",
        2017, "International Conference on Learning Representations", "1608.08710", "Li et al. 2017",
    ),
    _work(
        "fang2023depgraph",
        "Fang, Gongfan and Ma, Xinyin and Song, Mingli and Mi, Michael Bi and Wang, Xinchao",
        "DepGraph: Towards Any Structural Pruning",
        2023, "IEEE/CVF Conference on Computer Vision and Pattern Recognition", "2301.12900", "Fang et al. 2023",
    ),
    _work(
        "nagel2021white",
        "Nagel, Markus and Fournarakis, Marios and Amjad, Rana Ali and Bondarenko, Yelysei and "
        "van Baalen, Mart and Blankevoort, Tijmen",
        "A White Paper on Neural Network Quantization",
        2021, "", "2106.08295", "Nagel et al. 2021",
    ),
    _work(
        "liu2024false",
        "Liu, Jian and Zhang, Rui and Szyller, Sebastian and Ren, Kui and Asokan, N.",
        "False Claims against Model Ownership Resolution",
        2024, "33rd USENIX Security Symposium", "2304.06607", "Liu et al. 2024",
    ),
    _work(
        "yan2022cracking",
        "Yan, Yifan and Pan, Xudong and Wang, Yining and Zhang, Mi and Yang, Min",
        "``And Then There Were None'': Cracking White-box {DNN} Watermarks via Invariant Neuron Transforms",
        2022, "", "2205.00199", "Yan et al. 2022",
    ),
    _work(
        "zhang2020model",
        "Zhang, Jie and Chen, Dongdong and Liao, Jing and Fang, Han and Zhang, Weiming and Zhou, Wenbo and Cui, Hao "
        "and Yu, Nenghai",
        "Model Watermarking for Image Processing Networks",
        2020, "AAAI Conference on Artificial Intelligence", "2002.11088", "Zhang et al. 2020",
    ),
    _work(
        "zhang2021deep",
        "Zhang, Jie and Chen, Dongdong and Liao, Jing and Zhang, Weiming and Feng, Huamin and Hua, Gang "
        "and Yu, Nenghai",
        "Deep Model Intellectual Property Protection via Deep Watermarking",
        2021, "journal: IEEE Transactions on Pattern Analysis and Machine Intelligence", "2103.04980",
        "Zhang et al. 2021",
    ),
    _work(
        "chen2023high",
        "Chen, Huajie and Zhu, Tianqing and Liu, Chi and Yu, Shui and Zhou, Wanlei",
        "High-frequency Matters: An Overwriting Attack and Defense for Image-processing Neural Network Watermarking",
        2023, "", "2302.08637",
    ),
    _work(
        "jebreel2021keynet",
        "Jebreel, Najeeb Moharram and Domingo-Ferrer, Josep and S{\\'a}nchez, David and Blanco-Justicia, Alberto",
        "{KeyNet}: An Asymmetric Key-Style Framework for Watermarking Deep Learning Models",
        2021, "journal: Applied Sciences", "", "Jebreel et al. 2021",
    ),
    _work(
        "chen2023effective",
        "Chen, Yiming and Tian, Jinyu and Chen, Xiangyu and Zhou, Jiantao",
        "Effective Ambiguity Attack Against Passport-based {DNN} Intellectual Property Protection Schemes through "
        "Fully Connected Layer Substitution",
        2023, "IEEE/CVF Conference on Computer Vision and Pattern Recognition", "2303.11595",
    ),
    _work(
        "gidaris2018unsupervised",
        "Gidaris, Spyros and Singh, Praveer and Komodakis, Nikos",
        "Unsupervised Representation Learning by Predicting Image Rotations",
        2018, "International Conference on Learning Representations", "1803.07728", "Gidaris et al. 2018",
    ),
)  # fmt: skip


def works_of(paper: str) -> list[Work]:
    """The works that a `paper` trait names, in its order; an unknown one is a @misc with the trait's own words."""
    parts = (one_line(part) for part in paper.split(";"))
    return [_found(part) for part in parts if part]


def _found(text: str) -> Work:
    for work in WORKS:
        if any(re.search(rf"(?<!\w){re.escape(sign)}(?!\w)", text) for sign in work.signs):
            return work
    key = f"work-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return Work(key, "misc", (), (("note", escape(text)), ("key", key)))


def bibliography(board: Board) -> str:
    """`works.bib`: every work that the board's schemes and attacks cite, each once, sorted by key."""
    papers = [row.described["paper"] for row in board.schemes] + [row.described["paper"] for row in board.attacks]
    return bibtex(work for paper in papers for work in works_of(paper))


def bibtex(works: Iterable[Work]) -> str:
    """BibTeX of `works`, each once, sorted by key."""
    by_key = {work.key: work.bibtex for work in works}
    return "\n".join(by_key[key] for key in sorted(by_key))
