"""Storage of estimators: plain state for skops, and a checksum in pickles.

skops makes objects only of types that its user trusts. So what it gets of an object here,
by ``__getstate__``, are NumPy arrays, plain values, and types of this package: ``Packed``
stands for a network, a frame or a sparse matrix. A pickle holds the objects themselves.
"""

import copyreg
import hashlib
import io
import pickle
import sys
from contextlib import suppress
from functools import cache, partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from sklearn_task2box._version import __version__

# The format of what is stored; tests/stored has files of each.
FORMAT = 1
_DAMAGED = (
    "The file does not hold what was stored: {}. It may be damaged, as by an interrupted "
    "download. Get it anew, or fit the model again."
)
# Bytes of an array from which a pickle holds it for itself.
_SMALL = 1 << 16
# What torch keeps of a module, beside hooks.
_OF_MODULES = {"training", "_parameters", "_buffers", "_modules"}
_OF_MODULES.add("_non_persistent_buffers_set")


class Stored:
    """Base class of what can be stored by skops, pickle and joblib, and copied."""

    def _attributes(self):
        return vars(self)

    def __getstate__(self):
        packed = pack(self._attributes(), {})
        return {"format": FORMAT, "version": __version__, "packed": packed}

    def __setstate__(self, state):
        check_format(state.get("format"), state.get("version"))
        vars(self).update(state["plain"] if "plain" in state else unpack(state["packed"]))

    def __reduce_ex__(self, protocol):
        if any(name.endswith("_") for name in vars(self)):  # it is fitted
            content, buffers, file = b"__main__", [], io.BytesIO()

            def apart(buffer):  # large arrays stand beside the content, for memory maps
                return buffer.raw().nbytes < _SMALL or buffers.append(buffer)

            with suppress(pickle.PicklingError, AttributeError, TypeError):
                _Pickler(file, protocol=5, buffer_callback=apart).dump(self)
                content = file.getvalue()
            if b"__main__" not in content:  # classes of scripts are left to cloudpickle
                arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
                digest = checksum(content, arrays)
                return load_checked, (FORMAT, __version__, digest, content, arrays)
        return self._reduced()

    def _reduced(self):
        state = {"format": FORMAT, "version": __version__, "plain": self._attributes()}
        return copyreg.__newobj__, (type(self),), state

    def __copy__(self):
        other = object.__new__(type(self))
        vars(other).update(self._attributes())
        return other


def check_format(found, version):
    """Raise a ValueError if this version of the package can't read a format."""
    if found != FORMAT:
        raise ValueError(
            f"The file has the format {found!r}, and sklearn-task2box {__version__} reads "
            f"{FORMAT}. It was stored by version {version}: install that or a later one, "
            f"pip install 'sklearn-task2box>={version}'."
        )


# -- pickles ---------------------------------------------------------------------------
class _Pickler(pickle.Pickler):
    def reducer_override(self, obj):  # one checksum for all
        return obj._reduced() if isinstance(obj, Stored) else NotImplemented


def checksum(content, arrays):
    """Digest of a pickle and of its arrays of bytes, against damage."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (content, *arrays):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def load_checked(number, version, digest, content, arrays):
    """The object of a pickle that has the checksum that it was written with."""
    check_format(number, version)
    if checksum(content, arrays) != digest:
        raise ValueError(_DAMAGED.format("its checksum is another"))
    return pickle.loads(content, buffers=arrays)


# -- skops -----------------------------------------------------------------------------
class Packed:
    """What is stored in place of an object: its kind, a class or a name, and its parts."""

    def __init__(self, kind, parts):
        self.kind = kind
        self.parts = parts


def pack(value, memo):
    """A value with ``Packed`` in place of what skops, or its user, would not trust."""
    if id(value) in memo:
        return memo[id(value)][1]
    kind, packed = np.dtype if isinstance(value, np.dtype) else type(value), value
    if kind in (list, tuple):
        packed = kind(pack(one, memo) for one in value)
    elif kind is dict and all(isinstance(key, str) for key in value):
        packed = {key: pack(one, memo) for key, one in value.items()}
    elif name := next((name for name, row in _kinds().items() if row[0] is kind), None):
        packed = Packed(name, pack(_kinds()[name][1](value), memo))
    elif (
        kind is np.ndarray
        and (value.dtype, value.ndim) == (object, 1)
        and {*map(type, value)} == {str}
    ):
        packed = Packed("texts", ("".join(value), np.array([*map(len, value)])))
    elif (nn := sys.modules.get("torch.nn")) and issubclass(kind, nn.Module):
        hooks = vars(nn.Module()).keys() - _OF_MODULES
        parts = {name: part for name, part in vars(value).items() if name not in hooks}
        of_torch = getattr(nn, kind.__name__, None) is kind
        packed = Packed(kind.__name__ if of_torch else kind, pack(parts, memo))
    elif _is_of("sklearn", kind) and isinstance(value, BaseEstimator):
        packed = object.__new__(kind)
        vars(packed).update(pack(vars(value), memo))
    elif _is_of("sklearn_task2box", kind) and not isinstance(value, Stored | Packed):
        packed = Packed(kind, pack(vars(value), memo))
    memo[id(value)] = value, packed  # the value is kept, so that no other has its id
    return packed


def unpack(value):
    """What was packed; a ValueError where a part does not fit the others."""
    kind = type(value)
    if kind in (list, tuple):
        return kind(map(unpack, value))
    if kind is dict:
        return {key: unpack(one) for key, one in value.items()}
    if kind is Packed:
        if not hasattr(value, "made"):  # once, wherever it occurs
            parts = unpack(value.parts)
            known = None
            if isinstance(value.kind, str):
                known = _KINDS.get(value.kind) or _kinds_of_torch().get(value.kind)
            value.made = known[2](*parts) if known else _object(value.kind, parts)
        return value.made
    if _is_of("sklearn", kind) and isinstance(value, BaseEstimator):
        vars(value).update(unpack(vars(value)))
        for nodes in (t.nodes for row in vars(value).get("_predictors", []) for t in row):
            _check_tree(nodes, value.n_features_in_)
    return value


def _is_of(package, kind):
    return kind.__module__.partition(".")[0] == package


def _object(kind, attributes):
    """A torch module, or an object of this package."""
    from torch import nn

    kind = getattr(nn, kind, None) if isinstance(kind, str) else kind
    is_module = isinstance(kind, type) and issubclass(kind, nn.Module)
    if not is_module and not (isinstance(kind, type) and _is_of("sklearn_task2box", kind)):
        raise ValueError(_DAMAGED.format(f"{kind!r} is no kind of object"))
    made = object.__new__(kind)
    if is_module:
        nn.Module.__init__(made)
    vars(made).update(attributes)
    return made


def _check_tree(nodes, n_features):
    """Raise if nodes point outside of the tree or the features, which nobody sees later."""
    at, last = np.flatnonzero(nodes["is_leaf"] == 0), len(nodes) - 1
    left, right, feature = (nodes[at][name] for name in ("left", "right", "feature_idx"))
    fits = (at < left) & (left <= last) & (at < right) & (right <= last)
    fits &= (feature >= 0) & (feature < n_features)
    if last < 0 or not fits.all() or nodes["is_categorical"].any():
        raise ValueError(_DAMAGED.format("the nodes of a tree do not fit"))


def _parts_of_frame(frame):
    columns = [pd.Index(column) for _, column in frame.items()]
    numeric = len({*frame.dtypes}) == 1 and columns[0].dtype.kind in "biuf"
    return frame.to_numpy() if numeric else columns, frame.index, frame.columns


def _frame(columns, rows, names):
    columns = dict(enumerate(columns)) if isinstance(columns, list) else columns
    return pd.DataFrame(columns, rows).set_axis(names, axis=1)


def _texts(joined, lengths):
    ends = np.cumsum(lengths)
    pieces = zip(ends - lengths, ends, strict=True)
    return np.array([joined[start:end] for start, end in pieces], dtype=object)


def _sparse(make, data, indices, indptr, shape):
    matrix = make((data, indices, indptr), shape)
    matrix.check_format(full_check=True)
    return matrix


# Name: type, its parts, and what makes it of them.
_KINDS = {
    "DataFrame": (pd.DataFrame, _parts_of_frame, _frame),
    "Index": (
        pd.Index,
        lambda index: (index.to_numpy(), str(index.dtype), index.name),
        lambda values, dtype, name: pd.Index(values, dtype, name=name, tupleize_cols=False),
    ),
    "RangeIndex": (
        pd.RangeIndex,
        attrgetter("start", "stop", "step", "name"),
        lambda *ends: pd.RangeIndex(*ends[:3], name=ends[3]),
    ),
    "Path": (type(Path()), lambda path: (str(path),), Path),
    "dict": (dict, lambda d: (list(d.items()),), dict),
    "dtype": (np.dtype, lambda dtype: (str(dtype),), np.dtype),
    "texts": (None, None, _texts),
    "tree": (
        TreePredictor,
        attrgetter("nodes", "binned_left_cat_bitsets", "raw_left_cat_bitsets"),
        TreePredictor,
    ),
}
for _one in (sparse.csr_matrix, sparse.csr_array):
    _parts = attrgetter("data", "indices", "indptr", "shape")
    _KINDS[_one.__name__] = _one, _parts, partial(_sparse, _one)


@cache
def _kinds_of_torch():
    import torch
    from torch.nn import Parameter

    def tensor(array):  # aligned as by torch, and writable
        return torch.from_numpy(array).clone()

    return {
        "Parameter": (Parameter, lambda p: (p.data, p.requires_grad), Parameter),
        "Tensor": (torch.Tensor, lambda t: (t.detach().cpu().numpy(),), tensor),
        "device": (torch.device, lambda device: (str(device),), torch.device),
    }


def _kinds():
    """Rows of what is stored as Packed, with those of PyTorch where it is in use."""
    return _KINDS | (_kinds_of_torch() if "torch.nn" in sys.modules else {})
