"""CLIPRepresentation with tiny models of the real classes: embeddings, cache, errors."""

import pickle
import sqlite3
import sys
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from PIL import Image
from sklearn.base import clone

from sklearn_task2box.representations import (
    CLIPRepresentation,
    GaussianRepresentation,
    _clip,
)

transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
N_DIMENSIONS = 8
N_TOKENS = 16


def save_model(folder, seed):
    """A CLIP model with random weights, its tokenizer of letters, its image processor."""
    letters = [chr(code) for code in range(33, 127)]
    ends = [f"{letter}</w>" for letter in letters]
    words = [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: at for at, word in enumerate(words)}
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    n = len(words)
    config = transformers.CLIPConfig(
        text_config={
            "vocab_size": n,
            "max_position_embeddings": N_TOKENS,
            "bos_token_id": n - 2,
            "eos_token_id": n - 1,
            "pad_token_id": n - 1,
            **SIZES,
        },
        vision_config={"image_size": 16, "patch_size": 8, **SIZES},
        projection_dim=N_DIMENSIONS,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    save_model(folder, seed=0)
    return folder


@pytest.fixture(scope="module")
def images():
    """Bright and dark ones, of different sizes."""
    rng = np.random.RandomState(0)
    return {
        name: [
            rng.randint(low, low + 55, (18 + i, 20, 3)).astype(np.uint8) for i in range(4)
        ]
        for name, low in (("bright", 200), ("dark", 0))
    }


TEXTS = {"cats": ["a lynx", "a puma", "an ocelot"], "dogs": ["a beagle", "a poodle"]}


def test_text_embeddings_are_those_of_the_model(folder):
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    expected = []
    for text in TEXTS["cats"]:
        with torch.inference_mode():
            outputs = model.get_text_features(**tokenizer([text], return_tensors="pt"))
        vector = getattr(outputs, "pooler_output", outputs)[0].numpy()
        expected.append(vector / np.linalg.norm(vector))
    embedded = CLIPRepresentation(folder, kind="text").embed(TEXTS["cats"])
    assert embedded.dtype == np.float32
    np.testing.assert_allclose(embedded, expected, atol=1e-5)


def test_image_embeddings_are_those_of_the_model(folder, images):
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pictures = [Image.fromarray(array) for array in images["bright"]]
    with torch.inference_mode():
        outputs = model.get_image_features(**processor(pictures, return_tensors="pt"))
    expected = getattr(outputs, "pooler_output", outputs).numpy()
    embedded = CLIPRepresentation(folder, normalize=False).embed(images["bright"])
    np.testing.assert_allclose(embedded, expected, atol=1e-5)


def test_tasks_are_gaussians_of_embeddings(folder):
    clip = CLIPRepresentation(folder, kind="text", shrinkage=2.0)
    tasks = clip.fit_transform(TEXTS)
    assert list(tasks.index) == ["cats", "dogs"]
    assert tasks.shape == (2, 2 * N_DIMENSIONS)
    assert tasks.columns[0] == "mean_clip0"
    assert tasks.columns[-1] == "variance_clip7"
    embeddings = {name: clip.embed(texts) for name, texts in TEXTS.items()}
    expected = GaussianRepresentation(shrinkage=2.0).fit_transform(embeddings)
    np.testing.assert_allclose(tasks, expected)
    pd.testing.assert_frame_equal(clip.transform(TEXTS), tasks)
    means = CLIPRepresentation(folder, kind="text", aggregate="mean").fit_transform(TEXTS)
    np.testing.assert_allclose(means, tasks.iloc[:, :N_DIMENSIONS])


def test_labels_and_memberships_give_the_same_tasks(folder):
    texts = [text for group in TEXTS.values() for text in group]
    labels = np.repeat(list(TEXTS), [len(group) for group in TEXTS.values()])
    clip = CLIPRepresentation(folder, kind="text")
    expected = clip.fit_transform(TEXTS)
    pd.testing.assert_frame_equal(clip.fit_transform(texts, labels), expected)
    memberships = np.column_stack([labels == "cats", np.ones(5, dtype=bool)])
    both = clip.fit_transform(texts, memberships)
    np.testing.assert_allclose(both.loc[0], expected.loc["cats"], atol=0.1)
    np.testing.assert_allclose(
        both.iloc[1, :N_DIMENSIONS], clip.embed(texts).mean(axis=0), atol=1e-6
    )


def test_all_formats_of_an_image_have_one_embedding(folder, images, tmp_path):
    array = images["bright"][0]
    picture = Image.fromarray(array)
    picture.save(tmp_path / "image.png")
    clip = CLIPRepresentation(folder)
    embedded = clip.embed(
        [array, picture, tmp_path / "image.png", str(tmp_path / "image.png")]
    )
    np.testing.assert_allclose(embedded, embedded[[0] * 4], atol=1e-6)
    assert clip.embed([array[:, :, 0]]).shape == (1, N_DIMENSIONS)  # grey


def test_batches_do_not_matter(folder, images):
    whole, single = (
        CLIPRepresentation(folder, batch_size=size).fit_transform(images)
        for size in (32, 1)
    )
    np.testing.assert_allclose(whole, single, atol=1e-5)


def test_long_texts_are_cut_with_a_warning_that_counts_and_names_them(folder, tmp_path):
    """Also where their embeddings come from the cache."""
    clip = CLIPRepresentation(folder, kind="text", cache=tmp_path)
    long, fitting = "a" * 100, "b" * (N_TOKENS - 2)  # besides the tokens of start and end
    message = "2 of 3 texts are longer than the 16 tokens .* '0: aaaa.*', '2: aaaa.*several"
    for _ in range(2):
        with pytest.warns(UserWarning, match=message):
            first, other, second = clip.embed([long, fitting, long + "b"])
        np.testing.assert_allclose(first, second, atol=1e-6)
        assert not np.allclose(first, other)
    with pytest.warns(UserWarning, match="1 of 3 texts are longer"):
        clip.fit({"a": [long, "c"], "b": [fitting]})


# What turns the upright photo into the one that the camera keeps, by EXIF orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", TURNS)
def test_a_photo_is_turned_as_its_exif_orientation_tells(folder, tmp_path, orientation):
    array = np.random.RandomState(0).randint(0, 255, (20, 30, 3)).astype(np.uint8)
    kept = Image.fromarray(array).transpose(TURNS[orientation])
    exif = kept.getexif()
    exif[0x0112] = orientation
    kept.save(tmp_path / "photo.png", exif=exif)
    with Image.open(tmp_path / "photo.png") as opened:
        embedded = CLIPRepresentation(folder).embed([array, tmp_path / "photo.png", opened])
    np.testing.assert_array_equal(embedded, embedded[[0] * 3])


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_images_of_more_than_8_bits_are_refused(folder, tmp_path, dtype):
    picture = Image.fromarray(np.linspace(300, 60_000, 400).reshape(20, 20).astype(dtype))
    picture.save(tmp_path / "ramp.tiff")
    clip = CLIPRepresentation(folder)
    message = "must have 8 bits for each channel; its mode is '[IF].*astype.*65535"
    with pytest.raises(ValueError, match=f"Image 1, '{tmp_path}.ramp.tiff', {message}"):
        clip.embed([np.zeros((20, 20), np.uint8), tmp_path / "ramp.tiff"])
    with pytest.raises(ValueError, match=f"Image 0 {message}"):
        clip.embed([picture])


# --------------------------------------------------------------------------------------
# The cache
# --------------------------------------------------------------------------------------
@pytest.fixture
def counted(monkeypatch):
    """How many samples went through a model."""
    embed, counts = _clip._Model.embed, []

    def counting(self, samples, device):
        counts.append(len(samples))
        return embed(self, samples, device)

    monkeypatch.setattr(_clip._Model, "embed", counting)
    return counts


def test_cached_samples_are_not_embedded_again(folder, images, tmp_path, counted):
    expected = CLIPRepresentation(folder).fit_transform(images)
    counted.clear()
    first = CLIPRepresentation(folder, cache=tmp_path / "cache").fit_transform(images)
    assert sum(counted) == 8
    again = CLIPRepresentation(folder, cache=tmp_path / "cache").fit_transform(images)
    assert sum(counted) == 8
    pd.testing.assert_frame_equal(again, first)
    pd.testing.assert_frame_equal(first, expected)
    new = np.zeros((20, 20, 3), dtype=np.uint8)
    CLIPRepresentation(folder, cache=tmp_path / "cache").embed(
        [new, images["dark"][0], new]
    )
    assert sum(counted) == 9  # what repeats is embedded once


@pytest.mark.parametrize("turn", [6, 8])
def test_cached_features_of_a_photo_are_those_of_its_turn(folder, tmp_path, turn, counted):
    """The same pixels, whatever the file; other pixels by a tag alone."""
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    photo = Image.fromarray(pixels)
    exif = photo.getexif()
    exif[0x0112] = turn
    photo.save(tmp_path / "plain.png")
    photo.save(tmp_path / "turned.png", exif=exif)
    back = {6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
    upright = photo.transpose(back[turn])
    clip = CLIPRepresentation(folder, cache=tmp_path / "cache")
    plain, turned = clip.embed([tmp_path / "plain.png", tmp_path / "turned.png"])
    assert not np.allclose(plain, turned)
    np.testing.assert_array_equal(clip.embed([upright])[0], turned)
    assert sum(counted) == 2
    # What a reader that does not turn would have cached is not taken for it.
    assert _clip._content_key(tmp_path / "turned.png", "image") == _clip._content_key(
        upright, "image"
    )


def test_texts_of_another_tokenizer_are_embedded_anew(folder, tmp_path):
    clip = CLIPRepresentation(folder, kind="text", cache=tmp_path)
    clip.embed(["aB"])
    before = clip._model.key()
    assert clip._model.key() == before  # also after it was called
    clip._model.processor.backend_tokenizer.normalizer = None  # the same vocabulary
    assert clip._model.key() != before


def test_cache_key_is_the_content_of_a_file(folder, images, tmp_path, counted):
    """A file that was moved is known; one that was written over is not."""
    path, moved = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(images["dark"][0]).save(path)
    clip = CLIPRepresentation(folder, cache=tmp_path)
    before = clip.embed([path])
    path.rename(moved)
    clip.embed([moved])
    assert sum(counted) == 1
    Image.fromarray(images["bright"][0]).save(moved)
    after = clip.embed([moved])
    assert sum(counted) == 2
    assert not np.allclose(before, after)


def test_cache_key_is_the_content_of_the_model(folder, tmp_path, counted):
    save_model(tmp_path / "other", seed=1)
    save_model(tmp_path / "same", seed=0)
    cache = {"cache": tmp_path / "cache", "kind": "text"}
    first = CLIPRepresentation(folder, **cache).embed(["a lynx"])
    other = CLIPRepresentation(tmp_path / "other", **cache).embed(["a lynx"])
    assert sum(counted) == 2
    assert not np.allclose(first, other)
    same = CLIPRepresentation(tmp_path / "same", **cache).embed(["a lynx"])
    assert sum(counted) == 2
    np.testing.assert_array_equal(first, same)
    CLIPRepresentation(folder, normalize=False, **cache).embed(["a lynx"])
    assert sum(counted) == 3


def test_an_interrupted_run_keeps_its_embeddings(folder, tmp_path, monkeypatch, counted):
    embed = _clip._Model.embed

    def failing(self, samples, device):
        if len(counted) == 2:
            raise KeyboardInterrupt
        return embed(self, samples, device)

    monkeypatch.setattr(_clip._Model, "embed", failing)
    texts = list("abcdef")
    representation = CLIPRepresentation(folder, kind="text", cache=tmp_path, batch_size=2)
    with pytest.raises(KeyboardInterrupt):
        representation.embed(texts)
    with closing(sqlite3.connect(tmp_path / "clip_embeddings.sqlite")) as database:
        assert database.execute("SELECT COUNT(*) FROM embeddings").fetchone() == (4,)


# --------------------------------------------------------------------------------------
# Estimators, and what goes wrong
# --------------------------------------------------------------------------------------
def test_clone_and_pickle(folder):
    clip = CLIPRepresentation(folder, kind="text")
    tasks = clip.fit_transform(TEXTS)
    assert clone(clip).get_params() == clip.get_params()
    dumped = pickle.dumps(clip)
    assert len(dumped) < 10_000  # without the model
    pd.testing.assert_frame_equal(pickle.loads(dumped).transform(TEXTS), tasks)


def test_global_output_of_transformers_changes_nothing(folder):
    clip = CLIPRepresentation(folder, kind="text")
    expected = clip.fit_transform(TEXTS)
    with sklearn.config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(clip.fit_transform(TEXTS), expected)
        pd.testing.assert_frame_equal(clip.transform(TEXTS), expected)


def test_set_params_takes_another_model(folder, tmp_path):
    save_model(tmp_path, seed=1)
    clip = CLIPRepresentation(folder, kind="text")
    before = clip.embed(["a lynx"])
    assert not np.allclose(clip.set_params(model=tmp_path).embed(["a lynx"]), before)


def test_verbose_shows_a_bar(folder, capsys):
    CLIPRepresentation(folder, kind="text", verbose=1).embed(["a lynx"])
    assert "embedding texts: 100%" in capsys.readouterr().err


def test_offline_error_shows_how_to_get_a_model(monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    clip = CLIPRepresentation("nobody/no-such-model", kind="text")
    message = "(?s)'nobody/no-such-model' is not a folder here.*hf download.*model=FOLDER"
    with pytest.raises(OSError, match=message):
        clip.fit(TEXTS)
    assert not hasattr(clip, "gaussian_")


def test_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(OSError, match="does not hold a whole CLIP model"):
        CLIPRepresentation(tmp_path, kind="text").fit(TEXTS)


def test_model_without_text_features_is_refused(folder, tmp_path):
    config = transformers.BertConfig(vocab_size=190, max_position_embeddings=16, **SIZES)
    transformers.BertModel(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is a BertModel, which has no get_text_features"):
        CLIPRepresentation(tmp_path, kind="text").fit(TEXTS)


def test_without_transformers_error_shows_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-task2box\[clip\]'"):
        CLIPRepresentation(folder, kind="text").fit(TEXTS)


@pytest.mark.parametrize(
    ("kind", "X", "y", "message"),
    [
        ("text", ["a", "b"], None, "item 0 is a str.*give y"),
        ("text", {"a": ["x"], "b": []}, None, "without a sample: 'b'"),
        ("text", {"a": ["x", 3]}, None, "Text 1 is a int, not a str"),
        ("text", ["x", "y"], ["a"], "each of the 2 samples"),
        ("image", {"a": ["nowhere.png"]}, None, "Image 0, 'nowhere.png', is not a file"),
        ("image", {"a": [np.zeros((4, 4, 3))]}, None, "got dtype float64"),
        ("image", {"a": [np.zeros(4, dtype=np.uint8)]}, None, r"shape \(4,\)"),
        ("sound", {"a": ["x"]}, None, "'kind' parameter"),
    ],
)
def test_bad_input(folder, kind, X, y, message):
    clip = CLIPRepresentation(folder, kind=kind)
    with pytest.raises(ValueError, match=message):
        clip.fit(X, y)
    assert not hasattr(clip, "gaussian_")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_cuda_and_cpu_give_the_same_tasks(folder, images):
    on_cpu, on_cuda = (
        CLIPRepresentation(folder, device=device).fit_transform(images)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(on_cpu, on_cuda, atol=1e-2)
