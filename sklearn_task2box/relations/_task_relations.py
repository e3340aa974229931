"""TaskRelations: directed relations between tasks, as a sliceable container."""

from copy import copy
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_task2box.relations._affinities import neighborhood_affinities
from sklearn_task2box.relations._closure import complete, contradicted, find_cycle, last_of
from sklearn_task2box.relations._names import (
    as_names,
    as_objects,
    is_positions,
    positions_of,
    some,
)
from sklearn_task2box.relations._observed import ObservedPairs
from sklearn_task2box.relations._parsing import (
    NAME_THE_ROWS,
    as_labels,
    check_headers,
    is_labelled,
    read_entries,
)
from sklearn_task2box.relations._slicing import RowSliceable
from sklearn_task2box.utils._typing import Array, ArrayLike, Features, Names, Relations


class TaskRelations(RowSliceable):
    """Relations between tasks, as a sparse array-like of one row per task.

    A slice keeps the chosen tasks as its rows and still knows how they are related to
    all the others. So scikit-learn's splitters, searches and curves can cut it together
    with the rows of ``X``: ``fit`` then trains on the relations among the chosen tasks,
    and ``score`` grades the relations between them and the tasks known from training.

    Parameters
    ----------
    relations : DataFrame, networkx.DiGraph, mapping, array-like or sparse matrix
        One of

        * a labelled square DataFrame, index and columns being task names;
        * a ``networkx.DiGraph``, whose edge attribute ``weight`` is the strength, or 1;
        * a mapping of each task to its parent, to a list or set of its parents, or to None;
        * an edge list: array, list of tuples or DataFrame of heads, tails and, optionally,
          strengths, of shape (m, 2) or (m, 3); ends are task names or row positions;
        * an array or SciPy sparse matrix of shape (n_tasks, n_tasks). Give an edge list of
          that shape as a list of tuples.

        Strengths are in [0, 1]; NaN means unknown. A strength within 4 eps (of its data
        type) of 0 or 1 is 0 or 1. Zeros of a *dense* matrix are mentioned pairs.
    tasks : array-like of shape (n_tasks,), default=None
        Task names, in the order of the rows of the feature matrix. None takes those of a
        labelled DataFrame, the nodes of a graph, an edge list or a mapping, and the
        positions of a matrix. ``fit`` aligns nodes with the index of X; a row of X that is
        no node has no mentioned pair.
    direction : {"member_to_container", "container_to_member"}, \
            default="member_to_container"
        What an edge u -> v means: u lies inside v, or v lies inside u.
    unobserved : {"negative", "unknown"}, default="negative"
        What a pair means that is not mentioned: that it is unrelated, or nothing.
    transitive : bool or "auto", default="auto"
        Whether the transitive closure is added: an edge u -> v of strength w and a chain
        of edges of strength 1 from v to x imply u -> x with strength at least w. Only pairs
        that are unmentioned or NaN are filled. "auto" closes relations that leave pairs
        unmentioned (a graph, mapping, edge list or sparse matrix), are 0 or 1, and have no
        cycle. True refuses cycles. False suits dependencies and transfers.

    Attributes
    ----------
    tasks : ndarray of shape (n_rows,)
        Names of the tasks in this slice.
    all_tasks : ndarray of shape (n_tasks,)
        Names of all tasks.
    unobserved : str
        As given.
    named : bool
        Whether the tasks have names; otherwise they are positions.
    closure : str
        What was done about transitivity: "closed: N pairs added", "not closed: a -> b -> a"
        where a cycle was found, "not closed: graded", or "not closed".
    n_contradicted : int
        Number of pairs that a dense matrix or frame states as unrelated, although its
        other entries imply them. Counted with ``transitive="auto"`` only.
    shape : tuple
        (n_rows, n_tasks).

    Raises
    ------
    ValueError
        If the relations have a wrong shape, an unknown task, several strengths of a pair,
        strengths outside [0, 1], or a cycle where ``transitive=True``.
    TypeError
        If the relations are a TaskRelations already.

    Examples
    --------
    >>> import networkx as nx
    >>> from sklearn_task2box import TaskRelations
    >>> graph = nx.DiGraph([("cat", "mammal"), ("dog", "mammal"), ("mammal", "animal")])
    >>> relations = TaskRelations(graph, tasks=["animal", "cat", "dog", "mammal"])
    >>> relations
    <TaskRelations of 4 of 4 tasks, 5 pairs related, the others negative;
    closed: 2 pairs added>
    >>> relations[[1]].tasks
    array(['cat'], dtype=object)
    >>> relations[[1]].toarray()
    array([[1., 0., 0., 1.]])
    """

    def __init__(
        self,
        relations: Relations,
        tasks: Names = None,
        *,
        direction: str = "member_to_container",
        unobserved: str = "negative",
        transitive: bool | str = "auto",
    ) -> None:
        for name, value, options in (
            ("direction", direction, ("member_to_container", "container_to_member")),
            ("unobserved", unobserved, ("negative", "unknown")),
            ("transitive", transitive, ("auto", True, False)),
        ):
            if not (isinstance(value, str | bool | np.bool_) and value in options):
                raise ValueError(f"{name} must be one of {options}; got {value!r}.")
        if isinstance(relations, TaskRelations):
            raise TypeError(
                "These relations are a TaskRelations already: use them as is, or take some "
                "of their tasks, relations.loc[names]."
            )
        check_headers(relations, direction)
        if tasks is not None and not is_positions(tasks):
            tasks = as_names(tasks, "The argument tasks")
        entries = read_entries(relations, tasks)
        heads, tails, strengths = entries.heads, entries.tails, entries.strengths
        n = len(entries.names)
        # Whether all pairs of each task are known, as their head and as their tail.
        self._known = np.ones((2, n), dtype=bool)
        self._known[0] = np.isin(np.arange(n), entries.rows)
        if direction == "container_to_member":
            heads, tails, self._known = tails, heads, self._known[::-1]
        self.all_tasks = entries.names
        self.unobserved = unobserved
        self.named = not is_positions(entries.names)
        self.from_nodes = entries.from_nodes
        self._rows = entries.rows
        self._transitive = transitive if isinstance(transitive, str) else bool(transitive)
        self.n_contradicted = self._n_stated = 0
        if transitive == "auto" and not entries.leaves_unmentioned:
            self.n_contradicted = contradicted(heads, tails, strengths, n)
            self._n_stated = n
        self._set_entries(heads, tails, strengths)

    def _set_entries(self, heads, tails, strengths):
        """Close the entries by the rule of these relations, and store them."""
        n, n_stated = len(self.all_tasks), self._n_stated  # pairs of the first are stated
        self.closure, self._stated = "not closed", None
        if self._transitive is not False and n_stated < n:
            # Stated zeros matter where a later partial_fit closes the relations anew.
            self._stated = sparse.csr_matrix((strengths, (heads, tails)), shape=(n, n))
            cycle = find_cycle(heads[strengths > 0], tails[strengths > 0], n)
            graded = not np.isin(strengths[~np.isnan(strengths)], (0, 1)).all()
            path = " -> ".join(str(self.all_tasks[i]) for i in cycle)
            if cycle and self._transitive is True:
                raise ValueError(
                    f"transitive=True needs relations without a cycle, but found {path}. "
                    "Remove one of these edges, merge the tasks, or set transitive=False."
                )
            if cycle and not graded:
                self.closure = f"not closed: {path}"
            elif self._transitive is not True and graded:
                self.closure = "not closed: graded"
            else:
                n_before = np.count_nonzero(strengths > 0)
                heads, tails, strengths = complete(heads, tails, strengths, n, n_stated)
                n_added = np.count_nonzero(strengths > 0) - n_before
                self.closure = f"closed: {n_added} pairs added"
        if self.unobserved == "negative":  # a stated zero means the same as no mention
            kept = strengths != 0
            heads, tails, strengths = heads[kept], tails[kept], strengths[kept]
        # NaN is stored: such a pair is unknown.
        self._matrix = sparse.csr_matrix((strengths, (heads, tails)), shape=(n, n))

    # -- made of something else --------------------------------------------------------
    @classmethod
    def from_labels(cls, labels: ArrayLike) -> Self:
        """Relate, both ways, the tasks that share a label.

        Parameters
        ----------
        labels : array-like of shape (n_tasks,)
            One label per task; none may be missing.

        Returns
        -------
        relations : TaskRelations

        Raises
        ------
        ValueError
            If labels are missing, or numbers that are not whole.
        """
        labels = as_labels(labels)
        codes, _ = pd.factorize(labels, use_na_sentinel=True)
        if (codes < 0).any():
            raise ValueError(
                f"y has {np.count_nonzero(codes < 0)} missing labels (NaN or None); every "
                "task needs one. Drop these tasks, or give each a label of its own."
            )
        if labels.dtype.kind == "f" and (labels != np.round(labels)).any():
            at = labels[labels != np.round(labels)][0]
            raise ValueError(
                f"y has one number per task, such as {at:g}, which is no class. Cut "
                "continuous numbers into classes, pd.cut(y, 5).astype(str), or give "
                "strengths of pairs."
            )
        return cls(_pairs_within(codes), transitive=False)

    @classmethod
    def from_pairs(cls, pairs: ObservedPairs, tasks: Names = None) -> Self:
        """Relations that state just some ObservedPairs, of tasks with names or counted."""
        n, n_unknown = pairs.n_tasks, len(pairs.unknown_heads)
        heads = np.concatenate([pairs.heads, pairs.unknown_heads])
        tails = np.concatenate([pairs.tails, pairs.unknown_tails])
        strengths = np.concatenate([pairs.strengths, np.full(n_unknown, np.nan)])
        matrix = sparse.coo_matrix((strengths, (heads, tails)), (n, n))
        unobserved = "negative" if pairs.complete else "unknown"
        return cls(matrix, tasks, unobserved=unobserved, transitive=False)

    @classmethod
    def from_neighbors(
        cls, X: Features, n_neighbors: int = 15, tasks: Names = None
    ) -> Self:
        """Relate each task to its nearest neighbors, by the features alone.

        The strengths are the membership strengths of UMAP (McInnes, Healy & Melville,
        2018, section 3.1) before they are made symmetric. ``fit(X)`` uses these relations.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        n_neighbors : int, default=15
            Neighbors per task; all the others where there are fewer.
        tasks : array-like of shape (n_tasks,), default=None
            Task names; None counts the rows.

        Returns
        -------
        relations : TaskRelations
        """
        return cls(neighborhood_affinities(X, n_neighbors), tasks, transitive=False)

    # -- slicing -----------------------------------------------------------------------
    _by_name = "Take names by relations.loc[names]."

    def _select(self, indices):
        other = copy(self)
        other._rows = self._rows[indices]
        return other

    @property
    def loc(self) -> "NamedRows":
        """Rows by name, ``relations.loc[names]``, or by a mask."""
        return NamedRows(self)

    @property
    def tasks(self) -> Array:
        return self.all_tasks[self._rows]

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self._rows), len(self.all_tasks))

    @property
    def is_slice(self) -> bool:
        """Whether the rows are not simply all the tasks, in their order."""
        return not np.array_equal(self._rows, np.arange(len(self.all_tasks)))

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self):
        n_rows, n = self.shape
        n_related = np.count_nonzero(self._matrix.data > 0)
        return (
            f"<TaskRelations of {n_rows} of {n} tasks, {n_related} pairs related, the "
            f"others {self.unobserved}; {self.closure}>"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if len(self) < len(self.all_tasks):
            raise TypeError(
                f"Rows of relations, {self.shape}, stand for no array of predictions: a "
                "scorer by name compares unlike columns. Pass scoring="
                "make_relation_scorer('average_precision'), or none, or take toarray()."
            )
        return self.toarray().astype(dtype or np.float64, copy=False)

    # -- reading -----------------------------------------------------------------------
    def toarray(self) -> Array:
        """Strengths as a dense array.

        Returns
        -------
        strengths : ndarray of shape (n_rows, n_tasks)
            ``strengths[i, j]`` reads "row i inside task j"; NaN where unknown.
        """
        return self.block(self._rows, np.arange(len(self.all_tasks)))

    def block(self, heads: ArrayLike, tails: ArrayLike) -> Array:
        """Strengths between chosen tasks.

        Parameters
        ----------
        heads, tails : array-like of int
            Positions in ``all_tasks``; -1 stands for a task that is not among them.

        Returns
        -------
        strengths : ndarray of shape (len(heads), len(tails))
            NaN where unknown.
        """
        heads, tails = np.asarray(heads, dtype=int), np.asarray(tails, dtype=int)
        chosen = self._matrix[heads][:, tails].tocoo()
        fill = np.nan if self.unobserved == "unknown" else 0.0
        strengths = np.full((len(heads), len(tails)), fill)
        strengths[chosen.row, chosen.col] = chosen.data
        strengths[(heads < 0) | ~self._known[0, heads]] = np.nan
        strengths[:, (tails < 0) | ~self._known[1, tails]] = np.nan
        return strengths

    def positions(self, names: ArrayLike) -> Array:
        """Positions of names in ``all_tasks``; -1 for a name that is not there."""
        return positions_of(names, self.all_tasks)

    def observed(self) -> ObservedPairs:
        """ObservedPairs of the rows of this slice, in positions of the rows."""
        heads, tails, strengths = self._among_rows(self._matrix)
        known = ~np.isnan(strengths)
        listed = heads[known], tails[known], strengths[known]
        complete = self.unobserved == "negative"
        return ObservedPairs(len(self), *listed, heads[~known], tails[~known], complete)

    def _among_rows(self, matrix):
        """Heads, tails and strengths of the entries among the rows, NaN where unknown."""
        rows = self._rows
        parts = [_triples(matrix[rows][:, rows])]
        if self.unobserved == "negative":
            every, copies = np.arange(len(rows)), _pairs_within(rows).tocoo()
            from_known, to_known = self._known[:, rows]
            kept = (from_known & to_known)[copies.row]  # the others are among the first two
            for heads, tails in (
                np.meshgrid(every[~from_known], every),
                np.meshgrid(every, every[~to_known]),
                (copies.row[kept], copies.col[kept]),
            ):
                parts.append((heads.ravel(), tails.ravel(), np.full(heads.size, np.nan)))
        heads, tails, strengths = map(np.concatenate, zip(*parts, strict=True))
        off = heads != tails
        return heads[off], tails[off], strengths[off]

    # -- other rows and other tasks ----------------------------------------------------
    def renamed(self, names: Array) -> Self:
        """The same relations, the tasks having other names, in their order."""
        other = self[:]
        other.all_tasks, other.named = names, not is_positions(names)
        return other

    def with_rows(self, at: ArrayLike) -> Self:
        """The same relations, cut to the tasks at some positions of ``all_tasks``."""
        other = self[:]
        other._rows = np.asarray(at)
        other.n_contradicted = 0
        return other

    def extended_to(self, names: Array) -> Self:
        """These relations among all tasks of ``names``; further ones have no pair."""
        at, n = positions_of(self.all_tasks, names), len(names)
        other = self.renamed(names)
        other.from_nodes, other._rows = False, np.arange(n)
        other._known = np.ones((2, n), dtype=bool)
        for name in ("_matrix", "_stated"):
            if getattr(self, name) is not None:
                coo = getattr(self, name).tocoo()
                wider = sparse.csr_matrix((coo.data, (at[coo.row], at[coo.col])), (n, n))
                setattr(other, name, wider)
        return other

    def of_rows(self) -> Self:
        """The relations among the rows of this slice, without other tasks."""
        other, rows = self[:], self._rows
        other._matrix = self._matrix[rows][:, rows]
        if self._stated is not None:
            stated = self._stated[rows][:, rows]
            if len(np.unique(rows)) < len(self.all_tasks):
                # What follows through tasks that are left out follows from nothing else.
                stated = last_of(*(_triples(m) for m in (stated, other._matrix)))
                stated = sparse.csr_matrix((stated[2], stated[:2]), other._matrix.shape)
            other._stated = stated
        other._n_stated = self._n_stated_rows()
        other.all_tasks, other._rows = self.tasks, np.arange(len(self))
        other._known = self._known[:, rows]
        return other

    def merge(self, other: "TaskRelations") -> "TaskRelations":
        """Relations of two slices of one labelled DataFrame, with the rows of the first.

        Where both have a pair, the first counts; tasks of the second alone are left out.
        """
        every, at = np.arange(len(self.all_tasks)), other.positions(self.all_tasks)
        ours, theirs = self.block(every, every), other.block(at, at)
        both = np.where(np.isnan(ours), theirs, ours)
        merged = TaskRelations(
            both, self.all_tasks, unobserved=self.unobserved, transitive=False
        )
        return merged.with_rows(self._rows)

    def extended(
        self, y: Relations, n_new: int, names: Array | None = None
    ) -> tuple[Self, Array]:
        """These relations and those of further tasks, closed anew where these are.

        ``y``, in any format, relates ``n_new`` tasks with one another and with the known
        ones, of which ``names`` may repeat some. Positions count the rows of this slice
        first; a square matrix may have the new tasks only. Of a pair in both, y counts; of
        a new task with one that y lacks, nothing is known. The rows of the result are those
        of this slice, then the tasks that it did not have; which of them the new tasks are,
        an array of shape (n_new,), is returned, too.
        """
        ours = self.tasks
        if self.named and names is None:
            if is_labelled(y):
                names = np.asarray(y.index, dtype=object)
            elif isinstance(y, TaskRelations) and y.named:
                names = y.tasks
        if names is not None and len(names) != n_new:
            raise ValueError(f"The relations are of {len(names)} tasks, but X has {n_new}.")
        if self.named != (names is not None):
            have, how = "no names, and the new ones have some", "without an index of names"
            if self.named:
                have = "names, and the new ones have none"
                how = "as a DataFrame whose index holds the task names"
            raise ValueError(
                f"The known tasks have {have}. Give X as it was given first: {how}."
            )
        if names is None:
            tasks, rows = np.arange(len(ours) + n_new), len(ours) + np.arange(n_new)
        else:
            fresh = names[positions_of(names, ours) < 0]
            tasks = np.concatenate([ours, fresh])
            rows = positions_of(names, tasks)
        known = self._among_rows(self._matrix if self._stated is None else self._stated)
        other = self[:]
        other.all_tasks, other.from_nodes = tasks, False
        other._rows, other.n_contradicted = np.arange(len(tasks)), 0
        other._known = np.ones((2, len(tasks)), dtype=bool)
        other._n_stated = self._n_stated_rows()
        other._set_entries(*last_of(known, *self._read_more(y, tasks, rows)))
        return other, rows

    def _n_stated_rows(self):
        """Of how many first rows all pairs are stated."""
        return int(np.argmin(np.append(self._rows < self._n_stated, False)))

    def _read_more(self, y, tasks, rows):
        """Entries of further relations, in positions of tasks; the later ones count."""
        n_known, n = len(self), len(tasks)
        options = {"unobserved": self.unobserved, "transitive": self._transitive}
        if isinstance(y, TaskRelations):
            within = (positions_of(y.all_tasks, tasks) >= 0).all()
            more = y.extended_to(tasks) if y.from_nodes and within else y
        else:
            shape = getattr(y, "shape", (0,))
            among = shape == (len(rows),) * 2 and shape != (n, n) and not self.named
            more = TaskRelations(y, None if among or is_labelled(y) else tasks, **options)
        if self.named != more.named:
            raise ValueError(
                "The relations of the new tasks must name them as X does: the one has "
                "names and the other has not. " + NAME_THE_ROWS
            )
        only_new = not self.named and len(more.all_tasks) == len(rows) != n
        at = more.positions(tasks - n_known if only_new else tasks)
        missing = [tasks[row] for row in rows if at[row] < 0]
        if missing:
            raise ValueError(
                f"The relations do not know the task {some(missing)} of X. Give them "
                "for all rows of X."
            )
        closes = self._transitive is not False
        states_all = more._stated is None and (closes or self.unobserved == "unknown")
        unknown = self.unobserved == "negative" and (
            more.unobserved == "unknown" or (at < 0).any() or not more._known.all()
        )
        if states_all or unknown:  # such pairs of the new tasks are listed one by one
            out, into = more.block(at[rows], at), more.block(at, at[rows])
            new, every = np.repeat(rows, n), np.tile(np.arange(n), len(rows))
            heads, tails = np.append(new, every), np.append(every, new)
            strengths = np.append(out, into.T)
            kept = (heads != tails) & ((heads >= n_known) | (tails >= n_known))
            kept &= states_all | np.isnan(strengths)
            yield heads[kept], tails[kept], strengths[kept]
        inside = np.flatnonzero(at >= 0)
        more = more.with_rows(at[inside]).of_rows()
        matrix = more._stated if closes and more._stated is not None else more._matrix
        heads, tails, strengths = _triples(matrix)
        heads, tails = inside[heads], inside[tails]
        # Of known tasks not in X, only what is related changes something; of two known
        # ones, what is not known changes nothing.
        new = (heads >= n_known) | (tails >= n_known)
        given = np.isin(heads, rows) | np.isin(tails, rows)
        kept = new | (given & ~np.isnan(strengths)) | (strengths > 0)
        yield heads[kept], tails[kept], strengths[kept]


class NamedRows:
    """Rows of TaskRelations by the names of tasks, or by a mask."""

    def __init__(self, relations):
        self.relations = relations

    def __getitem__(self, key):
        listed = pd.api.types.is_list_like(key) and not isinstance(key, tuple)
        names = as_objects(key if listed else [key])
        if {*map(type, names)} in ({slice}, {bool}, {np.bool_}):
            return self.relations[key]
        at = positions_of(names, self.relations.tasks)
        if (at < 0).any():
            raise KeyError(f"The relations have no rows for {some(names[at < 0])}.")
        chosen = self.relations[at]
        chosen.from_nodes = False  # their order was given
        return chosen


def _pairs_within(groups):
    """Sparse square matrix of the pairs that are in the same group; groups are counted."""
    n = len(groups)
    shape = n, groups.max(initial=-1) + 1
    member = sparse.csr_matrix((np.ones(n), (np.arange(n), groups)), shape)
    return member @ member.T


def _triples(matrix):
    """Heads, tails and strengths of the entries of a sparse matrix."""
    coo = matrix.tocoo()
    return coo.row, coo.col, coo.data
