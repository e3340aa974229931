"""Preparation of the features of tasks for networks."""

import warnings
from numbers import Real

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import PCA, TruncatedSVD

# Times the median standard deviation from which columns have another scale.
_OTHER_SCALE = 100
# Largest feature whose products can be kept finite, and how far above the largest known one
# a new one may be: networks read single precision.
_LARGEST, _FARTHEST = 1e250, 1e12


def preparation(X, n_components=None):
    """Offset and rotation that center the features, and scale them to unit mean square.

    With more features than tasks or components, the rotation leads to the principal
    components, at most ``n_components`` of them; else it is a factor.
    """
    import torch

    n, n_features = X.shape
    unit = float(abs(X).max()) or 1.0  # else squares of large features overflow
    most = min(n, n_features, n_components or n)
    X = X.astype(np.float64) / unit
    truncated = sparse.issparse(X) and most < min(n, n_features)
    X = X if truncated else toarray(X)
    offset = np.asarray(X.mean(axis=0)).ravel()
    if most == n_features:
        rotation = np.float64(_inverse(np.sqrt(((X - offset) ** 2).mean())))
    else:
        decomposition = TruncatedSVD if truncated else PCA
        with np.errstate(invalid="ignore"):  # where all tasks are alike
            directions = decomposition(most, random_state=0).fit(X).components_.T
        squares = ((X @ directions - offset @ directions) ** 2).sum(axis=0)
        kept = squares >= squares.max() * (n_features * np.finfo(float).eps) ** 2
        scale = _inverse(np.sqrt(squares[kept].sum() / n / kept.sum()))
        rotation = directions[:, kept] * scale
    return torch.from_numpy(offset * unit), torch.as_tensor(rotation / unit)


def _inverse(size):
    return float(1 / size) if size > 0 else 1.0


def check_numeric(X):
    """Refuse what holds no numbers, and name such columns of a DataFrame."""
    if isinstance(X, Real):
        raise ValueError(f"X must be features of tasks; got {X!r}. Name other arguments.")
    if not isinstance(X, pd.DataFrame):
        array = X if sparse.issparse(X) else as_array(X)
        if array.dtype.kind not in "biufc":
            raise ValueError(f"X must be numbers; got an array of the type {array.dtype}.")
        return
    repeated = X.columns[X.columns.duplicated()].unique()
    if len(repeated) or not X.shape[1]:
        raise ValueError(
            "X must have columns, each of another name; got "
            f"{f'several named {repeated[0]!r}' if len(repeated) else '0 feature(s)'}."
        )
    others = X.loc[:, [not pd.api.types.is_numeric_dtype(dtype) for dtype in X.dtypes]]
    wrong = {
        name: column.dtype for name, column in others.items() if not _holds_numbers(column)
    }
    if wrong:
        first = next(iter(wrong))
        hint = f" If {first!r} names the tasks: X.set_index({first!r})."
        hint = hint if len(wrong) == 1 and X[first].is_unique else ""
        shown = ", ".join(f"{name!r} ({dtype})" for name, dtype in list(wrong.items())[:5])
        raise ValueError(
            f"X must have numbers in all columns; {len(wrong)} of {X.shape[1]} have none: "
            f"{shown}. Encode them first, such as by make_column_transformer("
            f"(OneHotEncoder(), {list(wrong)[:2]}), remainder='passthrough') or a "
            f"DatasheetRepresentation, or leave them out.{hint}"
        )


def as_array(X):
    """X as an array, of float where it has numbers as objects or as text."""
    try:
        array = np.asarray(X)
        return array.astype(float) if array.dtype.kind in "OUST" else array
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"X must be numbers, as many for each task; got something else in it: {error}."
        ) from None


def check_size(X, known=None):
    """Largest feature; a ValueError where products overflow, or far above ``known``."""
    largest = float(max(X.max(), -X.min()))
    if largest and not 1 / _LARGEST <= largest <= _LARGEST:
        raise ValueError(
            f"The largest value of X is {largest:.3g}, and products of such numbers are "
            f"beyond double precision. Scale X into {1 / _LARGEST:g} to {_LARGEST:g}."
        )
    if known is not None and largest > _FARTHEST * (known or 1.0):
        raise ValueError(
            f"X has values up to {largest:.3g}, and the X of fit had none above "
            f"{known:.3g}. Give new tasks in the units of the known ones."
        )
    return largest


def warn_of_scales(X, names, stacklevel):
    """Warn if at most a tenth of the columns have most of the variance."""
    unit = np.abs(X).max() or 1.0
    variances = (X / unit).var(axis=0)
    varying = variances[variances > 0]
    if not len(varying):
        return
    large = np.flatnonzero(variances > _OTHER_SCALE**2 * np.median(varying))
    share = variances[large].sum() / variances.sum()
    if share <= 0.5 or len(large) > 0.1 * len(varying):
        return
    shown = [repr(i if names is None else names[i]) for i in large[:5].tolist()]
    warnings.warn(
        f"{len(large)} of {X.shape[1]} columns of X vary more than {_OTHER_SCALE} times as "
        f"much as the others, which are next to nothing beside them: {', '.join(shown)}"
        f"{', ...' if len(large) > 5 else ''}. Rescale them, such as by StandardScaler or "
        "QuantileTransformer, or drop them.",
        stacklevel=stacklevel,
    )


def _holds_numbers(column):
    """Whether a column of no numeric type has numbers, as objects or as text."""
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind in "mM":
        return False
    try:
        pd.to_numeric(column)
    except (ValueError, TypeError):
        return False
    return True


def means_and_variances(X):
    """Both halves of the features; a ValueError where the second can't be variances."""
    if X.shape[1] % 2:
        raise ValueError(
            "variances=True reads the second half of the features as the variances "
            f"of the first half; got an odd number, {X.shape[1]}. Set "
            "variances=False if all of them are means."
        )
    half = X.shape[1] // 2
    means, variances = X[:, :half], X[:, half:]
    if variances.min() < 0:
        raise ValueError(
            "variances=True reads the second half of the features as variances, which are "
            f"not negative; got {variances.min():.3g}. Do not center the features before, "
            "or set variances=False."
        )
    return means, variances


def has_variance_names(names):
    """Whether features are named like "mean_a", "mean_b", "variance_a", "variance_b"."""
    half = len(names) // 2
    means = [name.removeprefix("mean_") for name in names[:half]]
    expected = [f"mean_{name}" for name in means] + [f"variance_{name}" for name in means]
    return list(names) == expected


def toarray(X):
    """A sparse matrix or an array as an array."""
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


def dense(X):
    """Features as a float64 array."""
    return toarray(X).astype(np.float64)


def hot_columns(X):
    """Position of the 1 in each one-hot row."""
    rows = sparse.csr_matrix(X, copy=True)
    rows.eliminate_zeros()
    counts = np.diff(rows.indptr)
    hot = (counts == 1) & (np.asarray(rows.sum(axis=1)).ravel() == 1)
    if not hot.all():
        raise ValueError(
            "encoder='table' learns one box per task and needs one-hot rows, such as "
            f"X = scipy.sparse.identity(n_tasks); row {np.argmin(hot)} is "
            "not one. Use encoder='mlp' for features."
        )
    return rows.indices.astype(np.int64)


def writable(array):
    """An array, or a copy if torch warns of it (read-only) or refuses it (reversed)."""
    usable = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return array if usable else array.copy()
