"""The data home, and downloads into it from a server on this machine."""

import errno
import hashlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sklearn_task2box.datasets import get_data_home
from sklearn_task2box.datasets._home import HOME_VARIABLE, description, fetched, write_whole

CONTENT = b"some content"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder, and the address where its files can be downloaded."""
    pytest.importorskip("pooch")
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def no_network(monkeypatch):
    requests = pytest.importorskip("requests")
    pytest.importorskip("pooch")

    def refuse(*_, **__):
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(requests, "get", refuse)


def test_data_home_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "a"))
    assert get_data_home() == str(tmp_path / "a")
    assert (tmp_path / "a").is_dir()
    assert get_data_home(tmp_path / "b" / "c") == str(tmp_path / "b" / "c")
    assert (tmp_path / "b" / "c").is_dir()
    monkeypatch.delenv(HOME_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Path(get_data_home()) == tmp_path / "task2box_data"
    assert Path(get_data_home("~/d")) == tmp_path / "d"


def test_a_file_is_downloaded_once(served, tmp_path):
    folder, url = served
    (folder / "file").write_bytes(CONTENT)
    path = fetched(f"{url}/file", "sub/name", SHA256, tmp_path)
    assert path == tmp_path / "sub" / "name"
    assert path.read_bytes() == CONTENT
    (folder / "file").unlink()
    assert fetched(f"{url}/file", "sub/name", SHA256, tmp_path) == path


def test_a_broken_file_is_downloaded_anew(served, tmp_path):
    folder, url = served
    (folder / "file").write_bytes(CONTENT)
    (tmp_path / "name").write_bytes(b"half of")
    assert fetched(f"{url}/file", "name", SHA256, tmp_path).read_bytes() == CONTENT


def test_other_content_is_refused(served, tmp_path):
    folder, url = served
    (folder / "file").write_bytes(b"something else")
    with pytest.raises(ValueError, match=f"is not the expected file.*{SHA256}"):
        fetched(f"{url}/file", "name", SHA256, tmp_path)
    assert not (tmp_path / "name").exists()


def test_error_of_a_missing_page_shows_where_to_put_the_file(served, tmp_path):
    _, url = served
    with pytest.raises(OSError, match=f"404.*put it at {tmp_path}.name.*{SHA256}"):
        fetched(f"{url}/file", "name", SHA256, tmp_path)


@pytest.mark.usefixtures("no_network")
def test_offline_error_shows_where_to_put_the_file(tmp_path):
    with pytest.raises(OSError, match=f"no network.*put it at {tmp_path}.name.*{SHA256}"):
        fetched("https://example.org/file", "name", SHA256, tmp_path)
    (tmp_path / "name").write_bytes(b"half of")
    broken = hashlib.sha256(b"half of").hexdigest()
    with pytest.raises(OSError, match=f"The file that is there has the SHA-256 {broken}"):
        fetched("https://example.org/file", "name", SHA256, tmp_path)
    (tmp_path / "name").write_bytes(CONTENT)
    assert fetched("https://example.org/file", "name", SHA256, tmp_path).exists()


def test_a_full_disk_is_no_missing_network(tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch")

    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pooch, "retrieve", fill)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}.name'"):
        fetched("https://example.org/file", "name", SHA256, tmp_path)


def test_files_are_written_as_a_whole_by_many_at_a_time(tmp_path):
    texts = [str(i) * 10_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(write_whole, tmp_path / "name"), texts * 5))
    assert (tmp_path / "name").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_download_if_missing(tmp_path):
    with pytest.raises(OSError, match=f"download_if_missing=False.*put it at {tmp_path}"):
        fetched("https://example.org/file", "name", SHA256, tmp_path, False)


def test_without_pooch_error_shows_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-task2box\[hub\]'"):
        fetched("https://example.org/file", "name", SHA256, tmp_path)
    (tmp_path / "name").write_bytes(CONTENT)  # what is there needs no pooch
    assert fetched("https://example.org/file", "name", SHA256, tmp_path).exists()


@pytest.mark.parametrize("name", ["digits_tasks", "taskonomy", "wordnet", "hub_cards"])
def test_descriptions_list_the_characteristics(name):
    assert "**Data Set Characteristics:**" in description(name)
