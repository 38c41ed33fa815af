"""ln H, the Mills ratio and ln 2cosh against mpmath, to third order and beyond, in both precisions and every mode."""

import functools
import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.special

from fmjax import special
from fmjax.special import elementary, gaussian
from tests.oracles import special as oracle

PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
FUNCTIONS = pytest.mark.parametrize("function", [special.log_H, special.mills_ratio, special.log_2cosh])


def wide_grid(dtype):
    """[-1e4, 1e4]: uniform and logarithmic, with both signs of everything, and around every switch in the code."""
    rng = np.random.default_rng(20)
    switches = np.array([0, 0.125**0.5, 6, 13, 26.6, 37.5, 38.5, 40, 44, 88, 354])
    sizes = [
        rng.uniform(0, 1e4, 60),
        rng.uniform(0, 40, 150),
        rng.uniform(0, 3, 150),
        10 ** rng.uniform(-30, 4, 60),
        np.array([0, 1e-300, 1e-310, 1e-40, 1e4]),
        (switches[:, None] + np.array([-1, -0.3, -1e-3, -1e-9, 0, 1e-9, 1e-3, 0.3, 1])).ravel(),
    ]
    size = np.concatenate(sizes)
    return np.concatenate([size, -size]).astype(dtype)


def narrow_grid(dtype):
    """[-40, 100], where third and fourth derivatives are promised."""
    rng = np.random.default_rng(21)
    return np.concatenate([rng.uniform(-40, 100, 250), rng.uniform(-5, 5, 150), [0, 1e-300, -1e-300]]).astype(dtype)


@functools.cache
def exact(derivatives, grid, dtype, orders=5):
    return [derivatives(float(x), orders) for x in grid(dtype)]


def derivative(function, order):
    """The derivative of that order, elementwise, alternating forward and reverse mode, compiled."""
    for k in range(order):
        function = jax.grad(function) if k % 2 else forward(function)
    return jax.jit(jax.vmap(function))


def forward(function):
    return lambda x: jax.jvp(function, (x,), (jnp.ones_like(x),))[1]


def worst_error(actual, reference, may_underflow):
    """Largest relative error; where ``may_underflow``, anything between zero and the reference is right."""
    worst = 0.0
    for value, target, underflow in zip(np.asarray(actual), reference, may_underflow, strict=True):
        assert not np.isnan(value)
        between = 0 <= mp.mpf(float(value)) * mp.sign(target) <= abs(target) * (1 + mp.mpf("1e-4"))
        if target == 0 or (underflow and between):
            assert target != 0 or value == 0
            continue
        worst = max(worst, float(abs(mp.mpf(float(value)) / target - 1)))
    return worst


def below_normal(reference, dtype, factor=1):
    return [abs(value) < factor * mp.mpf(float(np.finfo(dtype).tiny)) for value in reference]


def may_be_flushed(x, reference, dtype):
    """Below the smallest normal number, or x so negative that the density is: see the docstring of `log_H`."""
    density = below_normal([mp.npdf(float(v)) for v in x], dtype)
    return (x < 0) & np.array(density) | np.array(below_normal(reference, dtype))


def tolerance(dtype, double, single=1e-5):
    return double if dtype is np.float64 else single


@PRECISIONS
@pytest.mark.parametrize(("order", "double"), [(0, 1e-14), (1, 1e-14), (2, 1e-14)])
def test_log_H_slope_and_curvature_are_exact_to_rounding_on_the_whole_range(dtype, order, double):
    x = wide_grid(dtype)
    reference = [values[order] for values in exact(oracle.log_H_derivatives, wide_grid, dtype)]
    error = worst_error(derivative(special.log_H, order)(x), reference, may_be_flushed(x, reference, dtype))
    assert error < tolerance(dtype, double)


@PRECISIONS
@pytest.mark.parametrize(("order", "double", "single"), [(3, 1e-13, 5e-5), (4, 1e-11, 1e-2)])
def test_third_and_fourth_derivative_of_log_H_do_not_cancel(dtype, order, double, single):
    x = narrow_grid(dtype)
    reference = [values[order] for values in exact(oracle.log_H_derivatives, narrow_grid, dtype)]
    error = worst_error(derivative(special.log_H, order)(x), reference, may_be_flushed(x, reference, dtype))
    assert error < tolerance(dtype, double, single)


def test_third_derivative_keeps_its_digits_at_large_arguments():
    x = np.array([1e2, 1e3, 1e4, 1e6, 1e8])
    reference = [oracle.log_H_derivatives(v, 4)[3] for v in x]
    assert worst_error(derivative(special.log_H, 3)(x), reference, [False] * 5) < 1e-14


def test_fifth_derivative_loses_no_more_than_two_digits_per_decade():
    x = np.concatenate([np.linspace(-30, 0, 61), np.geomspace(1e-3, 1e4, 60)])
    reference = np.array([float(oracle.log_H_derivatives(v, 6)[5]) for v in x])
    error = np.abs(np.asarray(derivative(special.log_H, 5)(x)) - reference)
    assert np.all(error < 1e-13 * (1 + np.maximum(x, 0) ** 2) * np.abs(reference) + 1e-13 * (np.abs(x) < 5))


def test_left_tail_of_log_H_keeps_its_digits_down_to_the_smallest_normal_number():
    x = np.linspace(-37.5, -8, 200)
    reference = [oracle.log_H_derivatives(v, 1)[0] for v in x]
    assert worst_error(jax.jit(special.log_H)(x), reference, [False] * 200) < 5e-15


@PRECISIONS
@pytest.mark.parametrize("order", [0, 1, 2])
def test_mills_ratio_is_minus_the_slope_of_log_H_to_every_order(dtype, order):
    x = narrow_grid(dtype)
    reference = [-values[order + 1] for values in exact(oracle.log_H_derivatives, narrow_grid, dtype)]
    error = worst_error(derivative(special.mills_ratio, order)(x), reference, may_be_flushed(x, reference, dtype))
    assert error < tolerance(dtype, 1e-13)


@PRECISIONS
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_log_2cosh_and_three_derivatives_are_exact_to_rounding(dtype, order):
    x = wide_grid(dtype)
    reference = [values[order] for values in exact(oracle.log_2cosh_derivatives, wide_grid, dtype, 4)]
    # Where exp(-2|x|) is below the smallest normal number, its multiples may be zero as well (eight at third order).
    underflow = below_normal(reference, dtype, factor=8)
    assert worst_error(derivative(special.log_2cosh, order)(x), reference, underflow) < tolerance(dtype, 1e-14, 1e-6)


def test_log_H_agrees_with_scipy():
    x = np.random.default_rng(22).uniform(-30, 300, 1000)
    # SciPy rounds x^2/2 before the exponential: its own error on the left is 1e-13.
    np.testing.assert_allclose(special.log_H(x), scipy.special.log_ndtr(-x), rtol=1e-12)


@PRECISIONS
def test_truncation_shrinks_the_variance_of_a_gaussian(dtype):
    # 1 + (ln H)'' is the variance of a standard normal variable above x: in (0, 1), and close to 1/x^2 for large x.
    x = np.linspace(-5, 1e3, 5000).astype(dtype)
    curvature = np.asarray(derivative(special.log_H, 2)(x))
    assert np.all(curvature < 0)
    assert np.all(curvature > -1)
    assert np.all(np.asarray(special.mills_ratio(x)) > x)


NAN, INF = np.nan, np.inf
LIMITS = [  # function, x, value and first three derivatives
    (special.log_H, INF, (-INF, -INF, -1, 0)),
    (special.log_H, -INF, (0, 0, 0, 0)),
    (special.mills_ratio, INF, (INF, 1, 0, 0)),
    (special.mills_ratio, -INF, (0, 0, 0, 0)),
    (special.log_2cosh, INF, (INF, 1, 0, 0)),
    (special.log_2cosh, -INF, (INF, -1, 0, 0)),
]


@PRECISIONS
@pytest.mark.parametrize(("function", "x", "limits"), LIMITS)
def test_infinite_arguments_give_the_limits(dtype, function, x, limits):
    values = [derivative(function, order)(np.full(3, x, dtype)) for order in range(4)]
    np.testing.assert_array_equal(values, np.broadcast_to(np.array(limits)[:, None], (4, 3)))


@PRECISIONS
@FUNCTIONS
def test_nan_stays_nan_and_nothing_else_becomes_nan(dtype, function):
    largest = np.finfo(dtype).max
    sizes = np.array([0, 1e-320, np.finfo(dtype).tiny, 1, 30, 1e5, 1e10, largest**0.5, largest / 10, largest], dtype)
    x = np.concatenate([sizes, -sizes])
    for order in range(5):
        assert not np.any(np.isnan(derivative(function, order)(x)))
        assert np.all(np.isnan(derivative(function, order)(np.array([NAN], dtype))))


@FUNCTIONS
def test_forward_and_reverse_mode_agree_in_every_order_of_nesting(function):
    x = jnp.array([-50.0, -3.0, -1e-3, 0.0, 0.7, 30.0, 1e3])
    nests = itertools.product((forward, jax.grad), repeat=3)
    thirds = [third(second(first(function))) for first, second, third in nests]
    values = jax.jit(jax.vmap(lambda v: [third(v) for third in thirds]))(x)
    for value in values[1:]:
        np.testing.assert_allclose(value, values[0], rtol=1e-13, atol=1e-300)


def test_hessian_of_a_gaussian_average_matches_differences_of_its_gradient():
    z = jnp.linspace(-6, 6, 301)
    density = jnp.exp(-0.5 * z**2)

    def average(p):
        return jnp.dot(density, special.log_H(p[0] + p[1] * z) + special.log_2cosh(p[0] * z))

    point, step = jnp.array([0.3, 2.0]), 1e-5
    slopes = jax.jit(jax.grad(average))
    differences = [(slopes(point + h) - slopes(point - h)) / (2 * step) for h in step * jnp.eye(2)]
    for hessian in (jax.hessian(average), jax.jacrev(jax.grad(average)), jax.jacfwd(jax.jacfwd(average))):
        np.testing.assert_allclose(jax.jit(hessian)(point), differences, rtol=1e-7)


@pytest.mark.parametrize(("function", "divisions"), [(special.log_H, 6), (special.log_2cosh, 3)])
def test_value_slope_and_curvature_share_one_exponential(function, divisions):
    def total(x):
        return jnp.sum(function(x) + forward(function)(x) + forward(forward(function))(x))

    program = jax.jit(total).lower(jnp.ones(1000)).compile().as_text()
    assert program.count(" exponential(") == 1
    assert program.count(" divide(") <= divisions
    assert program.count(" log(") == program.count(" log-plus-one(") == program.count(" tanh(") == 0


@FUNCTIONS
def test_dtype_is_kept_and_integers_are_promoted(function):
    for dtype in (jnp.float64, jnp.float32, jnp.bfloat16, jnp.float16):
        x = jnp.array([[-2.0, 0.5, 3.0]], dtype)
        assert function(x).dtype == dtype
        assert function(x).shape == (1, 3)
        assert jax.vmap(jax.vmap(jax.grad(function)))(x).dtype == dtype
        if dtype in (jnp.bfloat16, jnp.float16):  # computed in float32, rounded once
            np.testing.assert_array_equal(function(x), function(x.astype(jnp.float32)).astype(dtype))
    assert function(3).dtype == jnp.float64
    assert function(jnp.arange(3)).dtype == jnp.float64
    np.testing.assert_array_equal(function(np.arange(3)), function(np.arange(3.0)))


@FUNCTIONS
def test_single_precision_without_x64(function):
    expected = function(np.float32(1.3)), jax.grad(function)(np.float32(1.3))
    with jax.enable_x64(False):
        assert function(3).dtype == jnp.float32
        np.testing.assert_allclose([function(1.3), jax.grad(function)(1.3)], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("above", "below", "error"),
    [
        (gaussian._TAIL_64_ABOVE, gaussian._TAIL_64_BELOW, 4e-16),
        (gaussian._TAIL_32_ABOVE, gaussian._TAIL_32_BELOW, 2e-7),
    ],
    ids=["float64", "float32"],
)
def test_shipped_coefficients_are_the_rational_interpolant_and_fit_between_its_nodes(above, below, error):
    degrees = len(above) - 1, len(below) - 1
    assert [tuple(map(float, side)) for side in oracle.tail_coefficients(*degrees)] == [above, below]
    assert oracle.fit_error(above, below) < error
    # The check sees a lower degree and a wrong last digit of single precision.
    assert oracle.fit_error(*oracle.tail_coefficients(degrees[0] - 1, degrees[1])) > error
    assert oracle.fit_error((above[0] * (1 + 3e-7), *above[1:]), below) > error


def test_logarithm_of_normal_numbers_is_exact_to_rounding():
    rng = np.random.default_rng(23)
    for dtype, decades in ((np.float64, 300), (np.float32, 37)):
        v = np.concatenate([10 ** rng.uniform(-decades, decades, 300), rng.uniform(0.5, 2, 300), [1, 0.5, 2, 0.5**0.5]])
        v = v.astype(dtype)
        np.testing.assert_allclose(
            jax.jit(elementary.fast_log)(v), np.log(v.astype(np.longdouble)), rtol=4 * np.finfo(dtype).eps
        )
