"""Your own images: folders and npz files, whole, odd and broken."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from mrvae_lib.analysis.evaluation import evaluate
from mrvae_lib.config import DataConfig
from mrvae_lib.data import ImageSet, load_dataset
from mrvae_lib.errors import ConfigError, DataError
from mrvae_lib.training.loop import train
from tests.conftest import real_file, tiny_images, tiny_run

pytestmark = pytest.mark.filterwarnings("error")


def picture(path, size=(20, 20), mode="L", value=100):
    """A picture of this value but for one white pixel, so that no set of them is of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new(mode, size, value if mode == "L" else (value, 0, 255 - value))
    image.putpixel((0, 0), 255 if mode == "L" else (255, 255, 255))
    image.save(path)


def cut_picture(path):
    """A picture of which half the file is missing."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.fixture
def classes(tmp_path):
    """Ten dark circles and ten bright squares, so to speak."""
    for i in range(10):
        picture(tmp_path / "dark" / f"{i}.png", value=i)
        picture(tmp_path / "light" / f"{i}.png", value=200 + i)
    return tmp_path


def brightness(images):
    return images.take().float().flatten(1).median(dim=1).values.tolist()


def test_sub_folders_are_classes_and_a_fifth_the_same_each_time_is_for_testing(classes):
    train_set, test_set = load_dataset(str(classes)), load_dataset(str(classes), "test")
    assert (len(train_set), len(test_set)) == (16, 4)
    assert train_set.image_shape == (1, 20, 20)
    assert train_set.label_names == ("dark", "light")
    assert sorted(brightness(train_set) + brightness(test_set)) == [*range(10), *range(200, 210)]
    assert [value >= 200 for value in brightness(train_set)] == [label == 1 for label in train_set.labels.tolist()]
    assert len(train_set.first(8).labels.unique()) == 2
    assert torch.equal(load_dataset(str(classes)).take(), train_set.take())


@pytest.mark.parametrize(("sizes", "side"), [
    ([(16, 16)] * 3, 16), ([(256, 256)] * 3, 256), ([(257, 257)] * 3, 64), ([(4, 4)] * 3, 8),
    ([(20, 30), (40, 24), (500, 500)], 24), ([(200, 100), (90, 300), (80, 80)], 64), ([(28, 20)] * 3, 20),
])
def test_other_sizes_become_squares_of_their_median_shorter_side(tmp_path, sizes, side):
    for i, size in enumerate(sizes):
        picture(tmp_path / f"{i}.png", size=size, value=10 * i)
    assert in_both(tmp_path)[0].shape == (3, 1, side, side)


KINDS = {
    "bytes": (lambda a: a, ""), "0 and 1": (lambda a: (a > 128).astype(np.uint8), "0..1"), "bool": (lambda a: a > 128, ""),
    "12 bits": (lambda a: a.astype(np.uint16) * 16, "0..4080"), "16 bits": (lambda a: a.astype(np.uint16) * 257, "0..65535"),
    "big-endian": (lambda a: a.astype(">u2") * 16, "0..4080"), "int64": (lambda a: a.astype(np.int64), ""),
    "int8": (lambda a: (a.astype(int) - 128).astype(np.int8), "-128..127"), "float": (lambda a: a / 255, ""),
    "floats 0..255": (lambda a: a.astype(np.float32), ""), "floats -1..1": (lambda a: a / 127.5 - 1, "-1..1"),
    "half": (lambda a: (a / 255).astype(np.float16), ""), "a little over": (lambda a: a / 250, ""),
    "normalised": (lambda a: (a - 100.0) / 50, "-2..3.1"), "not a number": (lambda a: np.where(a == 7, np.nan, a / 255), "that were no number"),
}
"""For each kind of number: how it is made of bytes, and what is said of its range."""
NUMBERS = np.stack([np.roll(np.arange(256, dtype=np.uint8).reshape(16, 16), i, axis=1) for i in range(5)])


def in_both(path, **settings):
    """All images of a source, what was said while they were loaded, at most one line for each split, and the two."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = [load_dataset(str(path), split, **settings) for split in ("train", "test")]
    said = [str(warning.message) for warning in caught]
    assert said in ([], said[:1], said[:1] * 2)
    return torch.cat([part.images for part in parts]), "".join(said[:1]), parts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["N H W", "N H W C", "N C H W", "N H W 4", "H W C N", "N P", "npy"])
def test_numbers_of_every_kind_and_form_become_the_same_bytes_and_one_line_says_how(tmp_path, kind, form):
    make, said = KINDS[kind]
    array = make(NUMBERS)
    opaque = np.full(NUMBERS.shape, np.nanmax(array), dtype=array.dtype)
    shaped = {"N H W": array, "npy": array, "N H W C": np.stack([array] * 3, 3), "N C H W": np.stack([array] * 3, 1),
              "N H W 4": np.stack([array] * 3 + [opaque], 3), "N P": array.reshape(5, -1),
              "H W C N": np.stack([array] * 3, 1).transpose(2, 3, 1, 0)}[form]
    if form == "npy":
        np.save(tmp_path / "own.npy", shaped)
    images, line, _ = in_both(tmp_path / "own.npy" if form == "npy" else npz(tmp_path, images=shaped))
    expected = np.where(NUMBERS > 128, 255, 0) if kind in ("0 and 1", "bool") else NUMBERS * (NUMBERS != 7) if "not" in kind else NUMBERS
    assert images.shape[1] == (1 if form in ("N H W", "N P", "npy") else 3)
    assert (images.int().sort(dim=0).values - torch.from_numpy(expected.astype(int)).sort(dim=0).values[:, None]).abs().max() <= 6
    assert (said in line) if said else not line


GIVEN = {
    "arrays": list(NUMBERS), "tensors": (torch.from_numpy(NUMBERS)[:, None] / 255).requires_grad_(), "bytes": torch.from_numpy(NUMBERS)[:, None],
    "pictures": list(map(Image.fromarray, NUMBERS)), "palette": [Image.fromarray(each).convert("P") for each in NUMBERS],
    "Dataset": torch.utils.data.TensorDataset(torch.from_numpy(NUMBERS)[:, None], torch.arange(5)),
    "pairs": list(zip(NUMBERS, "abcab", strict=True)), "two arrays": (NUMBERS, np.arange(5)),
    "ragged labels": list(zip(NUMBERS, [[0], [1, 2], [], [3], [4]], strict=True)),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_images_that_a_program_holds_are_a_data_set_too(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images, small = load_dataset(GIVEN[kind]), load_dataset(GIVEN[kind], size=8, invert=True)
    assert torch.equal(images.images, torch.from_numpy(NUMBERS)[:, None])
    labels = {"Dataset": [0, 1, 2, 3, 4], "two arrays": [0, 1, 2, 3, 4], "pairs": [0, 1, 2, 0, 1]}.get(kind)
    assert (images.labels is None) if labels is None else images.labels.tolist() == labels
    assert small.image_shape == (1, 8, 8)


def test_what_a_data_set_itself_raises_passes_through():
    with pytest.raises(KeyError, match="image"):
        load_dataset(torch.utils.data.Subset({}, ["image"] * 3))


def test_a_set_mapped_from_a_file_is_trained_on_where_it_lies(tmp_path):
    NUMBERS.tofile(tmp_path / "own.bin")
    images = load_dataset(torch.from_file(str(tmp_path / "own.bin"), size=NUMBERS.size, dtype=torch.uint8).view(5, 1, 16, 16))
    assert train(tiny_run(epochs=1, batch_size=5), images=images).image_shape == (1, 16, 16)


@pytest.mark.parametrize("given", [None, 5, [], {}, [()], [{"image": NUMBERS[0]}], ["a.png"], [1, 2], np.zeros((3, 2))])
def test_what_is_no_picture_is_refused_in_one_line(given):
    with pytest.raises(DataError, match=r"^images: (expected a name, a path, a DataConfig, or a list|item 0: images must be)"):
        load_dataset(given)


def ink(i, mode="RGBA", shade=20):
    """A stroke on nothing."""
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    image.paste((shade, shade, shade, 255), (4 + i, 8, 12 + i, 24))
    return image if mode == "RGBA" else image.convert(mode)


def blob(i, mode="L"):
    image = Image.new("L", (32, 32), 5)
    image.paste(250, (4 + i, 8, 12 + i, 24))
    return image.quantize(8) if mode == "P" else Image.fromarray(np.asarray(image).astype(np.uint16) * 16) if mode == "16" \
        else Image.fromarray(np.asarray(image) / np.float32(250)) if mode == "F" else image.convert(mode)


@pytest.mark.parametrize(("make", "suffix", "channels", "said"), [
    (ink, "png", 3, "6 with transparency laid on white"), (lambda i: ink(i, "LA"), "png", 1, "laid on white"),
    (lambda i: ink(i).quantize(8), "png", 1, "laid on white"),
    (lambda i: ink(i, shade=240), "png", 3, "laid on black"),
    (blob, "png", 1, ""), (lambda i: blob(i, "P" if i % 2 else "L"), "png", 1, ""),
    (lambda i: blob(i, "RGB" if i % 2 else "L"), "png", 3, "3 made colour"), (lambda i: blob(i, "16"), "png", 1, "80..4000"),
    (lambda i: blob(i, "16"), "tif", 1, "80..4000"), (lambda i: blob(i, "F"), "tif", 1, ""), (lambda i: blob(i, "1"), "png", 1, ""),
    (lambda i: blob(i, "CMYK"), "jpg", 3, ""), (lambda i: blob(i, "YCbCr"), "jpg", 3, ""), (blob, "webp", 3, ""),
    (lambda i: Image.fromarray(np.asarray(blob(i)).astype(np.int32)), "tif", 1, ""), (lambda i: blob(i).resize((64, 32)), "png", 1, "cropped and scaled from 64x32"),
    (lambda i: blob(i).resize((512, 512)), "png", 1, "scaled from 512x512 to 64x64"),
])
def test_files_of_every_kind_are_read_with_their_contrast_and_one_line_says_how(tmp_path, make, suffix, channels, said):
    for i in range(6):
        make(i).save(tmp_path / f"{i}.{suffix}")
    images, line, _ = in_both(tmp_path)
    assert images.shape[:2] == (6, channels)
    assert images.amax() - images.amin() > 200
    assert (said in line) if said else not line


def test_size_fit_channels_and_polarity_are_settings(tmp_path):
    for i in range(3):
        wide = Image.new("RGB", (128, 32), "white")
        wide.paste((255, 0, 0), (0, i, 20, 20 + i))
        wide.save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match=r"every pixel .* is 255 of 255 \(cropped and scaled from 128x32 to 32x32\).*'pad'"):
        load_dataset(str(tmp_path))
    for fit in ("pad", "stretch"):
        images, line, _ = in_both(tmp_path, fit=fit, size=48, channels="grey", invert=True)
        assert images.shape == (3, 1, 48, 48)
        assert "from 128x32 to 48x48" in line
        assert images[:, :, -1].max() == 0  # what was white
        assert images.max() > 150
    with pytest.raises(ConfigError, match="fit must be 'crop', 'pad' or 'stretch', got 'zoom'"):
        load_dataset(str(tmp_path), fit="zoom")
    with pytest.raises(ConfigError, match="are for your own images"):
        load_dataset("digits", size=64)


@pytest.mark.parametrize(("values", "message"), [((7, 7), "every pixel of all 4 images is 7 of 255"),
                                                 ((3, 15), r"only 3\.\.15 of 0\.\.255 in use")])
def test_sets_without_contrast_are_an_error_or_a_warning(tmp_path, values, message):
    images = np.random.default_rng(0).choice(values, (4, 8, 8)).astype(np.uint8)
    with pytest.raises(DataError, match=message) if values[0] == values[1] else pytest.warns(UserWarning, match=message):
        load_dataset(npz(tmp_path, images=images))


def test_all_frames_of_a_film_are_read(tmp_path):
    for name in ("a.gif", "b.tif"):
        blob(0).save(tmp_path / name, save_all=True, append_images=[blob(i) for i in range(1, 5)])
    images, line, _ = in_both(tmp_path)
    assert images.shape == (10, 1, 32, 32)
    assert "all frames of 2 files" in line


def test_unreadable_files_are_left_out_with_one_warning_that_lists_them(classes):
    """A DDS file of an unknown pixel format makes Pillow raise NotImplementedError."""
    cut_picture(classes / "dark" / "cut.png")
    (classes / "dark" / "notes.txt").write_text("not a picture")
    (classes / "dark" / "odd.dds").write_bytes(b"DDS \x7c" + bytes(123))
    (classes / ".DS_Store").write_text("hidden")
    picture(classes / "stray.png")
    _, line, (train_set, _) = in_both(classes)
    assert len(train_set) == 16
    for said in ("20 images: 4 left out: ", "cut.png", "notes.txt (not an image)", "odd.dds (", "stray.png (beside the class folders)"):
        assert said in line


TREES = {
    "train/a 4, train/b 4, val/a 2, val/b 2": (8, 4, ("a", "b"), ""),
    "Train/a 4, TEST/a 2": (4, 2, ("a",), ""),
    "train/a 4, val/a 3, test/a 2": (4, 2, ("a",), "3 left out: val/a"),
    "set/images/training/a 4, set/images/testing/b 2": (4, 2, ("a", "b"), ""),
    "data/a 5, data/b 5": (8, 2, ("a", "b"), ""),
    "a 5, __pycache__ 0, .git 2": (4, 1, ("a",), ""),
    " 10, notes 0": (8, 2, (), "0.txt (not an image)"),
    " 10, few 2": (10, 2, (), ""),
    " 1, a 5, b 5": (8, 2, ("a", "b"), "1 left out: 0.png (beside"),
    "train 4, test 2, thumbs 3": (4, 2, (), "3 left out: thumbs/"),
    "train 5, other 5": (8, 2, ("other", "train"), ""),
}
"""Folders with their counts of images, where 0 is a text file; images to train on and to test, classes, what is said."""


@pytest.mark.parametrize("tree", TREES)
def test_classes_are_folders_of_images_and_splits_have_names_in_any_case(tmp_path, tree):
    for number, part in enumerate(tree.split(", ")):
        folder, count = part.rsplit(" ", 1)
        for i in range(int(count)):
            picture(tmp_path / folder / f"{i}.png", value=10 * number + i)
        if count == "0":
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "0.txt").write_text("text")
    n_train, n_test, names, said = TREES[tree]
    _, line, parts = in_both(tmp_path)
    assert (*map(len, parts), *(part.label_names for part in parts)) == (n_train, n_test, names, names)
    assert (said in line) if said else not line
    assert len({*brightness(parts[0]), *brightness(parts[1])}) == n_train + n_test
    for part in parts:
        folders = [tree.split(", ")[int(value) // 10].split(" ")[0] for value in brightness(part)]
        shown = [folder.split("/")[-1] for folder in folders]
        assert (part.labels is None) if not names else [names[label] for label in part.labels.tolist()] == shown


def test_a_damaged_file_is_left_out_of_its_split_alone(tmp_path):
    for i, name in enumerate(["train/a/0.png", "train/a/1.png", "test/a/0.png"]):
        picture(tmp_path / name, value=i)
    cut_picture(tmp_path / "test" / "a" / "1.png")
    for split, n_images in (("train", 2), ("test", 1)):
        with pytest.warns(UserWarning, match="3 images: 1 left out: a/1.png"):
            assert len(load_dataset(str(tmp_path), split)) == n_images


def test_a_photograph_is_turned_upright(tmp_path):
    tall = np.repeat([[255], [0]], 8, axis=0).repeat(16, axis=1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    for i in range(2):
        Image.fromarray(tall).save(tmp_path / f"{i}.png", exif=exif)
    assert torch.equal(in_both(tmp_path)[0], torch.from_numpy(tall).flip(0).expand(2, 1, 16, 16))


@pytest.mark.parametrize(("n_texts", "message"), [
    (0, r"no file here is an image; give a folder .*; 0 left out: none$"),
    (8, r"no file here is an image; give .*8 left out: .*/0.png .*/1.png .*"),
])
def test_a_folder_that_cannot_be_used_is_one_clear_error(tmp_path, n_texts, message):
    for i in range(n_texts):
        (tmp_path / f"{i}.png").write_text("text")
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(str(tmp_path))
    assert "\n" not in str(caught.value)


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "own.npz", **arrays)
    return str(tmp_path / "own.npz")


def test_an_npz_keeps_labels_and_factors_beside_its_images(tmp_path):
    numbers = np.arange(10)
    path = npz(tmp_path, images=np.tile(25 * numbers[:, None, None], (1, 8, 8)).astype(np.uint8), labels=numbers,
               factors=np.stack([numbers, numbers], axis=1), label_names=[f"n{i}" for i in numbers])
    train_set, test_set = load_dataset(path), load_dataset(path, "test")
    assert (len(train_set), len(test_set)) == (8, 2)
    assert brightness(train_set) == (25 * train_set.labels).tolist() == (25 * train_set.factors[:, 1]).tolist()
    assert train_set.label_names[3] == "n3"
    assert set(train_set.labels.tolist() + test_set.labels.tolist()) == set(range(10))


@pytest.mark.parametrize(("labels", "classes", "names"), [
    (np.array(["b", "a", "c", "a", "b"]), [1, 0, 2, 0, 1], ("a", "b", "c")), (np.arange(5.0), [0, 1, 2, 3, 4], ()),
    (np.arange(5)[:, None], [0, 1, 2, 3, 4], ()), (np.arange(5) + 1, [0, 1, 2, 3, 4], ("1", "2", "3", "4", "5")),
    (np.array([-1, 0, 1, 1, 0]), [0, 1, 2, 2, 1], ("-1", "0", "1")), (np.eye(5), [0, 1, 2, 3, 4], ()),
    (np.arange(5, dtype=np.uint64) + 10**12, [0, 1, 2, 3, 4], tuple(str(10**12 + i) for i in range(5))),
    (np.array([b"x", b"y", b"x", b"y", b"y"]), [0, 1, 0, 1, 1], ("x", "y")), (np.array([True, False] * 2 + [True]), [1, 0, 1, 0, 1], ()),
    (np.array([0.5, 1.5, 0.5, 1.5, 0.5]), [0, 1, 0, 1, 0], ("0.5", "1.5")),
])
@pytest.mark.parametrize("keys", ["images labels", "x_train y_train x_test y_test", "train_images train_labels test_images test_labels"])
def test_labels_of_every_kind_become_classes(tmp_path, keys, labels, classes, names):
    images = [NUMBERS, labels] * (len(keys.split()) // 2)
    train_set = load_dataset(npz(tmp_path, **dict(zip(keys.split(), images, strict=True))))
    assert train_set.label_names == names
    places = [-int(corner) % 16 for corner in train_set.images[:, 0, 0, 0]]  # each of NUMBERS is shifted by its place
    assert train_set.labels.tolist() == [classes[place] for place in places]


@pytest.mark.parametrize(("column", "message"), [
    ({"labels": np.zeros(2, dtype=int)}, r"labels \(int64 of shape \(2,\) for 5 images\)"), ({"labels": np.zeros((5, 2, 2))}, r"labels \(float64 of shape"),
    ({"labels": np.array([1, 2, 3, 4, np.nan])}, r"labels \(some are not finite"), ({"labels": np.array([{}] * 5)}, r"labels \(Object arrays"),
    ({"factors": np.zeros((5, 2, 2))}, r"factors \("), ({"filenames": np.array(["a"] * 5, dtype=object)}, r"filenames \(Object"),
    ({"labels": np.zeros(5, dtype="M8[s]")}, r"labels \(datetime64"), ({"labels": np.array(3)}, "labels"),
])
def test_a_column_that_cannot_be_used_costs_itself_and_no_image(tmp_path, column, message):
    with pytest.warns(UserWarning, match="left out: " + message):
        loaded = load_dataset(npz(tmp_path, images=NUMBERS, **column))
    assert (len(loaded), loaded.labels, loaded.factors) == (4, None, None)


def test_ids_are_no_classes(tmp_path):
    with pytest.warns(UserWarning, match=r"labels \(1,500 different ones, at most 1,000"):
        load_dataset(npz(tmp_path, images=np.tile(NUMBERS, (300, 1, 1)), labels=np.arange(1500) + 10**6))
    with pytest.raises(DataError, match=r"labels must be 0\.\.999, got 5\.\.5000000; .*unique"):
        ImageSet("ids", torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([5, 5_000_000]))


def test_names_that_are_missing_are_numbers():
    made = ImageSet("x", torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.arange(3), ("a",), torch.zeros(3, 2).long(), ("f",))
    assert (made.label_names, made.factor_names) == (("a", "1", "2"), ("f", "factor1"))


@pytest.mark.parametrize(("arrays", "message"), [
    ({"a": np.zeros((3, 8, 8)), "b": np.zeros((3, 8, 8))}, "needs an array 'images', or .*; it has a, b; np.savez"),
    ({"images": np.zeros((0, 8, 8))}, r"none of them 0, got \(0, 8, 8\)"),
    ({"images": np.zeros((5, 8, 8, 2))}, r"with C 1, 3 or 4 .*got \(5, 8, 8, 2\); images = images"),
    ({"images": np.full((3, 8, 8), np.nan)}, "every pixel of all 3 images is"),
    ({"images": np.full((3, 8, 8), "a")}, "must be numbers, got <U1; images = images.astype"),
    ({"images": np.array([np.zeros((8, 8)), np.zeros((9, 9))], dtype=object)}, "images .*Object arrays"),
])
def test_an_npz_that_cannot_be_used_says_what_it_needs_and_the_line_of_numpy_that_mends_it(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(npz(tmp_path, **arrays))
    assert "np.savez" in str(caught.value) or "images = " in str(caught.value) or "nothing to learn" in str(caught.value)


@pytest.mark.parametrize(("damage", "message"), [
    (lambda path: path.write_bytes(b""), "own.npz: not an"), (lambda path: path.write_bytes(b"hello, this is text"), "own.npz: not an"),
    (lambda path: path.write_bytes(path.read_bytes()[:400]), r"own.npz: not an .* or damaged"), (lambda path: path.unlink(), "no data set .*own.npz"),
])
def test_an_npz_that_is_empty_or_text_or_truncated_or_not_there_is_named(tmp_path, damage, message):
    npz(tmp_path, images=NUMBERS)
    damage(tmp_path / "own.npz")
    with pytest.raises(DataError, match=message):
        load_dataset(str(tmp_path / "own.npz"))


def test_the_real_cifar_sample_loads_this_way():
    path = real_file("cifar10", "cifar10_11000.npz")
    images, test_set = load_dataset(str(path)), load_dataset(str(path), "test")
    assert (len(images), len(test_set), images.image_shape) == (10_000, 1000, (3, 32, 32))
    with np.load(path) as file:
        assert images.take(torch.tensor([7]))[0].permute(1, 2, 0).tolist() == file["train_images"][7].tolist()
        assert images.labels.tolist() == file["train_labels"].tolist()


def test_training_on_a_folder_cuts_the_reconstruction_error_by_a_tenth(tmp_path):
    made = tiny_images(80)
    for i, (image, label) in enumerate(zip(made.images, made.labels.tolist(), strict=True)):
        path = tmp_path / made.label_names[label] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(path)
    test_set, errors = load_dataset(str(tmp_path), "test"), []
    for epochs in (1, 30):
        model = train(tiny_run(epochs=epochs).model_copy(update={"data": DataConfig(name=str(tmp_path))}))
        errors.append(evaluate(model, test_set)["reconstruction_at_mean"])
    assert errors[1] < 0.9 * errors[0]
