"""How well what was learned for one visual task transfers to another: Taskonomy."""

import pickle

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from sklearn_task2box.datasets.home import description, fetched

BASE_URL = (
    "https://raw.githubusercontent.com/StanfordVL/taskonomy/"
    "9f814867b5fe4165860862211e8e99b0f200144d/results/"
)

VALUES = ("affinity", "wins_vs_pixels", "wins_vs_task")
TRAINING_IMAGES = ("default", "1k", "16k")
# Reference networks that stand among the sources, and are no tasks.
REFERENCES = ("pixels", "random", "self")

# Path below BASE_URL, and SHA-256.
_FILES = {
    ("affinity", "default"): (
        "affinities/all_affinities.pkl",
        "6b2d42a7281fe4eac2f5f32499f12c3da63292d4a5d8f04bf1b8b97d9687260c",
    ),
    ("affinity", "1k"): (
        "affinities/all_affinities_1k.pkl",
        "e797c4715f2523cedaa02a801b2e8197ab1347cb5f490d98731ba719e1b6d575",
    ),
    ("affinity", "16k"): (
        "affinities/all_affinities_16k.pkl",
        "33e57697e6f83c27a3a8cc4c80bdfa2f803ebd8d931710bdde52172ddf493f44",
    ),
    ("wins_vs_pixels", "default"): (
        "winrates/wins_vs_pixels.pkl",
        "2314c14af45777437412632c9c409c15131e152abd108caaec4b820b23ab9f03",
    ),
    ("wins_vs_pixels", "1k"): (
        "winrates/wins_vs_pixels_1k.pkl",
        "d791aea296f4209b6beaf96f9c73ca1797d7f69e8bb1efc60061173aa0d19034",
    ),
    ("wins_vs_pixels", "16k"): (
        "winrates/wins_vs_pixels_16k.pkl",
        "34a3c471d8547ddd509cedb8d2d60f90e9b881c70f23cc91c4fc85e4e3852d75",
    ),
    ("wins_vs_task", "default"): (
        "winrates/wins_vs_task.pkl",
        "74123af8a3f228d5ab1a43f7d73b05e3adbc1e393ead8f3fe550e3bcffd0d016",
    ),
    ("wins_vs_task", "1k"): (
        "winrates/wins_vs_task_1k.pkl",
        "71f1e96586da8af5a54f889b4d7296cdf1013d58deeb6cac1a83bad9fc5244cd",
    ),
    ("wins_vs_task", "16k"): (
        "winrates/wins_vs_task_16k.pkl",
        "8cacb05abbf70a365da22b9b069143d404fda19631eaab4d14ac3b0508b40ac3",
    ),
}


def fetch_taskonomy(
    *,
    values="affinity",
    training_images="default",
    data_home=None,
    download_if_missing=True,
):
    """Load how well 25 visual tasks transfer to 22 of them.

    A file of 54 to 190 kB is downloaded from the repository of Taskonomy on the first
    call.

    ==============   ======================================
    Targets                                              22
    Sources            25, and two or three reference networks
    Features         none: see :mod:`sklearn_task2box.representations`
    Relations        strengths in [0, 1], not symmetric
    ==============   ======================================

    Parameters
    ----------
    values : {"affinity", "wins_vs_pixels", "wins_vs_task"}, default="affinity"
        What the strength of a transfer is. "affinity": Taskonomy's normalised affinity,
        comparable among the sources of one target only. "wins_vs_pixels" and
        "wins_vs_task": the share of test images on which the transfer does better than a
        network trained from pixels, or than the network made for the target.
    training_images : {"default", "1k", "16k"}, default="default"
        Images that the transfers were trained on, as the names of the files say. The sets
        of tasks differ a little.
    data_home : str or path-like, default=None
        Where the file is kept, see :func:`get_data_home`.
    download_if_missing : bool, default=True
        If False, a file that is not there is an error.

    Returns
    -------
    transfers : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        relations : DataFrame of shape (n_tasks, n_tasks)
            ``relations.loc[t, s]`` is how much of the target t the source s covers, as
            "t inside s". NaN, hence unknown, where t is no target; 1 on the diagonal.
            Affinities are divided by that of the best other source of the same target;
            win rates are as published.
        strengths : DataFrame of shape (n_sources, n_targets)
            The transfers as published: ``strengths.loc[s, t]`` from source s to target t,
            higher is better. The reference networks ("random", "self" and, in the win
            rates, "pixels") are among the sources.
        source : ndarray of str of shape (n_sources,)
            The names of the rows of ``strengths``.
        target : ndarray of str of shape (n_targets,)
            The names of its columns.
        higher_order : DataFrame of shape (n_transfers, 3)
            Transfers from several sources at once, with the columns "sources" (tuples),
            "target" and "strength".
        DESCR : str
            The full description of the data set.

    Raises
    ------
    OSError
        If the file is neither there nor to be had; the message says where to put it.
    ValueError
        If a parameter is unknown, or the file is not the expected one.

    Notes
    -----
    The files are pickles. Their SHA-256 is checked, and they are read by an unpickler that
    knows numbers of NumPy and nothing else, so no code in them is ever run.

    References
    ----------
    A. R. Zamir, A. Sax, W. Shen, L. Guibas, J. Malik, S. Savarese, "Taskonomy:
    Disentangling Task Transfer Learning", CVPR 2018.

    Examples
    --------
    >>> from sklearn_task2box.datasets import fetch_taskonomy
    >>> transfers = fetch_taskonomy()  # doctest: +SKIP
    >>> transfers.relations.loc["rgb2depth", "reshade"]  # doctest: +SKIP
    """
    for name, value, known in (
        ("values", values, VALUES),
        ("training_images", training_images, TRAINING_IMAGES),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {known}; got {value!r}.")
    path, sha256 = _FILES[values, training_images]
    file = fetched(
        BASE_URL + path, f"taskonomy/{path}", sha256, data_home, download_if_missing
    )
    with open(file, "rb") as stream:
        transfers = read_numbers(stream)
    strengths, higher_order = _tables(transfers)
    return Bunch(
        relations=_relations(strengths, relative=values == "affinity"),
        strengths=strengths,
        source=strengths.index.to_numpy(dtype=str),
        target=strengths.columns.to_numpy(dtype=str),
        higher_order=higher_order,
        DESCR=description("taskonomy"),
    )


def _tables(transfers):
    """Transfers of one source as a table, and those of several as a list."""
    first, higher = [], []
    for key, strength in transfers.items():
        *sources, target = key.split("__")
        if len(sources) == 1:
            first.append((sources[0], target, strength))
        else:
            higher.append((tuple(sources), target, strength))
    frame = pd.DataFrame(first, columns=["source", "target", "strength"])
    strengths = frame.pivot(index="source", columns="target", values="strength")
    higher_order = pd.DataFrame(higher, columns=["sources", "target", "strength"])
    return strengths, higher_order.sort_values(["sources", "target"], ignore_index=True)


def _relations(strengths, relative):
    inside = strengths.drop(index=[n for n in REFERENCES if n in strengths.index]).T
    tasks = sorted({*inside.index, *inside.columns})
    inside = inside.reindex(index=tasks, columns=tasks)
    values = inside.to_numpy(copy=True)
    np.fill_diagonal(values, np.nan)
    if relative:
        known = ~np.isnan(values).all(axis=1)
        values[known] /= np.nanmax(values[known], axis=1, keepdims=True)
    np.fill_diagonal(values, 1.0)
    return pd.DataFrame(values, index=tasks, columns=tasks)


# --------------------------------------------------------------------------------------
# Pickles that hold names and numbers
# --------------------------------------------------------------------------------------
def read_numbers(stream):
    """Read a pickled dict of str to NumPy numbers, and nothing else.

    Raises
    ------
    pickle.UnpicklingError
        If the pickle asks for anything but numbers, or does not hold such a dict.
    """
    loaded = _NumbersOnly(stream).load()
    if not isinstance(loaded, dict) or not all(
        isinstance(key, str) and isinstance(value, (int, float))
        for key, value in loaded.items()
    ):
        raise pickle.UnpicklingError("The pickle does not hold a dict of str to numbers.")
    return loaded


class _NumberType:
    """Stands for a dtype: of NumPy's own constructors, none is called."""

    __slots__ = ("dtype",)
    _KNOWN = frozenset({"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"})

    def __init__(self, code, *_):
        if code not in self._KNOWN:
            raise pickle.UnpicklingError(f"The pickle holds {code!r}, which is no number.")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _Scalar:
    """Stands for the function that makes a number of its bytes."""

    __slots__ = ()

    def __new__(cls, kind, content):
        if not isinstance(kind, _NumberType) or not isinstance(content, bytes):
            raise pickle.UnpicklingError("The pickle holds a malformed number.")
        if len(content) != kind.dtype.itemsize:
            raise pickle.UnpicklingError("The pickle holds a number of a wrong length.")
        return np.frombuffer(content, kind.dtype)[0].item()


_ADMITTED = {
    ("numpy", "dtype"): _NumberType,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "scalar"): _Scalar,
}


class _NumbersOnly(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"The pickle asks for {module}.{name}; only numbers of NumPy are admitted."
            ) from None
