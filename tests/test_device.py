"""What a training step would do on a GPU, seen without one: torch's fake tensors lie on cuda and hold no numbers."""

import ctypes
import os
import subprocess
import sys
from unittest import mock

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mrvae_lib.data import ImageSet
from mrvae_lib.errors import TrainingError
from mrvae_lib.model.total_correlation import Discriminator
from mrvae_lib.model.vae import MRVAE
from mrvae_lib.objective import CodePool
from mrvae_lib.training.loop import batches_left, check_finite, train_step
from mrvae_lib.training.run import Adversary, Run, start
from tests.conftest import ROOT, tiny_images, tiny_run
from tests.test_parallel import EVERY_WEIGHT


class Crossings(TorchDispatchMode):
    """Writes down every operation on two devices, such as a copy or CPU indices, and every number that the host reads."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        devices = {x.device.type for x in tree_leaves(args) if isinstance(x, torch.Tensor)}
        if "device" in kwargs:
            devices.add(torch.device(kwargs["device"]).type)
        if "cuda" in devices and (len(devices) > 1 or name in ("_local_scalar_dense", "nonzero")):
            self.seen.append(name)
        return func(*args, **kwargs)


def fake_run(device, estimator):
    """A run on fake tensors; its gradients are zeros, because torch takes no backward pass without the device itself."""
    config = tiny_run(batch_size=8, **{"objective.estimator": estimator})
    with torch.device(device):
        model = MRVAE((1, 8, 8), config.model)
        adversary = Discriminator(2, (4,))
        images = ImageSet("fake", torch.zeros(64, 1, 8, 8, dtype=torch.uint8))
    return Run(config, model, torch.optim.Adam(model.parameters(), fused=True), images, torch.device(device), bf16=False,
               noise=None, pool=CodePool(3, 8), adversary=Adversary(adversary, 1e-3))


@pytest.mark.parametrize("estimator", ["exact", "bit-flip", "concrete", "straight-through"])
def test_a_step_on_a_gpu_never_waits_for_the_host_and_mixes_no_devices(estimator):
    with FakeTensorMode():
        run = fake_run("cuda", estimator)
        weights = [weight for network in (run.model, run.adversary.network) for weight in network.parameters()]

        def backward(loss):
            for weight in weights:
                weight.grad = torch.zeros_like(weight)

        batches = batches_left(run)
        with mock.patch.object(torch.Tensor, "backward", backward), Crossings() as crossings:
            for indices in (next(batches), next(batches)):
                train_step(run, indices, EVERY_WEIGHT)
    assert crossings.seen == []
    assert len(run.unchecked) == 2


def test_a_step_that_reads_a_number_is_seen_to_wait():
    with FakeTensorMode(), Crossings() as crossings:
        torch.zeros(3).to("cuda")
        with pytest.raises(Exception, match="_local_scalar_dense"):
            torch.zeros((), device="cuda").item()
    assert crossings.seen == ["_to_copy", "_local_scalar_dense"]


def test_losses_that_are_read_later_still_name_the_first_step_and_its_terms():
    run = start(tiny_run(), images=tiny_images())
    good, bad, nan = torch.tensor(2.0), torch.tensor(float("inf")), torch.tensor(float("nan"))
    run.unchecked = {41: {"kl_z": good, "loss": good}, 42: {"reconstruction": good, "kl_z": bad, "loss": bad}, 43: {"kl_z": nan, "loss": nan}}
    with pytest.raises(TrainingError, match=r"^step 42: kl_z is not finite \(reconstruction 2, kl_z inf\)"):
        check_finite(run)
    run.unchecked = {41: {"kl_z": good, "loss": good}}
    check_finite(run)
    assert run.unchecked == {}


def test_the_benchmark_of_a_gpu_says_that_there_is_none_and_writes_nothing(tmp_path):
    result = subprocess.run([sys.executable, "benchmarks/gpu.py", "--out", tmp_path / "docs"], capture_output=True, text=True, cwd=ROOT,
                            check=True, env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""})
    assert result.stdout == "There is no CUDA GPU here: nothing was measured.\n"
    assert not (tmp_path / "docs").exists()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="the setting is glibc's, and this is how glibc tells of it")
def test_memory_that_a_step_frees_is_kept_for_the_next_one():
    script = ("import ctypes, torch; from mrvae_lib.training.device import keep_freed_memory\n"
              "class Memory(ctypes.Structure): _fields_ = [(str(number), ctypes.c_size_t) for number in range(10)]\n"
              "told = ctypes.CDLL(None).mallinfo2; told.restype = Memory\n"
              "def kept_free(): torch.ones(2**24); return getattr(told(), '8')  # fordblks, bytes\n"
              "before = kept_free(); keep_freed_memory(); print(before < 2**26 <= kept_free())")
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "True"
