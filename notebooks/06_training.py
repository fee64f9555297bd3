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
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/06_training.ipynb)
#
# About 40 minutes, of which the computer needs about one (on two CPU cores); nothing to download.
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
import json
import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from IPython import get_ipython

from mrvae_lib import Callback, check, figures, load_config, load_dataset, load_model
from mrvae_lib import loss_terms, total_loss, train, widgets

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
check(n_steps, ((1437, 128, 25), 275), ((60_000, 256, 3), 702), ((100, 100, 2), 2), ((199, 100, 5), 5),
      hint="what becomes of the images that do not fill a last batch?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def n_steps(n_images, batch_size, epochs):
    return n_images // batch_size * epochs


# %% [markdown]
# ## First: a plain VAE
#
# No bits, ten reals, and the loss of notebook 03,
#
# $$\mathcal{L} = -\log p(x \mid z) + \mathrm{KL}(q(z \mid x) \Vert p(z)),$$
#
# in nats per image. The loop knows nothing about pictures: what should happen on the way are *callbacks* that we hand
# in. One of them we write ourselves: after each epoch `KeepTest` measures what unseen images cost. The other comes with
# the library: `TrainingMonitor` shows the run.

# %%
class KeepTest(Callback):
    """Keeps the loss of 200 test images, and its two parts, after each epoch."""

    def on_start(self, run):
        self.rows, self.x = [], test.first(200).floats()

    def on_epoch(self, run, metrics):
        with torch.inference_mode():
            posterior = run.model.encode(self.x)
            z, b = posterior.sample(torch.Generator().manual_seed(0))
            reconstruction = float(run.model.reconstruction_loss(self.x, z, b[None]).mean())
        self.rows.append({"reconstruction": reconstruction, "kl_z": float(posterior.kl_reals().sum(dim=1).mean())})


# %% [markdown]
# **Predict:** the left chart falls. What will the chart of the KL do: fall, rise, or both?

# %%
no_bits = ["model.n_bits=0", "objective.lambda_information=0", "objective.lambda_consistency=0"]


def variant(*changes):
    """The configuration above with some settings changed."""
    always = [f"data.name={NAME}", "train.epochs=25", "train.precision=fp32"]
    return load_config("digits", overrides=[*always, *changes])


vae_test = KeepTest()
vae = train(variant(*no_bits, "objective.beta_z=1"), callbacks=[vae_test, widgets.TrainingMonitor(test)])

# %% [markdown]
# It does both. At first the untrained encoder says much that means nothing, and the KL makes it pay: by epoch 3 the reals
# are nearly silent. Then they begin to speak, and the KL rises to more than ten nats while the left chart goes on falling.
# Training moves nats from the reconstruction to the KL for as long as one nat of KL saves more than a nat of reconstruction.

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
x = images.first(64).floats()
with torch.inference_mode():
    terms = loss_terms(vae, x, generator=torch.Generator().manual_seed(0))
difference = total_loss(terms, {"beta_z": 8}) - total_loss(terms, {"beta_z": 1})
print("equal to 7 KL:", torch.allclose(difference, 7 * terms.values["kl_z"].mean(), rtol=1e-4))

# %% [markdown]
# **Predict:** the same model at $\beta = 8$. What happens to the KL, to the reconstruction, and to the strokes of the
# digits?

# %%
beta_test = KeepTest()
beta_vae = train(variant(*no_bits, "objective.beta_z=8"), callbacks=[beta_test, widgets.TrainingMonitor(test)])

# %% [markdown]
# Fewer nats are carried and more nats of error are left: a price was raised, and less was bought. Some reals now carry
# nothing at all, and the monitor says which. On unseen images:

# %% tags=["nbval-check-output"]
cheap, dear = vae_test.rows[-1], beta_test.rows[-1]
print("carries less:      ", dear["kl_z"] < cheap["kl_z"])
print("reconstructs worse:", dear["reconstruction"] > cheap["reconstruction"])

# %% [markdown]
# ## Whose beta?
#
# Two papers say $\beta = 4$ and mean different things. What $\beta$ weighs depends on whether a loss sums or averages
# over pixels, over latents and over the batch. Here it always multiplies nats per image, and `beta_eff` is what another
# project's number becomes. Try the conventions:

# %%
MULTIPLIED = {  # by what a project multiplies its reconstruction and its KL, both per image: P pixels, B per batch, N images
    "sums over pixels and latents": lambda P, B, N: (1, 1),
    "sums over the batch as well": lambda P, B, N: (B, B),
    "sums the reconstruction over the batch, averages the KL": lambda P, B, N: (B, 1),
    "averages over pixels, KL times B / N": lambda P, B, N: (1 / P, B / N),
}


def our_beta(beta, convention, P, B, N):
    reconstruction, kl = MULTIPLIED[convention](P, B, N)
    return f"stated {beta:g} is <b>beta_eff {beta * kl / reconstruction:.4g}</b> in our loss"


widgets.Panel(our_beta, beta=0.1, convention=list(MULTIPLIED)[::-1], P=784, B=256, N=48_000)

# %% [markdown]
# **Exercise 2, compute.** One project averages the reconstruction over the $P$ pixels and multiplies the KL by
# $\beta \cdot B / N$, with $B$ images per batch and $N$ in the training set. Divide its loss by whatever makes the
# reconstruction a sum over pixels again. What is its $\beta$ in our convention?

# %% tags=["exercise"]
def beta_eff(beta, batch_size, n_images, n_pixels):
    """The beta of our loss that trains the same model."""
    ...  # one line


# %% tags=["check"]
check(beta_eff, ((0.1, 256, 48_000, 784), 0.1 * 256 / 48_000 * 784), ((4.0, 100, 100, 1), 4.0), ((1.0, 64, 60_000, 3072), 3.2768),
      hint="by what must his loss be multiplied, so that its reconstruction is a sum over pixels?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def beta_eff(beta, batch_size, n_images, n_pixels):
    return beta * batch_size / n_images * n_pixels


# %% [markdown]
# So its 0.1 is our 0.42, and with another batch size it would have been another model under the same name.

# %% tags=["nbval-check-output"]
for batch_size in (64, 256, 1024):
    print(f"batches of {batch_size:4}: stated 0.1 is ours {beta_eff(0.1, batch_size, 48_000, 784):.3f}")

# %% [markdown]
# ## Bits beside reals
#
# Now the **MR-VAE**: four bits and ten reals. The preset makes z dear at first, so that what the image *is* has to go
# into the bits, and cheap later: prices are schedules over the run.
#
# **Predict:** which will carry something first, bits or reals?

# %%
model = train(variant("train.epochs=30"), callbacks=[widgets.TrainingMonitor(test)])

# %% [markdown]
# The KL of the bits rises first, from epoch 3 on. That of the reals rises only once they are cheap, after epoch 18.
#
# ## What a run leaves behind
#
# The command line trains the same way and keeps everything in a folder. Here it is called from the notebook; in a terminal
# it is `mrvae train digits --quick --out FOLDER`. `--quick` takes 5 epochs and not 150, so expect no good pictures.

# %%
folder = Path(tempfile.mkdtemp()) / "quick"
command = [sys.executable, "-m", "mrvae_lib", "train", NAME, "--quick", "--out", str(folder)]
subprocess.run(command, check=True, capture_output=True)
print(", ".join(sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))))

# %% [markdown]
# The numbers are in `metrics.jsonl`, one line per epoch. A line is a table by name, in nats per image; what belongs to
# every real or every bit is a list, and `test` holds the same terms on unseen images.

# %% tags=["nbval-check-output"]
lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
print(len(lines), "epochs; each line has", ", ".join(lines[-1]))
print("of test images:", ", ".join(lines[-1]["test"]))

# %% [markdown]
# The library draws curves from such lines, those of test images dashed:

# %%
figure = figures.plot_metrics(lines, ("loss", "what latents carry", "KL of each real"))
plt.show()

# %% [markdown]
# How the same test images looked after epochs 1, 2 and 5 is in `pictures/history.png`:

# %%
figure, ax = plt.subplots(figsize=(9, 4))
ax.imshow(plt.imread(folder / "pictures" / "history.png"))
ax.set_axis_off()
plt.show()

# %% [markdown]
# All of it is on one page, `report.html`, with a slider over the epochs. It opens in any browser, with or without a
# network. The trained model is in `model/`, and `load_model` reads it.

# %% tags=["nbval-check-output"]
print("report.html is there:", (folder / "report.html").stat().st_size > 100_000)
quick = load_model(folder)
print("model:", quick.n_reals, "reals,", quick.n_bits, "bits")

# %% [markdown]
# **TensorBoard** shows the same numbers and pictures, for many runs side by side. In Colab it opens here; elsewhere the
# cell prints the command. (`--track wandb` keeps a copy for Weights & Biases, offline unless you log in.)

# %%
if "google.colab" in sys.modules:
    get_ipython().run_line_magic("load_ext", "tensorboard")
    get_ipython().run_line_magic("tensorboard", f"--logdir {folder.parent}")
else:
    print("in a terminal: tensorboard --logdir", folder.parent)

# %% [markdown]
# ## Stop
#
# The notebook's own interrupt (the square button, or the key I pressed twice) ends a run after its current step. With a
# folder, a checkpoint is written first. A callback can do the same by `run.stop.set()`.
#
# For *Run all*, the cell below has a callback that stops the run at step 30. Leave it out and interrupt yourself.

# %%
class StopEarly(Callback):
    """Does at step 30 what an interrupt does."""

    def on_step(self, run, terms, weights):
        if run.step == 30:
            run.stop.set()


stopped, short = folder.parent / "stopped", variant(*no_bits, "train.epochs=5")
unfinished = train(short, stopped, callbacks=[StopEarly()])

# %% [markdown]
# Training the same configuration in the same folder goes on from the checkpoint.
#
# **Predict:** will the finished model be the same as one that was never stopped, nearly the same, or another one?

# %% tags=["nbval-check-output"]
print("left behind:", [path.name for path in (stopped / "checkpoints").iterdir()])
resumed, whole = train(short, stopped), train(short)
pairs = zip(resumed.parameters(), whole.parameters(), strict=True)
print("the same in every weight:", all(torch.equal(one, other) for one, other in pairs))

# %% [markdown]
# It is the same, bit for bit: a checkpoint holds the state of the optimiser and of the random numbers, too.

# %% [markdown]
# ## Collapse
#
# A latent has **collapsed** when it is the same for every image: the decoder has learned to do without it. It is the
# most reported failure of VAEs. Provoking it is easy: make information dear. At $\beta = 100$ for reals and bits alike,
# no nat that a latent could carry saves a hundred nats of reconstruction.
#
# **Predict:** what does the decoder draw when it is told nothing?

# %%
collapsed = widgets.TrainingMonitor(test)
too_dear = ["objective.beta_z=100", "objective.beta_b=100", "train.epochs=12"]
no_reward = ["objective.lambda_information=0", "objective.lambda_consistency=0"]
broken = train(variant(*too_dear, *no_reward), callbacks=[collapsed])

# %% [markdown]
# It draws the mean of all images, whatever the image is. The monitor's warning is computed from two lists of its last
# metrics, the KL of each real and $I(x; b_k)$ of each bit:

# %% tags=["nbval-check-output"]
last = collapsed.metrics
print("the most that a real carries is less than 0.1 nats:", max(last["kl_of_real"]) < 0.1)
print("the most that a bit tells is less than 0.1 nats:   ", max(last["information_of_bit"]) < 0.1)

# %% [markdown]
# **Exercise 3, compute.** Write the test yourself. A latent counts as empty when it carries less than 0.1 nats.

# %% tags=["exercise"]
def empty_latents(carried):
    """The places of the latents that carry less than 0.1 nats."""
    ...  # one line


# %% tags=["check"]
check(empty_latents, (([0.0, 2.1, 0.09, 0.1],), [0, 2]), (([0.095, 1.0],), [0]), (([0.7, 0.1],), []), (([],), []),
      hint="which places are asked for, and does 0.1 itself count as empty?")

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
# **Predict:** a nat of z still costs a hundred nats. What will the monitor say about z, and what about b?

# %%
cured = widgets.TrainingMonitor(test)
reward = ["objective.beta_z=100", "objective.beta_b=0"]
rescued = train(variant(*reward), callbacks=[cured])

# %% [markdown]
# The network and the price on z are the same, and z stays empty. For three epochs nothing seems to happen. Then the bits
# begin to speak, and the reconstruction falls from epoch 5 on, when the decoder has begun to listen. There are at most 16
# different pictures now, one per code, and similar digits share one.

# %% tags=["nbval-check-output"]
bits = cured.metrics
print("code carries more than a nat:", bits["information_of_code"] > 1)
print("reals carry next to nothing: ", bits["kl_z"] < 0.2)
print("reconstruction is better by more than ten nats:", bits["reconstruction"] < last["reconstruction"] - 10)

# %% [markdown]
# ## What we saw
#
# Training moves nats from the reconstruction into the latents for as long as the price allows. A latent that is too dear
# collapses. What cures it is a lower price, or a reward for what it tells; a target for its KL does not see whether those
# nats tell anything. Watching a run costs little, and stopping it costs nothing.
#
# **New words.** *Epoch*: one pass over the images. *Collapse*: a latent that is the same for every image. *beta_eff*:
# another project's beta in nats per image. *Checkpoint*: all that is needed to go on.
#
# **Next.** Put sliders on what you trained: `widgets.LatentExplorer(model, test)`. Notebook 07 says what to do with them.
#
# **References.** Higgins et al., *beta-VAE* (2017): read it for the price on information. Burgess et al., *Understanding
# disentangling in beta-VAE* (2018): read it for the capacity schedule. Lucas et al., *Don't blame the ELBO* (2019): read
# it for where collapse comes from.
