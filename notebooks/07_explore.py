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
# # What can you find out about a model by moving its latents alone?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/07_explore.ipynb)
#
# [Previous: 06 training](06_training.ipynb) · [Next: 08 disentanglement](08_disentanglement.ipynb)
#
# About 60 minutes worked through with its three exercises, of which the computer needs less than twenty seconds on two CPU
# cores. A GPU does not help, and nothing has to be downloaded or trained.
#
# You need: notebook 00; for the last comparison also what a KL is, from notebook 03.
#
# You will
#
# - **predict** what a bit or a slider does, then **try** it,
# - **find** a bit that is dead, a real that leans, and pictures the model cannot draw,
# - **compare** a plain VAE, a beta-VAE and MR-VAE on the same image, and **export** a page of your own.

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
import tempfile
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from mrvae_lib import check, figures, load_dataset, load_model, traverse, widgets

# %% [markdown]
# ## Predict, then flip
#
# The model of notebook 00 describes a digit by four bits $b$ and ten reals $z$, and the decoder draws
# $\hat x = f(z, b)$. The first test image is a 7. Flip each of its bits, one at a time, and keep $z$.
#
# **Predict:** four flips make four pictures. How many of them will still be a 7? Will they lean as the 7 does?

# %%
model = load_model("mnist-mrvae")
mu, bits = model.examples["mu"].float(), model.examples["bits"].float()
z, b = mu[0], bits[0]
flipped = (b + torch.eye(model.n_bits)) % 2
codes = torch.cat([b[None], flipped])
with torch.inference_mode():
    pictures = model.decode(z.expand(5, -1), codes)
ax = figures.show_pictures(pictures, columns=5, title="the code itself, then b0, b1, b2, b3 flipped")

# %% [markdown]
# What should we have expected? A hundred test images come with the model, encoded and with their labels, which the
# model never saw. For each code we count how often it has which label.

# %% tags=["nbval-check-output"]
def code_name(code):
    """A code as text, b0 first."""
    return "".join(str(int(bit)) for bit in code)


labels = model.examples["label"].tolist()
counts = {code_name(code): Counter() for code in bits}
for code, label in zip(bits, labels, strict=True):
    counts[code_name(code)][label] += 1
for code in codes:
    print(code_name(code), "mostly", f"a {counts[code_name(code)].most_common(1)[0][0]}")

# %% [markdown]
# Below is the explorer. Under each bit stand the digits that it swaps most often, and each small picture is a button.
# *next* walks through the examples, *class* narrows the walk, and the list *show* has views that each prove one
# sentence. The sliders work with the arrow keys too, or with **−** and **+**. If MNIST is in your data folder,
# `widgets.LatentExplorer(model, load_dataset("mnist", "test"))` shows each original beside what the model makes of it.
#
# Try this: choose class 4, look at the lattice of all codes, say aloud which bit will make it a 9, then press.

# %%
widgets.LatentExplorer(model)

# %% [markdown]
# ## Cross a bit with a real
#
# Suppose bits say *what* and reals say *how*. Then the same slider should do the same thing whatever the bits are. Let
# us cross the real that tells most, z5, with the bit b2: rows are the bit, columns the real.
#
# **Predict:** does z5 lean the picture in the second row as it does in the first?

# %%
values = torch.linspace(-2.5, 2.5, 9)
rows = [traverse(model, z, b_row, real=5, values=values) for b_row in codes[[0, 3]]]
ax = figures.show_pictures(torch.cat(rows), columns=9, row_names=["b2 = 0", "b2 = 1"], title="z5 from -2.5 to 2.5")

# %% [markdown]
# The *how* carries over, and yet the two do not simply add up. If they did, the change that the bit makes would be the
# same picture for every value of the real, and this would be 0 in every pixel:
#
# $$d = f(z_\text{high}, b_2{=}1) - f(z_\text{high}, b_2{=}0) - f(z_\text{low}, b_2{=}1) + f(z_\text{low}, b_2{=}0).$$
#
# **Exercise 1, compute.** Write the mean of $|d|$ over all pixels.

# %% tags=["exercise"]
def interaction(low_off, low_on, high_off, high_on):
    """Mean over pixels of |d|; each argument is a picture."""
    ...  # one line


# %% tags=["check"]
corners = rows[0][0], rows[1][0], rows[0][-1], rows[1][-1]
dark, light = torch.zeros(2, 2), torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
check(interaction, (corners, 0.0711), ((dark, dark, dark, light), 1.0), ((dark, light, dark, light), 0.0),
      ((dark, dark, light, light), 0.0), atol=1e-3, hint="what does the bit change at one end, and what at the other?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def interaction(low_off, low_on, high_off, high_on):
    return ((high_on - high_off) - (low_on - low_off)).abs().mean()


# %% [markdown]
# A pixel differs by 7 % of its range on average, so in pixels "lean" and "which digit" are tangled: a leaning stroke lights up other
# pixels. Only as *causes* are they apart. This is why a score for disentanglement looks at codes and factors and not at
# pixel differences.
#
# ## Find the bit that is dead
#
# A bit can be dead in two ways. The encoder may never use it: then it tells nothing about the image. Or the decoder
# may not listen. We now take a copy of the model and cut one bit's wire in the decoder. Which one? Do not look; find
# out by pressing.

# %%
def with_bit_cut(bit):
    """The model with one bit that its decoder does not hear."""
    broken = load_model("mnist-mrvae")
    wires = next(layer for layer in broken.decoder.modules() if isinstance(layer, torch.nn.Linear))
    with torch.no_grad():
        wires.weight[:, model.n_reals + bit] = 0  # the first layer reads z, then b
    return broken


broken = with_bit_cut(int(torch.randint(model.n_bits, (), generator=torch.Generator().manual_seed(7))))
widgets.LatentExplorer(broken)

# %% [markdown]
# Look at the pictures of all codes: they come in equal pairs. And the label under the dead bit still promises more than
# half a nat. It says what the *encoder* puts into the bit. What the decoder takes out of it is another question.
#
# **Exercise 2, explore.** Let the computer press: return the number of the bit that changes the pictures least.
# `off, on = traverse(model, z, b, bit=k)` gives a picture with bit k off and one with it on, for one start z, b.

# %% tags=["exercise"]
def dead_bit(model, z, b):
    """The bit whose flip changes the pictures least; z is (N, D), b is (N, K)."""
    ...  # a loop over the bits, and in it one over the starts


# %% tags=["check"]
check(dead_bit, *(((with_bit_cut(bit), mu[:20], bits[:20]), bit) for bit in range(model.n_bits)),
      ((with_bit_cut(2), mu[:1], bits[:1]), 2),  # a single start
      hint="how far is a picture with the bit on from the one with it off, on average?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def dead_bit(model, z, b):
    change = []
    for k in range(model.n_bits):
        pairs = [traverse(model, *start, bit=k) for start in zip(z, b, strict=True)]
        change.append(float(torch.stack([on - off for off, on in pairs]).abs().mean()))
    return change.index(min(change))


# %% [markdown]
# The same for the reals of the model as it was: how much does each slider change the picture from one end to the other, and
# how many nats did the encoder pay for it?
#
# **Predict:** two of the ten reals have no slider in the explorer. Where will they lie?

# %%
def travel(model, real):
    """Mean change of a pixel from one end of a real's sweep to the other, over 20 examples."""
    ends = torch.tensor([-2.5, 2.5])
    sweeps = [traverse(model, *start, real=real, values=ends) for start in zip(mu[:20], bits[:20], strict=True)]
    return float(torch.stack([high - low for low, high in sweeps]).abs().mean())


# %%
kl = model.card["scores"]["kl_of_real"]
moved = [travel(model, real) for real in range(model.n_reals)]
figure, ax = plt.subplots(figsize=(5, 2.8))
ax.scatter(kl, moved, color=figures.BLUE)
above_left_below = [(-5, 7), (-20, -4), (-5, -14)]
in_use = sorted((real for real in range(model.n_reals) if kl[real] >= 0.1), key=lambda real: -kl[real])
for place, real in enumerate(in_use):
    ax.annotate(f"z{real}", (kl[real], moved[real]), textcoords="offset points", xytext=above_left_below[place % 3])
ax.set(xlabel="KL, nats per image", ylabel="mean change of a pixel", ylim=(0, 1.15 * max(moved)))
plt.show()

# %% [markdown]
# Both lie in the corner: no nats, no movement. The prior costs nothing where the encoder says nothing, and the
# decoder has learned to ignore what is only noise.
#
# ## What does z6 do?
#
# Three rows per data set: three test images, and z6 from one end to the other. **Predict** for each set: will z6 change
# the width, the brightness, the position, or nothing?

# %%
shipped = {"digits": "mnist-mrvae", "clothes": "fashion-mrvae", "sprites": "dsprites-mrvae"}
models = {name: load_model(file) for name, file in shipped.items()}
for name, other in models.items():
    starts = zip(other.examples["mu"][:3].float(), other.examples["bits"][:3].float(), strict=True)
    sweeps = [traverse(other, *start, real=6, values=values) for start in starts]
    told = other.card["scores"]["kl_of_real"][6]
    figures.show_pictures(torch.cat(sweeps), columns=9, title=f"{name}: z6, {told:.2f} nats")
plt.show()

# %% [markdown]
# Something else in each: digits get wider, all but the 1, a pullover gets other shoulders and a boot another heel,
# squares turn and the ellipse does not care. On sprites the first five reals have a job each, because that model's
# decoder gives it to them (its card says which). Elsewhere a number such as 6 means nothing: the reals start alike, the
# prior treats them alike, and which of them takes up which cause is settled by chance early in training. So never write
# "z6 is width"; find the real that leans, in each model, by what it *does*.
#
# How upright is a picture? With brightness as weight, let $x, y$ be the places of its pixels; then
#
# $$\text{slant} = \frac{\mathrm{Cov}(x, y)}{\mathrm{Var}(y)}$$
#
# says how many pixels the ink moves sideways per pixel downwards: 0 for an upright stroke.

# %%
def slant(pictures):
    """Sideways per downwards, of pictures (N, 1, H, W); shape (N,)."""
    weight = pictures[:, 0] / pictures.sum(dim=(1, 2, 3)).view(-1, 1, 1)
    y, x = torch.meshgrid(*(torch.arange(side).float() for side in pictures.shape[2:]), indexing="ij")
    x = x - (weight * x).sum(dim=(1, 2)).view(-1, 1, 1)
    y = y - (weight * y).sum(dim=(1, 2)).view(-1, 1, 1)
    return (weight * x * y).sum(dim=(1, 2)) / (weight * y * y).sum(dim=(1, 2))


# %% [markdown]
# **Exercise 3, explore.** Find the real that leans the digits. Sweep each real of each example from one end to the
# other and see whose slant changes most on average.

# %% tags=["exercise"]
def leaning_real(model, z, b):
    """The real whose sweep changes the slant most; z is (N, D), b is (N, K)."""
    ...  # a loop over the reals, and in it one over the starts; traverse and slant


# %% tags=["check"]
known = {"mnist-mrvae": 5, "mnist-mrvae-6": 9, "mnist-vae": 7, "mnist-beta-vae": 8}
others = {name: load_model(name) for name in known}
starts = {name: (m.examples["mu"][:20].float(), m.examples["bits"][:20].float()) for name, m in others.items()}
check(leaning_real, *(((others[name], *starts[name]), real) for name, real in known.items()),
      hint="how far apart are the slants at both ends of a sweep, on average?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def leaning_real(model, z, b):
    ends, change = torch.tensor([-2.5, 2.5]), []
    for real in range(model.n_reals):
        slants = [slant(traverse(model, *start, real=real, values=ends)) for start in zip(z, b, strict=True)]
        change.append(float(torch.stack([high - low for low, high in slants]).abs().mean()))
    return change.index(max(change))


# %% [markdown]
# ## Where the model fails
#
# **Failure 1: codes that name two things.** An example whose code mostly stands for another digit will be drawn with
# the right handwriting and, perhaps, as the wrong digit. (The majority is taken over the same hundred examples, so
# this count is a little too kind; the card's figure is not.)

# %% tags=["nbval-check-output"]
majority = [counts[code_name(code)].most_common(1)[0][0] for code in bits]
wrong = [i for i, label in enumerate(labels) if majority[i] != label]
for i in wrong:
    print(f"{len(wrong)} of {len(labels)} examples; image {i} is a {labels[i]}, its code mostly stands for a {majority[i]}")

# %% [markdown]
# **Predict** before you run: will the decoder draw what the label says, or what the code says? Beside it we draw the same
# reals with a code that does stand for the label. What does the image itself look like? We may not ship MNIST's images, but
# a plain VAE, which has no code that could be wrong, copies it faithfully. That copy comes first. The original comes before it
# if MNIST is in your data folder.

# %%
place = wrong[0]
better = next(bits[i] for i, label in enumerate(labels) if label == majority[i] == labels[place])
with torch.inference_mode():
    pictures = model.decode(mu[[place, place]], torch.stack([bits[place], better]))
    plain = load_model("mnist-vae")
    copy = plain.decode(plain.examples["mu"][[place]].float(), plain.examples["bits"][[place]].float())
pictures, names = torch.cat([copy, pictures]), ["a plain VAE's copy", "its own code", f"a code of {labels[place]}"]
try:
    pictures = torch.cat([load_dataset("mnist", "test").floats(slice(place, place + 1)), pictures])
    names = ["the original", *names]
except ValueError:
    print("MNIST is not here, so the original itself cannot be shown.")
figure, ax = plt.subplots(figsize=(2 * len(names), 2.2))
figures.show_pictures(pictures, columns=len(names), ax=ax, captions=names)
plt.show()

# %% [markdown]
# The code has the last word. The reals are the same in both pictures, but the digit is what the bits say, and the reals
# cannot mend it: the model was trained so that every code can be read from its picture, whatever the reals are. Here
# that is the wrong thing.
#
# **Failure 2: combinations never seen.** The sixteen codes are not used equally, and some handwriting never comes with
# some codes. Take reals from the far corner of the prior and draw all codes.

# %%
far = torch.zeros(model.n_reals)
far[[2, 5]] = torch.tensor([2.5, -2.5])
ax = figures.show_pictures(traverse(model, far, b), columns=8, title="all codes at z2 = 2.5, z5 = -2.5, all else 0")

# %% [markdown]
# Most codes hold, but some pictures blur or fall apart: no image has ever been there. A VAE asks each real to look like
# a bell curve *by itself*; nobody asked that every pair of extremes be drawable. How rare is that corner? Under the prior
# two reals are both so far out with a probability of $(2 \cdot 0.0062)^2$, and in one given corner with a quarter of it.

# %% tags=["nbval-check-output"]
tail = 0.5 * torch.erfc(torch.tensor(2.5 / 2**0.5, dtype=torch.float64))
print(f"P(z > 2.5) = {float(tail):.4f}; one corner of two reals: 1 image in {1 / float(tail) ** 2:,.0f}")

# %% [markdown]
# ## Three models, one image
#
# A **plain VAE** has no bits and pays a price of 1 for each nat of its reals. A **beta-VAE** pays four times that price, so
# it keeps fewer and, the hope is, cleaner reals. **MR-VAE** moves the *what* into bits. All three saw the same images, have
# ten reals, and draw by the same layers. The first two differ in one thing only, the price. MR-VAE differs from both in
# several, so put beside them it is a look at another kind of model and not a contest:

# %% tags=["nbval-check-output"]
three = {"plain VAE": load_model("mnist-vae"), "beta-VAE": load_model("mnist-beta-vae"), "MR-VAE": model}
for name, other in three.items():
    run = other.card["run"]
    reader = "a reader" if run["objective"].get("lambda_reading") else "no reader"
    frame = f"{other.n_bits} bits that see the image {other.config.frame}" if other.n_bits else "no bits"
    print(f"{name:9} beta_z {run['objective']['beta_z']}, {run['train']['epochs']} epochs, {frame}, {reader}")

# %% [markdown]
# *previous*, *next* and *class* move all three to the same image.
#
# **Predict:** in which of the three can you change the digit and keep the handwriting?

# %%
widgets.CompareExplorer(three)

# %% [markdown]
# The same as a figure: the strongest real of each model, swept from the same test image.

# %%
sweeps = []
for other in three.values():
    told, first = other.card["scores"]["kl_of_real"], {k: v[0].float() for k, v in other.examples.items()}
    sweeps.append(traverse(other, first["mu"], first["bits"], real=told.index(max(told)), values=values))
ax = figures.show_pictures(torch.cat(sweeps), columns=9, row_names=list(three), title="the real that tells most")

# %% tags=["nbval-check-output"]
for name, other in three.items():
    scores = other.card["scores"]
    active = sum(nats >= 0.1 for nats in scores["kl_of_real"])
    print(f"{name:9} reconstruction {scores['reconstruction']:6.1f} nats, KL of z {scores['kl_z']:5.2f} in {active} reals, "
          f"of b {scores['kl_b']:.2f}")

# %% [markdown]
# In this figure the strongest real of the plain VAE, and of the beta-VAE, turns the 7 into a 0: the digit hides inside the
# reals, so a slider that looked harmless changes it. MR-VAE's strongest real leans the 7 and it stays a 7. The price
# stands in the table: the plain VAE spends most nats on its reals and draws best. Between the plain VAE and the beta-VAE the price is
# the whole difference: fewer nats, fewer reals in use, worse pictures, and the 7 still becomes a 0. MR-VAE lies between the
# two. It has a few nats in its bits, another price, a reader, bits that see a straightened image, and twice the epochs. So
# this table cannot say which of these keeps the 7 a 7. Notebook 05 can, for it takes out one at a time, and notebook 09
# gives every model the same budget. One image proves nothing about the rest, either: walk through others above, and try to
# break the claim.
#
# ## Your own page
#
# One line writes a page with the model inside: sliders, bits, a map and a place to draw, no kernel, no network. Send it
# to somebody. `mrvae export RUN` does the same for a model that you trained. The
# [live models](https://mr-vae.github.io/mr-vae/gallery/index.html) are such pages, one for each model that comes with the library.

# %%
page = widgets.export_html(model, Path(tempfile.mkdtemp()) / "mine.html", title="My digits")
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# `widgets.LatentExplorer(model).as_page()` shows such a page inside a notebook. A view can be sent as well: *save* offers it as a
# small file, and from code it is a line of text.

# %% tags=["nbval-check-output"]
explorer = widgets.LatentExplorer(model)
explorer.show_view("same hand, another code")
print(explorer.state.to_json())

# %% [markdown]
# ## What we saw
#
# Moving latents is an experiment: predict, change one thing, look. It shows what a bit swaps, which real does what,
# which wires are dead, and where a model was never asked to draw. It does not measure; notebook 08 does.
#
# **New words.** *Interaction*: the part of a change that depends on something else. *Dead bit*: one that the encoder
# does not use or the decoder does not hear. *Permutation symmetry*: the reals can be renumbered without changing the
# model.
#
# **Next.** Notebook 08 puts numbers on what you have seen. The [glossary](../GLOSSARY.md) has the symbols.
#
# **References.** Higgins et al., *beta-VAE* (2017): read it for traversals as evidence. Chen, Li, Grosse and Duvenaud,
# *Isolating Sources of Disentanglement* (2018): read it for what beta really presses on. Locatello et al.,
# *Challenging Common Assumptions* (2019): read it for why looking at traversals is not enough.
