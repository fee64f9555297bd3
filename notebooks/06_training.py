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
# [Previous: 05 meaning](05_meaning.ipynb) · [Next: 07 explore](07_explore.ipynb)
#
# About 60 minutes, of which the computer needs about two (on two CPU cores; a GPU is not needed). Nothing to download.
#
# You need: notebook 02, whose loop we meet again, and the KL and the mutual information of notebook 03.
#
# You will
#
# - **read** the library's training loop beside the one you wrote,
# - **watch** a VAE, a beta-VAE and an MR-VAE learn, and **stop** one without losing it,
# - **break** a model until no latent carries anything, and **cure** it.

# %%
import sys

if "google.colab" in sys.modules:  # Colab starts empty; elsewhere the library is already there
    import subprocess

    for tag in ("v0.1.0", "main"):  # the release, or where it cannot be had the newest state
        source = f"mrvae_lib @ git+https://github.com/mr-vae/mr-vae@{tag}"
        if not subprocess.run([sys.executable, "-m", "pip", "install", "-q", source], capture_output=True).returncode:
            break
    else:
        sys.exit("The library is not installed: Colab could not reach GitHub. Wait a minute and run this cell again.")

# %%
import inspect
import os
import subprocess
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from mrvae_lib import Callback, check, load_config, load_dataset, load_model, loss_terms, total_loss, train, widgets

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
# One pass over the images is an **epoch**; within it, every batch is one step of the optimiser. In notebook 02 the last
# batch of an epoch was a smaller one. The library leaves it out: images that do not fill a last batch wait for the next
# epoch, which has another order.
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
# ## The loop, read together
#
# Notebook 02 has a training loop, the function `fit`: take a batch, compute its loss, forget the old gradients,
# `backward`, one step of Adam, and again. The library's loop is the same with more around it. This is one step of it,
# printed from the library itself:

# %%
loop = inspect.getmodule(train)
print(inspect.getsource(loop.train_step))

# %% [markdown]
# | the library's line | in notebook 02 | what it does |
# | --- | --- | --- |
# | `run.images.floats(...)` | `x[indices]` | takes the images of one batch, as numbers between 0 and 1 |
# | `loss_terms(...)` | start of `model.loss` | encoder, draw, decoder, then reconstruction and KL of each image |
# | `total_loss(terms, weights)` | end of `model.loss` | adds the terms, each times a weight; averages over the batch |
# | `run.optimizer.zero_grad(...)` | `optimizer.zero_grad()` | forgets the gradients of the step before |
# | `loss.backward()` | `loss.backward()` | computes the gradient of the loss by all parameters of both networks |
# | `run.optimizer.step()` | `optimizer.step()` | takes one step of Adam |
#
# The other lines are what a loop needs when it runs for hours and nobody is watching. The learning rate and the weights
# of the terms may change during the run, so both are looked up again at each step. `autocast` computes in 16-bit
# numbers where these are faster. A loss that is not a finite number stops the run with a message, before it can spoil
# the networks. `add_gradients` adds the gradients of several computers, if there are several. `run.adversary` is a
# third network that only the FactorVAE of notebook 09 has. `_remember` keeps the sums for the curves.
#
# Around the step are two loops, over epochs and over batches, as in `fit`. A **callback** is an object whose methods
# the loop calls at fixed moments: `on_start`, `on_step` after each step, `on_epoch` after each epoch, and `on_end`.

# %%
print(inspect.getsource(loop._train))

# %% [markdown]
# The table above should stay true when the library changes. This cell looks for its lines, in the order of the table:

# %% tags=["nbval-check-output"]
quoted = ["images.floats(", "loss_terms(", "total_loss(", "optimizer.zero_grad(", "loss.backward()", "optimizer.step()"]
places = [inspect.getsource(loop.train_step).find(line) for line in quoted]
print("all there, in this order:", min(places) >= 0 and places == sorted(places))
print("fits on a screen of 40 lines:", inspect.getsource(loop.train_step).count("\n") <= 40)

# %% [markdown]
# ## First: a plain VAE
#
# No bits, ten reals, and the loss of notebook 03,
#
# $$\mathcal{L} = -\log p(x \mid z) + \mathrm{KL}(q(z \mid x) \Vert p(z)),$$
#
# in nats per image. The loop itself draws no pictures. What should happen on the way is done by callbacks. One of them
# we write ourselves: after each epoch `KeepTest` measures what unseen images cost. The other comes with the library:
# `TrainingMonitor` shows the run.

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
# **Predict:** the left chart, the loss, falls. What will the middle chart, the KL, do: fall, rise, or both?

# %%
no_bits = ["model.n_bits=0", "objective.lambda_information=0", "objective.lambda_consistency=0"]


def variant(*changes):
    """The configuration above with some settings changed."""
    always = [f"data.name={NAME}", "train.epochs=25", "train.precision=fp32"]
    return load_config("digits", overrides=[*always, *changes])


vae_test = KeepTest()
vae = train(variant(*no_bits, "objective.beta_z=1"), callbacks=[vae_test, widgets.TrainingMonitor(test)])

# %% [markdown]
# It does both. At first the reals differ between images in ways that do not help the decoder, and training removes this
# because it costs KL: by epoch 3 the reals carry almost nothing. Then they begin to carry what helps, and the KL rises
# to more than ten nats while the left chart goes on falling. Training moves nats from the reconstruction to the KL for
# as long as one nat of KL saves more than a nat of reconstruction.

# %% [markdown]
# ## A price on information
#
# A **beta-VAE** multiplies the KL by $\beta$. The difference to a plain VAE must then be exactly the KL, times
# $\beta - 1$:
#
# $$\mathcal{L}(\beta) - \mathcal{L}(1) = (\beta - 1)\, \mathrm{KL}.$$
#
# This sounds too simple to check. One of the projects in notebook 11 took a $\beta$ that never reached its loss, and
# all its beta-VAEs were VAEs. So we check.

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
# The price was raised, and less was bought: the reals carry fewer nats, and the reconstruction is worse. The strokes
# are blurred, and some digits are drawn as others. Some reals carry next to nothing, and the monitor says which. On
# unseen images:

# %% tags=["nbval-check-output"]
cheap, dear = vae_test.rows[-1], beta_test.rows[-1]
print("carries less:      ", dear["kl_z"] < cheap["kl_z"])
print("reconstructs worse:", dear["reconstruction"] > cheap["reconstruction"])

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
# The command line trains the same way and keeps everything in a folder. Here it is called from the notebook; in a
# terminal it is `mrvae train digits --quick --out FOLDER`. `--quick` takes 5 epochs and not 150, so expect no good
# pictures.

# %%
folder = Path(tempfile.mkdtemp()) / "quick"
command = [sys.executable, "-m", "mrvae_lib", "train", NAME, "--quick", "--out", str(folder)]
subprocess.run(command, check=True, capture_output=True)
print(", ".join(sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))))

# %% [markdown]
# How the same test images were reconstructed after epochs 1, 2 and 5 is in `pictures/history.png`:

# %%
figure, ax = plt.subplots(figsize=(9, 4))
ax.imshow(plt.imread(folder / "pictures" / "history.png"))
ax.set_axis_off()
plt.show()

# %% [markdown]
# All of it is on one page, `report.html`, with a slider over the epochs. It opens in any browser, with or without a
# network. The trained model is in `model/`, and `load_model` reads it. The numbers of each epoch are in
# `metrics.jsonl`, which notebook 11 reads.

# %% tags=["nbval-check-output"]
print("report.html is there:", (folder / "report.html").stat().st_size > 100_000)
quick = load_model(folder)
print("model:", quick.n_reals, "reals,", quick.n_bits, "bits")

# %% [markdown]
# ## Stop
#
# The notebook's own interrupt (the square button, or the key I pressed twice) ends a run after its current step. With a
# folder, a checkpoint is written first. A callback can do the same by `run.stop.set()`.
#
# For *Run all*, the cell below has a callback that stops the run at step 30. To interrupt by hand, leave it out and
# write 50 epochs in place of 5, so that there is time.

# %%
class StopEarly(Callback):
    """Does at step 30 what an interrupt does."""

    def on_step(self, run, terms, weights):
        if run.step == 30:
            run.stop.set()


stopped, short = folder.parent / "stopped", variant(*no_bits, "train.epochs=5")
unfinished = train(short, stopped, callbacks=[StopEarly()])

# %% [markdown]
# A **checkpoint** is a file with all that is needed to go on. Training the same configuration in the same folder reads
# the newest one and goes on from there.
#
# **Predict:** will the finished model be the same as one that was never stopped, nearly the same, or another one?

# %% tags=["nbval-check-output"]
print("left behind:", [path.name for path in (stopped / "checkpoints").iterdir()])
resumed, whole = train(short, stopped), train(short)
pairs = zip(resumed.parameters(), whole.parameters(), strict=True)
print("the same in every weight:", all(torch.equal(one, other) for one, other in pairs))

# %% [markdown]
# It is the same in every bit, because a checkpoint holds the state of the optimiser and of the random numbers, too. The
# order of the images depends only on the seed and the epoch, so the rest of the epoch has just the batches not yet
# seen.

# %% [markdown]
# ## Collapse
#
# A latent has **collapsed** when it is the same for every image: the decoder has learned to do without it. This is a
# much reported failure of VAEs. It is easily provoked: make information dear. At $\beta = 100$ for reals and bits
# alike, no nat that a latent could carry saves a hundred nats of reconstruction.
#
# **Predict:** what does the decoder draw when the latents carry nothing?

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
# **Exercise 2, compute.** Write the test yourself. A latent counts as empty when it carries less than 0.1 nats.

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
# are, makes the bits free, and **rewards the information** of the code: the loss gets a term $-\lambda_I\, I(x; b)$.
# The preset also has a term for a code that stays the same under a small change of pose, as notebook 05 explains. The
# weights of both are left as they are in the preset. A capacity on the bits' KL would not do: a bit that is 1 for every
# image has a KL of $\ln 2$ and tells nothing.
#
# **Predict:** a nat of z still costs a hundred nats. What will the monitor say about z, and what about b?

# %%
cured = widgets.TrainingMonitor(test)
reward = ["objective.beta_z=100", "objective.beta_b=0"]
rescued = train(variant(*reward), callbacks=[cured])

# %% [markdown]
# The network and the price on z are the same, and z stays empty. In the first epochs the curve of $I(x; b)$ is flat. It
# rises from epoch 3 on, and the reconstruction falls below that of the collapsed model, because the decoder now uses
# the code. There are hardly more than 16 different pictures now, one per code, and similar digits share one.

# %% tags=["nbval-check-output"]
bits = cured.metrics
print("code carries more than a nat:", bits["information_of_code"] > 1)
print("reals carry next to nothing: ", bits["kl_z"] < 0.2)
print("reconstruction is better by more than ten nats:", bits["reconstruction"] < last["reconstruction"] - 10)

# %% [markdown]
# ## On a GPU
#
# `train.device` is `"auto"` in every preset: the GPU is taken if there is one, else the processor. What is it here?

# %%
if torch.cuda.is_available():
    print("GPU:", torch.cuda.get_device_name(0))
elif torch.backends.mps.is_available():
    print("GPU of an Apple computer")
else:
    print(f"no GPU; {os.cpu_count()} processor cores, of which torch uses {torch.get_num_threads()}")

# %% [markdown]
# **We have measured no GPU**, so this notebook gives no figure for one. What to expect can be reasoned out. A step
# costs a fixed time to send its work to the GPU, however small the network is, and a time that grows with the network
# and the batch. The 8x8 digits here are so few and the network so small that the fixed time may be the larger part.
# Wide convolutions on 64x64 pictures and large batches are where a GPU should gain most.
#
# Measure it yourself. In Colab choose *Runtime*, *Change runtime type*, *T4 GPU*, *Save*, and run the notebook again
# from the top. The cells below take the time of one epoch, after a first one in which everything is prepared.
#
# **Predict:** with batches four times as large an epoch has about a quarter of the steps. Does it take a quarter of the
# time?

# %%
class Clock(Callback):
    """Keeps the time at the end of each epoch."""

    def on_start(self, run):
        self.ends = []

    def on_epoch(self, run, metrics):
        self.ends.append(time.perf_counter())


def seconds_per_epoch(batch_size):
    train(variant("train.epochs=3", f"train.batch_size={batch_size}", "train.device=auto"), callbacks=[clock := Clock()])
    return (clock.ends[-1] - clock.ends[0]) / 2

# %%
for batch_size in (64, 256):
    print(f"batches of {batch_size:3}: {seconds_per_epoch(batch_size):.2f} s per epoch")

# %% [markdown]
# Your numbers are your computer's own; run the cell twice to see how far they can be trusted. An epoch with larger
# batches is faster, but usually by less than the number of steps says, because each step has more to compute. It is not
# a better epoch: there are fewer steps in which to learn.
#
# ## Full MNIST
#
# Everything here works with the 60,000 digits of MNIST, 28 pixels wide. The next cell is switched off, because it
# downloads a data set and computes for minutes. In the project's measurements a run takes 273 s of processor time, and
# over five seeds its four bits alone name the digit for 0.973 ± 0.008 of the test images
# ([docs/results.md](../docs/results.md)). The shipped model `mnist-mrvae` is one of these.

# %%
FULL_MNIST = False
if FULL_MNIST:
    mnist_test = load_dataset("mnist", "test")
    mnist = train(load_config("mnist"), callbacks=[widgets.TrainingMonitor(mnist_test)])

# %% [markdown]
# In a terminal it is `mrvae train mnist`, or `mrvae train mnist --quick` for a first look. The run takes up again after
# *Ctrl-C*, because the command keeps a folder.
#
# ## Colour: what do bits find in CIFAR-10?
#
# CIFAR-10 has 60,000 colour photographs, 32 pixels wide, of ten kinds of things from aeroplanes to lorries. One would
# like four bits to say which thing it is. A photograph is background for the most part, however, and the loss counts
# pixels.
#
# To see what a code is about we need a measure. Sort the images by code. The **share explained** of some value $v$,
# such as brightness, is the part of its variance that lies between the groups and not within them:
#
# $$R^2 = 1 - \frac{\sum_x (v(x) - \bar v_{b(x)})^2}{\sum_x (v(x) - \bar v)^2},$$
#
# where $\bar v_b$ is the mean of $v$ over the images with code $b$. It is 1 if the code fixes the value, and 0 if the
# groups have the same mean.
#
# **Exercise 3, compute.** Write it. `code` holds a whole number per image, `value` a float per image.

# %% tags=["exercise"]
def share_explained(code, value):
    """The share of the variance of `value` that lies between the groups of equal `code`."""
    ...  # two or three lines


# %% tags=["check"]
groups, mixed_up = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
check(share_explained, ((groups, torch.tensor([1.0, 1, 3, 3])), 1.0), ((mixed_up, torch.tensor([1.0, 1, 3, 3])), 0.0),
      ((torch.tensor([5, 5, 5, 2]), torch.tensor([0.0, 1, 2, 3])), 0.6),
      hint="what is left of each value once its own group's mean is taken away?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def share_explained(code, value):
    means = torch.stack([value[code == c].mean() for c in code])
    return float(1 - (value - means).square().sum() / (value - value.mean()).square().sum())


# %% [markdown]
# On the digits of this notebook, take as value the **ink**, the mean of an image's pixels. We compare the code of the
# MR-VAE trained above with a code that is drawn by chance:

# %% tags=["nbval-check-output"]
def hard_code(model, x):
    """The number that each image's bits write."""
    with torch.inference_mode():
        bits = (model.encode(x).bit_logits > 0).long()
    return (bits * 2 ** torch.arange(bits.shape[1])).sum(dim=1)


x = test.floats()
code, ink = hard_code(model, x), x.mean(dim=(1, 2, 3))
by_chance = torch.randint(16, code.shape, generator=torch.Generator().manual_seed(0))
print("the code explains more of the ink than chance does:", share_explained(code, ink) > share_explained(by_chance, ink))

# %% [markdown]
# **Predict:** for CIFAR-10, order these by the share that a code of four bits explains: brightness, how much redder
# than blue the picture is, brightness of the upper half less that of the lower, and the label.
#
# The next cell is switched off for the same reason as MNIST. `cifar10` may be replaced by the path of an `.npz` file.

# %%
COLOUR, CIFAR = False, "cifar10"
if COLOUR:
    photographs, unseen = load_dataset(CIFAR, "train").first(10_000), load_dataset(CIFAR, "test")
    settings = ["train.epochs=15", "train.lr=1e-3", "objective.pose={ rotation = 0, shear = 0.05, scale = 0.1, shift = 0.1 }"]
    colour = train(load_config("digits", overrides=settings), images=photographs)
    y = unseen.floats()
    code, rgb = hard_code(colour, y), y.mean(dim=(2, 3))
    values = {"brightness": rgb.mean(1), "red less blue": rgb[:, 0] - rgb[:, 2],
              "upper less lower half": y[:, :, :16].mean((1, 2, 3)) - y[:, :, 16:].mean((1, 2, 3))}
    print({name: round(share_explained(code, value), 2) for name, value in values.items()})

# %% [markdown]
# In our runs on part of CIFAR-10, three seeds, the code explained most of where the light is (upper against lower
# half), less of the colour, and less again of the brightness. As a name for the label it was about twice as good as
# always naming the commonest, no more, and sixteen clusters of k-means were slightly better at it. Some of the sixteen
# codes were unused. Nothing in the loss asks for the label of a photograph, and most of its pixels have little to do
# with it. The section on CIFAR-10 in [docs/results.md](../docs/results.md) has the figures.
#
# ## What we saw
#
# Training moves nats from the reconstruction into the latents for as long as the price allows. A latent that is too
# dear collapses. What cures it is a lower price, or a reward for what it tells; a target for its KL can be met by nats
# that tell nothing. Watching a run costs little, and a run that was stopped goes on as if it had not been.
#
# **New words.** *Epoch*: one pass over the images. *Callback*: what the loop calls at fixed moments. *Checkpoint*: all
# that is needed to go on. *Collapse*: a latent that is the same for every image. *Share explained*: how much of a
# value's variance lies between codes.
#
# **Next.** Put sliders on what you trained: `widgets.LatentExplorer(model, test)`. Notebook 07 says what to do with
# them.
#
# **References.** Higgins et al., *beta-VAE* (2017): read it for the price on information. Burgess et al.,
# *Understanding disentangling in beta-VAE* (2018): read it for the capacity, a target for the KL. Lucas et al., *Don't
# blame the ELBO* (2019): read it for where collapse comes from.
