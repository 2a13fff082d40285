"""The decisions behind `auto`: what fits, what is affordable, and how large M is."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from tests.subproblems.support import Product
from tralgos.norms import DiagonalNorm, EuclideanNorm, MatrixNorm
from tralgos.operators import as_operator
from tralgos.subproblems.krylov import _stride
from tralgos.subproblems.model import Model
from tralgos.subproblems.selection import (
    EvidenceOptions,
    choose_evidence,
    dense_matrix,
    factorises,
    fits_dense,
    upper_eigenvalue,
)


def model_of(H: object, n: int, norm: object = None, dtype: type = np.float64) -> Model:
    g = np.ones(n, dtype=dtype)
    return Model(as_operator(H, "H", g), g, EuclideanNorm() if norm is None else norm)


@pytest.mark.parametrize(("dtype", "width"), [(np.float64, 8), (np.float32, 4)])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_three_copies_have_to_fit(dtype: type, width: int, n: int) -> None:
    model = model_of(np.eye(n, dtype=dtype), n, dtype=dtype)
    assert fits_dense(model, 3 * width * n * n)
    assert not fits_dense(model, 3 * width * n * n - 1)


def options(**given: object) -> EvidenceOptions:
    usual = {
        "certify": "probabilistic",
        "failure_probability": 1e-6,
        "memory": 1 << 30,
        "rng": np.random.default_rng(0),
    }
    return EvidenceOptions(**{**usual, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1, 2, 5, 60, 1000])
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_the_largest_eigenvalue_of_a_norm_by_products(n: int, unit: float) -> None:
    """A bound from above whatever the unit of M, and within a factor of five."""
    for shape in (np.linspace(1.0, 2.0, n), np.geomspace(1e-6, 1.0, n)):
        d = unit * shape
        norm = MatrixNorm(Product(np.diag(d)), solve=lambda b, d=d: b / d)
        model = model_of(np.eye(n), n, norm)
        found = upper_eigenvalue(model, options())
        assert d.max() <= found <= 5.0 * d.max()
        assert model.matvecs == 0


def test_a_known_eigenvalue_is_taken_as_it_is() -> None:
    norm = DiagonalNorm(np.array([1.0, 3.0]))
    assert upper_eigenvalue(model_of(np.eye(2), 2, norm), options()) == norm.upper_eigenvalue()


def test_sparse_factorisations_need_three_variables_and_memory() -> None:
    for n in (1, 2, 3, 4):
        model = model_of(scipy.sparse.eye_array(n, format="csr"), n)
        assert factorises(model, 1 << 20) == (n >= 3)
    # A diagonal factor has as many entries, and each takes two values and two indices.
    many = model_of(scipy.sparse.eye_array(100, format="csr"), 100)
    assert not factorises(many, 24 * 100 - 1)
    assert factorises(many, 24 * 300)
    assert not factorises(model_of(np.eye(4), 4), 1 << 20)
    full = MatrixNorm(np.eye(4))
    assert not factorises(model_of(scipy.sparse.eye_array(4, format="csr"), 4, full), 1 << 20)


@pytest.mark.parametrize(
    ("budget", "certify", "kind"),
    [
        (None, "auto", "exact"),
        (7, "auto", "exact"),
        (6, "auto", "probabilistic"),
        (7, "exact", "exact"),
    ],
)
def test_an_operator_is_multiplied_out_where_the_budget_holds_it(
    budget: int | None, certify: str, kind: str
) -> None:
    """n products for the matrix and one for the certificate."""
    model = model_of(Product(np.diag(np.arange(6.0))), 6)
    model.max_matvec = budget
    curvature = choose_evidence(model, options(certify=certify), None)
    assert curvature is not None
    assert curvature.kind == kind
    assert curvature.products == model.matvecs == (6 if kind == "exact" else 0)


def test_a_matrix_multiplied_out_is_symmetric_to_the_last_bit() -> None:
    rng = np.random.default_rng(1)
    A = rng.standard_normal((5, 5))
    H = A + A.T + 1e-15 * rng.standard_normal((5, 5))
    model = model_of(Product(H), 5)
    found = dense_matrix(model)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, 0.5 * (H + H.T), rtol=1e-15)
    assert model.matvecs == 5


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("rtol", [1e-4, 1e-8])
def test_the_next_look_is_half_way_to_the_end(rate: float, rtol: float) -> None:
    """Where the gap falls by `rate` an iteration, the iterations left are known."""
    order = 1 << 20
    history = [(order + k, rate**k) for k in range(0, 25, 8)]
    left = np.log(rtol / history[-1][1]) / np.log(rate)
    expected = max(1, int(0.5 * left))
    assert abs(_stride(history, rtol) - expected) <= 1
    # Never more than a sixteenth of the space at a time.
    short = [(order - (1 << 20) + 160 + k, gap) for k, (_, gap) in enumerate(history)]
    assert _stride(short, 1e-300) == 160 // 16
    assert _stride(history[:2], rtol) == (order + 8) // 16


def test_no_rate_no_prediction() -> None:
    for gaps in ([1.0, 1.0, 1.0], [0.5, 0.7, 1.0], [np.inf, np.inf, 1.0], [1.0, 0.5, 0.0]):
        history = [(320 + k, gap) for k, gap in enumerate(gaps)]
        assert _stride(history, 1e-8) == 322 // 16
    assert _stride([(3, 1.0)], 1e-8) == 1
