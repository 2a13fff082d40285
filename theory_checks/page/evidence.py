"""What was found out about one form: hypotheses, counterexample, bound, broken algorithms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from theory_checks.page.instances import folded, instance_block, instance_file, replay_line
from theory_checks.page.markup import Child, Markup, element, joined, words
from theory_checks.page.numbers import count, number, value_of
from theory_checks.page.strips import bound_bars

__all__ = ["FormView", "bound", "broken_algorithms", "counterexample", "dropped", "worst"]


@dataclass(frozen=True)
class FormView:
    """One form with what the page says of it: claim's id, form's name, its part of the document.

    `modules` are those that a replay has to be told of.
    """

    claim: str
    name: str
    form: dict[str, Any]
    modules: tuple[str, ...] = ()

    @property
    def evidence(self) -> dict[str, Any] | None:
        """What was found; None for what is not testable."""
        found: dict[str, Any] | None = self.form["evidence"]
        return found

    def replay(self, kind: str) -> Markup:
        """Where the instance of a kind is, and how to evaluate it anew."""
        return replay_line(instance_file(self.claim, self.name, kind), self.modules)


def _margins(margins: dict[str, Any]) -> Markup:
    items = [
        element("li", element("span", name, class_="conclusion"), ": ", number(margin))
        for name, margin in margins.items()
    ]
    return joined(
        element("p", "Margins, in roundings; a negative one is a violation:", class_="label"),
        element("ul", items, class_="margins"),
    )


def counterexample(view: FormView) -> Markup | None:
    """Return the counterexample to a form, in numbers, drawn where it can be."""
    found = view.evidence
    if found is None or found["counterexample"] is None:
        return None
    violation = found["counterexample"]
    origin: list[Child] = ["Found by: ", violation["found_by"]]
    if violation["file"] is not None:
        origin += [", ", element("code", violation["file"])]
        again = found["rediscovered_by"]
        origin.append(f"; this run met one again by: {again}" if again else "; not met again")
    lost = None
    if found["lost"]:
        text = f"{found['lost']} kept counterexamples no longer violate it."
        lost = element("p", text, class_="flag")
    return element(
        "div",
        element("h4", f"Counterexample to the {view.name} form"),
        instance_block(
            violation["instance"],
            _margins(violation["margins"]),
            element("p", joined(*origin), ".", class_="origin"),
            lost,
            view.replay("counterexample"),
            drawn=True,
        ),
        class_="block counterexample",
    )


def _bound_table(tightest: dict[str, Any]) -> Markup:
    rows = [
        element("div", element("dt", name), element("dd", number(tightest[key], 6)), class_="side")
        for name, key in (("computed", "computed"), ("theoretical", "theoretical"))
    ]
    ratio = element(
        "div",
        element("dt", "tightness"),
        element("dd", number(tightest["ratio"], 4)),
        class_="side",
    )
    return element("dl", rows, ratio, class_="sides")


def bound(view: FormView) -> Markup | None:
    """Return both sides of a bound where they came closest, and the instance of it."""
    found = view.evidence
    if found is None or found["tightest"] is None:
        return None
    tightest = found["tightest"]
    bars = bound_bars(value_of(tightest["computed"]), value_of(tightest["theoretical"]))
    return element(
        "div",
        element("h4", f"Bound at its tightest, {view.name} form"),
        element("div", _bound_table(tightest), bars, class_="bound"),
        folded(
            "The tightest instance",
            instance_block(tightest["instance"], drawn=True),
            view.replay("tightest"),
        ),
        class_="block",
    )


def worst(view: FormView) -> Markup | None:
    """Return the worst margin of a form that is not violated."""
    found = view.evidence
    if found is None or found["worst"] is None or found["violated"]:
        return None
    extreme = found["worst"]
    return element(
        "div",
        element("h4", f"Worst margin, {view.name} form"),
        element(
            "p",
            number(extreme["margin"]),
            " roundings: ",
            element("span", extreme["name"], class_="conclusion"),
        ),
        folded("The worst instance", instance_block(extreme["instance"]), view.replay("worst")),
        class_="block",
    )


def _unlike(as_recorded: bool) -> Markup | None:
    return None if as_recorded else element("strong", "Not as recorded.", class_="flag")


def dropped(outcome: dict[str, Any]) -> Markup:
    """Return what happened without one hypothesis."""
    flag = _unlike(outcome["as_recorded"])
    if not outcome["needed"]:
        tried = count(outcome["tried"])
        return words(flag, joined("Not needed, as far as ", tried, " instances without it went."))
    said = joined("The conclusion fails.")
    if outcome["counterexample"] is None:
        return words(flag, said)
    summary = joined("Counterexample, margin ", number(outcome["margin"]))
    return words(flag, said, folded(summary, instance_block(outcome["counterexample"])))


def _broken(name: str, broken: dict[str, Any]) -> Markup:
    if broken["noticed"]:
        said = joined("noticed, by: ", broken["found_by"])
    else:
        said = element("strong", "not noticed", class_="flag")
    instance = broken["instance"]
    shown = None if instance is None else folded("The instance", instance_block(instance))
    what = element("b", broken["name"])
    where = element("span", f" ({name} form)", class_="soft")
    return element("li", what, where, ": ", said, shown)


def broken_algorithms(views: Iterable[FormView]) -> Markup | None:
    """Return the algorithms that were broken on purpose, and whether the hunt noticed."""
    items = [
        _broken(view.name, broken)
        for view in views
        if view.evidence is not None
        for broken in view.evidence["sabotage"]
    ]
    if not items:
        return None
    return element(
        "div", element("h4", "Algorithms broken on purpose"), element("ul", items), class_="block"
    )
