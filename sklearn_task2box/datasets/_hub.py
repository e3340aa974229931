"""Hugging Face Hub: the cards of data sets."""

import hashlib
import json
import re
from numbers import Integral, Real
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_task2box.datasets._home import description, get_data_home
from sklearn_task2box.utils._optional import import_optional

# Fields of a card that may have several values.
MULTIPLE = (
    "task_categories", "task_ids", "language", "license", "multilinguality",
    "size_categories", "source_datasets", "annotations_creators", "tags",
)  # fmt: skip
SORTS = {"downloads", "likes", "trending_score", "created_at", "last_modified"}
_EXPAND = ["cardData", "description", "downloads", "likes"]


@validate_params(
    {
        "limit": [Interval(Integral, 1, None, closed="left"), None],
        "sort": [StrOptions(SORTS)],
    },
    prefer_skip_nested_validation=True,
)
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
    """Load the cards of data sets on the Hugging Face Hub.

    They are requested by ``huggingface_hub`` (``pip install 'sklearn-task2box[hub]'``), and
    kept in the folder ``hub_cards`` of the data home: delete it to fetch cards anew.

    Parameters
    ----------
    ids : sequence of str, default=None
        Names of data sets, such as "stanfordnlp/imdb". Give these or ``limit``.
    limit : int, default=None
        Number of data sets to take from the top of the Hub's list.
    sort : {"downloads", "likes", "trending_score", "created_at", "last_modified"}, \
            default="downloads"
        Order of that list, largest first.
    filter : str or sequence of str, default=None
        Tags that data sets in that list must have, such as "task_ids:parsing".
    token : str, default=None
        Token for data sets that are not public, see ``huggingface_hub``.
    data_home : str or path-like, default=None
        Folder where the cards are kept, see :func:`get_data_home`.
    download_if_missing : bool, default=True
        If False, a card that is not there is an error.

    Returns
    -------
    cards : :class:`~sklearn.utils.Bunch`
        data : DataFrame of shape (n_datasets, 16)
            One row for each data set; the index holds the names. "task_categories",
            "task_ids", "language", "license", "multilinguality", "size_categories",
            "source_datasets", "annotations_creators" and "tags" are lists, maybe empty;
            "pretty_name" and "description" texts; "n_configs", "n_examples",
            "download_size" (bytes), "downloads" (of the last 30 days) and "likes" numbers,
            NaN where unknown. Of several configurations, the largest counts.
        DESCR : str
            The full description of the data set.

    Raises
    ------
    OSError
        If a card is not available (the message shows where to put it), or damaged.
    ValueError
        If a parameter is wrong, or the Hub has no such data set.
    ImportError
        If ``huggingface_hub`` is needed, and not installed.

    See Also
    --------
    sklearn_task2box.representations.DatasheetRepresentation : Features of cards.

    Examples
    --------
    >>> from sklearn_task2box.datasets import fetch_hub_cards
    >>> cards = fetch_hub_cards(["stanfordnlp/imdb", "ylecun/mnist"])  # doctest: +SKIP
    """
    if (ids is None) == (limit is None):
        raise ValueError(f"Give either ids or limit; got ids={ids!r} and limit={limit!r}.")
    folder = Path(get_data_home(data_home)) / "hub_cards"
    if ids is None:
        filter = [filter] if isinstance(filter, str) else list(filter or [])
        ids = _listed(folder, int(limit), sort, filter, token, download_if_missing)
    ids = [ids] if isinstance(ids, str) else list(ids)
    if not ids:
        raise ValueError("ids is empty.")
    for name in ids:
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
            raise ValueError(f"{name!r} is no name of a data set on the Hub.")
    if len(set(ids)) < len(ids):
        raise ValueError("ids repeats a name.")
    rows = [_row_of(folder, name, token, download_if_missing) for name in ids]
    return Bunch(data=pd.DataFrame(rows, index=ids), DESCR=description("hub_cards"))


def _path(folder, name):
    return folder / f"{name.replace('/', '--')}.json"  # a name on the Hub has no "--"


def _row_of(folder, name, token, download):
    def request(hub):
        return _content(hub.dataset_info(name, expand=_EXPAND, token=token))

    return _kept(_path(folder, name), request, f"The card of {name}", download, _row)


def _listed(folder, limit, sort, filter, token, download):
    """Names at the top of the Hub's list; their cards come along and are kept."""
    query = [sort, str(limit), *filter]
    digest = hashlib.blake2b(json.dumps(query).encode(), digest_size=8).hexdigest()
    readable = "-".join(re.sub(r"\W+", "_", part) for part in query)[:100]
    path = folder / "lists" / f"{readable}-{digest}.json"  # readable parts may be equal

    def request(hub):
        options = {"sort": sort, "limit": limit, "filter": filter or None}
        names = []
        for info in hub.list_datasets(**options, expand=_EXPAND, token=token):
            if not _path(folder, info.id).exists():
                _write(_path(folder, info.id), _content(info))
            names.append(info.id)
        return names

    return _kept(path, request, "The list", download, _names)


def _kept(path, request, what, download, read):
    """Read a JSON file, or what is requested from the Hub and written to it."""
    if path.exists():
        try:
            return read(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise OSError(
                f"{path} is not what was kept there: it may be damaged, or from elsewhere. "
                "Delete it, and it is fetched anew."
            ) from error
    if not download:
        raise OSError(f"{what} is not at {path}, and download_if_missing=False.")
    huggingface_hub = import_optional("huggingface_hub", "Fetching cards", "hub")
    try:
        content = request(huggingface_hub.HfApi())
    except huggingface_hub.utils.RepositoryNotFoundError as error:
        raise ValueError(f"{what} is not on the Hub, or not public: {error}") from error
    except Exception as error:  # which ones depends on the version of huggingface_hub
        raise OSError(
            f"{what} could not be fetched from the Hugging Face Hub "
            f"({type(error).__name__}: {error}). Fetch it where there is a network and put "
            f"the file at {path}."
        ) from error
    _write(path, content)
    return read(content)


def _names(content):
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        raise TypeError("This is no list of names.")
    return content


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, default=str, indent=1), encoding="utf-8")
    partial.replace(path)


def _content(info):
    """The parts of the Hub's response that are kept."""
    card = info.card_data.to_dict() if info.card_data is not None else {}
    counts = {"downloads": info.downloads, "likes": info.likes}
    return {"id": info.id, **counts, "description": info.description, "card": card}


def _row(content):
    card = content["card"]
    configs = card.get("dataset_info") or []
    configs = [configs] if isinstance(configs, dict) else configs
    configs = [c for c in configs if c and isinstance(c, dict)]  # people write cards
    return {
        "pretty_name": card.get("pretty_name"),
        **{name: _as_list(card.get(name)) for name in MULTIPLE},
        "n_configs": len(configs) or float("nan"),
        "n_examples": _largest(map(_n_examples, configs)),
        "download_size": _largest(c.get("download_size") for c in configs),
        "downloads": _largest([content["downloads"]]),
        "likes": _largest([content["likes"]]),
        "description": content["description"],
    }


def _as_list(value):
    """The values of a field as strings: a single value may stand without a list."""
    if isinstance(value, dict):  # one list for each configuration
        value = [v for values in value.values() for v in _as_list(values)]
    values = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(str(v) for v in values if v is not None))


def _n_examples(config):
    splits = config.get("splits") or []
    splits = splits.values() if isinstance(splits, dict) else splits
    sizes = [split.get("num_examples") for split in splits if isinstance(split, dict)]
    sizes = [size for size in sizes if isinstance(size, Real)]
    return sum(sizes) if sizes else None


def _largest(values):
    numeric = [float(v) for v in values if isinstance(v, Real)]
    return max(numeric, default=float("nan"))
