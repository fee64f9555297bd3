"""Data sets: real files, and every way in which they can be broken."""

import gzip
import hashlib
import io
import pickle
import shutil
import tarfile

import numpy as np
import pytest
import torch

from mrvae_lib.data import DataError, ImageSet, load_dataset
from mrvae_lib.data.imageset import as_floats, batches_in_order, shuffled_batches
from tests.conftest import tiny_images


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """An empty data folder, and downloads that fail as they do without a network."""
    def refused(*_args, **_kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setenv("MRVAE_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", refused)
    return tmp_path


def test_digits_are_real_and_need_no_file(no_network):
    train, test = load_dataset("digits", "train"), load_dataset("digits", "test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.image_shape == (1, 32, 32)
    assert set(train.labels.tolist()) == set(test.labels.tolist()) == set(range(10))
    assert train.images.max() == 255


@pytest.mark.parametrize(("name", "n_train"), [("mnist", 60_000), ("fashion-mnist", 60_000)])
def test_real_idx_files_have_their_published_counts(mnist_folder, name, n_train):
    train, test = load_dataset(name), load_dataset(name, "test")
    assert (len(train), len(test)) == (n_train, 10_000)
    assert train.image_shape == (1, 28, 28)
    assert torch.bincount(test.labels).tolist() == ([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
                                                    if name == "mnist" else [1000] * 10)


def test_take_gives_uint8_batches_by_index():
    images = tiny_images(10)
    batch = images.take(torch.tensor([3, 1]))
    assert batch.dtype == torch.uint8
    assert torch.equal(batch[0], images.images[3])
    floats = as_floats(batch)
    assert floats.dtype == torch.float32
    assert float(floats.max()) <= 1


def test_a_pass_in_random_order_uses_full_batches_and_no_image_twice(generator):
    batches = list(shuffled_batches(10, 4, generator))
    assert [len(batch) for batch in batches] == [4, 4]
    assert len(torch.cat(batches).unique()) == 8


def test_a_batch_larger_than_the_set_is_the_whole_set(generator):
    assert [len(batch) for batch in shuffled_batches(3, 256, generator)] == [3]


def test_a_pass_in_order_sees_every_image_once():
    assert torch.cat(list(batches_in_order(2500, 1000))).tolist() == list(range(2500))


def test_first_keeps_images_and_labels_together():
    few = tiny_images(10).first(4)
    assert len(few) == len(few.labels) == 4


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 8, 8), torch.zeros(2, 8, 8, dtype=torch.uint8)])
def test_an_image_set_of_other_numbers_is_refused(images):
    with pytest.raises(ValueError, match="must be uint8"):
        ImageSet("odd", images)


def test_as_many_labels_as_images():
    with pytest.raises(ValueError, match="2 images but 3 labels"):
        ImageSet("odd", torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(3))


def test_an_unknown_name_lists_the_sets_there_are():
    with pytest.raises(DataError, match="no data set 'minst'; there are digits, mnist"):
        load_dataset("minst")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_missing_files_without_a_network_are_one_line_that_names_what_works(no_network, name):
    with pytest.raises(DataError, match=f"{name}: .*could not be downloaded.*'digits' works without") as caught:
        load_dataset(name)
    assert "\n" not in str(caught.value)
    assert str(no_network) in str(caught.value)
    assert not [path for path in no_network.rglob("*") if path.is_file()]


def test_a_half_downloaded_file_is_named_and_never_trusted(mnist_folder, no_network, monkeypatch):
    raw = no_network / "MNIST" / "raw"
    shutil.copytree(mnist_folder / "MNIST" / "raw", raw)
    whole = (raw / "t10k-images-idx3-ubyte.gz").read_bytes()
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(whole[:1000])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz is damaged or incomplete \(expected md5 \w{32}, 1,000"):
        load_dataset("mnist", "test")


def test_a_damaged_file_is_caught_even_if_it_unpacks(mnist_folder, no_network):
    raw = no_network / "MNIST" / "raw"
    shutil.copytree(mnist_folder / "MNIST" / "raw", raw)
    path = raw / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[100] ^= 1
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz is damaged"):
        load_dataset("mnist", "test")


def test_a_download_that_breaks_off_leaves_nothing(no_network, monkeypatch):
    class Half(io.BytesIO):
        url, length = None, 9

    def breaks_off(*_args, **_kwargs):
        (no_network / "seen").touch()
        return Half(b"half")

    monkeypatch.setattr("urllib.request.urlopen", breaks_off)
    with pytest.raises(DataError, match="could not be downloaded"):
        load_dataset("mnist")
    assert [path.name for path in no_network.rglob("*") if path.is_file()] == ["seen"]


def test_cifar10_archives_are_checked_unpacked_and_read(no_network, monkeypatch):
    """A small archive in CIFAR-10's own format, with its own checksums in the place of the real ones."""
    from torchvision import datasets

    folder = no_network / "cifar-10-batches-py"
    folder.mkdir()
    lists = {"train_list": [f"data_batch_{i}" for i in range(1, 6)], "test_list": ["test_batch"]}
    contents = {name: {"data": np.full((2, 3072), i, np.uint8), "labels": [i, 9]}
                for i, name in enumerate(lists["train_list"] + lists["test_list"])}
    contents["batches.meta"] = {"label_names": [f"class {i}" for i in range(10)]}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
    for attribute, names in lists.items():
        monkeypatch.setattr(datasets.CIFAR10, attribute, [[name, md5_of(folder / name)] for name in names])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names",
                                                   "md5": md5_of(folder / "batches.meta")})
    archive = no_network / datasets.CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5_of(archive))
    shutil.rmtree(folder)

    train = load_dataset("cifar10", "train")
    assert train.images.shape == (10, 3, 32, 32)
    assert train.labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert train.label_names[9] == "class 9"
    assert load_dataset("cifar10", "test").images.unique().tolist() == [5]

    archive.write_bytes(archive.read_bytes()[:-10])
    (folder / "data_batch_1").write_bytes(b"cut short")
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz is damaged or incomplete"):
        load_dataset("cifar10", "train")


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()
