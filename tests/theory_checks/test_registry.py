from __future__ import annotations

from importlib import metadata

import pytest

from tests.theory_checks import toys
from theory_checks import registry
from theory_checks.registry import ClaimSourceError, all_claims, of_module


def entry(value):
    return metadata.EntryPoint("theirs", value, registry.GROUP)


def installed(monkeypatch, *entries):
    def found(*, group):
        assert group == "theory_checks.claims"
        return entries

    monkeypatch.setattr(registry, "entry_points", found)


def test_an_installed_package_adds_its_claims(monkeypatch):
    installed(monkeypatch, entry("tests.theory_checks.test_registry:theirs"))
    assert "toy/true" in all_claims()


def theirs():
    return (toys.true_claim(),)


def nothing_good():
    return ["a claim"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no.such.package:claims", "cannot be loaded"),
        ("tests.theory_checks.test_registry:no_such_name", "cannot be loaded"),
        ("tests.theory_checks.test_registry:nothing_good", "is no Claim"),
        ("tests.theory_checks.test_registry:ROOT", "cannot be loaded"),
    ],
)
def test_an_entry_point_without_claims_is_named(monkeypatch, value, message):
    installed(monkeypatch, entry(value))
    with pytest.raises(ClaimSourceError, match=message) as error:
        all_claims()
    assert value in str(error.value)


def test_two_claims_of_one_name_are_refused(monkeypatch):
    same = entry("tests.theory_checks.test_registry:theirs")
    installed(monkeypatch, same, same)
    with pytest.raises(ClaimSourceError, match="'toy/true'"):
        all_claims()


def test_a_module_in_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims_beside_me.py").write_text(
        "from tests.theory_checks.toys import true_claim\n\n\ndef claims():\n"
        "    return [true_claim()]\n",
        encoding="utf-8",
    )
    assert [claim.id for claim in of_module("claims_beside_me")] == ["toy/true"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no function 'claims'"),
        ("claims = 3\n", "must be a function"),
        ("def claims(:\n", "cannot be imported"),
        ("import no_such_module_anywhere\n", "cannot be imported"),
        ("def claims():\n    return [3]\n", "is no Claim"),
    ],
)
def test_a_module_without_claims_is_named(tmp_path, monkeypatch, text, message):
    name = f"bad_claims_{abs(hash(text))}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    with pytest.raises(ClaimSourceError, match=message):
        of_module(name)


def test_a_path_is_answered_with_what_to_give():
    with pytest.raises(ClaimSourceError, match=r"without \.py"):
        of_module("folder/claims.py")
