"""Directed relations between tasks, and ordered pairs of tasks.

Everything here is NumPy, SciPy, pandas and networkx. A strength ``w`` of the ordered
pair (i, j) always reads "the share ``w`` of task i lies inside task j".
"""

import numbers

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils._array_api import get_namespace

from sklearn_task2box import forms
from sklearn_task2box.observed import ObservedPairs

DIRECTIONS = ("member_to_container", "container_to_member")
UNOBSERVED = ("negative", "unknown")


# --------------------------------------------------------------------------------------
# The two public containers
# --------------------------------------------------------------------------------------
class _RowSliceable:
    """What scikit-learn needs to cut a container by rows, in all its versions.

    ``iloc``, ``loc`` and ``take`` lead it to the branch for pandas, which works with and
    without array API dispatch; ``__getitem__`` also accepts ``(indices, Ellipsis)``.
    Classes derived from it say in ``_select(indices)`` how rows are taken.
    """

    def __getitem__(self, key):
        if isinstance(key, tuple):
            if len(key) != 2 or not (key[1] is Ellipsis or key[1] == slice(None)):
                raise IndexError(
                    f"{type(self).__name__} is sliced by rows only; got the key {key!r}."
                )
            key = key[0]
        if isinstance(key, numbers.Integral):
            key = [key]
        return self._select(np.arange(len(self))[key])

    @property
    def iloc(self):
        return self

    loc = iloc  # masks, which scikit-learn takes to ``loc``

    # Some of scikit-learn's tools ask for these two under array API dispatch.
    device = "cpu"

    def __array_namespace__(self, api_version=None):
        # The one that they see of NumPy's arrays, so that both mix.
        return get_namespace(np.empty(0))[0]

    def take(self, indices, axis=0):
        """Return the rows at ``indices``, as a container of the same kind."""
        if axis not in (0, "index"):
            raise ValueError(
                f"{type(self).__name__} is sliced by rows only; got axis={axis!r}."
            )
        return self._select(np.arange(len(self))[np.asarray(indices)])


class TaskRelations(_RowSliceable):
    """Relations between tasks, as a sparse array-like of one row per task.

    A slice keeps the chosen tasks as its rows and still knows how they are related to
    all the others. So scikit-learn's splitters, searches and curves can cut it together
    with the rows of ``X``: ``fit`` then trains on the relations among the chosen tasks,
    and ``score`` grades the relations between them and the tasks known from training.

    Parameters
    ----------
    relations : DataFrame, networkx.DiGraph, array-like or sparse matrix
        One of

        * a labelled square DataFrame, index and columns being task names;
        * a ``networkx.DiGraph``; the edge attribute ``weight`` is the strength,
          1 where absent;
        * an edge list: array, list of tuples or DataFrame of shape (m, 2) or (m, 3), its
          columns being head, tail and, optionally, strength; heads and tails are task
          names or row positions;
        * a square array or SciPy sparse matrix of shape (n_tasks, n_tasks). An ndarray
          of shape (n_tasks, n_tasks) is always read as a matrix, so give an edge list of
          that shape as a list of tuples.

        Strengths are in [0, 1]; NaN means unknown. Every finite entry of a *dense* matrix
        counts as mentioned, zeros included.
    tasks : array-like of shape (n_tasks,), default=None
        Task names, in the order of the rows of the feature matrix. None takes those of a
        labelled DataFrame, and otherwise the positions 0..n_tasks-1, which the nodes of a
        graph must be; an edge list needs them.
    direction : {"member_to_container", "container_to_member"}, \
            default="member_to_container"
        What an edge u -> v means: u lies inside v, or v lies inside u.
    unobserved : {"negative", "unknown"}, default="negative"
        What is known of a pair that is not mentioned: that it is unrelated, or nothing.
    transitive : bool, default=False
        Add the transitive closure. An edge u -> v of strength w and a chain of edges of
        strength 1 from v to x imply u -> x with strength at least w (v lies wholly
        inside x). A pair mentioned with a positive strength keeps it.

    Attributes
    ----------
    tasks : ndarray of shape (n_rows,)
        Names of the tasks in this slice.
    all_tasks : ndarray of shape (n_tasks,)
        Names of all the tasks it knows.
    unobserved : str
        As given.
    named : bool
        Whether the names were given; otherwise they are positions.
    shape : tuple
        (n_rows, n_tasks).

    Raises
    ------
    ValueError
        If the relations have a wrong shape, name an unknown task, repeat a pair with
        different strengths, have strengths outside [0, 1], or have a cycle where
        ``transitive=True``.
    TypeError
        If the relations are a TaskRelations already.

    Examples
    --------
    >>> import networkx as nx
    >>> from sklearn_task2box import TaskRelations
    >>> graph = nx.DiGraph([("cat", "mammal"), ("mammal", "animal")])
    >>> relations = TaskRelations(
    ...     graph, tasks=["animal", "cat", "mammal"], transitive=True)
    >>> relations.toarray()
    array([[0., 0., 0.],
           [1., 0., 1.],
           [1., 0., 0.]])
    >>> relations[[1]].tasks
    array(['cat'], dtype=object)
    """

    def __init__(
        self,
        relations,
        tasks=None,
        *,
        direction="member_to_container",
        unobserved="negative",
        transitive=False,
    ):
        _check_option("direction", direction, DIRECTIONS)
        _check_option("unobserved", unobserved, UNOBSERVED)
        if isinstance(relations, TaskRelations):
            raise TypeError("These relations are a TaskRelations already: use them as is.")
        if tasks is not None and not forms.is_positions(tasks):
            tasks = forms.as_names(tasks, "The argument tasks")
        entries = forms.read_entries(relations, tasks)
        heads, tails, strengths = entries.heads, entries.tails, entries.strengths
        given, everywhere = np.zeros((2, len(entries.names)), dtype=bool)
        given[entries.rows], everywhere[:] = True, True
        self._heads_known, self._tails_known = given, everywhere
        if direction == "container_to_member":
            heads, tails = tails, heads
            self._heads_known, self._tails_known = everywhere, given
        if transitive:
            heads, tails, strengths = forms.transitive_closure(
                heads, tails, strengths, entries.names
            )
        self._dropped_zeros = False
        if unobserved == "negative":  # an explicit zero says the same as silence
            said = strengths != 0
            self._dropped_zeros = not said.all()
            heads, tails, strengths = heads[said], tails[said], strengths[said]
        n = len(entries.names)
        # NaN is stored: of such a pair nothing is known.
        self._matrix = sparse.csr_matrix((strengths, (heads, tails)), shape=(n, n))
        self._rows = entries.rows
        self.all_tasks = entries.names
        self.unobserved = unobserved
        self.named = entries.named

    @classmethod
    def from_labels(cls, labels):
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
        labels = forms.as_labels(labels)
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
        n = len(codes)
        member = sparse.csr_matrix(
            (np.ones(n), (np.arange(n), codes)), shape=(n, codes.max(initial=-1) + 1)
        )
        matrix = (member @ member.T).tocoo()
        off = matrix.row != matrix.col
        edges = sparse.coo_matrix(
            (np.ones(off.sum()), (matrix.row[off], matrix.col[off])), shape=(n, n)
        )
        return cls(edges)

    def with_options(
        self, direction="member_to_container", unobserved="negative", transitive=False
    ):
        """The same relations, read under an estimator's options; see as_relations."""
        _check_option("direction", direction, DIRECTIONS)
        _check_option("unobserved", unobserved, UNOBSERVED)
        if direction != "member_to_container":
            raise ValueError(
                f"direction={direction!r} came beside relations whose direction is settled "
                "(TaskRelations, or labels, which have none). Give it to "
                "TaskRelations(..., direction=...) or TaskPairs.from_graph(..., "
                "direction=...) instead."
            )
        other = self[:]
        if unobserved == "unknown" and self._dropped_zeros:
            raise ValueError(
                "unobserved='unknown' came beside relations whose zeros were mentioned and "
                "then dropped, as TaskRelations does by default. Give it to "
                "TaskRelations(..., unobserved='unknown') instead."
            )
        if "unknown" in (unobserved, self.unobserved):
            other.unobserved = "unknown"
        if transitive:
            # What a fit sees must not follow from relations outside of its slice.
            rows = transitive == "rows"
            at = np.unique(self._rows) if rows else np.arange(len(self.all_tasks))
            among = self._matrix[at][:, at].tocoo()
            heads, tails, strengths = forms.transitive_closure(
                among.row, among.col, among.data, self.all_tasks[at]
            )
            shape = self._matrix.shape
            other._matrix = sparse.csr_matrix((strengths, (at[heads], at[tails])), shape)
        return other

    def merge(self, other):
        """What two slices of one labelled DataFrame know, with the rows of the first.

        Where both know of a pair, the first is right; tasks only the second knows are
        left out.
        """
        at = other.positions(self.all_tasks)
        theirs = other.block(at, at)
        everything = np.arange(len(self.all_tasks))
        ours = self.block(everything, everything)
        both = np.where(np.isnan(ours), theirs, ours)
        merged = TaskRelations(both, self.all_tasks, unobserved=self.unobserved)
        merged._rows = self._rows
        return merged

    def of_rows(self):
        """The relations among the rows of this slice, and nothing of other tasks."""
        other = self[:]
        other._matrix = self._matrix[self._rows][:, self._rows]
        other.all_tasks = self.tasks
        other._rows = np.arange(len(self))
        other._heads_known = self._heads_known[self._rows]
        other._tails_known = self._tails_known[self._rows]
        return other

    def extended(self, y, n_new, names=None, **options):
        """These relations and those of further tasks.

        Parameters
        ----------
        y : anything that TaskRelations reads, or TaskRelations
            Relations of the new tasks, with one another and with the known ones. Without
            names, positions count the rows of this slice first and the new tasks after
            them; a square matrix may also be of the new tasks only.
        n_new : int
        names : ndarray of shape (n_new,), default=None
            Of the new tasks. One that is known already gets further relations.
        **options
            direction, unobserved; see :class:`TaskRelations`.

        Returns
        -------
        relations : TaskRelations
            Its rows are those of this slice, then the tasks it did not know. Where both
            know of a pair, y is right. A pair of a new task and one that y does not know
            is unknown.
        rows : ndarray of shape (n_new,)
            Which of its rows the new tasks are.
        """
        ours = self.tasks
        if self.named and names is None and forms.is_labelled(y):
            names = np.asarray(y.index, dtype=object)
        if self.named and names is None and isinstance(y, TaskRelations) and y.named:
            names = y.tasks
        if names is not None and len(names) != n_new:
            raise ValueError(f"The relations are of {len(names)} tasks, but X has {n_new}.")
        if self.named != (names is not None):
            raise ValueError(
                f"The known tasks have {'names' if self.named else 'no names'}, and the "
                f"new ones have {'none' if self.named else 'some'}. Give X as it was "
                "given first: "
                + (
                    "as a DataFrame whose index holds the task names."
                    if self.named
                    else "without an index of names."
                )
            )
        if names is None:
            tasks, rows = np.arange(len(ours) + n_new), len(ours) + np.arange(n_new)
        else:
            fresh = names[forms.positions_of(names, ours) < 0]
            tasks = np.concatenate([ours, fresh])
            rows = forms.positions_of(names, tasks)
        n = len(tasks)
        told = [self._told(), self._read_more(y, tasks, rows, options)]
        columns = ["head", "tail", "strength"]
        frame = pd.concat(pd.DataFrame(dict(zip(columns, t, strict=True))) for t in told)
        frame = frame.drop_duplicates(["head", "tail"], keep="last")
        if self.unobserved == "negative":
            frame = frame[frame["strength"] != 0]
        other = object.__new__(TaskRelations)
        ends = frame["head"].to_numpy(), frame["tail"].to_numpy()
        other._matrix = sparse.csr_matrix((frame["strength"].to_numpy(), ends), (n, n))
        other._rows = np.arange(n)
        other._heads_known = other._tails_known = np.ones(n, dtype=bool)
        other._dropped_zeros = self._dropped_zeros
        other.all_tasks, other.named = tasks, self.named
        other.unobserved = self.unobserved
        return other, rows

    def _read_more(self, y, tasks, rows, options):
        """Entries, in positions of tasks, of the pairs of which y tells something."""
        n_known, n = len(self), len(tasks)
        if isinstance(y, TaskRelations):
            more = y.with_options(**options)
        elif forms.is_labelled(y):
            more = TaskRelations(y, **options)
        else:
            shape = getattr(y, "shape", (0,))
            among = shape == (len(rows),) * 2 and shape != (n, n) and not self.named
            more = TaskRelations(y, None if among else tasks, **options)
        if self.named != more.named:
            raise ValueError(
                "The relations of the new tasks must name them as X does: the one has "
                "names and the other has not. " + forms.NAME_THE_ROWS
            )
        if not self.named and len(more.all_tasks) == len(rows) != n:
            at = np.full(n, -1)
            at[rows] = np.arange(len(rows))
        else:
            at = more.positions(tasks)
        missing = [tasks[row] for row in rows if at[row] < 0]
        if missing:
            raise ValueError(
                f"The relations do not know the task {forms.some(missing)} of X. Give them "
                "for all rows of X."
            )
        silent = more.unobserved == "unknown" and self.unobserved == "negative"
        partly = (at < 0).any() or not (more._heads_known.all() and more._tails_known.all())
        if (partly or silent) and self.unobserved == "negative":
            # Unknown pairs have to be told one by one.
            out, into = more.block(at[rows], at), more.block(at, at[rows])
            heads = np.concatenate([np.repeat(rows, n), np.tile(np.arange(n), len(rows))])
            tails = np.concatenate([np.tile(np.arange(n), len(rows)), np.repeat(rows, n)])
            strengths = np.concatenate([out.ravel(), into.T.ravel()])
            new = (heads >= n_known) | (tails >= n_known)
            said = (heads != tails) & (new & (strengths != 0) | (strengths > 0))
            return heads[said], tails[said], strengths[said]
        back = np.full(len(more.all_tasks), -1)
        back[at[at >= 0]] = np.flatnonzero(at >= 0)
        entries = more._matrix.tocoo()
        heads, tails = back[entries.row], back[entries.col]
        # Of known tasks not in X, only what is said to be related changes something; of two
        # known ones, what is not known changes nothing.
        new = (heads >= n_known) | (tails >= n_known)
        given = np.isin(heads, rows) | np.isin(tails, rows)
        fresh = new | (given & ~np.isnan(entries.data)) | (entries.data > 0)
        kept = (heads >= 0) & (tails >= 0) & (heads != tails) & fresh
        return heads[kept], tails[kept], entries.data[kept]

    # -- slicing -----------------------------------------------------------------------
    def _select(self, indices):
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._rows = self._rows[indices]
        return other

    @property
    def tasks(self):
        return self.all_tasks[self._rows]

    @property
    def shape(self):
        return (len(self._rows), len(self.all_tasks))

    @property
    def is_slice(self):
        """Whether the rows are not simply all the tasks, in their order."""
        return not np.array_equal(self._rows, np.arange(len(self.all_tasks)))

    def __len__(self):
        return len(self._rows)

    def __repr__(self):
        n_rows, n = self.shape
        return (
            f"<TaskRelations of {n_rows} of {n} tasks, {self._matrix.nnz} pairs "
            f"mentioned, the others {self.unobserved}>"
        )

    def __array__(self, dtype=None, copy=None):
        return self.toarray().astype(dtype or np.float64, copy=False)

    # -- reading -----------------------------------------------------------------------
    def toarray(self):
        """Strengths as a dense array.

        Returns
        -------
        strengths : ndarray of shape (n_rows, n_tasks)
            ``strengths[i, j]`` reads "row i inside task j"; NaN where unknown.
        """
        return self.block(self._rows, np.arange(len(self.all_tasks)))

    def block(self, heads, tails):
        """Strengths between chosen tasks.

        Parameters
        ----------
        heads, tails : array-like of int
            Positions in ``all_tasks``; -1 stands for a task these relations don't know.

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
        strengths[(heads < 0) | ~self._heads_known[heads]] = np.nan
        strengths[:, (tails < 0) | ~self._tails_known[tails]] = np.nan
        return strengths

    def positions(self, names):
        """Positions of names in ``all_tasks``; -1 for a name that is not there."""
        return forms.positions_of(names, self.all_tasks)

    def observed(self):
        """Pairs observed among the rows of this slice.

        Returns
        -------
        pairs : ObservedPairs
            In positions of the rows.
        """
        heads, tails, strengths = self._told()
        known = ~np.isnan(strengths)
        return ObservedPairs(
            n_tasks=len(self._rows),
            heads=heads[known],
            tails=tails[known],
            strengths=strengths[known],
            unknown_heads=heads[~known],
            unknown_tails=tails[~known],
            complete=self.unobserved == "negative",
        )

    def _told(self):
        """Heads, tails and strengths of what is said of the rows, NaN where unknown."""
        among = self._matrix[self._rows][:, self._rows].tocoo()
        heads, tails, strengths = among.row, among.col, among.data
        silent = np.flatnonzero(~self._heads_known[self._rows])
        deaf = np.flatnonzero(~self._tails_known[self._rows])
        if self.unobserved == "negative" and len(silent) + len(deaf):
            n, every = len(self), np.arange(len(self))
            unknown = len(silent) + len(deaf)
            heads = np.concatenate([heads, np.repeat(silent, n), np.tile(every, len(deaf))])
            tails = np.concatenate([tails, np.tile(every, len(silent)), np.repeat(deaf, n)])
            strengths = np.concatenate([strengths, np.full(unknown * n, np.nan)])
        off = heads != tails
        heads, tails, strengths = heads[off], tails[off], strengths[off]
        if self.unobserved == "negative":  # of a task drawn twice, nothing is said
            copies, others = self._copies()
            heads, tails = np.append(heads, copies), np.append(tails, others)
            strengths = np.append(strengths, np.full(len(copies), np.nan))
        return heads, tails, strengths

    def _copies(self):
        """Pairs of different rows of one task, of which something is known otherwise."""
        rows, n = self._rows, len(self)
        of_task = sparse.csr_matrix(
            (np.ones(n), (np.arange(n), rows)), shape=(n, len(self.all_tasks))
        )
        same = (of_task @ of_task.T).tocoo()
        known = self._heads_known[rows] & self._tails_known[rows]
        kept = (same.row != same.col) & known[same.row]
        return same.row[kept], same.col[kept]


class TaskPairs(_RowSliceable):
    """Ordered pairs of tasks over one feature matrix, as an array-like of pairs.

    A slice picks pairs and shares the features, so scikit-learn's splitters cut it as
    they cut a feature matrix whose rows are pairs.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        Features of the tasks. The index of a DataFrame holds their names.
    pairs : array-like of shape (n_pairs, 2)
        Task names where ``X`` has any that these are, and row positions otherwise. The pair
        (i, j) asks how much of task i lies inside task j.

    Attributes
    ----------
    X : as given
    pairs : ndarray of shape (n_pairs, 2)
        Row positions.
    shape : tuple
        (n_pairs, 2).

    Raises
    ------
    ValueError
        If ``pairs`` has a wrong shape or a position or name that ``X`` does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box import TaskPairs
    >>> pairs = TaskPairs(np.eye(3), [(0, 1), (2, 0)])
    >>> len(pairs), pairs[1:].pairs
    (2, array([[2, 0]]))
    """

    def __init__(self, X, pairs):
        X = _with_rows(X)
        heads, tails, _ = forms.edge_columns(
            pairs, "The list of pairs", allow_strengths=False
        )
        heads, tails = forms.endpoints(
            heads, tails, _names_or_positions(X), "The list of pairs"
        )
        self._hold(X, heads, tails)

    def _hold(self, X, heads, tails):
        self.X = X
        self.pairs = np.column_stack([heads, tails])

    @classmethod
    def from_graph(
        cls,
        graph,
        X,
        *,
        negatives="all",
        direction="member_to_container",
        transitive=False,
        random_state=None,
    ):
        """Turn known relations into labelled pairs, in random order.

        Parameters
        ----------
        graph : networkx.DiGraph, or any other form of relations
            See :class:`TaskRelations`, which may be given too.
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features of the tasks, the index of a DataFrame being their names. Where X has
            none, give the graph as ``TaskRelations(graph, tasks=names)``.
        negatives : "all" or float, default="all"
            Pairs with strength 0: all of them, or that many for each related pair,
            drawn without replacement.
        direction : {"member_to_container", "container_to_member"}, \
                default="member_to_container"
            What an edge u -> v means, see :class:`TaskRelations`.
        transitive : bool, default=False
            Add the transitive closure, see :class:`TaskRelations`.
        random_state : int, RandomState instance or None, default=None
            Draws the negatives and the order.

        Returns
        -------
        pairs : TaskPairs of length n_pairs
        y : ndarray of shape (n_pairs,)
            Integer labels, 1 for related and 0 for unrelated, or float strengths where
            the relations are graded.

        Raises
        ------
        ValueError
            If the graph is not usable, or negatives is neither "all" nor a number.
        """
        rng = check_random_state(random_state)
        if not hasattr(X, "shape"):
            X = np.asarray(X)
        relations = as_relations(
            graph, X.shape[0], task_names(X), direction=direction, transitive=transitive
        )
        observed = relations.observed()
        if isinstance(negatives, str) and negatives == "all":
            heads, tails, strengths = observed.expand()
            related = strengths > 0
            chosen = np.concatenate([np.flatnonzero(related), np.flatnonzero(~related)])
            heads, tails, strengths = heads[chosen], tails[chosen], strengths[chosen]
        elif (
            isinstance(negatives, numbers.Real)
            and not isinstance(negatives, bool)
            and 0 <= negatives < np.inf
        ):
            n_drawn = round(negatives * observed.n_related)
            heads, tails, strengths = observed.with_zeros(n_drawn, rng)
        else:
            raise ValueError(
                f"negatives must be 'all' or a number >= 0; got {negatives!r}."
            )
        order = rng.permutation(len(strengths))
        y = strengths[order]
        if np.isin(y, (0, 1)).all():
            y = y.astype(int)
        pairs = object.__new__(cls)  # of positions, whatever the names are
        pairs._hold(_with_rows(X), heads[order], tails[order])
        return pairs, y

    def with_features(self, X):
        """The same pairs, in the same rows of other features.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features of the same tasks, in the same order.

        Returns
        -------
        pairs : TaskPairs of length n_pairs

        Raises
        ------
        ValueError
            If X has another number of rows.
        """
        other = self[:]
        other.X = _with_rows(X)
        if other.X.shape[0] != self.X.shape[0]:
            raise ValueError(
                f"X has {other.X.shape[0]} rows, but the pairs are of {self.X.shape[0]} "
                "tasks."
            )
        return other

    def _select(self, indices):
        other = object.__new__(type(self))
        other.X = self.X
        other.pairs = self.pairs[indices]
        return other

    @property
    def shape(self):
        return self.pairs.shape

    @property
    def tasks(self):
        """Names of the rows of ``X``: its index, or their positions."""
        return _names_or_positions(self.X)

    def __len__(self):
        return len(self.pairs)

    def __repr__(self):
        return f"<TaskPairs: {len(self)} ordered pairs of {self.X.shape[0]} tasks>"

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "TaskPairs is no feature matrix: its rows are pairs of tasks. Only "
            "TaskLinkClassifier, BoxRelationEmbedder.predict_proba and estimators with "
            "the same interface read it; put a Pipeline inside, as in "
            "TaskLinkClassifier(make_pipeline(StandardScaler(), BoxRelationEmbedder()))."
        )


# --------------------------------------------------------------------------------------
# Relations between the rows of a feature matrix
# --------------------------------------------------------------------------------------
def task_names(X):
    """Names of the rows of a feature matrix, or None where it has none.

    A DataFrame names its rows, unless its index is the default one.
    """
    index = getattr(X, "index", None)
    if not isinstance(index, pd.Index) or (
        isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))
    ):
        return None
    return forms.as_names(index, "the index of X")


def _with_rows(X):
    """Features as something that has rows to take."""
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if len(X.shape) != 2:
        raise ValueError(
            "X must be the features of the tasks, of shape (n_tasks, n_features); "
            f"got the shape {tuple(X.shape)}."
        )
    return X.tocsr() if sparse.issparse(X) else X


def _names_or_positions(X):
    names = task_names(X)
    return np.arange(X.shape[0]) if names is None else names


def as_relations(
    y,
    n_tasks,
    names=None,
    *,
    direction="member_to_container",
    unobserved="negative",
    transitive=False,
):
    """Read any form of relations between the rows of a feature matrix.

    Parameters
    ----------
    y : TaskRelations, anything that it reads, or 1-D array of labels
    n_tasks : int
        Rows of the feature matrix.
    names : ndarray of shape (n_tasks,), default=None
        Their names, see :func:`task_names`.
    direction, unobserved, transitive
        See :class:`TaskRelations`. Where y is one, it has its direction already, and a
        pair is unknown if either says so. ``transitive`` may also be "rows" or
        "everywhere": the closure of the relations among its rows (True), or of all that
        it knows.

    Returns
    -------
    relations : TaskRelations
        Its rows are the rows of the feature matrix, in their order.
    """
    if isinstance(y, TaskPairs):
        raise TypeError(
            "y is a TaskPairs. Pairs are the X of a TaskLinkClassifier, with 0/1 labels as "
            "its y."
        )
    transitive = "rows" if transitive is True else transitive
    options = {"direction": direction, "unobserved": unobserved, "transitive": transitive}
    if isinstance(y, TaskRelations):
        relations = y.with_options(**options)
    elif forms.is_labels(y):
        labels = labels_in_order(y, names)
        relations = TaskRelations.from_labels(labels).with_options(**options)
    elif forms.is_labelled(y):
        relations = TaskRelations(y, **options)
    else:
        relations = TaskRelations(
            y, np.arange(n_tasks) if names is None else names, **options
        )
    return _align(relations, n_tasks, names)


def labels_in_order(labels, names):
    """Class labels in the order of X, where a Series names its rows as X does."""
    if names is None:
        return labels
    if isinstance(labels, pd.Series) and len(labels) == len(names):
        labels = forms.in_order(labels, names, "y")
    given = [label for label in labels if isinstance(label, str)]
    if given and (forms.positions_of(given, names) >= 0).all():
        raise ValueError(
            "y names a task of X for each row, and would be read as class labels. Give "
            "parents as edges: [(task, parent) for task, parent in zip(X.index, y) if "
            "parent is not None]."
        )
    return labels


def _align(relations, n_tasks, names):
    """Put the rows of the relations into the order of the rows of X."""
    if names is None and relations.named:
        forms.check_no_other_order(relations.all_tasks)
    if names is None or not relations.named:
        if len(relations) != n_tasks:
            raise ValueError(
                f"y has {len(relations)} tasks, but X has {n_tasks} rows (tasks)."
            )
        if names is not None and not relations.is_slice:
            relations = relations[:]
            relations.all_tasks, relations.named = names, True
        return relations
    at = relations.positions(names)
    if (at < 0).any():
        raise ValueError(
            f"X has rows that the relations do not know: {forms.some(names[at < 0])}. They "
            f"know {len(relations.all_tasks)} tasks, such as "
            f"{forms.some(relations.all_tasks)}."
        )
    extra = np.setdiff1d(relations._rows, at)
    if len(extra):
        raise ValueError(
            "The relations have rows for tasks that X does not have: "
            f"{forms.some(relations.all_tasks[extra])}. Add their rows to X, or drop them "
            "from the relations; for cross-validation, bring them into the order of X: "
            "relations.loc[X.index, X.index]."
        )
    aligned = relations[:]
    aligned._rows = at
    return aligned


def _check_option(name, value, options):
    if not (isinstance(value, str) and value in options):
        raise ValueError(f"{name} must be one of {options}; got {value!r}.")
