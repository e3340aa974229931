"""Taskonomy: transfers between visual tasks."""

import pickle

import numpy as np
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from sklearn_task2box.datasets._home import description, fetched
from sklearn_task2box.utils._typing import PathLike

BASE_URL = (
    "https://raw.githubusercontent.com/StanfordVL/taskonomy/"
    "9f814867b5fe4165860862211e8e99b0f200144d/results/"
)
# Expected hash of each file, by values and training images.
_SHA256 = {
    "affinity": {
        "default": "6b2d42a7281fe4eac2f5f32499f12c3da63292d4a5d8f04bf1b8b97d9687260c",
        "1k": "e797c4715f2523cedaa02a801b2e8197ab1347cb5f490d98731ba719e1b6d575",
        "16k": "33e57697e6f83c27a3a8cc4c80bdfa2f803ebd8d931710bdde52172ddf493f44",
    },
    "wins_vs_pixels": {
        "default": "2314c14af45777437412632c9c409c15131e152abd108caaec4b820b23ab9f03",
        "1k": "d791aea296f4209b6beaf96f9c73ca1797d7f69e8bb1efc60061173aa0d19034",
        "16k": "34a3c471d8547ddd509cedb8d2d60f90e9b881c70f23cc91c4fc85e4e3852d75",
    },
    "wins_vs_task": {
        "default": "74123af8a3f228d5ab1a43f7d73b05e3adbc1e393ead8f3fe550e3bcffd0d016",
        "1k": "71f1e96586da8af5a54f889b4d7296cdf1013d58deeb6cac1a83bad9fc5244cd",
        "16k": "8cacb05abbf70a365da22b9b069143d404fda19631eaab4d14ac3b0508b40ac3",
    },
}
VALUES, TRAINING_IMAGES = tuple(_SHA256), tuple(_SHA256["affinity"])


@validate_params(
    {
        "values": [StrOptions(set(VALUES))],
        "training_images": [StrOptions(set(TRAINING_IMAGES))],
    },
    prefer_skip_nested_validation=True,
)
def fetch_taskonomy(
    *,
    values: str = "affinity",
    training_images: str = "default",
    data_home: PathLike | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load how well 25 visual tasks transfer to 22 of them.

    A pickle of up to 190 kB is downloaded from Taskonomy's repository on the first call.
    Its SHA-256 is checked, and only numbers are unpickled, so no code in it is ever run. It
    has no features: see ``sklearn_task2box.representations``. A file that is not available
    is an OSError, which shows where to put it; an unexpected one is a ValueError.

    Parameters
    ----------
    values : {"affinity", "wins_vs_pixels", "wins_vs_task"}, default="affinity"
        "affinity" is Taskonomy's normalised affinity, comparable among the sources of one
        target only. The others are the share of test images on which the transfer does
        better than a network trained from pixels, or than that made for the target.
    training_images : {"default", "1k", "16k"}, default="default"
        Number of training images of the transfers. The sets of tasks differ a little.
    data_home : str or path-like, default=None
        Folder where the file is kept, see :func:`get_data_home`.
    download_if_missing : bool, default=True
        If False, a file that is not there is an error.

    Returns
    -------
    transfers : :class:`~sklearn.utils.Bunch`
        relations : DataFrame of shape (n_tasks, n_tasks)
            ``relations.loc[t, s]`` is how much of the target t the source s covers, "t
            inside s": NaN where t is no target, 1 on the diagonal. Affinities are divided
            by that of the best other source of the same target; win rates are not.
        strengths : DataFrame of shape (n_sources, n_targets)
            The transfers as published, ``strengths.loc[s, t]`` from source s to target t:
            more is better. Sources include "random", "self" and, in win rates, "pixels".
        source, target : ndarray of str of shape (n_sources,) and (n_targets,)
            The names of the rows and of the columns of ``strengths``.
        higher_order : DataFrame of shape (n_transfers, 3)
            Transfers from several "sources" (tuples) to a "target", with their "strength".
        DESCR : str
            The full description of the data set.

    References
    ----------
    A. R. Zamir, A. Sax, W. Shen, L. Guibas, J. Malik, S. Savarese, "Taskonomy:
    Disentangling Task Transfer Learning", CVPR 2018.
    """
    path, sha256 = _path(values, training_images), _SHA256[values][training_images]
    kept = f"taskonomy/{path}", sha256, data_home, download_if_missing
    file = fetched(BASE_URL + path, *kept)
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


def _path(values, training_images):
    """Path of a file below BASE_URL."""
    stem = "affinities/all_affinities" if values == "affinity" else f"winrates/{values}"
    return stem + ("" if training_images == "default" else f"_{training_images}") + ".pkl"


def _tables(transfers):
    """Transfers from one source as a table, and those from several as a list."""
    rows = [(*key.rsplit("__", 1), strength) for key, strength in transfers.items()]
    frame = pd.DataFrame(rows, columns=["sources", "target", "strength"])
    is_one = ~frame["sources"].str.contains("__")
    one = frame[is_one].rename(columns={"sources": "source"})
    strengths = one.pivot(index="source", columns="target", values="strength")
    higher_order = frame[~is_one].copy()
    higher_order["sources"] = higher_order["sources"].str.split("__").map(tuple)
    return strengths, higher_order.sort_values(["sources", "target"], ignore_index=True)


def _relations(strengths, relative):
    """Strengths of "target inside source" among tasks, without reference networks."""
    inside = strengths.drop(index=["pixels", "random", "self"], errors="ignore").T
    tasks = sorted({*inside.index, *inside.columns})
    inside = inside.reindex(index=tasks, columns=tasks)
    own = np.eye(len(tasks), dtype=bool)
    if relative:
        inside = inside.div(inside.mask(own).max(axis=1), axis=0)
    return inside.mask(own, 1.0).rename_axis(index=None, columns=None)


def read_numbers(stream):
    """Read a pickled dict of str to NumPy numbers; UnpicklingError for anything else."""
    loaded = _NumbersOnly(stream).load()
    items = loaded.items() if isinstance(loaded, dict) else [(None, loaded)]
    if not all(isinstance(k, str) and isinstance(v, (int, float)) for k, v in items):
        raise pickle.UnpicklingError("The pickle does not hold a dict of str to numbers.")
    return loaded


class _NumberType:
    """Stand-in for a dtype: none of NumPy's own constructors is called."""

    def __init__(self, code, *_):
        if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
            raise pickle.UnpicklingError(f"The pickle holds {code!r}, which is no number.")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


def _scalar(kind, content):
    """Stand-in for the function that makes a number of its bytes."""
    is_pair = isinstance(kind, _NumberType) and isinstance(content, bytes)
    if not is_pair or len(content) != kind.dtype.itemsize:
        raise pickle.UnpicklingError("A number has a wrong type or length in the pickle.")
    return np.frombuffer(content, kind.dtype)[0].item()


class _NumbersOnly(pickle.Unpickler):
    _ADMITTED = {  # noqa: RUF012 - is not changed
        "numpy.dtype": _NumberType,
        "numpy.core.multiarray.scalar": _scalar,
        "numpy._core.multiarray.scalar": _scalar,
    }

    def find_class(self, module, name):
        name = f"{module}.{name}"
        if name not in self._ADMITTED:
            raise pickle.UnpicklingError(
                f"The pickle needs {name}; only numbers of NumPy are admitted."
            )
        return self._ADMITTED[name]
