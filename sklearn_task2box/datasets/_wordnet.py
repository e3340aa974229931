"""WordNet: nouns, and the nouns that they are a kind of."""

import difflib
import os
import re
import zipfile
from pathlib import Path

import networkx as nx
import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from sklearn_task2box.datasets._home import HOME_VARIABLE, description, fetched
from sklearn_task2box.utils._typing import PathLike

# WordNet 3.0 as the NLTK project keeps it, at a commit.
URL = (
    "https://raw.githubusercontent.com/nltk/nltk_data/"
    "5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora/wordnet.zip"
)
SHA256 = "cbda5ea6eef7f36a97a43d4a75f85e07fccbb4f23657d27b4ccbc93e2646ab59"
FILES = ("index.noun", "data.noun")
# Where Debian's wordnet-base and Princeton's own installer put the database.
INSTALLED = ("/usr/share/wordnet", "/usr/local/WordNet-3.0/dict")
_POINTERS = {"@": "hypernym", "@i": "instance"}


@validate_params({"instances": ["boolean"]}, prefer_skip_nested_validation=True)
def fetch_wordnet(
    root: str = "mammal.n.01",
    *,
    instances: bool = True,
    path: PathLike | None = None,
    data_home: PathLike | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load a noun of WordNet and all nouns that are a kind of it.

    An installed database is read or, where there is none, WordNet 3.0 is downloaded (11
    MB). It has no features: see ``sklearn_task2box.representations``. A missing or damaged
    database is an OSError, which shows where to put one; an unknown root is a ValueError.

    Parameters
    ----------
    root : str, default="mammal.n.01"
        Name of the most general synset: its first lemma in lower case, "n", and the number
        of its sense among those of this lemma. "entity.n.01" is above all nouns.
    instances : bool, default=True
        Follow also the edges from instances to classes, such as from a city to "city".
    path : str or path-like, default=None
        Folder with ``data.noun`` and ``index.noun``. None tries the environment's
        ``WNSEARCHDIR`` and ``WNHOME``, then known packages, and then downloads.
    data_home : str or path-like, default=None
        Folder where a download is kept, see :func:`get_data_home`.
    download_if_missing : bool, default=True
        If False, a database that is not there is an error.

    Returns
    -------
    wordnet : :class:`~sklearn.utils.Bunch`
        graph : networkx.DiGraph
            Names of synsets, breadth first from the root, and edges from hyponym to
            hypernym, member to container, with ``relation``: "hypernym" or "instance".
        synsets : DataFrame of shape (n_synsets, 3)
            "wnid" ("n" and the offset in the database, as in ImageNet), "lemmas" (a tuple)
            and "gloss" (definition and examples) of each node. The index holds the names.
        glosses : Series of shape (n_synsets,)
            The last column of ``synsets``.
        version : str
            The version of the database, such as "3.0".
        DESCR : str
            The full description of the data set.

    References
    ----------
    C. Fellbaum (ed.), "WordNet: An Electronic Lexical Database", MIT Press, 1998. The
    format of the files is that of WordNet's manual page wndb(5WN).
    """
    files, found_at = _read_database(path, data_home, download_if_missing)
    try:
        synsets, edges, version = _parse(*(file.decode("utf-8") for file in files))
    except (ValueError, LookupError) as error:
        raise OSError(
            f"{' or '.join(FILES)} of {found_at} can't be read as WordNet's: damaged, or "
            f"another file? ({error!r}) Give path=, the folder of others."
        ) from error
    if root not in synsets.index:
        close = difflib.get_close_matches(str(root), synsets.index, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(
            f"WordNet has no noun synset {root!r}; names are like 'mammal.n.01'.{hint}"
        )
    edges = edges if instances else edges[edges["relation"] == "hypernym"]
    whole = nx.from_pandas_edgelist(edges, *edges.columns, create_using=nx.DiGraph)
    whole.add_node(root)
    graph = nx.DiGraph()
    graph.add_nodes_from([root, *(v for _, v in nx.bfs_edges(whole, root, reverse=True))])
    graph.add_edges_from(whole.subgraph(graph).edges(data=True))
    synsets = synsets.loc[list(graph)]
    return Bunch(
        graph=graph,
        synsets=synsets,
        glosses=synsets["gloss"],
        version=version,
        DESCR=description("wordnet"),
    )


def _read_database(path, data_home, download_if_missing):
    """Contents of index.noun and data.noun, and the path that they were found at."""
    for folder in _candidates() if path is None else [Path(path)]:
        if not _missing(folder):
            return [(folder / name).read_bytes() for name in FILES], folder
    if path is not None:
        raise OSError(f"There is no {' and no '.join(_missing(path))} in {path}.")
    kept = "wordnet/wordnet.zip"
    try:
        archive = fetched(URL, kept, SHA256, data_home, download_if_missing)
    except OSError as error:
        raise OSError(
            "No WordNet is installed. Install one (on Debian: apt-get install "
            "wordnet-base), or give path=, the folder with data.noun and index.noun, or "
            f"set {HOME_VARIABLE} to a folder that has the download. {error}"
        ) from error
    with zipfile.ZipFile(archive) as opened:
        return [opened.read(f"wordnet/{name}") for name in FILES], archive


def _candidates():
    search, home = (os.environ.get(name) for name in ("WNSEARCHDIR", "WNHOME"))
    return [Path(f) for f in (search, home and Path(home, "dict"), *INSTALLED) if f]


def _missing(folder):
    return [name for name in FILES if not Path(folder, name).is_file()]


def _parse(index, data):
    """Synsets and edges as DataFrames, and the version in the licence at the top."""
    senses = {}
    for line in _entries(index):
        fields = line.split()
        lemma, n_senses = fields[0], int(fields[2])
        for sense, offset in enumerate(fields[-n_senses:], start=1):
            senses[lemma, offset] = sense
    names, rows, edges = {}, [], []
    for line in _entries(data):
        entry, _, gloss = line.partition("|")
        fields = entry.split()
        offset, at = fields[0], 4 + 2 * int(fields[3], 16)
        lemmas = tuple(fields[4:at:2])
        pointers = fields[at + 1 : at + 1 + 4 * int(fields[at])]
        first = lemmas[0].lower()
        names[offset] = f"{first}.n.{senses[first, offset]:02d}"
        rows.append(("n" + offset, lemmas, gloss.strip()))
        for symbol, target in zip(pointers[::4], pointers[1::4], strict=True):
            if symbol in _POINTERS:
                edges.append((offset, target, _POINTERS[symbol]))
    edges = [(names[member], names[container], kind) for member, container, kind in edges]
    version = re.search(r"WordNet (\d[\d.]*) Copyright", data)
    return (
        pd.DataFrame(rows, index=list(names.values()), columns=["wnid", "lemmas", "gloss"]),
        pd.DataFrame(edges, columns=["member", "container", "relation"]),
        version[1] if version else "unknown",
    )


def _entries(text):
    """Lines of a database file without its licence, whose lines begin with blanks."""
    return (line for line in text.split("\n") if line and not line.startswith(" "))
