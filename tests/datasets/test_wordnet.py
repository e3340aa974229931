"""fetch_wordnet, mostly on a small database of the same format."""

import hashlib
import zipfile

import networkx as nx
import pandas as pd
import pytest

from sklearn_task2box.datasets import _home, _wordnet, fetch_wordnet

LICENCE = (
    "  1 This software and database is being provided to you, the LICENSEE,  \n"
    "  2 WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.  \n"
)
# Offset, lemmas, pointers to more general synsets, gloss.
SYNSETS = [
    ("00000100", ["entity"], [], "that which is"),
    (
        "00000200",
        ["mammal", "mammalian"],
        [("@", "00000100")],
        'warm-blooded; "a cat | dog"',
    ),
    (
        "00000300",
        ["dog", "Canis_familiaris"],
        [("@", "00000200"), ("@", "00000500")],
        "barks",
    ),
    ("00000400", ["Dog"], [("@", "00000100")], "a dull girl"),
    ("00000500", ["pet"], [("@", "00000100")], "kept at home"),
    ("00000600", ["Laika"], [("@i", "00000300")], "flew"),
]
# Senses of each lemma, the most frequent one first.
SENSES = {
    "canis_familiaris": ["00000300"],
    "dog": ["00000400", "00000300"],
    "entity": ["00000100"],
    "laika": ["00000600"],
    "mammal": ["00000200"],
    "mammalian": ["00000200"],
    "pet": ["00000500"],
}


def write_database(folder):
    """The files data.noun and index.noun, as wndb(5WN) describes them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for offset, lemmas, pointers, gloss in SYNSETS:
        words = " ".join(f"{lemma} 0" for lemma in lemmas)
        # Pointers of other kinds stand between, such as those to adjectives and members.
        others = [("#m", "00000100", "n"), ("+", "00000700", "a")]
        parts = [f"{symbol} {target} n 0000" for symbol, target in pointers]
        parts += [f"{symbol} {target} {pos} 0102" for symbol, target, pos in others]
        lines.append(
            f"{offset} 05 n {len(lemmas):02x} {words} {len(parts):03d} {' '.join(parts)} "
            f"| {gloss}  \n"
        )
    (folder / "data.noun").write_text(LICENCE + "".join(lines))
    lines = [
        f"{lemma} n {len(offsets)} 2 @ ~ {len(offsets)} 0 {' '.join(offsets)}  \n"
        for lemma, offsets in SENSES.items()
    ]
    (folder / "index.noun").write_text(LICENCE + "".join(lines))


@pytest.fixture
def database(tmp_path):
    write_database(tmp_path / "dict")
    return tmp_path / "dict"


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(_wordnet, "INSTALLED", ())
    monkeypatch.delenv("WNSEARCHDIR", raising=False)
    monkeypatch.delenv("WNHOME", raising=False)


def test_graph_and_synsets_of_a_small_database(database):
    found = fetch_wordnet("entity.n.01", path=database)
    assert list(found.graph) == [
        "entity.n.01",
        "mammal.n.01",
        "dog.n.01",
        "pet.n.01",
        "dog.n.02",
        "laika.n.01",
    ]
    assert set(found.graph.edges(data="relation")) == {
        ("mammal.n.01", "entity.n.01", "hypernym"),
        ("dog.n.01", "entity.n.01", "hypernym"),
        ("pet.n.01", "entity.n.01", "hypernym"),
        ("dog.n.02", "mammal.n.01", "hypernym"),
        ("dog.n.02", "pet.n.01", "hypernym"),
        ("laika.n.01", "dog.n.02", "instance"),
    }
    assert found.synsets.loc["dog.n.02", "wnid"] == "n00000300"
    assert found.synsets.loc["dog.n.02", "lemmas"] == ("dog", "Canis_familiaris")
    assert found.glosses["mammal.n.01"] == 'warm-blooded; "a cat | dog"'
    assert list(found.glosses.index) == list(found.graph)
    assert found.version == "3.0"
    assert "Direction" in found.DESCR


def test_graph_holds_the_descendants_of_the_root(database):
    found = fetch_wordnet(path=database)
    assert set(found.graph) == {"mammal.n.01", "dog.n.02", "laika.n.01"}
    assert ("dog.n.02", "mammal.n.01") in found.graph.edges  # and not the edge to pet
    without = fetch_wordnet(path=database, instances=False)
    assert set(without.graph) == {"mammal.n.01", "dog.n.02"}
    alone = fetch_wordnet("laika.n.01", path=database)
    assert list(alone.graph) == ["laika.n.01"]
    assert alone.graph.number_of_edges() == 0


def test_unknown_roots_and_bad_parameters_are_refused(database):
    with pytest.raises(ValueError, match="'dog.n.03'.*Did you mean dog.n.0"):
        fetch_wordnet("dog.n.03", path=database)
    with pytest.raises(ValueError, match="names are like 'mammal.n.01'"):
        fetch_wordnet(17, path=database)
    with pytest.raises(ValueError, match="'instances' parameter .* Got 'no'"):
        fetch_wordnet(path=database, instances="no")


def test_folder_without_a_database_is_refused(tmp_path):
    (tmp_path / "data.noun").write_text("")
    with pytest.raises(OSError, match=f"There is no index.noun in {tmp_path}"):
        fetch_wordnet(path=tmp_path)


@pytest.mark.parametrize("content", [b"junk", b"\xff\xfe", b"00000001 03 n 01 dog 0 000 |"])
def test_error_of_a_damaged_database_shows_its_path(database, content):
    (database / "data.noun").write_bytes(content)
    with pytest.raises(OSError, match=r"data\.noun of .* can't be read as WordNet's"):
        fetch_wordnet(path=database)


@pytest.mark.usefixtures("nothing_installed")
def test_installed_databases_are_found(database, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("WNSEARCHDIR", str(database))
        assert len(fetch_wordnet().graph) == 3
    with monkeypatch.context() as patch:
        patch.setenv("WNHOME", str(database.parent))
        assert len(fetch_wordnet().graph) == 3
    monkeypatch.setattr(_wordnet, "INSTALLED", ("nowhere", str(database)))
    assert len(fetch_wordnet().graph) == 3


@pytest.mark.usefixtures("nothing_installed")
def test_the_download_is_read(database, tmp_path, monkeypatch):
    archive = tmp_path / "wordnet" / "wordnet.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as opened:
        for name in _wordnet.FILES:
            opened.write(database / name, f"wordnet/{name}")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(_wordnet, "SHA256", sha256)
    monkeypatch.setenv(_home.HOME_VARIABLE, str(tmp_path))
    assert len(fetch_wordnet().graph) == 3


@pytest.mark.usefixtures("nothing_installed")
def test_without_a_database_error_shows_how_to_get_one(tmp_path):
    message = "wordnet-base.*path=.*TASK2BOX_HOME.*put it at .*wordnet.zip"
    with pytest.raises(OSError, match=message):
        fetch_wordnet(data_home=tmp_path, download_if_missing=False)


@pytest.fixture
def installed():
    folder = next((f for f in _wordnet._candidates() if not _wordnet._missing(f)), None)
    if folder is None:
        pytest.skip("no WordNet is installed; on Debian: apt-get install wordnet-base")
    return folder


def test_mammals_of_the_installed_database(installed, shared_data):
    found = fetch_wordnet()
    if found.version != "3.0":
        pytest.skip("the installed WordNet has another version")
    edges = pd.read_csv(shared_data / "mammal_edges.csv.gz")
    glosses = pd.read_csv(shared_data / "mammal_glosses.csv.gz", index_col="synset")
    assert len(found.graph) == 1182
    assert nx.is_directed_acyclic_graph(found.graph)
    assert set(found.graph.edges(data="relation")) == set(
        edges.itertuples(index=False, name=None)
    )
    ours = found.synsets.loc[glosses.index]
    assert (ours["gloss"] == glosses["gloss"]).all()
    assert (ours["wnid"] == glosses["wnid"]).all()
    assert (ours["lemmas"].map("|".join) == glosses["lemmas"]).all()


def test_all_nouns_of_the_installed_database(installed, shared_data):
    found = fetch_wordnet("entity.n.01")
    if found.version != "3.0":
        pytest.skip("the installed WordNet has another version")
    edges = pd.read_csv(shared_data / "wordnet30_noun_edges.csv.gz")
    assert len(found.graph) == 82115
    assert set(found.graph.edges(data="relation")) == set(
        edges.itertuples(index=False, name=None)
    )
