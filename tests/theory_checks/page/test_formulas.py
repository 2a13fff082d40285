"""Formulas become MathML, and what cannot stays as it is."""

from __future__ import annotations

import re

import pytest

from tests.theory_checks.page.pages import Page
from theory_checks.page.formulas import formula, hypothesis_text, mathml


@pytest.mark.parametrize(
    ("tex", "inside"),
    [
        (r"\|z_{t+1}\| \ge \|z_t\|", "<msub>"),
        (r"z'^\top J", "<mo>⊤</mo>"),
        (r"\arg\min_s f(s)", ">arg</mo>"),
        (r"J \in \mathbb R^{p \times o}", "ℝ"),
        (r"\begin{bmatrix}1\\2\end{bmatrix}^{-1}", "</mtable>"),
        (r"\tfrac12 \beta", "<mfrac>"),
        (r"\Bigl\{ a, \Bigl\lceil b \Bigr\rceil \Bigr\}", ">⌈</mo>"),
    ],
)
def test_formulas_become_mathml(tex, inside):
    made = mathml(tex)
    assert made is not None
    assert inside in made or inside.replace("mo>", "mi>") in made
    Page(made)


def test_exponent_of_a_bracket_is_that_of_all_of_it():
    made = mathml(r"\begin{bmatrix}1\\2\end{bmatrix}^{-1}")
    assert re.search(r"<msup><mrow>.*<mtable>.*</mtable>.*</mrow><mrow>", made)


def test_long_formulas_may_be_broken_outside_brackets_alone():
    assert formula(r"a = b,\quad c = d \implies e").count("<math") == 3
    assert formula(r"\{a \quad b\} \left( c \quad d \right) \text{if \quad so}").count("<math") == 1


def test_formula_that_cannot_be_converted_is_shown_as_it_is():
    made = Page(formula(r"\unknowncommand{x} < 1"))
    assert made.elements[0]["tag"] == "code"
    assert made.elements[0]["text"] == r"\unknowncommand{x} < 1"


@pytest.mark.parametrize(
    ("text", "is_math"),
    [
        (r"0 < \eta < 1/\beta", True),
        ("z_0 = -J", True),
        (r"\hat H, J \text{ fixed}", True),
        ("bound at most 400", False),
        ("there is no window", False),
    ],
)
def test_hypotheses_in_words_stay_words(text, is_math):
    assert hypothesis_text(text).startswith("<math") == is_math


def test_commands_among_words_are_converted():
    made = Page(hypothesis_text(r"the last entry is \beta^0"))
    assert made.elements[-1]["tag"] == "mn"
    assert "\\" not in hypothesis_text(r"the last entry is \beta^0")
