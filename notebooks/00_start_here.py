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
# # What makes a digit *that* digit, and what is only handwriting?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/00_start_here.ipynb)
#
# [Next: 01 data](01_data.ipynb)
#
# About 10 minutes, of which the computer needs a few seconds on two CPU cores. Nothing is downloaded or trained: a trained
# model comes with the library.
#
# You need: nothing but a browser. You can run every cell without reading its code.
#
# You will
#
# - **see** every digit that four bits can name,
# - **predict** what a bit and a slider change, then **try** it,
# - **explore** the model yourself with buttons and sliders.

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
import torch

from mrvae_lib import figures, load_model, widgets

# %% [markdown]
# ## A model that writes digits
#
# A **variational autoencoder** is two networks. The *encoder* looks at a picture and describes it in a few numbers; the
# *decoder* draws a picture from such a description. This one was trained on 60,000 handwritten digits, without ever
# being told which digit a picture shows. Its description has two parts:
#
# - four **bits** $b$, each 0 or 1: room for $2^4 = 16$ different codes;
# - ten **reals** $z$, each any number, most often between $-2$ and $2$.
#
# Because its description mixes two kinds of number, the model is called MR-VAE, a variational autoencoder with a **mixed
# representation**. (The *Multi-Rate VAE* of 2023 is shortened in the same way, and is another model.)

# %% tags=["nbval-check-output"]
model = load_model("mnist-mrvae")
print(f"pictures {model.image_shape}, {model.n_reals} reals, {model.n_bits} bits")

# %% [markdown]
# ## Sixteen codes
#
# Set all reals to 0, the middle of their range, and let the decoder draw each of the sixteen codes.
#
# **Predict:** the model never saw a label. Will the sixteen pictures be sixteen digits, sixteen blurs, or something
# between?

# %%
z = torch.zeros(model.n_reals)
figure = figures.plot_code_lattice(model, z)

# %% [markdown]
# Ten digits and sixteen codes: some digits got two codes, so two ways of writing them. The bits came to mean *which
# digit* because that is what stays the same when a picture is turned, stretched or bent a little, and the model was
# rewarded for a code that survives this. There is a second reason: the bits see each picture centred, of one height and
# without its slant. Both are assumptions that we made, and notebook 05 takes them out one at a time.
#
# How often is a code right about the digit? Give each code the digit it most often stands for on the training images,
# and count on 10,000 new ones.
#
# **Predict:** a guess is right once in ten. Will the code be right in half of the cases, in nine of ten, or in more?

# %% tags=["nbval-check-output"]
scores = model.card["scores"]
print(f"the code is right about {100 * scores['code_accuracy']:.1f} % of {scores['n_images']:,} test images")
print(f"k-means on raw pixels, with as many groups: {100 * scores['kmeans_accuracy']:.1f} %")

# %% [markdown]
# Is that much? A rival without any network is *k-means*, which sorts pictures into sixteen groups of similar pixels. The
# second line says how often its groups are right. But it is not quite a fair rival: our bits see each picture centred and
# straightened, and k-means saw it as it was written. On straightened digits k-means does better, and still falls short of
# the code. On clothes it is the other way round, and the raw pixels serve it better. The fair rival is always the better
# of the two; notebook 05 measures both.
#
# ## How much does each number tell?
#
# The unit is the **nat**. A fair coin whose outcome you learn tells you $\ln 2 \approx 0.69$ nats, and no bit can tell
# more than that. A real can tell more; a real that tells nothing is one the model does not use.

# %%
ax = figures.plot_information(scores["kl_of_real"], scores["information_of_bit"])

# %% [markdown]
# ## Now one at a time
#
# The encoder has described some test digits. In the blue rows we start from the first of them: one real moves from
# $-2.5$ to $2.5$ and all else stays. In the orange rows there are five digits, and each has one bit off, then on.
#
# **Predict:** in which rows does the digit become *another* digit?

# %%
mu, bits = model.examples["mu"].float(), model.examples["bits"].float()
figure = figures.plot_traversals(model, mu, bits, scores["kl_of_real"], scores["information_of_bit"])

# %% [markdown]
# Read a blue row from left to right: slant, width or thickness changes, and the digit stays itself. Read an orange pair:
# the handwriting stays, the digit changes, or the way in which it is written. Where you find a blue row that does turn one
# digit into another, the split between *what* and *how* is not perfect; notebook 08 measures by how much.

# %% [markdown]
# ## Not only digits
#
# The same recipe on 60,000 photographs of clothes, again without labels, again sixteen codes.
#
# **Predict:** which kinds of garment get a code of their own, and which will be mixed up?

# %%
clothes = load_model("fashion-mrvae")
figure = figures.plot_code_lattice(clothes, torch.zeros(clothes.n_reals))

# %% [markdown]
# Bags, trousers, dresses, boots, sandals and sneakers are told apart, and bags by whether their handle is up. Shirts,
# pullovers and coats share codes: they differ in buttons and collars, which are few pixels, and four bits go to what
# changes many.

# %% [markdown]
# ## Your turn
#
# Press a bit. Drag a slider. *Start from a test image* has other digits, *Random* is nothing but chance.
#
# Three things to try:
#
# 1. Start at any digit and turn it into a 3 with bits alone. How many presses does it take?
# 2. Find the slider that leans the digit to one side. Does it lean *every* digit? Press bits while it leans.
# 3. Some digits have two codes. Find them: what is the difference, and which bit is it?
#
# Put `clothes` in the place of `model` to do the same with garments.

# %%
explorer = widgets.LatentExplorer(model)
explorer.as_page()

# %% [markdown]
# In this page the decoder runs in your browser, so a picture follows its slider at once. The same explorer is also made
# of notebook widgets. There the kernel draws every picture, which takes a little longer, and a notebook can read and set
# what the widgets show. The two do not follow each other.

# %%
explorer

# %% [markdown]
# The widgets set plain numbers, so you can set them from code as well, and share a view as text.

# %% tags=["nbval-check-output"]
explorer.bits[0].value = not explorer.bits[0].value
explorer.state = widgets.ExplorerState.from_json(explorer.state.to_json())
print("code now", explorer.state.code)

# %% [markdown]
# ## What we saw
#
# What makes a digit *that* digit fits in four bits, found without labels; the handwriting is in a few reals. The two
# can be changed apart, and where they cannot, we can say so with a number.
#
# **New words.** *Bit* $b_k$: one of the model's yes-or-no numbers. *Real* $z_i$: one of its continuous numbers. *Code*:
# all bits together. *Nat*: the unit of information, $1/\ln 2 \approx 1.44$ bits. The glossary has the rest.
#
# **Next.** Notebook 01 asks what a perfect description of a picture would be. In notebook 02 you write a model yourself.
# To show somebody what you saw here, send the [live models](https://mr-vae.github.io/mr-vae/gallery/index.html): pages
# with the same buttons and sliders, for a computer or a phone.
#
# **References.** Kingma and Welling, *Auto-Encoding Variational Bayes* (2014): read it for the two networks and why
# they are trained together. Chen et al., *InfoGAN* (2016): read it for digits drawn from a class and a few numbers, both
# found without labels. Dupont, *Learning Disentangled Joint Continuous and Discrete Representations* (2018): read it for
# a variational autoencoder with both kinds of number.
