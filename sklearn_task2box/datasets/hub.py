"""Cards of data sets on the Hugging Face Hub."""

import hashlib
import json
import numbers
import re
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch

from sklearn_task2box.datasets.home import description, get_data_home

# Fields of a card that may have several values, and those that have one.
MULTIPLE = (
    "task_categories",
    "task_ids",
    "language",
    "license",
    "multilinguality",
    "size_categories",
    "source_datasets",
    "annotations_creators",
    "tags",
)
SINGLE = ("pretty_name",)
SORTS = ("downloads", "likes", "trending_score", "created_at", "last_modified")

_EXPAND = ["cardData", "description", "downloads", "likes"]


def fetch_hub_cards(
    ids=None,
    *,
    limit=None,
    sort="downloads",
    filter=None,
    token=None,
    data_home=None,
    download_if_missing=True,
):
    """Load what data sets on the Hugging Face Hub say of themselves.

    The cards are read through ``huggingface_hub`` (``pip install
    'sklearn-task2box[hub]'``) on the first call, and from the data home on later ones.

    Parameters
    ----------
    ids : sequence of str, default=None
        Names of data sets, such as "stanfordnlp/imdb". Give these or ``limit``.
    limit : int, default=None
        Number of data sets to take from the top of the Hub's list.
    sort : {"downloads", "likes", "trending_score", "created_at", "last_modified"}, \
            default="downloads"
        The order of that list, largest first.
    filter : str or sequence of str, default=None
        Tags that the data sets in that list must have, such as
        "task_categories:image-classification".
    token : str, default=None
        For data sets that are not public, see ``huggingface_hub``.
    data_home : str or path-like, default=None
        Where the cards are kept, see :func:`get_data_home`.
    download_if_missing : bool, default=True
        If False, a card that is not there is an error.

    Returns
    -------
    cards : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : DataFrame of shape (n_datasets, 16)
            One row for each data set; the index holds the names. "task_categories",
            "task_ids", "language", "license", "multilinguality", "size_categories",
            "source_datasets", "annotations_creators" and "tags" are lists, empty where
            the card does not say. "pretty_name" and "description" are texts.
            "n_configs", "n_examples", "download_size" (bytes), "downloads" (of the last
            30 days) and "likes" are numbers, NaN where unknown; of several
            configurations, the largest counts.
        DESCR : str
            The full description of the data set.

    Raises
    ------
    OSError
        If a card is neither there nor to be had; the message says where to put it. Also
        if a file that is there is damaged.
    ValueError
        If a parameter is wrong, or the Hub has no such data set.
    ImportError
        If cards are to be downloaded, and ``huggingface_hub`` is not installed.

    See Also
    --------
    sklearn_task2box.representations.DatasheetRepresentation : Makes features of them.

    Notes
    -----
    The Hub changes, and what was fetched does not: delete the folder ``hub_cards`` of the
    data home to fetch anew.

    Examples
    --------
    >>> from sklearn_task2box.datasets import fetch_hub_cards
    >>> cards = fetch_hub_cards(["stanfordnlp/imdb", "ylecun/mnist"])  # doctest: +SKIP
    >>> cards.data["task_categories"]  # doctest: +SKIP
    """
    if (ids is None) == (limit is None):
        raise ValueError(f"Give either ids or limit; got ids={ids!r} and limit={limit!r}.")
    if sort not in SORTS:
        raise ValueError(f"sort must be one of {SORTS}; got {sort!r}.")
    filter = [filter] if isinstance(filter, str) else list(filter or [])
    folder = Path(get_data_home(data_home)) / "hub_cards"
    folder.mkdir(exist_ok=True)
    if ids is None:
        if isinstance(limit, bool) or not isinstance(limit, numbers.Integral) or limit < 1:
            raise ValueError(f"limit must be an int of at least 1; got {limit!r}.")
        ids = _listed(folder, int(limit), sort, filter, token, download_if_missing)
    ids = [ids] if isinstance(ids, str) else list(ids)
    if not ids:
        raise ValueError("ids is empty.")
    for name in ids:
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
            raise ValueError(f"{name!r} is no name of a data set on the Hub.")
    if len(set(ids)) < len(ids):
        raise ValueError("ids repeats a name.")
    cards = [_card(folder, name, token, download_if_missing) for name in ids]
    frame = pd.DataFrame(map(_row, cards), index=ids)
    return Bunch(data=frame, DESCR=description("hub_cards"))


def _card(folder, name, token, download):
    # A name on the Hub has no "--".
    path = folder / f"{name.replace('/', '--')}.json"

    def ask(hub):
        return _content(hub.dataset_info(name, expand=_EXPAND, token=token))

    return _kept(path, ask, f"The card of {name}", download, _is_card)


def _listed(folder, limit, sort, filter, token, download):
    """Names at the top of the Hub's list; their cards come along and are kept."""
    asked = [sort, str(limit), *filter]
    digest = hashlib.blake2b(json.dumps(asked).encode(), digest_size=8).hexdigest()
    readable = "-".join(re.sub(r"\W+", "_", part) for part in asked)
    label = f"{readable[:100]}-{digest}"  # tags of one readable form differ in the digest

    def ask(hub):
        found = hub.list_datasets(
            sort=sort, limit=limit, filter=filter or None, expand=_EXPAND, token=token
        )
        names = []
        for info in found:
            path = folder / f"{info.id.replace('/', '--')}.json"
            if not path.exists():
                _write(path, _content(info))
            names.append(info.id)
        return names

    return _kept(folder / "lists" / f"{label}.json", ask, "The list", download, _is_list)


def _kept(path, ask, what, download, is_usable):
    """Read a JSON file, or ask the Hub and write the file."""
    if path.exists():
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # no JSON, or no text
            content = None
        if not is_usable(content):
            raise OSError(
                f"{path} is not what was kept there: it may be damaged, or from elsewhere. "
                "Delete it, and it is fetched anew."
            )
        return content
    if not download:
        raise OSError(f"{what} is not at {path}, and download_if_missing=False.")
    try:
        import huggingface_hub
        from huggingface_hub.utils import RepositoryNotFoundError
    except ImportError as error:
        raise ImportError(
            "Fetching cards needs huggingface_hub: pip install 'sklearn-task2box[hub]'"
        ) from error
    try:
        content = ask(huggingface_hub.HfApi())
    except RepositoryNotFoundError as error:
        raise ValueError(f"{what} is not on the Hub, or not public: {error}") from error
    except Exception as error:  # which ones depends on the version of huggingface_hub
        raise OSError(
            f"{what} could not be fetched from the Hugging Face Hub "
            f"({type(error).__name__}: {error}). Fetch it where there is a network and put "
            f"the file at {path}."
        ) from error
    _write(path, content)
    return content


def _is_card(content):
    return (
        isinstance(content, dict)
        and content.keys() >= {"id", "downloads", "likes", "description", "card"}
        and isinstance(content["card"], dict)
    )


def _is_list(content):
    return isinstance(content, list) and all(isinstance(name, str) for name in content)


def _write(path, content):
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, default=str, indent=1), encoding="utf-8")
    partial.replace(path)


def _content(info):
    """What is kept of the Hub's answer."""
    card = info.card_data.to_dict() if info.card_data is not None else {}
    return {
        "id": info.id,
        "downloads": info.downloads,
        "likes": info.likes,
        "description": info.description,
        "card": card,
    }


def _row(content):
    card = content["card"]
    row = {name: card.get(name) for name in SINGLE}
    row |= {name: _as_list(card.get(name)) for name in MULTIPLE}
    configs = card.get("dataset_info") or []
    configs = [configs] if isinstance(configs, dict) else configs
    configs = [c for c in configs if c and isinstance(c, dict)]  # people write cards
    row["n_configs"] = len(configs) or float("nan")
    row["n_examples"] = _largest(map(_n_examples, configs))
    row["download_size"] = _largest(c.get("download_size") for c in configs)
    for name in ("downloads", "likes"):
        row[name] = _largest([content[name]])
    row["description"] = content["description"]
    return row


def _as_list(value):
    """The values of a field as strings: cards write one value with or without a list."""
    if isinstance(value, dict):  # one list for each configuration
        value = [v for values in value.values() for v in _as_list(values)]
    values = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(str(v) for v in values if v is not None))


def _n_examples(config):
    splits = config.get("splits") or []
    splits = splits.values() if isinstance(splits, dict) else splits
    sizes = [split.get("num_examples") for split in splits if isinstance(split, dict)]
    sizes = [size for size in sizes if isinstance(size, numbers.Real)]
    return sum(sizes) if sizes else None


def _largest(values):
    numeric = [float(v) for v in values if isinstance(v, numbers.Real)]
    return max(numeric, default=float("nan"))
