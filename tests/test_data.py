"""Data sets: real files, and every way in which they can be broken."""

import hashlib
import io
import os
import pickle
import shutil
import tarfile
from unittest import mock

import numpy as np
import pytest
import torch

from mrvae_lib.data import DATASETS, ImageSet, load_dataset
from mrvae_lib.data.image_set import batches_in_order, shuffled_batches, unpacked
from mrvae_lib.errors import DataError
from tests.conftest import tiny_images


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """An empty data folder, and downloads that fail as they do without a network."""
    monkeypatch.setenv("MRVAE_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", mock.Mock(side_effect=OSError("Network is unreachable")))
    return tmp_path


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".download.lock"]


def test_digits_are_real_and_need_no_file(no_network):
    train, test = load_dataset("digits", "train"), load_dataset("digits", "test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.image_shape == (1, 32, 32)
    assert set(train.labels.tolist()) == set(test.labels.tolist()) == set(range(10))
    assert train.images.max() == 255
    assert files_in(no_network) == []


@pytest.mark.parametrize(("name", "n_train"), [("mnist", 60_000), ("fashion-mnist", 60_000)])
def test_real_idx_files_have_their_published_counts(mnist_folder, name, n_train):
    train, test = load_dataset(name), load_dataset(name, "test")
    assert (len(train), len(test)) == (n_train, 10_000)
    assert train.image_shape == DATASETS[name].shape == (1, 28, 28)
    assert len(train.label_names) == 10
    assert torch.bincount(test.labels).tolist() == ([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
                                                    if name == "mnist" else [1000] * 10)


def test_images_come_by_index_as_bytes_and_as_floats_and_the_first_ones_with_their_labels():
    images = tiny_images(10)
    places = torch.tensor([3, 1])
    assert torch.equal(images.take(places), images.images[[3, 1]])
    assert (images.take().dtype, images.floats().dtype) == (torch.uint8, torch.float32)
    assert len(images.first(4)) == len(images.first(4).labels) == 4
    assert torch.equal(images.floats(places), images.images[[3, 1]].float() / 255)


def test_packed_images_are_seen_as_what_was_packed(generator):
    images = torch.randint(2, (5, 1, 3, 16), generator=generator, dtype=torch.uint8) * 255
    bits = torch.from_numpy(np.packbits(images.numpy() > 0, axis=3))
    few = ImageSet("few", bits, labels=torch.arange(5), packed=True)
    assert torch.equal(unpacked(bits), images)
    assert (few.image_shape, few.images.nbytes) == ((1, 3, 16), images.nbytes // 8)
    assert torch.equal(few.to("cpu").first(3).take(torch.tensor([2, 1])), images[[2, 1]])
    assert few.floats().unique().tolist() == [0, 1]


@pytest.mark.parametrize(("n_images", "batch_size", "sizes"), [(10, 4, [4, 4]), (3, 256, [3])])
def test_a_pass_in_random_order_uses_full_batches_or_the_whole_set_and_no_image_twice(generator, n_images, batch_size, sizes):
    batches = shuffled_batches(n_images, batch_size, generator)
    assert [len(batch) for batch in batches] == sizes
    assert len(torch.cat(batches).unique()) == sum(sizes)


def test_a_pass_in_order_sees_every_image_once():
    assert torch.cat(list(batches_in_order(2500, 1000))).tolist() == list(range(2500))


@pytest.mark.parametrize(("images", "labels", "message"), [
    (torch.zeros(2, 1, 8, 8), None, "must be uint8"), (torch.zeros(2, 8, 8, dtype=torch.uint8), None, "must be uint8"),
    (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(3), "2 images but 3 labels"),
])
def test_an_image_set_of_other_numbers_or_with_more_labels_than_images_is_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        ImageSet("odd", images, labels)


@pytest.mark.parametrize(("asked", "message"), [(("minst",), "no data set 'minst'; there are digits, mnist"),
                                                (("digits", "valid"), "digits: split must be train or test, got 'valid'")])
def test_an_unknown_name_or_split_lists_those_there_are(asked, message):
    with pytest.raises(DataError, match=message):
        load_dataset(*asked)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_missing_files_without_a_network_are_one_line_that_names_what_works(no_network, name):
    with pytest.raises(DataError, match=f"{name}: .*cannot be read or downloaded.*'digits' works without") as caught:
        load_dataset(name)
    assert "\n" not in str(caught.value)
    assert str(no_network) in str(caught.value)
    assert files_in(no_network) == []


def test_a_data_folder_that_cannot_be_made_is_one_line_too(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MRVAE_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"mnist: .*cannot be read or downloaded.*MRVAE_DATA names the data folder"):
        load_dataset("mnist")


@pytest.mark.parametrize("damaged", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte"])
def test_a_file_that_was_cut_off_is_never_trusted(mnist_folder, no_network, damaged):
    """While it was downloaded, or while it was unpacked."""
    raw = no_network / "MNIST" / "raw"
    shutil.copytree(mnist_folder / "MNIST" / "raw", raw, ignore=shutil.ignore_patterns("*-ubyte"))
    if not damaged.endswith(".gz"):
        load_dataset("mnist", "test")
    os.truncate(raw / damaged, 1000)
    with pytest.raises(DataError, match=f"mnist: {no_network / 'MNIST'} cannot be read .*damaged, delete them") as caught:
        load_dataset("mnist", "test")
    assert "\n" not in str(caught.value)


def test_a_download_that_breaks_off_is_not_read(no_network, monkeypatch):
    class Half(io.BytesIO):
        url, length = None, 9

    monkeypatch.setattr("urllib.request.urlopen", lambda *_args, **_kwargs: Half(b"half"))
    for _ in range(2):
        with pytest.raises(DataError, match="cannot be read or downloaded"):
            load_dataset("mnist")


def test_cifar10_archives_are_checked_unpacked_and_read(no_network, monkeypatch):
    """A small archive in CIFAR-10's own format, with its own checksums in the place of the real ones."""
    from torchvision import datasets

    folder = no_network / "cifar-10-batches-py"
    folder.mkdir()
    contents = {name: {"data": np.full((2, 3072), i, np.uint8), "labels": [i, 9]}
                for i, (name, _) in enumerate(datasets.CIFAR10.train_list + datasets.CIFAR10.test_list)}
    contents["batches.meta"] = {"label_names": [f"class {i}" for i in range(10)]}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
    for attribute in ("train_list", "test_list"):
        files = [[name, md5_of(folder / name)] for name, _ in getattr(datasets.CIFAR10, attribute)]
        monkeypatch.setattr(datasets.CIFAR10, attribute, files)
    monkeypatch.setitem(datasets.CIFAR10.meta, "md5", md5_of(folder / "batches.meta"))
    archive = no_network / datasets.CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5_of(archive))
    shutil.rmtree(folder)

    train = load_dataset("cifar10", "train")
    assert train.images.shape == (10, 3, 32, 32)
    assert train.labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert train.label_names[9] == "truck"
    assert load_dataset("cifar10", "test").images.unique().tolist() == [5]

    (folder / "data_batch_1").write_bytes(b"cut short")  # found damaged, and unpacked again
    assert load_dataset("cifar10", "train").images.shape == (10, 3, 32, 32)
    archive.write_bytes(archive.read_bytes()[:-10])
    (folder / "data_batch_1").write_bytes(b"cut short")
    with pytest.raises(DataError, match=r"cifar10: .*cifar-10-\* cannot be read .*damaged, delete them"):
        load_dataset("cifar10", "train")


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()
