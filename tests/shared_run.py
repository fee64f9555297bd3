"""What torchrun starts in test_parallel.py, on however many processes; without torchrun it is one.

    torchrun --nproc-per-node 2 tests/shared_run.py terms FILE           the terms and gradients of one fixed batch
    torchrun --nproc-per-node 2 tests/shared_run.py train FOLDER STEP    the tiny run, stopped by the second process
"""

import os
import signal
import sys
from unittest import mock

import torch

from mrvae_lib.objective import loss_terms, total_loss
from mrvae_lib.parallel import add_gradients, is_first, own_part, process_group
from mrvae_lib.training.loop import train
from tests.conftest import tiny_images, tiny_model
from tests.test_parallel import EVERY_WEIGHT, shared_config


def terms_of_one_batch(file):
    """Random numbers are drawn for the whole batch in every process, which then takes its part of them."""
    noise = torch.Generator().manual_seed(1)
    z, codes = torch.randn(8, 2, generator=noise), torch.randint(0, 2, (8, 3), generator=noise)
    model, images = tiny_model(), tiny_images(8)
    config = shared_config().objective.model_copy(update={"estimator": "exact"})
    with (process_group(torch.device("cpu")), mock.patch("torch.randint", return_value=own_part(codes)),
          mock.patch("mrvae_lib.objective.sample_normal", side_effect=lambda mu, *_: mu + own_part(z)),
          mock.patch("mrvae_lib.objective.random_pose", side_effect=lambda x, *_: x.flip(3))):
        terms = loss_terms(model, images.floats(own_part(torch.arange(8))), config, EVERY_WEIGHT)
        total_loss(terms, EVERY_WEIGHT).backward()
        add_gradients(model)
        if is_first():
            gradients = {name: weight.grad for name, weight in model.named_parameters()}
            torch.save({"terms": {name: value.detach() for name, value in terms.values.items()}, "gradients": gradients}, file)


class Images(type(tiny_images())):
    """The second process presses Ctrl-C as it takes its last batch; only the first one has callbacks."""

    n_taken = 0

    def take(self, places=slice(None)):
        type(self).n_taken += 1
        if os.environ["RANK"] == "1" and self.n_taken == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGINT)
        return super().take(places)


if __name__ == "__main__":
    if sys.argv[1] == "terms":
        terms_of_one_batch(sys.argv[2])
    else:
        train(shared_config(), sys.argv[2], images=Images(**vars(tiny_images())))
