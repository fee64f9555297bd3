"""Your own images: folders and npz files, whole, odd and broken."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image

from mrvae_lib.config import DataConfig
from mrvae_lib.data import load_dataset
from mrvae_lib.data.real_sets import data_folder
from mrvae_lib.errors import DataError
from mrvae_lib.training.loop import train
from tests.conftest import tiny_images, tiny_run

pytestmark = pytest.mark.filterwarnings("error")


def picture(path, size=(20, 20), mode="L", value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 0, 255 - value)).save(path)


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
    return images.take().float().mean(dim=(1, 2, 3)).tolist()


def test_sub_folders_are_classes_and_a_fifth_is_for_testing(classes):
    train_set, test_set = load_dataset(str(classes)), load_dataset(str(classes), "test")
    assert (len(train_set), len(test_set)) == (16, 4)
    assert train_set.image_shape == (1, 20, 20)
    assert train_set.label_names == ("dark", "light")
    assert sorted(brightness(train_set) + brightness(test_set)) == [*range(10), *range(200, 210)]
    assert [value >= 200 for value in brightness(train_set)] == [label == 1 for label in train_set.labels.tolist()]


def test_the_split_is_the_same_each_time(classes):
    assert torch.equal(load_dataset(str(classes)).take(), load_dataset(str(classes)).take())


def test_the_first_images_show_more_than_one_class(classes):
    assert len(load_dataset(str(classes)).first(8).labels.unique()) == 2


def test_a_folder_without_sub_folders_has_no_labels(tmp_path):
    for i in range(5):
        picture(tmp_path / f"{i}.png")
    assert load_dataset(str(tmp_path)).labels is None


def test_train_and_test_folders_are_respected(tmp_path):
    for i in range(3):
        picture(tmp_path / "train" / "a" / f"{i}.png", value=i)
    picture(tmp_path / "test" / "b" / "0.png", value=50)
    train_set, test_set = load_dataset(str(tmp_path)), load_dataset(str(tmp_path), "test")
    assert sorted(brightness(train_set)) == [0, 1, 2]
    assert brightness(test_set) == [50]
    assert train_set.label_names == test_set.label_names == ("a", "b")
    assert test_set.labels.tolist() == [1]


@pytest.mark.parametrize(("sizes", "side"), [
    ([(16, 16)] * 3, 16), ([(256, 256)] * 3, 256), ([(257, 257)] * 3, 64), ([(4, 4)] * 3, 8),
    ([(20, 30), (40, 24), (500, 500)], 24), ([(200, 100), (90, 300), (80, 80)], 64), ([(28, 20)] * 3, 20),
])
def test_other_sizes_become_squares_of_their_median_shorter_side(tmp_path, sizes, side):
    for i, size in enumerate(sizes):
        picture(tmp_path / f"{i}.png", size=size)
    assert load_dataset(str(tmp_path)).image_shape == (1, side, side)


def test_the_middle_is_kept(tmp_path):
    wide = np.zeros((10, 30), dtype=np.uint8)
    wide[:, 10:20] = 255
    for i in range(2):
        Image.fromarray(wide).save(tmp_path / f"{i}.png")
    assert load_dataset(str(tmp_path)).take().min() == 255


def test_colour_stays_and_what_is_transparent_becomes_black(tmp_path):
    Image.new("RGBA", (8, 8), (255, 255, 255, 0)).save(tmp_path / "a.png")
    Image.new("RGBA", (8, 8), (255, 255, 255, 0)).save(tmp_path / "b.png")
    images = load_dataset(str(tmp_path))
    assert images.image_shape == (3, 8, 8)
    assert images.take().max() == 0


def test_sixteen_bit_images_keep_their_brightness(tmp_path):
    for i in range(2):
        Image.fromarray(np.full((8, 8), 200 * 256, dtype=np.uint16)).save(tmp_path / f"{i}.png")
    assert load_dataset(str(tmp_path)).take().unique().tolist() == [200]


def test_unreadable_files_are_left_out_with_one_warning_that_lists_them(classes):
    cut_picture(classes / "dark" / "cut.png")
    (classes / "dark" / "notes.txt").write_text("not a picture")
    (classes / ".DS_Store").write_text("hidden")
    picture(classes / "stray.png")
    with pytest.warns(UserWarning, match="3 files left out, 20 images read") as caught:
        images = load_dataset(str(classes))
    assert len(images) == 16
    assert len(caught) == 1
    for name in ("cut.png", "notes.txt (not an image)", "stray.png (beside the class folders)"):
        assert name in str(caught[0].message)


def test_whatever_a_reader_of_pillow_raises_concerns_its_file_alone(classes):
    """A DDS file of an unknown pixel format makes Pillow raise NotImplementedError; pixels may be floats."""
    (classes / "dark" / "odd.dds").write_bytes(b"DDS " + struct.pack("<I", 124) + bytes(120))
    Image.new("F", (20, 20)).save(classes / "light" / "floats.tiff")
    expected = r"2 files left out, 20 images read \(left out: dark/odd.dds \(.*format.*floats.tiff \(pixels of kind 'F'\)"
    with pytest.warns(UserWarning, match=expected):
        load_dataset(str(classes))


def test_each_split_lists_its_own_damage(tmp_path):
    for split in ("train", "test"):
        for i in range(2):
            picture(tmp_path / split / "a" / f"{i}.png")
    cut_picture(tmp_path / "test" / "a" / "1.png")
    assert len(load_dataset(str(tmp_path))) == 2
    with pytest.warns(UserWarning, match="1 files left out, 1 images read"):
        assert len(load_dataset(str(tmp_path), "test")) == 1


def test_a_photograph_is_turned_upright(tmp_path):
    tall = np.repeat([[255], [0]], 8, axis=0).repeat(16, axis=1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    for i in range(2):
        Image.fromarray(tall).save(tmp_path / f"{i}.png", exif=exif)
    upright = load_dataset(str(tmp_path)).take()
    assert upright[:, :, 8:].min() == 255
    assert upright[:, :, :8].max() == 0


@pytest.mark.parametrize(("kinds", "message"), [
    ([], r"no file here is an image; give a folder"),
    (["text"] * 8, r"no file here is an image \(left out: .*/0.png .*7.png .*\); give a folder"),
    (["L"], "needs at least 2 images, to split into train and test; got 1"),
    (["L", "RGB"], r"1 images are grey \(such as 0.png\) and 1 in colour \(such as 1.png\)"),
])
def test_a_folder_that_cannot_be_used_is_one_clear_error(tmp_path, kinds, message):
    for i, kind in enumerate(kinds):
        if kind == "text":
            (tmp_path / f"{i}.png").write_text("text")
        else:
            picture(tmp_path / f"{i}.png", mode=kind)
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(str(tmp_path))
    assert "\n" not in str(caught.value)


def npz(tmp_path, **arrays):
    np.savez(tmp_path / "own.npz", **arrays)
    return str(tmp_path / "own.npz")


def test_an_npz_keeps_labels_and_factors_beside_its_images(tmp_path):
    numbers = np.arange(10)
    path = npz(tmp_path, images=np.tile(numbers[:, None, None], (1, 8, 8)).astype(np.uint8), labels=numbers,
               factors=np.stack([numbers, numbers], axis=1), label_names=[f"n{i}" for i in numbers])
    train_set, test_set = load_dataset(path), load_dataset(path, "test")
    assert (len(train_set), len(test_set)) == (8, 2)
    assert brightness(train_set) == train_set.labels.tolist() == train_set.factors[:, 1].tolist()
    assert train_set.label_names[3] == "n3"
    assert set(train_set.labels.tolist() + test_set.labels.tolist()) == set(range(10))


@pytest.mark.parametrize(("images", "shape"), [
    (np.zeros((5, 8, 8), dtype=bool), (1, 8, 8)), (np.zeros((5, 8, 8, 3)), (3, 8, 8)),
    (np.zeros((5, 3, 8, 8), dtype=np.int64), (3, 8, 8)), (np.ones((5, 100, 90, 1)), (1, 64, 64)),
])
def test_an_npz_may_hold_images_in_several_forms(tmp_path, images, shape):
    loaded = load_dataset(npz(tmp_path, images=images))
    assert loaded.image_shape == shape
    assert loaded.take().max() == 255 * images.max()


@pytest.mark.parametrize(("arrays", "message"), [
    ({"train_images": np.zeros((3, 8, 8)), "test_images": np.zeros((3, 9, 9))}, "must have one size and kind, got"),
    ({"pictures": np.zeros((3, 8, 8))}, "needs an array 'images', or 'train_images' and 'test_images'; it has pictures"),
    ({"images": np.zeros((0, 8, 8))}, r"none of them 0, got \(0, 8, 8, 1\)"),
    ({"images": np.zeros((3, 8, 8, 2))}, r"with C 1 or 3 .*got \(3, 8, 8, 2\)"),
    ({"images": np.full((3, 8, 8), 2.0)}, "must lie in 0..1 if float64, got 2.0..2.0"),
    ({"images": np.full((3, 8, 8), np.nan)}, "must lie in"),
    ({"images": np.full((3, 8, 8), 300)}, r"must lie in 0..255 if int64, got 300..300"),
    ({"images": np.full((3, 8, 8), "a")}, "must be numbers"),
    ({"images": np.array([np.zeros((8, 8)), np.zeros((9, 9))], dtype=object)}, "never unpickled"),
    ({"images": np.zeros((3, 8, 8)), "labels": np.zeros(2, dtype=int)}, r"own.npz: 3 images but 2 labels"),
    ({"images": np.zeros((3, 8, 8)), "labels": np.full(3, -1)}, r"labels must be whole numbers >= 0 of shape \(N\), got int64 \(3,\)"),
    ({"images": np.zeros((3, 8, 8)), "factors": np.zeros((3, 2))}, r"factors must be whole numbers >= 0 of shape \(N, F\), got float64"),
])
def test_an_npz_that_cannot_be_used_says_what_it_needs(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load_dataset(npz(tmp_path, **arrays))


def test_a_truncated_npz_is_named(tmp_path):
    path = npz(tmp_path, images=np.zeros((9, 8, 8), dtype=np.uint8))
    with open(path, "rb+") as file:
        file.truncate(400)
    with pytest.raises(DataError, match=r"own.npz: not an .* or damaged"):
        load_dataset(path)


@pytest.mark.parametrize("content", [b"", b"hello, this is text", None])
def test_a_file_that_is_no_npz_or_not_there_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(DataError, match="own.npz: not an" if content is not None else "no such file"):
        load_dataset(str(tmp_path / "own.npz"))


def test_the_real_cifar_sample_loads_this_way():
    path = data_folder() / "cifar10" / "cifar10_11000.npz"
    if not path.is_file():
        pytest.skip("the real CIFAR-10 sample is not in the data folder (MRVAE_DATA)")
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
    x = load_dataset(str(tmp_path), "test").floats()
    errors = []
    for epochs in (1, 30):
        model = train(tiny_run(epochs=epochs).model_copy(update={"data": DataConfig(name=str(tmp_path))}))
        with torch.inference_mode():
            posterior = model.encode(x)
            errors.append(float(model.reconstruction_loss(x, posterior.mu, posterior.bits[None]).mean()))
    assert errors[1] < 0.9 * errors[0]
