"""Declarations are read from source text; nothing of a plug-in runs."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import Literal

import pytest
from plugin_files import PRUNE, only, write

import attacks.prune as built_in
from benchmark.errors import BenchError
from benchmark.plugins.parameters import Parameter
from benchmark.plugins.source_reader import read_declarations


def attack(body: str) -> str:
    """A file with one attack whose class body ends in `body`."""
    lines = f'name = "toy"\nfamily = "toys"\nkind = "removal"\n{body}'
    return "class Toy(Attack):\n" + textwrap.indent(lines, "    ") + "\n"


def test_a_whole_declaration(tmp_path: Path) -> None:
    one = only(tmp_path, PRUNE)
    assert (one.role, one.name, one.class_name, one.origin) == ("attack", "prune", "Prune", "plugin")
    assert one.doc == "Global magnitude pruning."
    assert one.source == (tmp_path / "plugin.py").resolve()
    assert one.traits == {
        "family": "pruning",
        "kind": "removal",
        "access": "weights",
        "tasks": ("classification",),
        "requires": "",
        "target": "release",
        "evidence": "",
        "settings": ("amount=0.3", "amount=0.5,mode=layer"),
        "file_parameters": (),
        "paper": "",
        "layers_needed": "",
        "year": 2015,
        "rate": -1.5,
    }
    assert one.parameters == (
        Parameter("amount", "float", (), 0.5, "share of the weights", 0, 1),
        Parameter("rounds", "int", (), 1, "how often", 1, None),
        Parameter("mode", "str", ("global", "layer"), "global"),
        Parameter("verbose", "bool", (), False),
        Parameter("note", "str", (), "", "a remark"),
    )
    assert isinstance(hash(one), int)


@pytest.mark.parametrize("base", ["Scheme", "contract.Scheme", "Scheme[AdiKey]", "contract.Scheme[AdiKey]"])
def test_a_scheme_gets_the_defaults_of_its_traits(tmp_path: Path, base: str) -> None:
    one = only(tmp_path, f'class Adi({base}):\n    name = "adi"\n    key_type = dict\n')
    assert one.role == "scheme"
    assert one.traits == {
        "release": "weights",
        "court": "labels",
        "capabilities": (),
        "tasks": ("classification",),
        "host": False,
        "expected_failures": {},
        "expected_forgeries": {},
        "item": "item",
        "settings": ("",),
        "null_law": "none",
        "file_parameters": (),
        "secret_files": (),
        "paper": "",
        "layers_needed": "",
    }


def test_only_named_plugin_classes_count(tmp_path: Path) -> None:
    body = 'class Helper:\n    name = "x"\n\nclass Nameless(Attack):\n    kind = "removal"\n'
    assert read_declarations(write(tmp_path, body)) == []


def test_inheritance_within_the_file(tmp_path: Path) -> None:
    body = """
    class Tuned(Attack):
        family = "fine-tuning"
        kind = "removal"
        access = "labels"
        epochs: int = parameter(5, "passes", low=1)
        lr: float = parameter(0.1, "step")

    class Slow(Tuned):
        name = "slow"
        lr: float = parameter(0.01, "a small step")
        warm: bool = True

    class Relabel(Slow):
        name = "relabel"
        access = "weights"

    class Quiet(Slow):
        pass
    """
    slow, relabel = read_declarations(write(tmp_path, body))
    assert [one.name for one in slow.parameters] == ["epochs", "lr", "warm"]
    assert slow.resolve({}) == relabel.resolve({}) == {"epochs": 5, "lr": 0.01, "warm": True}
    assert (slow.traits["access"], relabel.traits["access"]) == ("labels", "weights")
    assert relabel.traits["family"] == "fine-tuning"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("access = LEVEL", ["access must be a literal", "`LEVEL`"]),
        ('access = "weight"', ["labels, probabilities, outputs, weights", "'weight'"]),
        ('kind = "remove"', ["removal, function-preserving, evasion", "'remove'"]),
        ('target = "null"', ["release, none"]),
        ('settings = "eps=1"', ["settings must be a tuple of strings"]),
        ("settings = ()", ["settings must name at least one setting"]),
        ("settings = ('eps=1',)", ["'eps=1'", "no parameter 'eps'"]),
        ("paper = 2015", ["paper must be a str, not 2015"]),
        ('acess = "labels"', ["acess is no known trait", "access"]),
        ('family: str = "x"', ["family is a trait", "ClassVar"]),
        ("eps: float = 8 / 255", ["the default of eps must be a literal", "8 / 255"]),
        ('eps: float = parameter(8 / 255, "bound")', ["default of eps must be a literal"]),
        ("eps: float", ["eps needs a default", 'parameter(<default>, "what it means")']),
        ("eps: float = parameter(0.1)", ["write `eps: float = parameter("]),
        ('eps: float = parameter(0.1, "bound", 0.0)', ["write `eps: float = parameter("]),
        ('eps: float = parameter(0.1, "bound", lo=0.0)', ["write `eps: float = parameter("]),
        ("eps: float = field(default=0.1)", ["write `eps: float = parameter("]),
        ('eps: float = parameter(2.0, "bound", high=1.0)', ["default of eps must be at most 1.0, not 2.0"]),
        ('eps: float = parameter(2.0, "bound", low=None, high=1.0)', ["default of eps must be at most 1.0, not 2.0"]),
        ('eps: str = parameter("a", "word", high=1.0)', ["low and high of eps must be numbers"]),
        ('eps: float = parameter(0.1, "bound", low="0")', ["low and high of eps must be numbers"]),
        ("eps: int = 0.5", ["the default of eps takes a whole number, not 0.5"]),
        ("eps: int = True", ["the default of eps takes a whole number, not True"]),
        ("eps: int | str = 3", ["eps takes int, float, bool, str", "int | None or tuple[int, ...], not `int | str`"]),
        ("eps: str | None = None", ["eps takes int", "`str | None`"]),
        ("eps: tuple[int, int] = (1, 2)", ["eps takes int", "`tuple[int, int]`"]),
        ("eps: tuple[int | None, ...] = ()", ["eps takes int"]),
        ("eps: list[int] = []", ["eps takes int", "`list[int]`"]),
        ("eps: tuple[int, ...] = [1]", ["the default of eps must be a tuple, such as (1, 2) or ()"]),
        ("eps: tuple[int, ...] = (1, 0.5)", ["the default of eps takes a whole number, not 0.5"]),
        ('eps: tuple[int, ...] = parameter((1, 9), "those", high=5)', ["the default of eps must be at most 5, not 9"]),
        ("eps: int = None", ["the default of eps takes a whole number, not None"]),
        ('eps: Literal["a", 1] = "a"', ["eps takes int, float, bool, str"]),
        ('eps: Literal["a", "b"] = "c"', ["eps is one of a, b, not 'c'"]),
        ('name = "two words"', ["name must be a word"]),
        ('name = "all"', ["name must be a word", "all, grid, standard, auto are taken"]),
        ('name = "grid"', ["name must be a word"]),
        ("name = NAME", ["name must be a literal"]),
    ],
)
def test_mistakes_name_file_line_and_cure(tmp_path: Path, line: str, words: list[str]) -> None:
    path = write(tmp_path, attack(line))
    with pytest.raises(BenchError) as caught:
        read_declarations(path)
    message = str(caught.value)
    file, number, rest = message.split(":", 2)
    assert file == str(path.resolve())
    blamed = path.read_text().splitlines()[int(number) - 1].strip()
    assert blamed == ("class Toy(Attack):" if "setting 'eps" in message else line)
    for word in words:
        assert word in rest


@pytest.mark.parametrize(("missing", "cure"), [("family", '`family = "<word>"`'), ("kind", "removal | ")])
def test_an_attack_must_say_what_it_is(tmp_path: Path, missing: str, cure: str) -> None:
    body = "\n".join(line for line in attack("").splitlines() if not line.strip().startswith(missing))
    with pytest.raises(BenchError, match=f"must say its {missing}") as caught:
        read_declarations(write(tmp_path, body))
    assert cure in str(caught.value)


def test_a_parameter_of_the_base_cannot_turn_into_a_trait(tmp_path: Path) -> None:
    body = attack("epochs: int = 5") + '\nclass Long(Toy):\n    name = "long"\n    epochs = 50\n'
    with pytest.raises(BenchError, match="Long: epochs is a base class's parameter"):
        read_declarations(write(tmp_path, body))


def test_one_name_twice_in_a_file(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="two attacks are named 'toy'"):
        read_declarations(write(tmp_path, attack("") + attack("").replace("Toy", "Again")))


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("from attacks.prune import Prune", "Prune"),
        ("from attacks.prune import Prune as Theirs", "Theirs"),
        ("from attacks import prune", "prune.Prune"),
        ("import attacks.prune", "attacks.prune.Prune"),
        ("import attacks.prune as theirs", "theirs.Prune"),
        ("from helper import Prune", "Prune"),
        ("from helper import *", "Prune"),
        ("import helper", "helper.Mine"),
        ("from .helper import Mine", "Mine"),
        ("from . import helper as h", "h.Mine"),
    ],
)
def test_inheritance_from_a_built_in_or_a_file_beside(tmp_path: Path, imports: str, base: str) -> None:
    mine = 'class Mine(Prune):\n    family = "mine"\n'
    (tmp_path / "helper.py").write_text(f"import plugin\nfrom attacks.prune import Prune\n{mine}")
    body = f"{imports}\nclass Half({base}):\n    name = 'half'\n    amount: float = parameter(0.5, 'share')\n"
    (half,) = read_declarations(write(tmp_path, body))
    (prune,) = (one for one in read_declarations(Path(built_in.__file__)) if one.class_name == "Prune")
    assert (half.name, half.role, half.source) == ("half", "attack", tmp_path / "plugin.py")
    assert [one.name for one in half.parameters] == [one.name for one in prune.parameters]
    assert half.traits == prune.traits | ({"family": "mine"} if "Mine" in base else {})
    assert half.resolve({})["amount"] == 0.5


def test_files_that_import_one_another_are_read_once_each(tmp_path: Path) -> None:
    for one, two in (("left", "right"), ("right", "left")):
        (tmp_path / f"{one}.py").write_text(f"from {two} import Base\nclass Toy(Base):\n    name = 'toy'\n")
    assert read_declarations(tmp_path / "left.py") == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"class Toy(Attack:\n", "plugin.py:1: this is not valid Python"),
        (b"x = 1\x00\n", "plugin.py:1: this is not valid Python"),
        (b'x = "\xff"\n', "save it as UTF-8"),
        ("x = 1\n".encode("utf-16"), "plugin.py:1: this is not valid Python"),
        (b"(" * 1000, "plugin.py:1: this is not valid Python"),
        (b"-" * 50_000 + b"1", "plugin.py: its expressions are nested too deeply"),
        (b"x = " + b"+".join([b"1"] * 50_000), "plugin.py: its expressions are nested too deeply"),
    ],
)
def test_a_file_that_is_not_python(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "plugin.py"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=re.escape(words)):
        read_declarations(path)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf{}", b"# coding: latin-1\n# \xe9\n{}"])
def test_a_file_may_say_how_it_is_encoded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plugin.py"
    path.write_bytes(content.replace(b"{}", attack("").replace("\n", "\r\n").encode()))
    assert [one.name for one in read_declarations(path)] == ["toy"]


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="is a folder: name the file in it"):
        read_declarations(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BenchError, match="is no regular file"):
        read_declarations(tmp_path / "pipe")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"absent\.py.*can't be read"):
        read_declarations(tmp_path / "absent.py")


@pytest.mark.parametrize("trait", ["expected_failures", "expected_forgeries"])
def test_what_is_expected_belongs_to_a_declared_setting(
    tmp_path: Path, trait: Literal["expected_failures", "expected_forgeries"]
) -> None:
    body = """
    class Marker(Scheme):
        name = "marker"
        settings = ("", "n=3")
        {TRAIT}: ClassVar[dict] = {KEYS}
        n: int = parameter(1, "how many")
    """
    body = body.replace("{TRAIT}", trait)
    one = only(tmp_path, body.replace("{KEYS}", '{"n=3": "too many"}'))
    assert [one.expected(trait, {"n": n}) for n in (1, 3)] == [None, "too many"]
    with pytest.raises(BenchError, match="'n=4', which is not among the settings"):
        only(tmp_path, body.replace("{KEYS}", '{"n=4": "too many"}'))
    with pytest.raises(BenchError, match="must hold texts by setting"):
        only(tmp_path, body.replace("{KEYS}", '("n=3",)'))
