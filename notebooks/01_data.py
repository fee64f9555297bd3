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
# # What would a perfect description of a picture be?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/01_data.ipynb)
#
# [Previous: 00 start here](00_start_here.ipynb) · [Next: 02 write one](02_write_one.ipynb)
#
# About 45 minutes worked through with its three exercises, of which the computer needs ten seconds on two CPU cores.
# A GPU does not help, and nothing has to be downloaded.
#
# You need: notebook 00, and enough Python to read a loop.
#
# You will
#
# - **move** the true causes of a picture and watch the pixels follow,
# - **measure** which causes a picture cannot tell apart,
# - **load** digits, faces and images of your own.

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
import math
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from mrvae_lib import check, figures, load_dataset, widgets

# %% [markdown]
# ## Pictures whose causes we know
#
# A **generative factor** is a cause that can be set on its own: where a thing is, how large, which way it is turned.
# In photographs the factors are unknown. In **dSprites** they are all there is: each image is one white shape on
# black, and five numbers say which. The set has every combination once.
#
# The published file fills gigabytes of memory once it is unpacked. The library draws the images instead, from a short
# recipe that was compared with the published ones pixel by pixel ([sources](../docs/sources.md)).

# %%
sprites = load_dataset("dsprites")

# %% [markdown]
# How many images is *every combination once*? The product of the sizes of the factors:
#
# $$N = \prod_f n_f = 3 \cdot 6 \cdot 40 \cdot 32 \cdot 32.$$

# %% tags=["nbval-check-output"]
for name, size in zip(sprites.factor_names, sprites.factor_sizes, strict=True):
    print(f"{name:12} {size:3} values")
print(f"{'together':12} {len(sprites):,} images of {sprites.image_shape}")

# %% [markdown]
# ## A perfect code
#
# Below is a slider for each factor. It is what a perfect code of these pictures would feel like: five numbers, each
# moves one thing, no two move the same thing, and nothing in the picture is left unsaid.
#
# **Predict** before you drag: keep the square. Which slider can you then move to another place and get the very same
# picture back, and in how many places? Does it work with the heart?

# %%
def picture(shape, scale, orientation, posX, posY):
    """The image that has these values, and its number."""
    factors = [[shape, scale, orientation, posX, posY]]
    figure, ax = plt.subplots(figsize=(4, 4.2), layout="constrained")
    ax.imshow(sprites.at(factors)[0, 0], cmap="gray")
    ax.set_title(f"image {int(sprites.index(factors)):,}, turned by {360 * orientation / 39:.0f} degrees", fontsize=11)
    ax.set(xticks=[0, 31, 63], yticks=[0, 31, 63], xlabel="pixel column", ylabel="pixel row")
    return figure


names = {name: number for number, name in enumerate(sprites.label_names)}
widgets.Panel(picture, shape=names, scale=(0, 5), orientation=(0, 39), posX=(0, 31), posY=(0, 31))

# %% [markdown]
# The orientation is the one. A square turned by a quarter looks as before; a heart comes back only after a full turn.
# Below we count how exact this is.

# %% [markdown]
# All five sliders as a figure. There is one row per factor; all other factors stay as they are in the last shape at its largest
# size, a heart near the middle of the picture.

# %%
heart = torch.tensor([2, 5, 5, 16, 16])
rows = torch.ones(5, 8, 1, 64, 64)  # white where a factor has fewer than eight values
for factor, size in enumerate(sprites.factor_sizes):
    values = torch.arange(0, size, math.ceil(size / 8))
    wanted = heart.repeat(len(values), 1)
    wanted[:, factor] = values
    rows[factor, : len(values)] = sprites.floats(sprites.index(wanted))
ax = figures.show_pictures(rows.flatten(0, 1), columns=8, row_names=sprites.factor_names)

# %% [markdown]
# Four of the five rows change *how* the shape looks, by degrees: its size, its turn, its place. The first row is of
# another kind. There is nothing between a square and a heart, so a number on a line is a poor description of it. Two
# bits are a good one. This is the idea of the whole suite: **bits for what it is, reals for how it looks.**

# %% [markdown]
# ## Images have numbers
#
# Images are stored in counting order, as on an odometer: the last factor turns fastest. With sizes
# $(3, 6, 40, 32, 32)$, one step of posX skips all 32 values of posY, one step of orientation skips
# $32 \cdot 32 = 1024$ images.

# %% tags=["nbval-check-output"]
for factors in ([0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [2, 5, 39, 31, 31]):
    print(factors, "is image", f"{int(sprites.index([factors])):,}")

# %% [markdown]
# **Exercise 1, compute.** Write the number of an image from its five factors.

# %% tags=["exercise"]
def image_number(shape, scale, orientation, pos_x, pos_y):
    """The place of an image in the set."""
    ...  # one line


# %% tags=["check"]
cases = [(0, 0, 0, 0, 0), (2, 5, 0, 3, 7), (1, 2, 17, 30, 4), (2, 5, 39, 31, 31)]
check(image_number, *((case, int(sprites.index([case]))) for case in cases),
      hint="how many images does one step of each factor skip?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def image_number(shape, scale, orientation, pos_x, pos_y):
    return (((shape * 6 + scale) * 40 + orientation) * 32 + pos_x) * 32 + pos_y


# %% [markdown]
# ## What no encoder can know
#
# Turn a square by a quarter and it is the same square. So from the picture of a square nobody can read its
# orientation, only the orientation *up to a quarter turn*. Whoever scores a code on dSprites should know how much of
# "orientation" is in the pixels at all.
#
# Let us measure it. For each shape, take orientation 0 and count how many pixels differ from every other orientation:
#
# $$d(t) = \sum_{\text{pixels}} [x_0 \ne x_t].$$
#
# **Predict:** how many valleys will the curves of square, ellipse and heart have?

# %%
turned = torch.tensor([[shape, 5, t, 16, 16] for shape in range(3) for t in range(40)])
pictures = sprites.at(turned).reshape(3, 40, -1)
distance = (pictures != pictures[:, :1]).sum(dim=2)

degrees = torch.linspace(0, 360, 40)
figure, ax = plt.subplots(figsize=(7, 2.6))
for shape, style in enumerate(["-", "--", ":"]):
    ax.plot(degrees, distance[shape], style, label=sprites.label_names[shape])
ax.set(xlabel="turned by (degrees)", ylabel="pixels that differ", xticks=range(0, 361, 90))
ax.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
plt.show()

# %% [markdown]
# The square has four valleys, the ellipse two, the heart one (each counts the full turn once). How deep is a valley?
# 40 values over a full turn, both ends included, make steps of $360/39 \approx 9.2$ degrees, and 90 is no multiple of
# that, so a square is never turned by *exactly* a quarter. Does the rim of the shape give it away?

# %% tags=["nbval-check-output"]
quarter = [10, 20, 29]
print("turned by", [round(360 * t / 39) for t in quarter], "degrees")
white = (pictures[:, 0] > 0).sum(dim=1)
for shape in (0, 2):
    print(f"{sprites.label_names[shape]:6} {distance[shape, quarter].tolist()} pixels differ, {white[shape]} are white")

# %% [markdown]
# Not even the rim: at 92 and 268 degrees the square is the very same picture, pixel for pixel, and at 185 degrees it
# differs by 22 pixels of 361. The same turn changes more than half as many pixels of a heart as it has white ones. So
# a perfect score for orientation is within nobody's reach, and a low one is not always the model's fault. Notebook 08
# comes back to this.
#
# **Exercise 2, explore.** Find two *different* rows of factors that give exactly the same picture. The explorer above
# helps.

# %% tags=["exercise"]
def twins():
    """Two different rows of factors, [shape, scale, orientation, posX, posY], with the same picture."""
    ...  # return [0, 0, 0, 0, 0], [...]


# %% tags=["check"]
def two_rows(pair):
    return [len(row) for row in pair] == [5, 5]


def different(pair):
    return list(pair[0]) != list(pair[1])


def same_picture(pair):
    return bool((sprites.at([pair[0]]) == sprites.at([pair[1]])).all())


check(twins, ((), two_rows), ((), different), ((), same_picture), hint="which shape looks the same after a turn?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def twins():
    return [0, 0, 0, 0, 0], [0, 0, 39, 0, 0]


# %% [markdown]
# ## Pictures whose causes we do not know
#
# MNIST is 70,000 digits that people wrote. Something like slant and thickness is in there, but no file says so; the
# only thing we are told is the label. If MNIST is in your data folder it is shown here, else the 1,797 small digits
# that come with scikit-learn stand in.

# %%
try:
    written = load_dataset("mnist")
except ValueError:
    written = load_dataset("digits")
    print("MNIST is not here and cannot be fetched; showing 'digits' instead.")
tens = [torch.where(written.labels == digit)[0] for digit in range(10)]
tens = torch.cat([places[:: len(places) // 10][:10] for places in tens])  # from all over the set
ax = figures.show_pictures(written.floats(tens), columns=10, title=f"{written.name}: ten of each digit")

# %% [markdown]
# Look along a row: what changes from picture to picture is the handwriting, the *how*. Look down a column: what
# changes is the digit, the *what*. A model that never sees the labels has to find this split by itself.
#
# A way to see how hard that is: are two pictures of the same digit closer, pixel by pixel, than two of different
# digits? **Predict** how far the two histograms are apart.

# %%
few = written.floats(tens).flatten(1)
apart = torch.cdist(few, few)
same = written.labels[tens][:, None] == written.labels[tens][None]
other = ~torch.eye(len(few), dtype=torch.bool)  # not the picture itself
figure, ax = plt.subplots(figsize=(7, 2.4))
for name, pairs in (("same digit", same & other), ("different digits", ~same)):
    ax.hist(apart[pairs].tolist(), bins=40, range=(0, 16), density=True, alpha=0.6, label=name)
ax.set(xlabel="distance in pixel space", ylabel="share of pairs", yticks=[])
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Pictures of the same digit are closer on average, but the two histograms overlap: leaning a digit can change more pixels
# than swapping a 4 for a 9. Whoever sorts pictures by their raw pixels (k-means) therefore finds groups that mix digits.
# Notebook 00 compares its code with two such sortings: of raw pixels, and of pictures that were straightened before.

# %% [markdown]
# ## A face that looks at you
#
# **XYS** is our re-creation of a lost set: a drawn face whose gaze moves left and right (X), up and down (Y), and
# that comes closer or moves away (S). The head never turns; only the eyes do.

# %%
faces = load_dataset("xys")
picked = torch.linspace(0, len(faces) - 1, 8).long()
stack = faces.floats(picked)  # (8, 3, H, W): full image, right eye, left eye
views = stack.transpose(0, 1).reshape(-1, 1, *stack.shape[2:])
ax = figures.show_pictures(views, columns=8, row_names=["full image", "right eye", "left eye"])

# %% [markdown]
# Why does the set come with a patch of each eye? Because the loss of a VAE counts pixels. Let us count how much of
# the picture each factor changes. We take pairs of faces that differ in one factor alone, which has its lowest value in one
# and its highest in the other, and see by how much a pixel changes between the two, in shares of full brightness.
#
# **Predict:** how many times as loud as the gaze is the size, in the full image? And in the patches of the eyes?

# %%
def mean_change(images, factor):
    """Mean absolute change of a pixel, per view, over pairs at both ends of a factor and alike in all others."""
    values, others = images.factors[:, factor], images.factors[:, [i for i in range(3) if i != factor]]
    alike = (others[:, None] == others).all(dim=2)
    low, high = torch.where(alike & (values == values.min())[:, None] & (values == values.max()))
    return (images.floats(high) - images.floats(low)).abs().mean(dim=(0, 2, 3))


# %% tags=["nbval-check-output"]
loudness = torch.stack([mean_change(faces, factor) for factor in range(3)])
for name, (full, right, left) in zip(faces.factor_names, loudness.tolist(), strict=True):
    print(f"{name}: full image {full:.4f}, right eye {right:.4f}, left eye {left:.4f}")
print("S beside X and Y in the full image:", (loudness[2, 0] / loudness[:2, 0]).round().int().tolist())

# %% [markdown]
# In the full image S is 71 times as loud as X and 85 times as loud as Y. A model that may keep only a few numbers keeps S
# and forgets the gaze. In the patches the eye fills the frame, whatever the distance: S changes nothing there, and X and Y
# are more than twenty times as loud as in the full image. Nothing was added to the data; the loss was made to look at the
# right place.

# %% [markdown]
# ## Your own images
#
# A folder of pictures works as a data set, with one sub-folder per class or none. So does an `.npz` file with an
# array `images`. Here we write a few pictures to a folder and read them back; put your own path in its place.

# %%
folder = Path(tempfile.mkdtemp())
for i, place in enumerate(torch.arange(0, len(sprites), 20_011)):
    label = sprites.label_names[int(sprites.labels[place])]
    (folder / label).mkdir(exist_ok=True)
    plt.imsave(folder / label / f"{i}.png", sprites.take(place[None])[0, 0], cmap="gray")

# %% tags=["nbval-check-output"]
mine = load_dataset(str(folder))
print(f"{len(mine)} training images of {mine.image_shape}, classes {', '.join(mine.label_names)}")

# %% [markdown]
# Three channels, because matplotlib writes its files in colour. Nothing else changes: `mrvae train digits --set data.name=path/to/folder` trains on them.
#
# **Exercise 3, predict.** One bit can tell at most $\ln 2$ nats. How many bits does a code need at least to name each
# of dSprites' three shapes by a different code?

# %% tags=["exercise"]
def bits_needed(n_classes):
    """The smallest number of bits whose codes can name so many classes."""
    ...  # one line; math.ceil and math.log2 may help


# %% tags=["check"]
check(bits_needed, ((3,), 2), ((4,), 2), ((5,), 3), ((1000,), 10), ((1,), 0), hint="K bits make 2^K codes")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def bits_needed(n_classes):
    return math.ceil(math.log2(n_classes))


# %% [markdown]
# ## What we saw
#
# A perfect description of a picture is the list of its causes, each on its own, each in its own kind: bits for what
# is one thing or another, reals for what changes by degrees. On dSprites we know that list and can score a model
# against it. On MNIST we know one entry. Some causes leave no trace in the pixels, and no model can find those.
#
# **New words.** *Generative factor*: a cause of a picture that can be set on its own. *Ambiguous*: two settings of a
# factor that give (nearly) the same picture. *Patch*: a part of an image shown as an image of its own.
#
# **Next.** Notebook 02: write a model that finds such a description. The [glossary](../GLOSSARY.md) has the symbols.
#
# **References.** Matthey, Higgins, Hassabis and Lerchner, *dSprites* (2017): read it for the set everyone measures on.
# Locatello et al., *Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations*
# (2019): read it for why no method finds the factors without some assumption.
