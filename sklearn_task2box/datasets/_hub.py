"""Hugging Face Hub: the cards of data sets."""

import hashlib
import json
import re
import warnings
from numbers import Integral, Real
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_task2box.datasets._home import description, get_data_home, write_whole
from sklearn_task2box.relations._names import some
from sklearn_task2box.utils._optional import import_optional
from sklearn_task2box.utils._typing import Labels, PathLike

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
    ids: Labels | None = None,
    *,
    limit: int | None = None,
    sort: str = "downloads",
    filter: Labels | None = None,
    token: str | None = None,
    data_home: PathLike | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the cards of data sets on the Hugging Face Hub.

    Features of them: :class:`~sklearn_task2box.representations.DatasheetRepresentation`.
    They are requested by ``huggingface_hub`` (``pip install 'sklearn-task2box[hub]'``), and
    kept in the folder ``hub_cards`` of the data home: delete it to fetch cards anew. A card
    that is not available is an OSError, which shows the file to put there and where; so is
    a damaged file or a full disk. A data set that the Hub does not have is a ValueError.

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
            NaN where unknown. Of several configurations, the largest counts. Values of an
            unexpected type or size are left out, with a warning that names the fields.
        DESCR : str
            The full description of the data set.
    """
    if (ids is None) == (limit is None):
        raise ValueError(f"Give either ids or limit; got ids={ids!r} and limit={limit!r}.")
    folder = Path(get_data_home(data_home)) / "hub_cards"
    if limit is not None:
        filter = [filter] if isinstance(filter, str) else list(filter or [])
        ids = _listed(folder, int(limit), sort, filter, token, download_if_missing)
    ids = [ids] if isinstance(ids, str) else list(ids or [])
    if not ids:
        raise ValueError("ids is empty.")
    for name in ids:
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
            raise ValueError(f"{name!r} is no name of a data set on the Hub.")
    if len(set(ids)) < len(ids):
        raise ValueError("ids repeats a name.")
    rows = [_row_of(folder, name, token, download_if_missing) for name in ids]
    odd = [row.pop("odd") for row in rows]
    shown = [f"{name} ({', '.join(o)})" for name, o in zip(ids, odd, strict=True) if o]
    if shown:
        warnings.warn(
            f"{len(shown)} of {len(ids)} cards have values of an unexpected type or size, "
            f"which are left out: {some(shown, 5)}.",
            stacklevel=3,
        )
    return Bunch(data=pd.DataFrame(rows, index=ids), DESCR=description("hub_cards"))


def _path(folder, name):
    return folder / f"{name.replace('/', '--')}.json"  # a name on the Hub has no "--"


def _row_of(folder, name, token, download):
    def request(api):
        return {path: _content(api.dataset_info(name, expand=_EXPAND, token=token))}

    path = _path(folder, name)
    source = f"the JSON at https://huggingface.co/api/datasets/{name}"
    return _kept(path, request, f"The card of {name}", source, download, _row)


def _listed(folder, limit, sort, filter, token, download):
    """Names at the top of the Hub's list; their cards come along and are kept."""
    query = [sort, str(limit), *filter]
    digest = hashlib.blake2b(json.dumps(query).encode(), digest_size=8).hexdigest()
    readable = "-".join(re.sub(r"\W+", "_", part) for part in query)[:100]
    path = folder / "lists" / f"{readable}-{digest}.json"  # readable parts may be equal

    def request(api):
        options = {"sort": sort, "limit": limit, "filter": filter or None}
        infos = list(api.list_datasets(**options, expand=_EXPAND, token=token))
        files = {_path(folder, info.id): _content(info) for info in infos}
        return files | {path: json.dumps([info.id for info in infos], indent=1)}

    return _kept(path, request, "The list", "a JSON list of names", download, _names)


def _kept(path, request, what, source, download, read):
    """Read a JSON file that, if it is not there, is among the files of a request."""
    files, wanted = {}, f"{source}, and put the file at {path}"
    if not path.exists():
        files = _requested(request, what, wanted, download)
    for file, text in files.items():
        if not file.exists():
            write_whole(file, text)
    try:
        return read(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise OSError(
            f"{path} is not what was kept there: it may be damaged, or from elsewhere. "
            f"Delete it, and it is fetched anew, or replace it by {source}."
        ) from error


def _requested(request, what, wanted, download):
    """Texts of files, by path, that the Hub's library gets."""
    if not download:
        raise OSError(f"{what} is not there, and download_if_missing=False. Get {wanted}.")
    huggingface_hub = import_optional("huggingface_hub", "Fetching cards", "hub")
    try:
        return request(huggingface_hub.HfApi())
    except huggingface_hub.utils.RepositoryNotFoundError as error:
        raise ValueError(f"{what} is not on the Hub, or not public: {error}") from error
    except Exception as error:  # which ones depends on the version of huggingface_hub
        raise OSError(
            f"{what} could not be fetched from the Hugging Face Hub "
            f"({type(error).__name__}: {error}). Where there is a network, get {wanted}."
        ) from error


def _names(content):
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        raise TypeError("This is no list of names.")
    return content


def _content(info):
    """The parts of the Hub's response that are kept, as JSON."""
    try:
        card = {} if info.card_data is None else info.card_data.to_dict()
        json.dumps(card, default=str, indent=1)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        card = f"unreadable ({type(error).__name__})"  # such as one nested too deeply
    names = ("id", "downloads", "likes", "description")
    kept = {name: getattr(info, name, None) for name in names}  # a card may lack one
    return json.dumps({**kept, "card": card}, default=str, indent=1)


def _row(content):
    """The fields of a card and, as "odd", the names of those with unexpected values."""
    odd = {}

    def read(kinds, field, values):
        found = [v for v in values if isinstance(v, kinds) and not isinstance(v, bool)]
        found = [v for v in found if not isinstance(v, Real) or 0 <= v < 2**63]  # counts
        if len(found) < sum(value is not None for value in values):
            odd[field] = None
        return found

    # A file of the Hub itself has "cardData", which a data set without a card lacks.
    card = [*read(dict, "card", [content.get("card", content.get("cardData"))]), {}][0]
    infos = card.get("dataset_info")
    infos = read(dict, "dataset_info", infos if isinstance(infos, list) else [infos])
    n_examples = []
    for info in infos:
        splits = read(dict, "dataset_info", _values(info.get("splits")))
        sizes = read(Real, "dataset_info", [split.get("num_examples") for split in splits])
        n_examples += [sum(sizes)] if sizes and len(sizes) == len(splits) else []
    sizes = [info.get("download_size") for info in infos]
    tags = {name: read((str, Real), name, _values(card.get(name))) for name in MULTIPLE}
    numbers = {
        "n_examples": n_examples,
        "download_size": read(Real, "dataset_info", sizes),
        "downloads": read(Real, "downloads", [content["downloads"]]),
        "likes": read(Real, "likes", [content["likes"]]),
    }
    return {
        "pretty_name": [*read(str, "pretty_name", [card.get("pretty_name")]), None][0],
        **{name: list(dict.fromkeys(map(str, values))) for name, values in tags.items()},
        "n_configs": sum(map(bool, infos)) or float("nan"),
        **{name: max(map(float, n), default=float("nan")) for name, n in numbers.items()},
        "description": [*read(str, "description", [content["description"]]), None][0],
        "odd": list(odd),
    }


def _values(value):
    """Values of a field: of a list, of one list for each configuration, or a single one."""
    parts = value.values() if isinstance(value, dict) else [value]
    return [one for part in parts for one in (part if isinstance(part, list) else [part])]
