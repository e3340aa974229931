"""Seeds of nested estimators."""

import numpy as np


def set_seeds(estimator, rng):
    """Seed every nested ``random_state`` that is None, and return the estimator."""
    params = estimator.get_params(deep=True)
    seeds = {
        name: int(rng.randint(np.iinfo(np.int32).max))
        for name in sorted(params)
        if name.split("__")[-1] == "random_state" and params[name] is None
    }
    estimator.set_params(**seeds)  # a FrozenEstimator returns nothing here
    return estimator
