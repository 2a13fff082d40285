"""Instances are shown with all their numbers, and pictures are true to theirs."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.theory_checks.page.pages import Page, leaves
from theory_checks.page.figures import figures_block
from theory_checks.page.instances import instance_block, instance_file
from theory_checks.page.plane import drawing
from theory_checks.page.strips import bound_bars, interval_strips
from theory_checks.replay import KINDS

PLAIN = st.recursive(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(-(10**9), 10**9),
        st.booleans(),
        st.text(max_size=5),
        st.sampled_from(["inf", "-inf", "nan"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=4))
def test_any_instance_is_shown_with_all_its_numbers(instance):
    found = Page(instance_block(instance, drawn=True))
    shown = Counter(repr(float(e["attrs"]["value"])) for e in found.all("data"))
    wanted = Counter(repr(float(x)) for x in leaves(instance))
    assert wanted <= shown


def test_vectors_stand_upright_and_matrices_in_rows():
    made = Page(instance_block({"v": [1.0, 2.0], "a": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}))
    upright, rows = made.all("span", class_="matrix")
    assert [len(made.within(row, "data")) for row in made.within(upright) if is_row(row)] == [1, 1]
    assert [len(made.within(row, "data")) for row in made.within(rows) if is_row(row)] == [3, 3]


def is_row(e):
    return e["attrs"].get("class") == "row"


def test_long_vectors_are_cut_and_say_so():
    made = instance_block({"v": [float(k) for k in range(100)]})
    assert "and 40 more in the file" in made


def test_instance_files_are_named_as_they_are_written(report, document):
    written = {path.name for path in (report / "instances").iterdir()}
    expected = set()
    for claim in document["claims"]:
        for name, form in claim["forms"].items():
            found = form["evidence"] or {}
            present = (found.get("counterexample"), found.get("worst"), found.get("tightest"))
            kinds = [k for k, x in zip(KINDS, present, strict=True) if x is not None]
            expected |= {instance_file(claim["id"], name, kind).split("/")[1] for kind in kinds}
    assert expected == written


NUMBERS = st.floats(-1e3, 1e3).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
VECTORS = st.lists(NUMBERS, min_size=2, max_size=2)


@given(VECTORS, VECTORS, st.sampled_from([1.0, 1e-150, 1e305]), st.sampled_from([1.0, 1e-9, 4.0]))
def test_contours_are_level_lines_in_the_ball(spectrum, slope, scale, radius):
    """Along each line drawn the quadratic is constant, up to the grid and a tenth of a pixel."""
    instance = {
        "eigenvalues": [scale / radius * x for x in spectrum],
        "gradient": [scale * x for x in slope],
        "radius": radius,
    }
    if not all(map(math.isfinite, instance["eigenvalues"])):
        return
    found = Page(drawing(instance))
    size = max(map(abs, (*spectrum, *slope)))
    paths = found.all("path")
    assert bool(paths) == (size > 0)
    for path in paths:
        points = [tuple(map(float, p.split())) for p in re.split("[ML]", path["attrs"]["d"])[1:]]
        z = np.array(points) / 96.0 * [1.0, -1.0]
        assert np.all(np.hypot(*z.T) <= 1.01)
        q = z @ np.array(slope) + z**2 @ np.array(spectrum) / 2
        assert np.ptp(q) <= 0.02 * size


def test_descent_direction_and_points_are_drawn_where_they_are():
    instance = {
        "eigenvalues": [1.0, 2.0],
        "gradient": [0.0, -0.5],
        "alpha": 0.25,
        "point": [0.5, 0.0],
    }
    found = Page(drawing(instance))
    (tip,) = found.all("polygon")
    x, y = map(float, tip["attrs"]["points"].split()[0].split(","))
    assert (x, y) == (0.0, -48.0)  # up in the picture, half the radius
    dots = [c for c in found.all("circle") if c["attrs"].get("class") != "ball"]
    places = {(float(c["attrs"]["cx"]), float(c["attrs"]["cy"])) for c in dots}
    assert places == {(48.0, 0.0), (0.0, -24.0)}


@pytest.mark.parametrize(
    "instance",
    [
        {"eigenvalues": [1.0], "gradient": [1.0]},
        {"eigenvalues": [1.0, 2.0, 3.0], "gradient": [1.0, 2.0, 3.0]},
        {"eigenvalues": [1.0, "inf"], "gradient": [1.0, 2.0]},
        {"eigenvalues": [1.0, 2.0]},
        {"J": [1.0, 1.0], "z": [0.0, 0.0]},
        {"J": [1.0, 1.0], "z": [1e-9, 0.0]},
        {"gradients": [[1.0], [2.0]]},
        {"J": "word", "z": None, "gradients": 3.0},
        {},
    ],
)
def test_what_is_not_of_the_plane_is_not_drawn(instance):
    assert drawing(instance) is None


def test_vectors_are_drawn_as_arrows_in_one_scale():
    found = Page(drawing({"gradients": [[3.0, 0.0], [0.0, 1.5]], "direction": [0.0, 0.0]}))
    tips = [
        tuple(map(float, p["attrs"]["points"].split()[0].split(","))) for p in found.all("polygon")
    ]
    assert tips == [(96.0, 0.0), (0.0, -48.0)]
    assert [t["text"] for t in found.all("text")] == ["gradient 1", "gradient 2"]


def plain_figure(value, low, high, claimed=None, name="f"):
    return {"name": name, "value": value, "low": low, "high": high, "claimed": claimed}


def test_strips_show_the_interval_where_it_is():
    """Inside, outside and across the claimed range look it; an infinite end runs to the edge."""
    inside, outside, across = interval_strips(
        [
            plain_figure(2.0, 1.5, 2.5, [1.0, 3.0], "a"),
            plain_figure(4.0, 3.5, 4.5, [1.0, 3.0], "b"),
            plain_figure(3.0, 2.5, 3.5, ["-inf", 3.0], "c"),
        ]
    )
    for strip, ends in ((inside, (True, True)), (outside, (False, False)), (across, (True, False))):
        (band,) = Page(strip).all("rect")
        (line,) = Page(strip).all("line", class_="interval")
        left = float(band["attrs"]["x"])
        right = left + float(band["attrs"]["width"])
        x1, x2 = float(line["attrs"]["x1"]), float(line["attrs"]["x2"])
        assert x1 < x2
        assert (left <= x1 <= right, left <= x2 <= right) == ends
    assert float(Page(across).all("rect")[0]["attrs"]["x"]) == 0.0


def test_exact_figure_that_is_claimed_exactly_is_in_the_middle():
    (strip,) = interval_strips([plain_figure(1.0, 1.0, 1.0, [1.0, 1.0])])
    assert Page(strip).all("circle")[0]["attrs"]["cx"] == "110.0"


def test_ends_of_a_narrow_interval_are_told_apart():
    figure = {**plain_figure(2.0, 1.9999999, 2.0000001), "paper": "", "as_recorded": True}
    assert "1.9999999" in Page(figures_block([figure])).elements[0]["text"]
    exact = {**figure, **plain_figure(2.0, 2.0 - 4e-16, 2.0)}
    assert " to " not in Page(figures_block([exact])).elements[0]["text"]


def test_figures_of_one_name_share_a_scale():
    near, far = interval_strips(
        [plain_figure(1.0, 0.5, 1.5, name="a, 1"), plain_figure(9.0, 8.0, 10.0, name="a, 2")]
    )
    places = [float(Page(s).all("circle")[0]["attrs"]["cx"]) for s in (near, far)]
    assert places[0] < 40.0 < 180.0 < places[1]


@pytest.mark.parametrize("value", [5e-324, -5e-324, 1.7e308, 0.0])
def test_numbers_at_the_ends_of_the_range_have_a_place(value):
    (strip,) = interval_strips([plain_figure(value, value, value, [value, value])])
    assert 0.0 <= float(Page(strip).all("circle")[0]["attrs"]["cx"]) <= 220.0


@pytest.mark.parametrize(
    "figure",
    [
        plain_figure("nan", "nan", "nan", [0.0, 1.0]),
        plain_figure(1.0, "-inf", 2.0, [0.0, 1.0]),
        plain_figure(1.0, 1.0, 1.0),
        plain_figure(1.0, 0.5, 1.5),
    ],
)
def test_strips_are_left_out_where_there_is_nothing_to_see(figure):
    assert interval_strips([figure]) == [None]


@given(
    *[st.floats(allow_nan=False, allow_infinity=False)] * 3,
    st.one_of(st.none(), st.lists(st.floats(), min_size=2, max_size=2)),
)
def test_strips_stay_in_their_frame(value, one, other, claimed):
    low, high = min(one, other), max(one, other)
    if claimed is not None:
        claimed = [x if math.isfinite(x) else str(x) for x in claimed]
    (strip,) = interval_strips([plain_figure(value, low, high, claimed)])
    for e in Page(strip or "").elements:
        for name in ("x", "x1", "x2", "cx"):
            assert -1.0 <= float(e["attrs"].get(name, 0.0)) <= 221.0


def test_bars_are_as_long_as_the_sides_of_the_bound():
    widths = [float(e["attrs"]["width"]) for e in Page(bound_bars(-1.0, -4.0)).all("rect")]
    assert widths == [55.0, 220.0]
    assert bound_bars(-1.0, 1.0) is None
    assert bound_bars(0.0, 0.0) is None
    assert bound_bars(1.0, math.inf) is None
