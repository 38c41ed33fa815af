"""What people have in arrays: the same small whole numbers in every type that holds them."""

import jax
import jax.numpy as jnp
import numpy as np

KEY = jax.random.key(0)


def every_type(values):
    """±1, or other small whole numbers, in every type that holds them."""
    types = (np.int8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64)
    yield from (np.asarray(values, dtype) for dtype in types)
    yield from (jnp.asarray(values, dtype) for dtype in (jnp.int8, jnp.int32, jnp.bfloat16, jnp.float32))
    yield np.asarray(values, dtype=int).tolist()
    yield np.asfortranarray(values)
