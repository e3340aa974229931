"""Concepts and the concepts they are a kind of: the nouns of WordNet."""

import difflib
import os
import re
import zipfile
from collections import deque
from pathlib import Path

import networkx as nx
import pandas as pd
from sklearn.utils import Bunch

from sklearn_task2box.datasets.home import HOME_VARIABLE, description, fetched

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


def fetch_wordnet(
    root="mammal.n.01",
    *,
    instances=True,
    path=None,
    data_home=None,
    download_if_missing=True,
):
    """Load a noun of WordNet with all that is a kind of it.

    An installed database is read, such as that of Debian's package ``wordnet-base``;
    where there is none, WordNet 3.0 is downloaded (11 MB).

    ====================   ======================
    Synsets                1,182 (default)
    Relations              1,182 edges (default), 82,115 synsets and 84,427 edges of all
                           nouns, in WordNet 3.0
    Features               none: see :mod:`sklearn_task2box.representations`
    ====================   ======================

    Parameters
    ----------
    root : str, default="mammal.n.01"
        Name of the most general synset: its first lemma in lower case, "n", and the number
        of its sense among those of this lemma. "entity.n.01" is above all nouns.
    instances : bool, default=True
        Follow also the edges from instances to classes, such as from a city to "city".
    path : str or path-like, default=None
        Folder with the files ``data.noun`` and ``index.noun``. None looks into the folders
        named by WordNet's own environment variables ``WNSEARCHDIR`` and ``WNHOME``, and
        into those where packages put it, and then downloads.
    data_home : str or path-like, default=None
        Where a download is kept, see :func:`get_data_home`.
    download_if_missing : bool, default=True
        If False, a database that is not there is an error.

    Returns
    -------
    wordnet : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        graph : networkx.DiGraph
            Edges from hyponym to hypernym, member to container, each with the attribute
            ``relation``: "hypernym" or "instance". Its nodes are the names of the synsets,
            breadth first from the root.
        synsets : DataFrame of shape (n_synsets, 3)
            Of each node: "wnid" ("n" and its offset in the database, as in ImageNet),
            "lemmas" (a tuple) and "gloss". The index holds the names.
        glosses : Series of shape (n_synsets,)
            The definitions with their examples: a column of ``synsets``.
        version : str
            Of the database, such as "3.0".
        DESCR : str
            The full description of the data set.

    Raises
    ------
    OSError
        If there is no database; the message says where to put it. Also if it is damaged.
    ValueError
        If no synset has the name of the root.

    References
    ----------
    C. Fellbaum (ed.), "WordNet: An Electronic Lexical Database", MIT Press, 1998. The
    format of the files is that of WordNet's manual page wndb(5WN).

    Examples
    --------
    >>> from sklearn_task2box.datasets import fetch_wordnet
    >>> wordnet = fetch_wordnet("carnivore.n.01")  # doctest: +SKIP
    >>> wordnet.graph.has_edge("dog.n.01", "canine.n.02")  # doctest: +SKIP
    True
    """
    if not isinstance(instances, bool):
        raise ValueError(f"instances must be True or False; got {instances!r}.")
    files, found_at = _read_database(path, data_home, download_if_missing)
    try:
        synsets, version = _parse(*(file.decode("utf-8") for file in files))
    except (ValueError, LookupError) as error:
        raise OSError(
            f"{' or '.join(FILES)} of {found_at} can't be read as WordNet's: damaged, or "
            f"another file? ({error!r}) Give path=, the folder of others."
        ) from error
    offsets = {synset["name"]: offset for offset, synset in synsets.items()}
    if root not in offsets:
        close = difflib.get_close_matches(str(root), offsets, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(
            f"WordNet has no noun synset {root!r}; names are like 'mammal.n.01'.{hint}"
        )

    followed = set(_POINTERS.values()) if instances else {"hypernym"}
    members = {}
    for offset, synset in synsets.items():
        for container, relation in synset["containers"]:
            if relation in followed:
                members.setdefault(container, []).append((offset, relation))
    graph = nx.DiGraph()
    graph.add_node(root)
    queue, seen = deque([offsets[root]]), {offsets[root]}
    while queue:
        container = queue.popleft()
        for member, relation in members.get(container, ()):
            graph.add_edge(
                synsets[member]["name"], synsets[container]["name"], relation=relation
            )
            if member not in seen:
                seen.add(member)
                queue.append(member)
    rows = [
        (
            "n" + offsets[name],
            synsets[offsets[name]]["lemmas"],
            synsets[offsets[name]]["gloss"],
        )
        for name in graph
    ]
    frame = pd.DataFrame(rows, index=list(graph), columns=["wnid", "lemmas", "gloss"])
    return Bunch(
        graph=graph,
        synsets=frame,
        glosses=frame["gloss"],
        version=version,
        DESCR=description("wordnet"),
    )


def _read_database(path, data_home, download_if_missing):
    """Content of index.noun and data.noun, and where they are."""
    if path is not None:
        missing = [name for name in FILES if not (Path(path) / name).is_file()]
        if missing:
            raise OSError(f"There is no {' and no '.join(missing)} in {path}.")
        folder = Path(path)
    else:
        folder = next(filter(_is_database, _candidates()), None)
    if folder is not None:
        return [(folder / name).read_bytes() for name in FILES], folder
    try:
        archive = fetched(
            URL, "wordnet/wordnet.zip", SHA256, data_home, download_if_missing
        )
    except OSError as error:
        raise OSError(
            "No WordNet is installed. Install one (on Debian: apt-get install "
            "wordnet-base), or give path=, the folder with data.noun and index.noun, or "
            f"set {HOME_VARIABLE} to a folder that has the download. {error}"
        ) from error
    with zipfile.ZipFile(archive) as opened:
        return [opened.read(f"wordnet/{name}") for name in FILES], archive


def _candidates():
    if os.environ.get("WNSEARCHDIR"):
        yield Path(os.environ["WNSEARCHDIR"])
    if os.environ.get("WNHOME"):
        yield Path(os.environ["WNHOME"], "dict")
    yield from map(Path, INSTALLED)


def _is_database(folder):
    return all((folder / name).is_file() for name in FILES)


def _parse(index, data):
    """Synsets by their offset, and the version that the licence at the top names."""
    senses = {}
    for line in _entries(index):
        fields = line.split()
        lemma, n_senses = fields[0], int(fields[2])
        for sense, offset in enumerate(fields[-n_senses:], start=1):
            senses[lemma, offset] = sense
    synsets = {}
    for line in _entries(data):
        entry, _, gloss = line.partition("|")
        fields = entry.split()
        offset, n_words = fields[0], int(fields[3], 16)
        lemmas = tuple(fields[4 : 4 + 2 * n_words : 2])
        at = 4 + 2 * n_words
        pointers = fields[at + 1 : at + 1 + 4 * int(fields[at])]
        first = lemmas[0].lower()
        synsets[offset] = {
            "name": f"{first}.n.{senses[first, offset]:02d}",
            "lemmas": lemmas,
            "gloss": gloss.strip(),
            "containers": [
                (target, _POINTERS[symbol])
                for symbol, target in zip(pointers[::4], pointers[1::4], strict=True)
                if symbol in _POINTERS
            ],
        }
    version = re.search(r"WordNet (\d[\d.]*) Copyright", data)
    return synsets, version[1] if version else "unknown"


def _entries(text):
    """Lines of a database file without its licence, whose lines begin with blanks."""
    return (line for line in text.split("\n") if line and not line.startswith(" "))
