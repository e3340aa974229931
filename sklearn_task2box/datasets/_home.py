"""Data home: the folder of downloaded data sets, and checked downloads into it."""

import hashlib
import os
import secrets
from pathlib import Path

from sklearn_task2box.utils._optional import import_optional
from sklearn_task2box.utils._typing import PathLike

HOME_VARIABLE = "TASK2BOX_HOME"


def get_data_home(data_home: PathLike | None = None) -> str:
    """Return the folder of downloaded data sets, and make it if it is not there.

    Parameters
    ----------
    data_home : str or path-like, default=None
        None takes the environment variable ``TASK2BOX_HOME`` or else ``~/task2box_data``.

    Returns
    -------
    data_home : str
    """
    if data_home is None:
        data_home = os.environ.get(HOME_VARIABLE) or Path("~", "task2box_data")
    data_home = Path(data_home).expanduser()
    data_home.mkdir(parents=True, exist_ok=True)
    return str(data_home)


def fetched(url, name, sha256, data_home=None, download_if_missing=True):
    """Path of the file of this name and SHA-256 in the data home, downloaded if needed."""
    path = Path(get_data_home(data_home)) / name
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
    if found == sha256:
        return path
    advice = (
        f"Download {url} where there is a network and put it at {path}; its SHA-256 must "
        f"be {sha256}."
    )
    if found is not None:
        advice += f" The file that is there has the SHA-256 {found}."
    if not download_if_missing:
        what = "is not there" if found is None else "is another file"
        raise OSError(f"{path} {what}, and download_if_missing=False. {advice}")
    pooch = import_optional("pooch", "Downloading data sets", "hub")
    try:
        pooch.retrieve(url, f"sha256:{sha256}", fname=path.name, path=path.parent)
    except OSError as error:  # requests' errors are OSErrors, but without a number
        if error.errno is not None:
            error.filename = str(path)  # which the error of a full disk lacks
            raise
        raise OSError(f"{path.name} could not be downloaded ({error}). {advice}") from error
    except ValueError as error:
        raise ValueError(f"{url} is not the expected file: {error} {advice}") from error
    return path


def write_whole(path, text):
    """Write a file that is there as a whole or not at all, whatever others write there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        error.filename = str(path)  # which the error of a full disk lacks
        raise
    finally:
        partial.unlink(missing_ok=True)


def description(name):
    """The text that describes a data set."""
    return Path(__file__).with_name("descr").joinpath(f"{name}.rst").read_text("utf-8")
