"""Representation of tasks by the CLIP embeddings of their images or texts."""

import hashlib
import json
import os
import sqlite3
import warnings
from collections.abc import Sequence
from contextlib import closing
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from sklearn_task2box.relations._names import some
from sklearn_task2box.representations._gaussian import GaussianRepresentation
from sklearn_task2box.representations._samples import TaskTransformer, read_samples
from sklearn_task2box.utils._devices import resolve_device
from sklearn_task2box.utils._optional import import_optional
from sklearn_task2box.utils._typing import Any, Array, Names, Self, TaskSamples


@dataclass(eq=False, repr=False)
class CLIPRepresentation(TaskTransformer, BaseEstimator):
    """Describe each task by the CLIP embeddings of its images or texts.

    Every sample is embedded by a model of ``transformers`` (``pip install
    'sklearn-task2box[clip]'``); a task is a :class:`GaussianRepresentation` of embeddings.

    Parameters
    ----------
    model : str or path-like, default="openai/clip-vit-base-patch32"
        Folder or Hub name of a model with ``get_image_features``, ``get_text_features``. An
        OSError shows how to get one that is not available.
    kind : {"image", "text"}, default="image"
        An image is a path, an image of Pillow, or an array of uint8 of shape (height,
        width) or (height, width, channels): 8 bits for each channel, and turned as its EXIF
        orientation tells. A text is a str; of one with more tokens than the model reads, 77
        in OpenAI's, the beginning is taken, and a warning counts and names such texts.
    aggregate : {"mean", "mean+variance"}, default="mean+variance"
        Moments of the embeddings that describe a task.
    shrinkage : float >= 0, default=1.0
        Shrinkage of the variances, see :class:`GaussianRepresentation`.
    normalize : bool, default=True
        Scale each embedding to unit length, as CLIP does to compare images with texts.
    batch_size : int, default=32
        Number of samples that go through the model at a time.
    cache : str or path-like, default=None
        Folder that keeps embeddings, by the contents of sample and model; None keeps none.
    device : str, default="auto"
        Device of the model: "cpu", "cuda", "cuda:1", ... "auto" takes "cuda" if available.
    verbose : int, default=0
        1 shows a progress bar of the batches.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Names of the tasks of fit, or their positions where they have none.
    gaussian_ : GaussianRepresentation
        Representation that was fitted to the embeddings.

    References
    ----------
    A. Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", ICML 2021, arXiv:2103.00020.

    Examples
    --------
    >>> from sklearn_task2box.representations import CLIPRepresentation
    >>> tasks = {"cats": ["a lynx", "a puma"], "dogs": ["a beagle", "a poodle"]}
    >>> CLIPRepresentation(kind="text").fit_transform(tasks).shape  # doctest: +SKIP
    (2, 1024)
    """

    model: str = "openai/clip-vit-base-patch32"
    _: KW_ONLY
    kind: str = "image"
    aggregate: str = "mean+variance"
    shrinkage: float = 1.0
    normalize: bool = True
    batch_size: int = 32
    cache: str | Path | None = None
    device: str = "auto"
    verbose: int = 0

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's way of stating constraints
        "model": [str, os.PathLike],
        "kind": [StrOptions({"image", "text"})],
        "aggregate": [StrOptions({"mean", "mean+variance"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "normalize": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "cache": [str, os.PathLike, None],
        "device": [str, torch.device],
        "verbose": ["verbose"],
    }

    def fit(self, X: TaskSamples, y: Names = None) -> Self:
        """Learn the moments of the tasks of these samples.

        Parameters
        ----------
        X : list or dict of lists, or sequence of length n_samples
            The images or texts of each task or, in a list with y, all of them.
        y : array-like, sparse matrix or DataFrame, default=None
            Tasks of the samples, as in :meth:`GaussianRepresentation.fit`.

        Returns
        -------
        self : CLIPRepresentation
        """
        variance = self.aggregate == "mean+variance"
        gaussian = GaussianRepresentation(variance, shrinkage=self.shrinkage)
        self.gaussian_ = gaussian.fit(self._embedded(X, y))
        self.tasks_ = self.gaussian_.tasks_
        return self

    def transform(self, X: TaskSamples, y: Names = None) -> Array | pd.DataFrame:
        check_is_fitted(self)
        return self.gaussian_.transform(self._embedded(X, y))

    def fit_transform(self, X: TaskSamples, y: Names = None) -> Array | pd.DataFrame:
        """Learn the tasks of these samples, and describe them as :meth:`transform` does."""
        return self.fit(X, y).gaussian_.to_frame()

    def embed(self, samples: Sequence[Any]) -> Array:
        """Embed images or texts one by one, without tasks.

        Parameters
        ----------
        samples : sequence of length n_samples
            Images or texts.

        Returns
        -------
        embeddings : ndarray of float32 of shape (n_samples, n_dimensions)
        """
        self._validate_params()
        samples = list(samples)
        if not samples:
            raise ValueError(f"There is no {self.kind}.")
        for at, sample in enumerate(samples):
            if self.kind == "image":
                _check_image(at, sample)
            elif not isinstance(sample, str):
                raise ValueError(f"Text {at} is a {type(sample).__name__}, not a str.")
        source = (str(self.model), self.kind)
        model = getattr(self, "_model", None)
        if model is None or model.source != source:
            model = self._model = _Model(*source)
        if self.kind == "text":
            model.warn_of_long_texts(samples)
        if self.cache is None:
            return np.concatenate([part for _, part in self._batches(samples)])
        keys = [_content_key(sample, self.kind) for sample in samples]
        by_key = dict(zip(keys, samples, strict=True))
        with closing(_Store(self.cache, f"{model.key()} {self.normalize}")) as store:
            new = [key for key in by_key if store.get(key) is None]
            for rows, part in self._batches([by_key[key] for key in new]):
                store.add(new[rows], part)
            return np.stack([store.get(key) for key in keys])

    def get_feature_names_out(self, input_features: Names = None) -> Array:
        """Names of the features of a task: "mean_clip0", ...; no input names are used."""
        check_is_fitted(self)
        return self.gaussian_.get_feature_names_out()

    def _attributes(self):  # without the model, which is large, and loaded where needed
        return {name: value for name, value in vars(self).items() if name != "_model"}

    def _embedded(self, X, y):
        samples = read_samples(X, y, lambda groups: list(chain(*groups)))
        embeddings = pd.DataFrame(self.embed(samples.values)).add_prefix("clip")
        return samples._replace(values=embeddings)

    def _batches(self, samples):
        """Slices of the samples, and the embeddings of each."""
        device = resolve_device(self.device)
        starts = range(0, len(samples), self.batch_size)
        bar = {"desc": f"embedding {self.kind}s", "unit": "batch"}
        for start in tqdm(starts, **bar, disable=not self.verbose):
            rows = slice(start, start + self.batch_size)
            part = self._model.embed(samples[rows], device)
            if self.normalize:
                part /= np.linalg.norm(part, axis=1, keepdims=True)
            yield rows, part


def _check_image(at, image):
    name, mode = "", getattr(image, "mode", "")
    if isinstance(image, (str, os.PathLike)):
        name = f", {str(image)!r},"
        if not Path(image).is_file():
            raise ValueError(f"Image {at}{name} is not a file.")
        with import_optional("PIL.Image", "CLIPRepresentation", "clip").open(image) as read:
            mode = read.mode
    elif not hasattr(image, "convert"):
        array = np.asarray(image)
        is_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
        if array.dtype != np.uint8 or not is_shape:
            raise ValueError(
                f"Image {at} must be a path, an image of Pillow, or an array of uint8 "
                "of shape (height, width) or (height, width, channels); got dtype "
                f"{array.dtype} and shape {array.shape}."
            )
    if mode[:1] in ("I", "F"):  # which Pillow would clip at 255
        raise ValueError(
            f"Image {at}{name} must have 8 bits for each channel; its mode is {mode!r}, of "
            "16 or 32. Scale all images alike: (np.asarray(image) / most * 255).astype("
            "np.uint8), where most is the largest value there can be, such as 65535."
        )


def _content_key(sample, kind):
    """Hash of what the processor gets: of an image, the pixels as they are read here."""
    if kind == "text":
        content = sample.encode()
    else:
        image = _open(sample)
        content = f"{image.mode} {image.size} ".encode() + image.tobytes()
    return hashlib.sha256(content).digest()


def _open(sample):
    """Open an image of any kind as one of Pillow, upright and in RGB."""
    from PIL import Image, ImageOps

    if isinstance(sample, (str, os.PathLike)):
        with Image.open(sample) as image:
            return _open(image)
    image = sample if hasattr(sample, "convert") else Image.fromarray(np.asarray(sample))
    return ImageOps.exif_transpose(image).convert("RGB")


class _Model:
    """A model with the part of its processor that one kind of sample needs."""

    def __init__(self, name, kind):
        self.source, self.kind = (name, kind), kind
        import_optional("PIL", "CLIPRepresentation", "clip")
        transformers = import_optional("transformers", "CLIPRepresentation", "clip")
        reader = "AutoImageProcessor" if kind == "image" else "AutoTokenizer"
        try:
            self.network = transformers.AutoModel.from_pretrained(name).float().eval()
            self.processor = getattr(transformers, reader).from_pretrained(name)
        except (OSError, ValueError) as error:
            problem = (
                f"The CLIP model {name!r} is not a folder here, not among the models "
                "downloaded before, and could not be downloaded"
            )
            if Path(name).is_dir():
                problem = f"The folder {name} does not hold a whole CLIP model"
            raise OSError(
                f"{problem} ({error}). Where there is a network, `hf download MODEL "
                "--local-dir FOLDER` (MODEL such as openai/clip-vit-base-patch32) gets a "
                "model; then set model=FOLDER."
            ) from error
        self.features = getattr(self.network, f"get_{kind}_features", None)
        if self.features is None:
            raise ValueError(
                f"{name!r} is a {type(self.network).__name__}, which has no "
                f"get_{kind}_features; give a CLIP model."
            )
        if kind == "text":
            self.n_tokens = self.network.config.text_config.max_position_embeddings

    @torch.inference_mode()
    def embed(self, samples, device):
        self.network.to(device)
        if self.kind == "image":
            inputs = self.processor(list(map(_open, samples)), return_tensors="pt")
        else:
            # A fixed length: else the padding of a batch changes the last digits.
            options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
            inputs = self.processor(samples, max_length=self.n_tokens, **options)
        outputs = self.features(**inputs.to(device))
        # A tensor, or from transformers 5 on an output that has it.
        outputs = getattr(outputs, "pooler_output", outputs)
        return outputs.float().cpu().numpy().copy()

    def warn_of_long_texts(self, texts):
        counts = (len(self.processor(text, verbose=False)["input_ids"]) for text in texts)
        long = [f"{i}: {texts[i][:30]}…" for i, n in enumerate(counts) if n > self.n_tokens]
        if long:
            warnings.warn(
                f"{len(long)} of {len(texts)} texts are longer than the {self.n_tokens} "
                f"tokens that the model reads, and are cut there: {some(long)}. Shorten "
                "them, or give the parts of such a text as several samples of its task.",
                stacklevel=3,
            )

    def key(self):
        """Hash of the weights, and of what is done to a sample before them."""
        digest = hashlib.sha256(self.kind.encode())
        for name, value in sorted(self.network.state_dict().items()):
            array = value.numpy(force=True)
            digest.update(f"{name} {value.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        if self.kind == "image":
            digest.update(self.processor.to_json_string().encode())
        else:
            state = json.loads(self.processor.backend_tokenizer.to_str())
            state |= {"truncation": None, "padding": self.n_tokens}  # as they are called
            digest.update(json.dumps(state, sort_keys=True).encode())
        return digest.hexdigest()


class _Store:
    """Embeddings in a file of SQLite, by model and content."""

    def __init__(self, folder, model):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.model = model
        self.database = sqlite3.connect(Path(folder, "clip_embeddings.sqlite"))
        self.close = self.database.close
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS embeddings "
            "(model TEXT, content BLOB, embedding BLOB, PRIMARY KEY (model, content))"
        )

    def get(self, content):
        query = "SELECT embedding FROM embeddings WHERE model = ? AND content = ?"
        row = self.database.execute(query, (self.model, content)).fetchone()
        return None if row is None else np.frombuffer(row[0], "<f4").astype(np.float32)

    def add(self, contents, embeddings):
        pairs = zip(contents, embeddings.astype("<f4"), strict=True)
        rows = [(self.model, content, row.tobytes()) for content, row in pairs]
        with self.database:
            statement = "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)"
            self.database.executemany(statement, rows)
