"""Independent computations that the tests compare fmjax with: NumPy, SciPy and mpmath only, nothing of fmjax or JAX.

The saddle equations here are derived by hand and the integrals use other variables and other rules than the library,
so that an error has to be made twice, differently, to go unseen.
"""
