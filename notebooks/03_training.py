# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,cellView,jupyter,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version,-widgets,-language_info
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What happens while a model learns, and how does it fail?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/03_training.ipynb)
#
# About 40 minutes, of which the computer needs about one (34 s on two CPU cores); nothing to download.
#
# You will
#
# - **watch** a VAE, a beta-VAE and an MR-VAE learn, and **stop** one without losing it,
# - **compute** what somebody else's beta is in this library,
# - **break** a model until no latent carries anything, and **cure** it.

# %%
import sys

if "google.colab" in sys.modules:  # Colab starts empty; elsewhere the library is already there
    import subprocess

    source = "mrvae_lib @ git+https://github.com/mr-vae/mr-vae"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from IPython import get_ipython

from mrvae_lib import ConfigError, as_floats, load_config, load_dataset, load_run, train
from mrvae_lib.analysis.page import write_page
from mrvae_lib.analysis.epochs import EpochPictures, HeldOut
from mrvae_lib.interactive import ConfigPanel, TrainingMonitor
from mrvae_lib.interactive.betas import BetaPanel
from mrvae_lib.interactive.exercises import check
from mrvae_lib.interactive.monitor import collapse_message, numbered
from mrvae_lib.objective import Weights, loss_terms, total_loss
from mrvae_lib.training.loop import Callback
from mrvae_lib.training.trackers import JsonLines, TensorBoard

# %% [markdown]
# ## What a run is
#
# A **run** is a data set, a model, an objective and a schedule, written down in one small file. Presets are such files;
# `digits` needs no download. With MNIST or FashionMNIST on your disk, put `"mnist"` or `"fashion-mnist"` in its place:
# everything below works the same and takes about ten times as long.

# %% tags=["nbval-check-output"]
NAME = "digits"
images, test = load_dataset(NAME, "train"), load_dataset(NAME, "test")
config = load_config("digits", overrides=[f"data.name={NAME}", "train.epochs=25", "train.precision=fp32"])
print(f"{len(images):,} training images, {len(test)} test images, batches of {config.train.batch_size}")

# %% [markdown]
# One pass over the images is an **epoch**; within it, every batch is one step of the optimiser. Images that do not fill
# a last batch wait for the next epoch, which shuffles anew.
#
# **Exercise 1, compute.** How many steps does a run take?

# %% tags=["exercise"]
def n_steps(n_images, batch_size, epochs):
    """Steps of the optimiser in a whole run."""
    ...  # one line


# %% tags=["check"]
check(n_steps, args=(1437, 128, 25), expected=275, hint="a batch that is not full takes no step")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def n_steps(n_images, batch_size, epochs):
    return n_images // batch_size * epochs


# %% [markdown]
# ## First: a plain VAE
#
# No bits, ten reals, and the loss of notebook 02,
#
# $$\mathcal{L} = -\log p(x \mid z) + \mathrm{KL}(q(z \mid x) \Vert p(z)),$$
#
# in nats per image. The loop knows nothing about pictures: what should happen on the way are *callbacks* that we hand
# in. `HeldOut` measures test images after each epoch, `TrainingMonitor` shows the run.
#
# **Predict:** the left chart falls. What will the chart of the KL do: fall, rise, or both?

# %%
no_bits = ["model.n_bits=0", "objective.lambda_information=0", "objective.lambda_consistency=0"]


def variant(*changes):
    """The configuration above with some settings changed."""
    always = [f"data.name={NAME}", "train.epochs=25", "train.precision=fp32"]
    return load_config("digits", overrides=[*always, *changes])


vae_monitor = TrainingMonitor(test)
vae = train(variant(*no_bits, "objective.beta_z=1"), callbacks=[HeldOut(test), vae_monitor])

# %% [markdown]
# Both. In its first steps the untrained encoder says much that means nothing, and the KL makes it pay: the reals fall
# silent. Only then do they begin to speak, one after another. From here on training moves nats from the left chart to
# the right one, and stops where one more nat of KL no longer saves a nat of reconstruction.

# %% [markdown]
# ## A price on information
#
# A **beta-VAE** multiplies the KL by $\beta$. The difference to a plain VAE must then be exactly the KL, times
# $\beta - 1$:
#
# $$\mathcal{L}(\beta) - \mathcal{L}(1) = (\beta - 1)\, \mathrm{KL}.$$
#
# This sounds too simple to check. In one of the projects this library learned from, the command line took a $\beta$
# that never reached the loss, and all its beta-VAEs were VAEs. So we check.

# %% tags=["nbval-check-output"]
x = as_floats(images.first(64).take())
noise = torch.Generator().manual_seed(0)
with torch.inference_mode():
    terms = loss_terms(vae, x, config.objective, Weights(), generator=noise)
difference = total_loss(terms, Weights(beta_z=8)) - total_loss(terms, Weights(beta_z=1))
print("equal to 7 KL:", torch.allclose(difference, 7 * terms.kl_z.mean(), rtol=1e-4))

# %% [markdown]
# **Predict:** the same model at $\beta = 8$. What happens to the KL, to the reconstruction, and to the strokes of the
# digits?

# %%
beta_monitor = TrainingMonitor(test)
beta_vae = train(variant(*no_bits, "objective.beta_z=8"), callbacks=[HeldOut(test), beta_monitor])

# %% [markdown]
# Fewer nats carried, more nats of error: a price was raised, and less was bought. Some reals now carry nothing at all,
# and the monitor says which.

# %% tags=["nbval-check-output"]
small, large = vae_monitor.metrics, beta_monitor.metrics
print("carries less:      ", large["test/kl_z"] < small["test/kl_z"])
print("reconstructs worse:", large["test/reconstruction"] > small["test/reconstruction"])

# %% [markdown]
# ## Whose beta?
#
# Two papers say $\beta = 4$ and mean different things. What $\beta$ weighs depends on whether a loss sums or averages
# over pixels, over latents and over the batch. Here it always multiplies nats per image, and `beta_eff` is what another
# project's number becomes. Try the conventions:

# %%
panel = BetaPanel()
panel

# %% [markdown]
# **Exercise 2, compute.** One project averages the reconstruction over the $P$ pixels and multiplies the KL by
# $\beta \cdot B / N$, with $B$ images per batch and $N$ in the training set. Divide its loss by whatever makes the
# reconstruction a sum over pixels again. What is its $\beta$ in our convention?

# %% tags=["exercise"]
def beta_eff(beta, batch_size, n_images, n_pixels):
    """The beta of our loss that trains the same model."""
    ...  # one line


# %% tags=["check"]
check(beta_eff, args=(0.1, 256, 48_000, 784), expected=panel.beta_eff, hint="a mean over pixels is a sum divided by P")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def beta_eff(beta, batch_size, n_images, n_pixels):
    return beta * batch_size / n_images * n_pixels


# %% [markdown]
# So its 0.1 is our 0.42, and with another batch size it would have been another model under the same name.

# %% tags=["nbval-check-output"]
for batch_size in (64, 256, 1024):
    panel.batch_size.value = batch_size
    print(f"batches of {batch_size:4}: stated 0.1 is ours {panel.beta_eff:.3f}")

# %% [markdown]
# ## Bits beside reals
#
# Now the **MR-VAE**: four bits and ten reals. The preset makes z dear at first, so that what the image *is* has to go
# into the bits, and cheap later: prices are schedules over the run. The run gets a folder this time, and more
# callbacks: numbers go to `metrics.jsonl` and TensorBoard, pictures of epochs 1, 2, 5, 10, 20, ... to `pictures/`.
#
# **Predict:** which will carry something first, bits or reals?

# %%
folder = Path(tempfile.mkdtemp()) / "mr-vae"
tensorboard = TensorBoard(folder / "tensorboard")
mr_monitor = TrainingMonitor(test)
model = train(variant("train.epochs=30"), folder, callbacks=[
    HeldOut(test), JsonLines(folder / "metrics.jsonl"), tensorboard,
    EpochPictures(folder / "pictures", test, [tensorboard]), mr_monitor,
])

# %% [markdown]
# The KL of the bits rises first, that of the reals only once they are cheap. How the same ten test images looked on the
# way is in `pictures/history.png`:

# %%
figure, ax = plt.subplots(figsize=(7.5, 5))
ax.imshow(plt.imread(folder / "pictures" / "history.png"))
ax.set_axis_off()
plt.show()

# %% [markdown]
# All of it is on one page, with a slider over the epochs: open `report.html` in a browser, with or without a network.
# `mrvae train digits` leaves the same in its folder.

# %%
page = write_page(folder)
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB, beside",
      ", ".join(sorted(path.name for path in folder.iterdir() if path != page)))

# %% [markdown]
# **TensorBoard** shows the same numbers and pictures, for many runs side by side. In Colab it opens here; elsewhere the
# cell prints the command. (Weights & Biases: `mrvae train digits --track wandb`, offline unless you log in. Neptune, which
# one of the source projects used, closed in March 2026.)

# %%
if "google.colab" in sys.modules:
    get_ipython().run_line_magic("load_ext", "tensorboard")
    get_ipython().run_line_magic("tensorboard", f"--logdir {folder.parent}")
else:
    print("in a terminal: tensorboard --logdir", folder.parent)

# %% [markdown]
# ## Stop
#
# The button **Stop** above the curves ends a run after its current step. So does the notebook's own interrupt. With a
# folder, a checkpoint is written first, and training the same configuration in the same folder goes on from there, with
# the same numbers as if nothing had happened.
#
# For *Run all*, the cell below has a callback that presses the button at step 30. Leave it out and press yourself.

# %%
class PressStop(Callback):
    """Presses the monitor's Stop at step 30."""

    def on_step(self, run, terms, weights):
        if run.step == 30:
            monitor.stop.click()


monitor, stopped = TrainingMonitor(test), folder.parent / "stopped"
unfinished = train(variant(*no_bits), stopped, callbacks=[PressStop(), monitor])

# %% [markdown]
# The checkpoint is a model like any other:

# %% tags=["nbval-check-output"]
print([path.name for path in (stopped / "checkpoints").iterdir()])
print("loads, with", load_run(stopped).n_reals, "reals")

# %% [markdown]
# ## Collapse
#
# A latent has **collapsed** when it is the same for every image: the decoder has learned to do without it. It is the
# most reported failure of VAEs. Provoking it is easy: make information dear. At $\beta = 100$ for reals and bits alike,
# no nat that a latent could carry saves a hundred nats of reconstruction.
#
# **Predict:** what does the decoder draw when it is told nothing?

# %%
collapsed = TrainingMonitor(test)
dear = ["objective.beta_z=100", "objective.beta_b=100", "train.epochs=12"]
no_reward = ["objective.lambda_information=0", "objective.lambda_consistency=0"]
broken = train(variant(*dear, *no_reward), callbacks=[collapsed])

# %% [markdown]
# The mean of all images, for every image: the best answer to no question. The monitor's warning is computed from two
# lists, the KL of each real and $I(x; b_k)$ of each bit:

# %% tags=["nbval-check-output"]
last = collapsed.metrics
print(collapse_message(numbered(last, "kl_of_real"), numbered(last, "information_of_bit")))

# %% [markdown]
# **Exercise 3, compute.** Write the test yourself. A latent counts as empty when it carries less than 0.1 nats.

# %% tags=["exercise"]
def empty_latents(carried):
    """The places of the latents that carry less than 0.1 nats."""
    ...  # one line


# %% tags=["check"]
check(empty_latents, args=([0.0, 2.1, 0.09, 0.1],), expected=[0, 2], hint="enumerate gives places and values")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def empty_latents(carried):
    return [i for i, nats in enumerate(carried) if nats < 0.1]


# %% [markdown]
# ## Two cures
#
# The first cure is the obvious one, a smaller beta: the plain VAE above. The second leaves the reals as dear as they
# are and **rewards the information** of the code, $-\lambda_I\, I(x; b)$, with the weights that the preset gives this
# reward and the code's stability under a small change of pose. A capacity on the bits' KL would not do: a bit that is 1
# for every image has a KL of $\ln 2$ and tells nothing.
#
# **Predict:** z still costs a hundred nats per nat. What will the monitor say about z, and what about b?

# %%
cured = TrainingMonitor(test)
reward = ["objective.beta_z=100", "objective.beta_b=0"]
rescued = train(variant(*reward), callbacks=[cured])

# %% [markdown]
# The same price on z, the same network: z stays empty. For ten epochs nothing seems to happen, then the bits speak, and
# the reconstruction follows a few epochs later, when the decoder has learned to listen. There are at most 16 different
# pictures now, one per code: similar digits share one.

# %% tags=["nbval-check-output"]
bits = cured.metrics
print("code carries more than a nat:", bits["information_of_code"] > 1)
print("reals carry next to nothing: ", bits["kl_z"] < 0.2)
print("reconstruction is better by more than ten nats:", bits["reconstruction"] < last["reconstruction"] - 10)

# %% [markdown]
# ## A configuration as widgets
#
# Change anything below; what is wrong is said at once, and `panel.config` is what `train` takes. The panel writes the
# file that `mrvae train FILE` reads, and fills itself from one.

# %%
settings = ConfigPanel(variant())
settings

# %% tags=["nbval-check-output"]
settings.fields["objective.beta_z"].value = "[[0, 16], [1, 1.5]]"
settings.save(folder / "mine.toml")
print("reads back equal:", load_config(folder / "mine.toml") == settings.config)
settings.fields["train.epochs"].value = "-3"
try:
    settings.config
except ConfigError as error:
    print(error)

# %% [markdown]
# An older project kept its runs in INI files, `mrvae train -c FILE -v B-VAE`. The panel reads and writes these as well.

# %% tags=["nbval-check-output"]
settings.load("ini-fashion-mnist")
settings.fields["objective.beta_z"].value = "2.5"
written = settings.save(folder / "mine.ini").read_text()
print(written[written.index("[hyperparameters]"):])

# %% [markdown]
# ## What we saw
#
# Training moves nats from the reconstruction into the latents for as long as the price allows. A dear latent collapses
# by name, and what cures it is a lower price or a reward for what it tells; a target for its KL cannot know the
# difference. Watching costs little, and stopping costs nothing.
#
# **New words.** *Epoch*: one pass over the images. *Collapse*: a latent that is the same for every image. *beta_eff*:
# another project's beta in nats per image. *Checkpoint*: all that is needed to go on.
#
# **Next.** Notebook 00 has the sliders for what you trained: `LatentExplorer(model, test)`.
#
# **References.** Higgins et al., *beta-VAE* (2017): read it for the price on information. Burgess et al., *Understanding
# disentangling in beta-VAE* (2018): read it for the capacity schedule. Lucas et al., *Don't blame the ELBO* (2019): read
# it for where collapse comes from.
