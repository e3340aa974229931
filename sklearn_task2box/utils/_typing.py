"""Types that annotations of public names share."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from typing import Self as Self

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

if TYPE_CHECKING:
    from matplotlib.axes import Axes as _Axes
else:
    _Axes = Any  # matplotlib is optional

Array: TypeAlias = NDArray[Any]
Features: TypeAlias = ArrayLike | pd.DataFrame | sparse.spmatrix | sparse.sparray
# What y may be; None takes affinities of nearest neighbours in X.
Relations: TypeAlias = Features | nx.DiGraph | Mapping[Any, Any] | Iterable[Any] | None
# Samples of each task, or samples in sequence.
TaskSamples: TypeAlias = ArrayLike | pd.DataFrame | Mapping[Any, Any] | Iterable[Any]
Names: TypeAlias = ArrayLike | pd.Index | None  # or other columns of tasks
Labels: TypeAlias = str | Sequence[Any]
Axes: TypeAlias = _Axes | ArrayLike | None
PathLike: TypeAlias = str | os.PathLike[str]
Random: TypeAlias = np.random.RandomState
RandomState: TypeAlias = int | Random | None
