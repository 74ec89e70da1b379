"""What of a file's text counts as code: pairs of texts that compute the same, and pairs that don't."""

from __future__ import annotations

import textwrap

import pytest

from benchmark.digest.normal_form import NormalForm, normal_form, same_code


def form(text: str) -> NormalForm:
    return normal_form(textwrap.dedent(text).encode())


def counted(text: str) -> tuple[object, ...]:
    found = form(text)
    return found.body, sorted(found.imports, key=lambda one: one.local)


SCHEME = """
class Mine(Scheme):
    name = "mine"
    paper = "A, 2020"
    settings = ("n=1", "n=2")
    item = "trigger"
    expected_failures = {"n=1": "too few"}
    n: int = parameter(1, "how many", low=1)
"""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1\n", "# a remark\n\nx   =   1  # another\n"),
        ('"""Doc."""\nx = 1\n', '"""Other."""\nx = 0x1\n'),
        ("def f():\n    '''Doc.'''\n    return 1\n", "def f():\n    return (\n        1)\n"),
        ("class A(Exception):\n    '''Doc.'''\n", "class A(Exception):\n    pass\n"),
        ("from __future__ import annotations\nx = 1\n", "x = 1\n"),
        ("import os\nfrom a import b, c\n", "from a import c\nfrom a import b\nimport os\n"),
        ("if TYPE_CHECKING:\n    from a import b\nx = 1\n", "x = 1\n"),
        ("if typing.TYPE_CHECKING:\n    a = 1\nelse:\n    a = 2\n", "a = 2\n"),
        ("def f(x: int, *, y: str = 'a') -> int:\n    z: int = x\n    return z\n",
         "def f(x, *, y='a'):\n    z = x\n    return z\n"),
        ("x: dict[str, int] = {}\n", "x = {}\n"),
        ("from typing import Any, cast\nx: Any = cast(int, 1)\n", "from typing import cast\nx = cast(int, 1)\n"),
        ("raise ValueError('a')\n", "raise ValueError(f'b {c}')\n"),
        ("raise Gone(job, f'{x} is gone') from error\n", "raise Gone(job, 'there is no such job') from error\n"),
        ("x = parameter(1, 'a', low=2)\n", "x = parameter(1, 'b', low=2)\n"),
        ("x = contract.parameter(1, 'a')\n", "x = contract.parameter(1, f'b {1}')\n"),
        ("x = parameter(default=1, doc='a')\n", "x = parameter(default=1, doc='b')\n"),
        (SCHEME, SCHEME.replace("A, 2020", "B").replace('"n=2"', '"n=3"')),
        (SCHEME, SCHEME.replace("too few", "so few").replace("trigger", "bit")),
        (SCHEME.replace("(Scheme)", "(contract.Scheme[Key])"),
         SCHEME.replace("(Scheme)", "(contract.Scheme[Key])").replace("A, 2020", "B")),
    ],
)  # fmt: skip
def test_prose_does_not_count(one: str, other: str) -> None:
    assert counted(one) == counted(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("momentum = 0.9\n", "momentum = 0.8\n"),
        ("x = 1\n", "x = 1.0\n"),
        ("x = 1\n", "x = True\n"),
        ("x = 'a'\n", "x = b'a'\n"),
        ("a = 1\nb = 2\n", "b = 2\na = 1\n"),
        ("x = a[1:]\n", "x = a[:1]\n"),
        ("x = {**a, 'b': c}\n", "x = {'b': c, **a}\n"),
        ("from torch.optim import SGD\n", "from torch.optim import Adam as SGD\n"),
        ("import a as x\n", "import b as x\n"),
        ("def f():\n    from a import b\n", "def f():\n    from a import c as b\n"),
        ("if x: import a as m\nelse: import b as m\n", "if x: import b as m\nelse: import a as m\n"),
        ("class A:\n    x: int = 1\n", "class A:\n    x: float = 1\n"),
        ("class A:\n    x: int = 1\n", "class A:\n    x = 1\n"),
        ("@register\ndef f(x: int): return x\n", "@register\ndef f(x: str): return x\n"),
        ("if TYPE_CHECKING:\n    a = 1\nelse:\n    a = 2\n", "a = 1\n"),
        ("raise ValueError('a')\n", "raise TypeError('a')\n"),
        ("raise Gone(job, 'a')\n", "raise Gone(parent, 'a')\n"),
        ("reason = 'a'\nraise ValueError(reason)\n", "reason = 'b'\nraise ValueError(reason)\n"),
        ("x = parameter(1, 'a')\n", "x = parameter(2, 'a')\n"),
        ("x = parameter(1, 'a', low=1)\n", "x = parameter(1, 'a', low=2)\n"),
        (SCHEME, SCHEME.replace('"mine"', '"ours"')),
        (SCHEME.replace("Scheme", "Thing"), SCHEME.replace("Scheme", "Thing").replace("A, 2020", "B")),
        (SCHEME + "    def f(self): return self.item\n",
         SCHEME.replace("trigger", "bit") + "    def f(self): return self.item\n"),
        ("def paper(): return 1\n", "def paper(): return 2\n"),
    ],
)  # fmt: skip
def test_what_computes_counts(one: str, other: str) -> None:
    assert counted(one) != counted(other)


def test_the_form_does_not_depend_on_the_version_of_python() -> None:
    """Trees have other fields in 3.12 and in 3.13 than in 3.11: a result has one name in all of them."""
    text = """
        type_ = lambda *a, b=None, **c: f"{a!r:>{b}} {c=}"
        class A(B, metaclass=C):
            @property
            async def f(self, /, x: T) -> T:
                async with x as (y, *z):
                    return {**y, None: ..., -1.5e-3: 1j, "é": b"x"}[1:, ::2]
    """
    assert form(text).body == "8de1db950e79e7ea2bdab2c96da3cab71ab76bee0c232bbc7c701413dd7ae675"


def test_same_code() -> None:
    assert same_code(b"x = 1\n", b"x = 1  # one\n")
    assert not same_code(b"x = 1\n", b"x = 2\n")
    assert same_code(b"x = =\n", b"x = =\n")
    assert not same_code(b"x = =\n", b"x = 1\n")
    for endless in (b"-" * 10**5 + b"1", b"1" + b"+1" * 10**5, b"a" + b".a" * 3000):
        assert not same_code(endless, b"x = 1\n")


def test_attributes_of_what_is_used_for_nothing_else() -> None:
    found = form("""
        from benchmark import contract as wm, other
        A = wm.Scheme
        B, (C, *D) = wm.Attack, other
        E = other.x
    """)
    assert found.attributes == {"wm": {"Scheme", "Attack"}}


def test_imports_at_the_top_come_before_those_in_functions() -> None:
    found = form("""
        def f():
            import c as a
        from ..pack import b as z, y
        import pack.part
        from pack import d as a
    """)
    assert found.imports == (("z", "..pack", "b"), ("y", "..pack", "y"), ("", "pack.part", ""),
                             ("a", "pack", "d"), ("a", "c", ""))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "only"),
    [("'''Doc.'''\nfrom a import b\n__all__ = ['b']\n", True), ("from a import b\nb.patch()\n", False),
     ("from a import b\nc = b\n", False), ("__all__ = ['b']\n__all__ += ['c']\n__version__ = '1'\n", True), ("", True)],
)  # fmt: skip
def test_a_file_that_only_passes_on_is_known(text: str, only: bool) -> None:
    assert (not form(text).body) is only
