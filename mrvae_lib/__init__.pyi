"""The public names, for type checkers and editors; `__init__.py` loads each on first use."""

from mrvae_lib import interactive as widgets  # noqa: F401
from mrvae_lib.analysis import figures as figures
from mrvae_lib.analysis.evaluation import encode_set as encode_set
from mrvae_lib.analysis.factor_scores import factor_scores as factor_scores
from mrvae_lib.analysis.latent_report import measure as measure
from mrvae_lib.analysis.traversals import traverse as traverse
from mrvae_lib.config import load_config as load_config
from mrvae_lib.data import load_dataset as load_dataset
from mrvae_lib.exercises import check as check
from mrvae_lib.model.codes import CodeTable as CodeTable
from mrvae_lib.model.codes import all_codes as all_codes
from mrvae_lib.model.latents import expected_loss as expected_loss
from mrvae_lib.model.vae import MRVAE as MRVAE
from mrvae_lib.model.vae import Posterior as Posterior
from mrvae_lib.objective import loss_terms as loss_terms
from mrvae_lib.objective import total_loss as total_loss
from mrvae_lib.pose import random_pose as random_pose
from mrvae_lib.training.checkpoints import load_model as load_model
from mrvae_lib.training.loop import Callback as Callback
from mrvae_lib.training.loop import train as train

__version__: str
__all__: list[str]
