r"""What a CurveBall iteration asks of the problem at a point, and what it costs.

With z = `length` q the iteration needs v = Hz + J, and for automatic beta and rho the curvature of
the model on the span of z and v. A problem that is known as a loss of a model's outputs gives
both in two forward products and one reverse one (eqs. 16-18 of *CurveBall*):

.. math:: v = J_\phi (H_L u + J_L), \quad u = J_\phi^T z, \qquad
    v^T \hat H v = t^T H_L t, \quad t = J_\phi^T v,

the slopes J'z = J_L'u and J'v = J_L't included, so that the gradient itself is not needed.
Otherwise it takes the gradient and two products with H.

The vectors q and v are kept near unit length, whatever the scale of f and x: `length` and
`scale`, a power of two, hold the sizes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

from tralgos.arrays import Array, eps, namespace, sizes
from tralgos.errors import NonFiniteError
from tralgos.kernels import inner
from tralgos.methods.curveball_kernels import blend, fetched
from tralgos.methods.evaluator import CountedOperator, CurvatureKind, Evaluator
from tralgos.methods.plane import Forms, Plane, nearly_collinear, plane_of
from tralgos.norms import EuclideanNorm
from tralgos.norms.base import smallest_normal

__all__ = ["Look", "Place", "power_of_two", "the_place"]

#: A component of v across z shorter than this many roundings of v is none.
_NOISE = 1024.0


@dataclass(frozen=True)
class Look:
    """The span of z and v = Hz + J at a point.

    Attributes
    ----------
    q, v : array, shape (n,), or None
        z / length, None where z is zero; and v / scale, or, where that is nearly a multiple of
        q, what is left of it across q.
    length, scale : float
    slant : float
        The multiple of q that was taken from v / scale.
    plane : Plane or None
        The model on the span; None where v'Hv was not asked for.
    forms : Forms
        The inner products; those that were not asked for are 0.
    gradient : array or None
        Where it was needed.
    gradient_norm : float
        Of the gradient; where that was not needed a lower bound, the length of its
        projection on what is known.
    """

    q: Array | None = field(repr=False)
    v: Array = field(repr=False)
    length: float
    scale: float
    slant: float
    plane: Plane | None
    forms: Forms
    gradient: Array | None = field(repr=False)
    gradient_norm: float


class Place(ABC):
    """A point where f has been evaluated, and its curvature can be.

    Attributes
    ----------
    x : array, shape (n,)
    value : float
    """

    x: Array
    value: float

    def look(
        self,
        q: Array | None,
        length: float,
        scale: float | None,
        *,
        full: bool,
        room: Array | None = None,
    ) -> Look:
        """The span of z = length q and Hz + J; one fetch to the host.

        Parameters
        ----------
        q : array, shape (n,), or None
            None for z = 0. The same in all calls at one place, as is `length`.
        length : float
            Of z.
        scale : float or None
            A power of two that is about the length of v; None, at one transfer more, where
            nothing is known of it.
        full : bool
            Whether the curvature along v is wanted: one product, or a forward one, more.
        room : array, shape (n,), optional
            Where to write v.

        Raises
        ------
        NonFiniteError
            If v, or the curvature along one of the vectors, is NaN or infinite.
        """
        look = None
        if scale is not None:
            look = self._look(q, length, scale, room, full=full, zero=False)
        if look is None:
            # Out of the range of the squares: once more, with v near one.
            scale = self._better_scale(q, length)
            look = self._look(q, length, scale, room, full=full, zero=True)
            if look is None:
                raise NonFiniteError("a derivative is NaN, infinite or out of range")
        return look

    @abstractmethod
    def _better_scale(self, q: Array | None, length: float) -> float:
        """The size of v; NonFiniteError where it has none."""

    @abstractmethod
    def _look(
        self,
        q: Array | None,
        length: float,
        scale: float,
        room: Array | None,
        *,
        full: bool,
        zero: bool,
    ) -> Look | None:
        """The look; None where the squares leave the range of the numbers.

        `zero` tells that v / scale has no length only if v has none.
        """


def the_place(source: Evaluator, x: Array, kind: CurvatureKind | None) -> Place:
    """The point, with the curvature by its kind; None is that of the linearised model."""
    return _Model(source, x) if kind is None else _Hessian(source, x, kind)


class _Hessian(Place):
    """With a gradient and products with an operator."""

    def __init__(self, source: Evaluator, x: Array, kind: CurvatureKind) -> None:
        self.x, self._source, self._kind = x, source, kind
        self.value, self._gradient = source.value_and_gradient(x)
        self._H: CountedOperator | None = None
        self._image: Array | None = None

    def _better_scale(self, q: Array | None, length: float) -> float:
        if q is None:
            return power_of_two(sizes(self._gradient)[0])
        return power_of_two(sizes(self._gradient + length * self._image_of(q))[0])

    def _operator(self) -> CountedOperator:
        if self._H is None:
            self._H = self._source.curvature(self.x, self._kind, gradient=self._gradient)
        return self._H

    def _image_of(self, q: Array) -> Array:
        """Hq, made once."""
        if self._image is None:
            self._image = self._operator().matvec(q)
        return self._image

    def _look(
        self,
        q: Array | None,
        length: float,
        scale: float,
        room: Array | None,
        *,
        full: bool,
        zero: bool,
    ) -> Look | None:
        g = self._gradient
        if q is None:
            v, found = blend([(1.0 / scale, g)], [], [(0, 0), (0, 1), (1, 1)], room)
            gg, gv, vv = found
            known = [gg, gv, vv]
            image = None
        else:
            image = self._image_of(q)
            v, known = blend(
                [(length / scale, image), (1.0 / scale, g)],
                [q],
                # In order: g'g, g'v, v'v, q'q, q'v, q'Hq, v'Hq, g'q.
                [(1, 1), (1, 3), (3, 3), (2, 2), (2, 3), (2, 0), (3, 0), (1, 2)],
                room,
            )
        xp = namespace(v)
        second = self._operator().matvec(v) if full else None
        if second is not None:
            known = [*known, inner(v, second, xp)]
        numbers = fetched(known)
        gg, gv, vv, *rest = numbers
        # The gradient has no scale here, and its square may overflow.
        if _lost(numbers[1:], vv, v, zero=zero):
            return None
        qq, qv, qHq, qHv, gq = rest[:5] if q is not None else (0.0,) * 5
        forms = Forms(qq, qv, vv, qHq, qHv, numbers[-1] if full else 0.0, gq, gv)
        norm = math.sqrt(gg) if _safe(gg, v) else EuclideanNorm().norm(g)
        look = Look(q, v, length, scale, 0.0, None, forms, g, norm)
        if second is None:
            return look
        if q is not None and nearly_collinear(forms, eps(v.dtype)):
            look = self._across(look, image, second)
        return replace(look, plane=plane_of(look.forms, eps(v.dtype)))

    def _across(self, look: Look, image: Array, second: Array) -> Look:
        """The look with v made orthogonal to q."""
        f, q, g = look.forms, look.q, self._gradient
        slant = f.qv / f.qq
        product, _ = blend([(1.0, second), (-slant, image)], [], [])
        v, known = blend(
            [(1.0, look.v), (-slant, q)],
            [product, g, image],
            [(5, 1), (5, 5), (5, 2), (5, 3), (5, 4)],
        )
        qv, vv, vHv, gv, qHv = fetched(known)
        return _crossed(look, v, slant, (qv, vv, vHv, gv, qHv))


class _Model(Place):
    """With forward and reverse products of a linearised model."""

    def __init__(self, source: Evaluator, x: Array) -> None:
        self.x = x
        self._model = source.linearize(x)
        self.value = self._model.value
        self._made: tuple[Array, Array | None, Array | None] | None = None

    def _reversed(self, q: Array | None, length: float) -> tuple[Array, Array | None, Array | None]:
        """v; and where there is a q, its image and the loss's Hessian times that; made once."""
        model = self._model
        if self._made is None and q is None:
            self._made = model.reverse(model.loss_gradient), None, None
        elif self._made is None:
            image = model.forward(q)
            curved = model.loss_curvature(image)
            self._made = model.reverse(length * curved + model.loss_gradient), image, curved
        return self._made

    def _better_scale(self, q: Array | None, length: float) -> float:
        return power_of_two(sizes(self._reversed(q, length)[0])[0])

    def _look(
        self,
        q: Array | None,
        length: float,
        scale: float,
        room: Array | None,
        *,
        full: bool,
        zero: bool,
    ) -> Look | None:
        model = self._model
        raw, image, curved = self._reversed(q, length)
        xp = namespace(raw)
        if q is None:
            v, known = blend([(1.0 / scale, raw)], [], [(1, 1)], room)
        else:
            v, known = blend([(1.0 / scale, raw)], [q], [(2, 2), (1, 1), (1, 2)], room)
            known = [
                *known,
                inner(image, curved, xp),
                inner(model.loss_gradient, image, xp),
            ]
        second = model.forward(v) if full else None
        if second is not None:
            known = [*known, inner(model.loss_gradient, second, xp)]
            known.append(inner(second, model.loss_curvature(second), xp))
            if q is not None:
                known.append(inner(second, curved, xp))
        numbers = fetched(known)
        if _lost(numbers, numbers[0], v, zero=zero):
            return None
        look = _model_look(numbers, q, v, length, scale, full=full)
        if q is None:
            # Then v is the gradient, if the model is that of f: the driver asks f itself.
            look = replace(look, gradient_norm=scale * math.sqrt(look.forms.vv))
        if second is None:
            return look
        if q is not None and nearly_collinear(look.forms, eps(v.dtype)):
            look = self._across(look, image, curved, second)
        plane = plane_of(look.forms, eps(v.dtype))
        bound = look.gradient_norm if q is None else plane.gradient_bound
        return replace(look, plane=plane, gradient_norm=bound)

    def _across(self, look: Look, image: Array, curved: Array, second: Array) -> Look:
        """The look with v made orthogonal to q."""
        f = look.forms
        slant = f.qv / f.qq
        xp = namespace(look.v)
        across, _ = blend([(1.0, second), (-slant, image)], [], [])
        v, known = blend([(1.0, look.v), (-slant, look.q)], [], [(2, 1), (2, 2)])
        model = self._model
        known = [
            *known,
            inner(across, model.loss_curvature(across), xp),
            inner(model.loss_gradient, across, xp),
            inner(across, curved, xp),
        ]
        qv, vv, vHv, gv, qHv = fetched(known)
        return _crossed(look, v, slant, (qv, vv, vHv, gv, qHv))


def _model_look(
    numbers: list[float], q: Array | None, v: Array, length: float, scale: float, *, full: bool
) -> Look:
    """From the inner products in the order in which :meth:`_Model._look` makes them."""
    vv, *rest = numbers
    qq = qv = qHq = gq = qHv = gv = vHv = 0.0
    if q is not None:
        qq, qv, qHq, gq, *rest = rest
    if full:
        gv, vHv, *rest = rest
        qHv = rest[0] if rest else 0.0
    forms = Forms(qq, qv, vv, qHq, qHv, vHv, gq, gv)
    bound = abs(gq) / math.sqrt(qq) if qq > 0.0 else 0.0
    return Look(q, v, length, scale, 0.0, None, forms, None, bound)


def _crossed(
    look: Look, v: Array, slant: float, found: tuple[float, float, float, float, float]
) -> Look:
    """The look with the component of v across q, or without it where it is but noise."""
    qv, vv, vHv, gv, qHv = found
    f = look.forms
    if math.sqrt(max(vv, 0.0)) <= _NOISE * eps(v.dtype) * math.sqrt(f.vv):
        qv = vv = vHv = gv = qHv = 0.0
    forms = Forms(f.qq, qv, vv, f.qHq, qHv, vHv, f.gq, gv)
    return replace(look, v=v, slant=slant, forms=forms)


def _lost(numbers: list[float], vv: float, v: Array, *, zero: bool) -> bool:
    """Whether an inner product is not finite, or v'v has lost digits at the lower end."""
    if not all(math.isfinite(number) for number in numbers):
        return True
    return not _safe(vv, v) and not (zero and vv == 0.0)


def _safe(square: float, like: Array) -> bool:
    least = smallest_normal(like.dtype) / eps(like.dtype) ** 2
    return least <= square < math.inf


def power_of_two(size: float) -> float:
    """The power of two next below `size`; 1 for 0.

    Raises
    ------
    NonFiniteError
        If `size` is NaN or infinite.
    """
    if not math.isfinite(size):
        raise NonFiniteError("a derivative is NaN or infinite")
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if size > 0.0 else 1.0
