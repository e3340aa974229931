"""Tasks made from scikit-learn's images of hand-written digits."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_task2box.datasets._home import description
from sklearn_task2box.utils._typing import Any, RandomState

N_DIGITS = 10
NAMED_SETS = {
    "even": (0, 2, 4, 6, 8),
    "odd": (1, 3, 5, 7, 9),
    "primes": (2, 3, 5, 7),
    "small": (0, 1, 2, 3, 4),
    "large": (5, 6, 7, 8, 9),
    "all": tuple(range(N_DIGITS)),
}


@validate_params(
    {
        "n_tasks": [Interval(Integral, 20, 300, closed="both")],
        # The images span 61 dimensions; a whitened 61st would be mostly rounding.
        "n_components": [Interval(Integral, 1, 60, closed="both")],
        "as_frame": ["boolean"],
        "return_X_y": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_digits_tasks(
    *,
    n_tasks: int = 120,
    n_components: int = 16,
    as_frame: bool = False,
    return_X_y: bool = False,
    random_state: RandomState = 0,
) -> Bunch | tuple[Any, Any]:
    """Load tasks made of digit images, and how far each lies inside the others.

    A task is a set of images of some digits, from :func:`sklearn.datasets.load_digits`,
    described by the mean and the variance of their embedding. It is related to each other
    task by the share of its digits that the other has. A wrong parameter is a ValueError.

    Parameters
    ----------
    n_tasks : int, default=120
        Number of tasks, from 20 to 300. The single digits, all ten and a few named sets
        are always among them. A tenth have the digits of another task, but other images.
    n_components : int, default=16
        Number of principal components of the images, from 1 to 60; the tasks stay the same.
    as_frame : bool, default=False
        If True, features and relations are DataFrames labelled with the names of the tasks.
    return_X_y : bool, default=False
        If True, return ``(data, relations)`` instead of a Bunch.
    random_state : int, RandomState instance or None, default=0
        Determines the tasks, their order and their images. None draws them anew in each
        call, and leaves the global random state of NumPy alone.

    Returns
    -------
    tasks : :class:`~sklearn.utils.Bunch`
        data : {ndarray, DataFrame} of shape (n_tasks, 2 * n_components)
            Means, then variances, of the whitened principal components of the images.
        relations : {ndarray, DataFrame} of shape (n_tasks, n_tasks)
            ``relations[i, j]`` is the share of the digits of task i that task j has too.
            ``relations == 1`` gives the strict containments.
        task_names : ndarray of str of shape (n_tasks,)
            Such as "digit 3", "digits 0,3,7", or "even (b)", with the digits of "even".
        feature_names : list of str
            "mean_pca0", ..., "variance_pca0", ...
        classes : ndarray of bool of shape (n_tasks, 10)
            Whether each task has each of the digits.
        n_images : ndarray of int of shape (n_tasks,)
            The number of images in each task.
        DESCR : str
            The full description of the data set.

    (data, relations) : tuple if ``return_X_y`` is True

    Examples
    --------
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> tasks = load_digits_tasks(as_frame=True)
    >>> tasks.data.shape
    (120, 32)
    >>> tasks.relations.loc["even", ["all", "digit 2"]].tolist()
    [1.0, 0.2]
    """
    # Unlike check_random_state(None), this leaves the global generator alone.
    rng = np.random.RandomState() if random_state is None else random_state
    rng = check_random_state(rng)
    by_name = _draw_tasks(n_tasks, rng)
    task_names = np.array(list(by_name))
    classes = np.array([np.isin(range(N_DIGITS), digits) for digits in by_name.values()])
    images, labels = load_digits(return_X_y=True)
    # The pixels share one scale, and some are almost constant: they are not standardised.
    pca = PCA(n_components=int(n_components), whiten=True, svd_solver="covariance_eigh")
    # Whatever the global output of transformers is, this one's is an array.
    embedding = pca.set_output(transform="default").fit_transform(images)
    samples = _draw_samples(classes, labels, rng)
    parts = [embedding[rows] for rows in samples]
    data = np.array([np.append(part.mean(axis=0), part.var(axis=0)) for part in parts])
    moments = ("mean", "variance")
    feature_names = [f"{moment}_pca{k}" for moment in moments for k in range(n_components)]
    counts = classes.astype(float)
    relations = counts @ counts.T / counts.sum(axis=1, keepdims=True)
    if as_frame:
        data = pd.DataFrame(data, index=task_names, columns=feature_names)
        relations = pd.DataFrame(relations, index=task_names, columns=task_names)
    if return_X_y:
        return data, relations
    return Bunch(
        data=data,
        relations=relations,
        task_names=task_names,
        feature_names=feature_names,
        classes=classes,
        n_images=np.array([len(rows) for rows in samples]),
        DESCR=description("digits_tasks"),
    )


def _draw_tasks(n_tasks, rng):
    """Names and sorted digits of the tasks, as a dict in random order.

    Drawn sets extend smaller ones, for a deep hierarchy, and are more often small.
    """
    by_name = {f"digit {digit}": (digit,) for digit in range(N_DIGITS)} | NAMED_SETS
    n_repeated = round(0.1 * n_tasks)
    sizes = np.arange(2, N_DIGITS)
    weights = N_DIGITS + 1.0 - sizes
    while len(by_name) < n_tasks - n_repeated:
        size = rng.choice(sizes, p=weights / weights.sum())
        smaller = [digits for digits in by_name.values() if len(digits) < size]
        base = smaller[rng.randint(len(smaller))]
        others = np.setdiff1d(np.arange(N_DIGITS), base)
        added = rng.choice(others, size=size - len(base), replace=False)
        drawn = tuple(sorted(int(digit) for digit in (*base, *added)))
        if drawn not in by_name.values():
            by_name["digits " + ",".join(map(str, drawn))] = drawn
    names = list(by_name)
    for chosen in rng.choice(len(names), size=n_repeated, replace=False):
        by_name[f"{names[chosen]} (b)"] = by_name[names[chosen]]
    # Random order, so that splitters which do not shuffle cut fairly.
    names = list(by_name)
    return {names[k]: by_name[names[k]] for k in rng.permutation(len(names))}


def _draw_samples(classes, labels, rng):
    """Draw the images of each task: a list of arrays of positions."""

    def draw(digit):
        rows = np.flatnonzero(labels == digit)
        size = round(rng.uniform(0.3, 0.6) * len(rows))
        return rng.choice(rows, size=size, replace=False)

    return [np.concatenate([*map(draw, np.flatnonzero(row))]) for row in classes]
