"""as_operator and the operators that it makes, against dense products."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator, eigsh

import tralgos
from tests.namespaces import FetchCounter, Xp
from tests.operators.support import (
    PROPERTY,
    OnlyMatmul,
    OnlyMatvec,
    orders,
    random_matrix,
    random_symmetric,
    seeds,
)
from tralgos.errors import ArrayTypeError, ShapeError
from tralgos.operators import (
    DenseOperator,
    DiagonalOperator,
    SparseOperator,
    WrappedOperator,
    as_operator,
)

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")

HOST_KINDS = {
    "dense": lambda A: A,
    "matrix": lambda A: A.view(np.matrix),
    "fortran": np.asfortranarray,
    **{f"{f}_array": lambda A, f=f: sp.coo_array(A).asformat(f) for f in FORMATS},
    **{f"{f}_matrix": lambda A, f=f: sp.coo_matrix(A).asformat(f) for f in FORMATS},
    "linear-operator": aslinearoperator,
    "only-matvec": OnlyMatvec,
    "only-matmul": OnlyMatmul,
}


@pytest.mark.parametrize("kind", HOST_KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_everything_multiplies_like_the_dense_matrix(kind: str, dtype: type) -> None:
    A = random_matrix(4, 6, 1).astype(dtype)
    X = random_matrix(6, 3, 2).astype(dtype)
    H = as_operator(HOST_KINDS[kind](A.copy()))
    tolerance = 20 * np.finfo(dtype).eps
    for got, want in [
        (H @ X[:, 0], A @ X[:, 0]),
        (H @ X, A @ X),
        (H.matmat(X[:, :0]), A @ X[:, :0]),
    ]:
        assert type(got) is np.ndarray
        assert got.dtype == dtype
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
    assert H.shape == (4, 6)
    if H.has_transpose:
        y = X[:4, 0].copy()
        np.testing.assert_allclose(H.rmatvec(y), A.T @ y, rtol=tolerance, atol=tolerance)
    else:
        with pytest.raises(ArrayTypeError, match="transpose"):
            H.rmatvec(X[:4, 0])


@PROPERTY
@given(m=orders, n=orders, seed=seeds, kind=st.sampled_from(sorted(HOST_KINDS)))
def test_products_of_any_shape(m: int, n: int, seed: int, kind: str) -> None:
    A, x = random_matrix(m, n, seed), random_matrix(n, 1, seed + 1)[:, 0]
    H = as_operator(HOST_KINDS[kind](A.copy()))
    np.testing.assert_allclose(H.matvec(x), A @ x, rtol=1e-13, atol=1e-13)


def test_dense_of_every_library(xp_case: Xp) -> None:
    A, x = random_symmetric(5, 1), random_matrix(5, 2, 2)
    matrix, vectors = xp_case.array(A), xp_case.array(x)
    H = as_operator(matrix, like=vectors[:, 0])
    assert isinstance(H, DenseOperator)
    assert H.array is matrix
    assert H.dtype == xp_case.dtype
    for got, want in [(H @ vectors[:, 0], A @ x[:, 0]), (H @ vectors, A @ x)]:
        assert xp_case.owns(got)
        np.testing.assert_allclose(xp_case.numpy(got), want, atol=50 * xp_case.eps)
    np.testing.assert_allclose(
        xp_case.numpy(H.rmatvec(vectors[:, 0])), A.T @ x[:, 0], atol=50 * xp_case.eps
    )
    assert H.magnitude == pytest.approx(np.abs(A).max(), rel=xp_case.eps)


@pytest.mark.parametrize("wrapper", [OnlyMatvec, OnlyMatmul])
def test_duck_typed_operators_of_every_library(xp_case: Xp, wrapper: type) -> None:
    A, x = random_symmetric(4, 3), random_matrix(4, 2, 4)
    H = as_operator(wrapper(xp_case.array(A)), like=xp_case.array(x[:, 0]))
    for got, want in [
        (H @ xp_case.array(x[:, 0]), A @ x[:, 0]),
        (H @ xp_case.array(x), A @ x),
        (H @ xp_case.array(x[:, :0]), A @ x[:, :0]),
    ]:
        assert xp_case.owns(got)
        np.testing.assert_allclose(xp_case.numpy(got), want, atol=50 * xp_case.eps)


def test_products_and_adaption_reach_the_host_never(
    strict_case: Xp, host_fetches: FetchCounter
) -> None:
    A, x = strict_case.array(np.eye(4)), strict_case.array(np.ones((4, 2)))
    for source in (A, OnlyMatvec(A), OnlyMatmul(A), DiagonalOperator(x[:, 0])):
        H = as_operator(source, like=x[:, 0])
        H @ x[:, 0]
        H @ x
        if H.has_transpose:
            H.rmatvec(x[:, 0])
    assert host_fetches.log == []


def test_magnitude_is_one_transfer(strict_case: Xp, host_fetches: FetchCounter) -> None:
    assert as_operator(strict_case.array([[1.0, -5.0], [2.0, 3.0]])).magnitude == 5.0
    assert host_fetches.count == 1


def test_adaption_makes_no_product() -> None:
    A = OnlyMatvec(np.eye(3))
    as_operator(A, like=np.ones(3))
    assert A.calls == 0


def test_one_product_is_one_call() -> None:
    A = OnlyMatvec(np.eye(3))
    H = as_operator(A)
    H @ np.ones(3)
    assert A.calls == 1
    H @ np.ones((3, 4))
    assert A.calls == 5


@pytest.mark.parametrize("make", [lambda A: A, sp.csr_array, sp.csr_matrix])
def test_products_do_not_copy_the_matrix(make) -> None:
    n = 400
    A = make(random_symmetric(n, 1))
    x = np.ones(n)
    H = as_operator(A, like=x)
    assert (H.array if isinstance(H, DenseOperator) else H.matrix) is A
    tracemalloc.start()
    as_operator(A, like=x) @ x
    H.rmatvec(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * n / 10


def test_subclasses_of_numpy_arrays_are_viewed() -> None:
    A = random_symmetric(3, 1)
    for subclass in (np.matrix, np.memmap, np.recarray):
        H = as_operator(A.view(subclass))
        assert type(H.array) is np.ndarray
        assert np.shares_memory(H.array, A)


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_sparse_matrix_of_the_caller_stays_as_it_was(fmt: str) -> None:
    # Entries given twice and in disorder: a conversion in place would sum and sort them.
    rows, columns = [2, 0, 0, 1, 2], [1, 2, 2, 1, 0]
    A = sp.coo_array(([1.0, 2.0, 3.0, 4.0, 5.0], (rows, columns)), shape=(3, 3)).asformat(fmt)
    before = A.copy()
    x = np.array([1.0, -2.0, 0.5])
    H = as_operator(A, like=x)
    np.testing.assert_array_equal(H @ x, before @ x)
    assert H.magnitude >= 5.0
    assert A.format == fmt
    assert A.dtype == before.dtype
    np.testing.assert_array_equal(A.toarray(), before.toarray())


def test_unsorted_csr_with_duplicates_is_not_tidied_in_place() -> None:
    data, indices, indptr = np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1]), np.array([0, 3, 3])
    A = sp.csr_array((data, indices, indptr), shape=(2, 2))
    H = as_operator(A)
    np.testing.assert_array_equal(H @ np.array([1.0, 10.0]), [42.0, 0.0])
    assert H.magnitude == 3.0
    assert A.data is H.matrix.data
    np.testing.assert_array_equal(A.indices, [1, 0, 1])


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16"])
@pytest.mark.parametrize("target", [np.float64, np.float32])
@pytest.mark.parametrize("make", [lambda A: A, sp.csr_array, sp.csc_matrix])
def test_integers_are_promoted(make, dtype: str, target: type) -> None:
    A = make(np.array([[1, 2], [2, 5]], dtype=dtype))
    y = as_operator(A, like=np.ones(2, dtype=target)) @ np.ones(2, dtype=target)
    assert y.dtype == target
    np.testing.assert_array_equal(y, [3, 7])
    assert as_operator(A).dtype == np.float64
    assert A.dtype == dtype


def test_integers_of_other_libraries_are_promoted(xp_case: Xp) -> None:
    A = (
        xp_case.xp.asarray([[1, 2], [2, 5]], device=xp_case.device)
        if (not xp_case.name.startswith("cupy"))
        else xp_case.xp.asarray([[1, 2], [2, 5]])
    )
    y = as_operator(A, like=xp_case.array([1, 1])) @ xp_case.array([1, 1])
    assert xp_case.owns(y)
    np.testing.assert_array_equal(xp_case.numpy(y), [3, 7])


def test_an_integer_vector_to_fit_counts_as_float64() -> None:
    assert as_operator(np.eye(2, dtype=int), like=np.array([1, 2])).dtype == np.float64


def test_an_operator_is_returned_as_it_is() -> None:
    D = DiagonalOperator(np.ones(3))
    assert as_operator(D) is D
    assert as_operator(D, like=np.ones(3)) is D
    with pytest.raises(ShapeError, match="length 4"):
        as_operator(D, like=np.ones(4))
    with pytest.raises(ArrayTypeError, match="float32"):
        as_operator(D, like=np.ones(3, dtype=np.float32))


@pytest.mark.parametrize(
    ("A", "message"),
    [
        ([[1.0]], "list"),
        (None, "NoneType"),
        (3.0, "float"),
        (np.float64(3.0), "float64"),
        (object(), "object"),
        (np.eye(2) * 1j, "complex"),
        (np.eye(2, dtype=bool), "bool"),
        (np.eye(2, dtype=object), "object"),
        (np.eye(2, dtype=np.float16), "float16"),
        (np.ma.masked_array(np.eye(2)), "masked"),
        (sp.csr_array(np.eye(2) * 1j), "complex"),
        (sp.csr_array(np.eye(2, dtype=bool)), "bool"),
        (sp.csr_array(np.eye(2, dtype=np.longdouble)), "float128|longdouble"),
        (aslinearoperator(np.eye(2) * 1j), "complex"),
    ],
)
def test_what_is_no_real_operator_is_refused_by_name(A: object, message: str) -> None:
    with pytest.raises(ArrayTypeError, match=message) as caught:
        as_operator(A, name="Hessian")
    assert "Hessian" in str(caught.value)


@pytest.mark.parametrize(
    ("A", "error"),
    [
        (np.ones(2), ArrayTypeError),
        (np.ones((2, 2, 2)), ArrayTypeError),
        (np.ones((2, 3)), ShapeError),
        (np.eye(3), ShapeError),
        (sp.csr_array(np.ones((2, 3))), ShapeError),
        (sp.coo_array(np.ones(2)), ShapeError),
        (aslinearoperator(np.ones((3, 2))), ShapeError),
        (OnlyMatvec(np.ones((2, 2, 2))), ShapeError),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(A: object, error: type) -> None:
    with pytest.raises(error, match="Hessian"):
        as_operator(A, name="Hessian", like=np.ones(2))


@pytest.mark.parametrize("shape", [None, 3, "ab", (2,), (2, -2)])
def test_objects_with_a_strange_shape(shape: object) -> None:
    A = OnlyMatvec(np.eye(2))
    A.shape = shape
    with pytest.raises(ShapeError):
        as_operator(A)


@pytest.mark.parametrize("kind", ["dense", "csr_array", "csc_matrix"])
@pytest.mark.parametrize(("ours", "theirs"), [("float64", "float32"), ("float32", "float64")])
def test_mixed_dtypes_are_refused(kind: str, ours: str, theirs: str) -> None:
    A = HOST_KINDS[kind](np.eye(3, dtype=ours))
    with pytest.raises(ArrayTypeError, match="float32"):
        as_operator(A, like=np.ones(3, dtype=theirs))
    with pytest.raises(ArrayTypeError, match="float32"):
        as_operator(A) @ np.ones(3, dtype=theirs)


@pytest.mark.parametrize("kind", ["dense", "csr_array", "csc_matrix", "linear-operator"])
def test_what_lives_in_numpy_refuses_other_arrays(strict_case: Xp, kind: str) -> None:
    # SciPy would convert an array of array-api-strict on the CPU without a word.
    g = strict_case.array(np.ones(3))
    A = HOST_KINDS[kind](np.eye(3))
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        as_operator(A, like=g)
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        as_operator(A) @ g
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        (as_operator(A) + as_operator(A)).check_home(g, "g")


def test_what_lives_elsewhere_refuses_numpy(strict_case: Xp) -> None:
    A = strict_case.array(np.eye(3))
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        as_operator(A, like=np.ones(3))


def test_devices_do_not_mix() -> None:
    strict = pytest.importorskip("array_api_strict")
    A = strict.eye(3, device=strict.Device("device1"))
    with pytest.raises(ArrayTypeError, match="device1"):
        as_operator(A, like=strict.ones(3))
    with pytest.raises(ArrayTypeError, match="device1"):
        as_operator(A) @ strict.ones(3)


@pytest.mark.parametrize("x", [[1.0, 2.0], 3.0, None, np.float64(1.0)])
def test_only_arrays_are_multiplied(x: object) -> None:
    with pytest.raises(ArrayTypeError, match="array"):
        as_operator(np.eye(2)) @ x


@pytest.mark.parametrize("dtype", [np.int64, np.complex128, np.bool_])
@pytest.mark.parametrize("kind", ["dense", "csr_array", "linear-operator", "only-matvec"])
def test_only_real_floating_arrays_are_multiplied(kind: str, dtype: type) -> None:
    H = as_operator(HOST_KINDS[kind](np.eye(2)))
    with pytest.raises(ArrayTypeError, match="dtype"):
        H @ np.ones(2, dtype=dtype)


@pytest.mark.parametrize("shape", [(3,), (2, 1, 1), (3, 2)])
def test_only_arrays_that_fit_are_multiplied(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        as_operator(np.eye(2)) @ np.ones(shape)


RESULTS = [
    (lambda x: x[:-1], ShapeError, "returned"),
    (lambda x: x[:, None], ShapeError, "returned"),
    (lambda x: x.astype(np.float32), ArrayTypeError, "float32"),
    (lambda x: x.astype(np.complex128), ArrayTypeError, "complex"),
    (lambda x: x.tolist(), ArrayTypeError, "list"),
    (lambda x: None, ArrayTypeError, "NoneType"),
]


@pytest.mark.parametrize(("function", "error", "message"), RESULTS)
def test_what_a_product_returns_is_checked(function, error: type, message: str) -> None:
    A = OnlyMatvec(np.eye(3))
    A.matvec = function
    H = as_operator(A, name="Hessian")
    with pytest.raises(error, match=message) as caught:
        H @ np.ones(3)
    assert "Hessian" in str(caught.value)
    with pytest.raises(error, match=message):
        H @ np.ones((3, 2))


def test_a_product_that_leaves_its_library_is_found(strict_case: Xp) -> None:
    A = OnlyMatvec(strict_case.array(np.eye(3)))
    A.matvec = lambda x: np.ones(3)
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        as_operator(A) @ strict_case.array(np.ones(3))


def test_a_product_that_leaves_its_device_is_found() -> None:
    strict = pytest.importorskip("array_api_strict")
    A = OnlyMatvec(strict.eye(3))
    A.matvec = lambda x: strict.ones(3)
    with pytest.raises(ArrayTypeError, match="device"):
        as_operator(A) @ strict.ones(3, device=strict.Device("device1"))


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, StopIteration])
def test_an_error_of_the_users_product_arrives_unchanged(error: type) -> None:
    raised = error("from the user")

    def matvec(x: np.ndarray) -> np.ndarray:
        raise raised

    A = OnlyMatvec(np.eye(3))
    A.matvec = matvec
    with pytest.raises(error) as caught:
        as_operator(A) @ np.ones(3)
    assert caught.value is raised
    with pytest.raises(error) as caught:
        (2.0 * as_operator(A)).to_scipy() @ np.ones(3)
    assert caught.value is raised


def test_declared_dtypes_are_not_believed() -> None:
    A = OnlyMatvec(np.eye(3, dtype=np.float32))
    A.dtype = np.float64  # as PyLops does unless told otherwise
    y = as_operator(A, like=np.ones(3, dtype=np.float32)) @ np.ones(3, dtype=np.float32)
    assert y.dtype == np.float32


def test_magnitude_of_operators_and_of_nothing() -> None:
    assert as_operator(np.zeros((0, 0))).magnitude == 0.0
    assert as_operator(sp.csr_array((3, 3))).magnitude == 0.0
    assert as_operator(OnlyMatvec(np.eye(3))).magnitude is None
    assert as_operator(np.array([[1.0, -7.0]])).magnitude == 7.0
    assert np.isnan(as_operator(np.array([[1.0, np.nan]])).magnitude)
    assert as_operator(np.array([[1.0, -np.inf]])).magnitude == np.inf


def test_scipy_operator_from_any_operator(xp_case: Xp) -> None:
    A, x = random_symmetric(6, 1), random_matrix(6, 2, 3)
    L = as_operator(xp_case.array(A)).to_scipy()
    assert isinstance(L, LinearOperator)
    assert L.dtype == ("float32" if xp_case.name.endswith("float32") else "float64")
    x = x.astype(L.dtype)
    for got, want in [
        (L @ x[:, 0], A @ x[:, 0]),
        (L @ x, A @ x),
        (L.matvec(x[:, :1]), A @ x[:, :1]),
        (L.rmatvec(x[:, 0]), A.T @ x[:, 0]),
    ]:
        assert isinstance(got, np.ndarray)
        assert got.dtype == L.dtype
        np.testing.assert_allclose(got, want, atol=100 * xp_case.eps)


def test_scipy_eigenvalues_of_an_operator() -> None:
    A = random_symmetric(30, 1)
    L = as_operator(OnlyMatvec(A)).to_scipy()
    assert L.dtype == np.float64
    values = eigsh(L, k=1, which="SA", return_eigenvectors=False, v0=np.ones(30))
    assert values[0] == pytest.approx(np.linalg.eigvalsh(A)[0], rel=1e-10)


def test_scipy_operator_of_an_operator_without_a_home(strict_case: Xp) -> None:
    H = as_operator(OnlyMatvec(strict_case.array(2.0 * np.eye(3))))
    L = H.to_scipy(like=strict_case.array(np.ones(3)))
    np.testing.assert_array_equal(L @ np.ones(3, dtype=L.dtype), 2.0 * np.ones(3))
    assert not hasattr(H.wrapped, "rmatvec")
    with pytest.raises(NotImplementedError):
        L.rmatvec(np.ones(3, dtype=L.dtype))


def test_declared_symmetry_gives_the_transpose() -> None:
    A = random_symmetric(3, 0)
    H = WrappedOperator(OnlyMatvec(A), symmetric=True)
    assert H.has_transpose
    np.testing.assert_array_equal(H.rmatvec(np.ones(3)), A @ np.ones(3))


def test_pylops_operators() -> None:
    pylops = pytest.importorskip("pylops")
    n = 8
    x = random_matrix(n, 1, 1)[:, 0]
    D = pylops.SecondDerivative(n, dtype="float64")
    M = pylops.MatrixMult(random_matrix(n, n, 2))
    for P in (D, M, M.H @ M, D + 0.1 * pylops.Identity(n)):
        dense = P.todense()
        H = as_operator(P, like=x)
        assert isinstance(H, WrappedOperator)
        np.testing.assert_allclose(H @ x, dense @ x, atol=1e-12)
        np.testing.assert_allclose(H @ np.eye(n), dense, atol=1e-12)
        np.testing.assert_allclose(H.rmatvec(x), dense.T @ x, atol=1e-12)
        np.testing.assert_allclose((2.0 * H + H) @ x, 3.0 * (dense @ x), atol=1e-12)


def test_pylops_operators_in_float32() -> None:
    pylops = pytest.importorskip("pylops")
    x = np.ones(4, dtype=np.float32)
    y = as_operator(pylops.Diagonal(np.arange(4, dtype=np.float32)), like=x) @ x
    assert y.dtype == np.float32
    with pytest.raises(ArrayTypeError, match="float32"):
        as_operator(pylops.Diagonal(np.arange(4.0)), like=x) @ x


def test_pylops_results_that_left_torch_are_found() -> None:
    pylops = pytest.importorskip("pylops")
    torch = pytest.importorskip("torch")
    x = torch.ones(4, dtype=torch.float64)
    with pytest.raises(ArrayTypeError, match="torch"):
        as_operator(pylops.FirstDerivative(4), like=x) @ x


def test_sparse_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    A = random_symmetric(4, 2)
    x = torch.tensor(random_matrix(4, 2, 3))
    for layout in ("to_sparse", "to_sparse_csr"):
        sparse = getattr(torch.tensor(A), layout)()
        H = as_operator(sparse, like=x[:, 0])
        assert isinstance(H, WrappedOperator)
        np.testing.assert_allclose((H @ x).numpy(), A @ x.numpy(), atol=1e-13)


def cupy_with_gpu():
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        devices = 0
    if devices == 0:
        pytest.skip("cupy finds no CUDA device")
    return cupy


@pytest.mark.parametrize("fmt", ["csr", "csc", "coo"])
def test_sparse_matrices_of_cupy(fmt: str) -> None:
    cupy = cupy_with_gpu()
    import cupyx.scipy.sparse as csp

    A = random_symmetric(5, 1)
    x = cupy.asarray(random_matrix(5, 2, 2))
    H = as_operator(csp.coo_matrix(csp.csr_matrix(cupy.asarray(A))).asformat(fmt), like=x[:, 0])
    assert isinstance(H, SparseOperator)
    assert isinstance(H @ x, cupy.ndarray)
    np.testing.assert_allclose((H @ x).get(), A @ x.get(), atol=1e-13)
    np.testing.assert_allclose(H.rmatvec(x[:, 0]).get(), A @ x[:, 0].get(), atol=1e-13)
    assert H.magnitude == np.abs(A).max()
    with pytest.raises(ArrayTypeError, match="cupy"):
        H @ np.ones(5)


def test_linear_operators_of_cupy() -> None:
    cupy = cupy_with_gpu()
    from cupyx.scipy.sparse.linalg import aslinearoperator as cupy_aslinearoperator

    A = random_symmetric(5, 1)
    x = cupy.asarray(random_matrix(5, 1, 2)[:, 0])
    H = as_operator(cupy_aslinearoperator(cupy.asarray(A)), like=x)
    np.testing.assert_allclose((H @ x).get(), A @ x.get(), atol=1e-13)
    with pytest.raises(ArrayTypeError, match="CuPy"):
        H @ np.ones(5)


def test_operators_of_cupy_are_known_by_their_module() -> None:
    class LinearOperatorOfCupy(OnlyMatvec):
        pass

    LinearOperatorOfCupy.__module__ = "cupyx.scipy.sparse.linalg._interface"
    with pytest.raises(ArrayTypeError, match="CuPy"):
        as_operator(LinearOperatorOfCupy(np.eye(3)), like=np.ones(3))


@pytest.mark.parametrize("kind", ["duck", "scipy", "subclass"])
def test_a_product_that_is_written_into_again(kind: str) -> None:
    """Products stay what they were, of vectors and of matrices, and so does the solution."""
    rng = np.random.default_rng(0)
    H = rng.standard_normal((8, 8))
    H, g = H + H.T, rng.standard_normal(8)
    held = np.zeros(8)

    def product(x: np.ndarray) -> np.ndarray:
        held[:] = H @ x.ravel()
        return held

    class Duck:
        shape, dtype = (8, 8), np.dtype(np.float64)

        def matvec(self, x: np.ndarray) -> np.ndarray:
            return product(x)

    class Sub(LinearOperator):
        def __init__(self) -> None:
            super().__init__(np.dtype(np.float64), (8, 8))

        def _matvec(self, x: np.ndarray) -> np.ndarray:
            return product(x)

    scipys = LinearOperator((8, 8), matvec=product, dtype=np.float64)
    A = {"duck": Duck, "scipy": lambda: scipys, "subclass": Sub}[kind]()
    op = as_operator(A)
    first = op.matvec(g)
    op.matvec(2.0 * g)
    np.testing.assert_array_equal(first, H @ g)
    np.testing.assert_allclose(op.matmat(np.eye(8)), H, rtol=1e-14)
    found, want = (tralgos.solve_trs(B, g, 1.0) for B in (A, H))
    assert found.status is want.status
    np.testing.assert_allclose(found.step, want.step, rtol=1e-7, atol=1e-9)
