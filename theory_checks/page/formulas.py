"""TeX to MathML while the page is made; what cannot be converted stays as its source."""

from __future__ import annotations

import html
import re
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

from theory_checks.page.markup import Markup, element, joined, words

__all__ = ["formula", "hypothesis_text", "mathml"]

#: What may reach the page. The converter copies text and attributes as they are, so its
#: tree is written anew: other elements make the conversion fail, other attributes are dropped.
_ELEMENTS = frozenset(
    {"math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot"}
    | {"msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd"}
    | {"mstyle", "mpadded", "mphantom", "menclose"}
)
_ATTRIBUTES = frozenset(
    {"accent", "columnalign", "columnspacing", "depth", "display", "displaystyle", "fence"}
    | {"form", "height", "largeop", "linethickness", "lspace", "mathvariant", "maxsize"}
    | {"minsize", "movablelimits", "rowspacing", "rspace", "scriptlevel", "separator"}
    | {"stretchy", "symmetric", "voffset", "width"}
)

#: A prime with a superscript behind it: TeX sets both, the converter calls it an error.
_PRIMES = re.compile(r"('+)\^(\{[^{}]*\}|\\[A-Za-z]+|[^\s\\{}])")

#: A letter of another alphabet without braces, which the converter overlooks.
_LETTER = re.compile(r"(\\math(?:bb|bf|cal|frak|rm|sf))\s+([A-Za-z])(?![A-Za-z])")

#: Relations and signs that the converter takes for letters, which have no space around them.
_OPERATORS = frozenset("⪰⪯±∓∼~⊥≈≃≅∝≪≫⟨⟩")

#: Delimiters that the converter hands through behind a size.
_DELIMITERS = {
    r"\{": "{",
    r"\}": "}",
    r"\|": "‖",
    r"\lceil": "⌈",
    r"\rceil": "⌉",
    r"\lfloor": "⌊",
    r"\rfloor": "⌋",
    r"\langle": "⟨",
    r"\rangle": "⟩",
}

#: Brackets with an exponent: without braces it would be the closing one's alone.
_GROUP = re.compile(
    r"(?:\\begin\{([bp]matrix)\}.*?\\end\{\1\}|\\[bB]igg?l[(\[].*?\\[bB]igg?r[)\]])(?=\^)"
)

#: The one function of TeX that the converter does not know.
_ARG = re.compile(r"\\arg(?![A-Za-z])")

#: Where a long formula may be broken into pieces that stand in lines of their own.
_BREAK = re.compile(r",?\s*\\q?quad(?![A-Za-z])|(?=\\(?:iff|implies)(?![A-Za-z]))")
_ARROW = re.compile(r"^\\(?:iff|implies)(?![A-Za-z])")
_DEEPER = re.compile(r"\\left(?![A-Za-z])|\\begin(?![A-Za-z])|[{(\[]")
_SHALLOWER = re.compile(r"\\right(?![A-Za-z])|\\end(?![A-Za-z])|[})\]]")

#: Words inside TeX, and its commands: what is left of TeX then has no long words.
_INSIDE = re.compile(r"\\(?:text|mathrm|operatorname)\s*\{[^{}]*\}|\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{3,}")


class _UnknownError(ValueError):
    """An element or a command that is not known."""


def _spacing(tag: str, text: str) -> tuple[str, dict[str, str]]:
    """Element and spaces of a symbol, where the converter has others than TeX."""
    if tag == "mi" and text in _OPERATORS:
        return "mo", {}
    if tag == "mo" and text.isalpha() and len(text) > 1:
        return tag, {"lspace": "0.17em", "rspace": "0.17em"}
    if tag == "mo" and text == "|":
        return tag, {"lspace": "0", "rspace": "0"}
    return tag, {}


def _rewritten(node: Element) -> Markup:
    tag = node.tag.rsplit("}", 1)[-1]
    text = html.unescape(node.text or "")
    text = _DELIMITERS.get(text, text)
    if tag not in _ELEMENTS or text.startswith("\\"):
        raise _UnknownError(tag)
    tag, spaces = _spacing(tag, text)
    attributes = {k: v for k, v in node.attrib.items() if k in _ATTRIBUTES} | spaces
    return element(tag, text, [_rewritten(child) for child in node], **attributes)


def _spelt(tex: str) -> str:
    """Say in the converter's words what it would otherwise refuse or overlook."""
    tex = _PRIMES.sub(lambda m: "^{" + r"\prime " * len(m[1]) + m[2] + "}", tex)
    tex = _LETTER.sub(r"\1{\2}", tex)
    tex = _GROUP.sub(r"{\g<0>}", tex)
    return _ARG.sub(r"\\operatorname{arg}", tex)


def mathml(tex: str, *, display: bool = False) -> Markup | None:
    """Convert TeX to one MathML element; None where that cannot be done.

    Parameters
    ----------
    tex : str
        Without dollar signs.
    display : bool
        Whether fractions and sums are large, as in a line of their own.
    """
    if not tex.strip():
        return None
    try:
        node = convert_to_element(_spelt(tex))
        if display:
            node.set("displaystyle", "true")
        return _rewritten(node)
    except Exception:  # whatever the converter trips over: its source is shown instead
        return None


def _pieces(tex: str) -> list[str]:
    """Cut a formula at its quads, and before "iff" and "implies", outside all brackets."""
    cuts, start = [], 0
    for match in _BREAK.finditer(tex):
        before = tex[: match.start()]
        if len(_DEEPER.findall(before)) == len(_SHALLOWER.findall(before)):
            cuts.append(tex[start : match.start()])
            start = match.end()
    pieces = [piece for piece in (*cuts, tex[start:]) if piece.strip()]
    # An arrow that begins a piece would stick to what follows it.
    return [_ARROW.sub(r"\g<0>\\;", piece) for piece in pieces]


def formula(tex: str, *, display: bool = False) -> Markup:
    """Return a formula, in pieces that a narrow page sets in lines of their own.

    Where it cannot be converted, its TeX stands there as it is.
    """
    pieces = [mathml(piece, display=display) for piece in _pieces(tex)]
    if not pieces or any(piece is None for piece in pieces):
        return element("code", tex, class_="tex")
    return words(*pieces)


def _is_tex(text: str) -> bool:
    return not _WORD.search(_INSIDE.sub(" ", text))


def hypothesis_text(text: str) -> Markup:
    """Return a hypothesis, which is in TeX or in words.

    It is in words where it has one of three letters or more that is neither a command
    nor in a group of text; commands among words are converted one by one.
    """
    if _is_tex(text):
        return formula(text)
    pieces = [formula(piece) if "\\" in piece else piece for piece in text.split(" ")]
    return joined(words(*pieces))
