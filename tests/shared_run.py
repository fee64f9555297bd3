"""What torchrun starts in test_parallel.py: the tiny run on however many processes, stopped by one of them.

    torchrun --nproc-per-node 2 tests/shared_run.py FOLDER STEP
"""

import os
import signal
import sys

from mrvae_lib.training.loop import train
from tests.conftest import tiny_images
from tests.test_parallel import shared_config

folder, last = sys.argv[1], int(sys.argv[2])


class Images(type(tiny_images())):
    """The second process presses Ctrl-C as it takes its last batch; only the first one has callbacks."""

    n_taken = 0

    def take(self, places=slice(None)):
        type(self).n_taken += 1
        if os.environ["RANK"] == "1" and self.n_taken == last:
            os.kill(os.getpid(), signal.SIGINT)
        return super().take(places)


train(shared_config(), folder, images=Images(**vars(tiny_images())))
