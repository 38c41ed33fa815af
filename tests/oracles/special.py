"""Derivatives of ln H and ln 2cosh to any order with mpmath, and the fit that fmjax/special.py ships.

Everything is done by the textbook formulas, which cancel badly, in so many digits that it does not matter: the third
derivative of ln H at 1e4 loses 32 digits and the coefficients below fewer than 60, of `DIGITS`.
"""

import mpmath as mp

DIGITS = 100


def log_H_derivatives(x: float, orders: int) -> list[mp.mpf]:
    """``ln H(x)`` and its derivatives below ``orders``, from r' = r D and D' = r D - 1 with D = r - x."""
    with mp.workdps(DIGITS):
        x = mp.mpf(x)
        upper, lower = mp.erfc(x / mp.sqrt(2)) / 2, mp.erfc(-x / mp.sqrt(2)) / 2
        ratio = mp.npdf(x) / upper
        excess = ratio - x
        values = [mp.log(upper) if x > 0 else mp.log1p(-lower)]
        terms = {(1, 0): -1}
        for _ in range(1, orders):
            values.append(mp.fsum(c * ratio**i * excess**j for (i, j), c in terms.items()))
            derivative: dict[tuple[int, int], int] = {}
            for (i, j), c in terms.items():
                for power, value in (((i, j + 1), i * c), ((i + 1, j), j * c), ((i, j - 1), -j * c)):
                    derivative[power] = derivative.get(power, 0) + value
            terms = {power: c for power, c in derivative.items() if c}
        return values


def log_2cosh_derivatives(x: float, orders: int) -> list[mp.mpf]:
    """``ln(2 cosh x)`` and its derivatives below ``orders`` (at most four)."""
    with mp.workdps(DIGITS):
        x = mp.mpf(x)
        tanh, sech2 = mp.tanh(x), mp.sech(x) ** 2
        return [abs(x) + mp.log1p(mp.exp(-2 * abs(x))), tanh, sech2, -2 * tanh * sech2][:orders]


def fitted_function(t: mp.mpf, centre: int = 6) -> mp.mpf:
    """``(x + centre) A_4(x) / A_3(x)`` at ``x = centre (1 + t)/(1 - t)``; A_{k-2} = x A_{k-1} + k A_k, A_0 = H."""
    x = centre * (1 + t) / (1 - t)
    a = [mp.npdf(x), mp.erfc(x / mp.sqrt(2)) / 2]
    for k in (1, 2, 3, 4):
        a.append((a[-2] - x * a[-1]) / k)
    return (x + centre) * a[5] / a[4]


def tail_coefficients(above: int, below: int) -> tuple[list[mp.mpf], list[mp.mpf]]:
    """Coefficients of the quotient of polynomials in t that equals `fitted_function` at the Chebyshev points.

    The degrees are ``above`` and ``below``; the denominator starts with 1. Constant terms come first.
    """
    with mp.workdps(DIGITS):
        size = above + below + 1
        nodes = [mp.cos(mp.pi * (2 * j + 1) / (2 * size)) for j in range(size)]
        values = [fitted_function(t) for t in nodes]
        rows = [
            [t**i for i in range(above + 1)] + [-f * t**i for i in range(1, below + 1)]
            for t, f in zip(nodes, values, strict=True)
        ]
        solution = list(mp.lu_solve(mp.matrix(rows), mp.matrix(values)))
        return solution[: above + 1], [mp.mpf(1), *solution[above + 1 :]]


def fit_error(above: list[float], below: list[float], points: int = 150) -> float:
    """Largest relative error of the quotient with these coefficients, at points between those of the fit."""
    with mp.workdps(DIGITS):
        worst = mp.mpf(0)
        for j in range(points):
            t = mp.cos(mp.pi * (j + mp.mpf("0.37")) / points)
            powers = [t**i for i in range(max(len(above), len(below)))]
            quotient = mp.fdot(above, powers[: len(above)]) / mp.fdot(below, powers[: len(below)])
            worst = max(worst, abs(quotient / fitted_function(t) - 1))
        return float(worst)
