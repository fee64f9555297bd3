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
# # Does each number of a code mean one thing?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/08_disentanglement.ipynb)
#
# [Previous: 07 explore](07_explore.ipynb) · [Next: 09 family](09_family.ipynb)
#
# About 75 minutes worked through with its three exercises, of which the computer needs less than half a minute on two CPU
# cores. A GPU does not help, and nothing has to be downloaded.
#
# You need: entropy and mutual information from notebook 03, and dSprites from notebook 01.
#
# You will
#
# - **turn** a perfect code until no number in it means one thing, while its correlation stays 0,
# - **score** a trained model beside one that was never trained,
# - **read** which latent holds which factor, and what such a table cannot tell.

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
import itertools
import math

import matplotlib.pyplot as plt
import torch

from mrvae_lib import MRVAE, CodeTable, all_codes, check, encode_set, factor_scores, figures
from mrvae_lib import load_dataset, load_model, widgets

# %% [markdown]
# ## Uncorrelated is not disentangled
#
# Two factors, each of ten values, all combinations equally often. The perfect code has one real for each, with a little
# noise. Call the two reals $z$ and turn their plane by an angle $\theta$:
#
# $$z' = R_\theta z, \qquad \mathrm{Cov}(z') = R_\theta\, \mathrm{Cov}(z)\, R_\theta^\top = R_\theta R_\theta^\top = I.$$
#
# The two numbers stay uncorrelated at *every* angle.

# %%
torch.manual_seed(0)
factors = torch.cartesian_prod(torch.arange(10), torch.arange(10)).repeat_interleave(40, dim=0)
straight = (factors - 4.5) / factors.float().std(dim=0) + 0.1 * torch.randn(factors.shape)


def turned(codes, degrees):
    """Two columns, turned in their plane."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return codes @ torch.tensor([[c, s], [-s, c]])


# %% [markdown]
# **Predict:** at 45 degrees, what is the correlation of the two reals? And how well does one real alone say which
# value the first factor has?

# %% tags=["nbval-check-output"]
for degrees in (0, 20, 45):
    codes = turned(straight, degrees)
    between = abs(torch.corrcoef(codes.T)[0, 1])
    alone = torch.corrcoef(torch.stack([codes[:, 0], factors[:, 0]]))[0, 1] ** 2
    print(f"{degrees:2} degrees: correlation of the reals {between:.1f}, R^2 of z0 and factor 0 {alone:.1f}")

# %% [markdown]
# The code forgets nothing: turn it back and all is there. But at 45 degrees each real is half of both factors, so no
# slider means one thing. **Disentangled** is a statement about *axes*: each latent speaks of one factor. Whoever looks at
# correlations alone cannot see it.
#
# ### Uncorrelated is not independent
#
# Two numbers are independent if one tells nothing of the other, that is, if they share 0 nats. We count pairs in a table
# of 20 by 20 cells, for our two factors and for two of a normal distribution. (A few hundredths of a nat appear by chance.)
# If they are not independent, then one can look for the axes on which they are. This is *independent component analysis*
# (ICA). In the plane it is a search for one angle: turn the pairs step by step, and stop where they share least.
#
# **Predict:** we hide the axes by a turn of 45 degrees. For which of the two kinds of factors will the search find them?

# %%
def shared(codes):
    """The nats that two columns share, counted in a table."""
    joint = torch.histogramdd(codes, bins=[20, 20]).hist / len(codes)
    apart = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    seen = joint > 0
    return float((joint[seen] * (joint[seen] / apart[seen]).log()).sum())


kinds = {"ten values": straight, "normal": torch.randn(straight.shape)}
back = range(-90, 91, 5)  # turned back by so much
curves = {name: [shared(turned(turned(codes, 45), d)) for d in back] for name, codes in kinds.items()}

# %% [markdown]
# The search as a picture. A clear valley is an axis that was found.

# %%
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
for (name, nats), style in zip(curves.items(), ["-", "--"], strict=True):
    ax.plot(back, nats, style, label=f"factors: {name}")
ax.set(xlabel="turned by (degrees), after the first 45", ylabel="nats shared", ylim=(0, 0.33), xticks=range(-90, 91, 45))
ax.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
plt.show()

# %% tags=["nbval-check-output"]
for name, nats in curves.items():
    least = back[nats.index(min(nats))]
    valley = max(nats) - min(nats) > 0.1
    print(f"{name}: shared {max(nats):.1f} at most, valley {valley}", f"at {abs(least)} degrees" if valley else "")

# %% [markdown]
# Factors of ten equally likely values fill a square. Turned by 45 degrees it stands on its corner: where one real is large,
# the other must be near 0. So the two are uncorrelated and yet not independent, and the search finds the old axes, by a turn
# of 45 degrees to either side. (Which factor comes first, and with which sign, it cannot say.)
# A normal distribution looks the same from every side. Its turned reals are as independent as before, and nothing in them
# tells which axes were the factors. The prior of a VAE is normal.
#
# ## Scores that see the axes
#
# The **mutual information gap** asks, for each factor, which latent tells most of it and by how much more than the next
# one. With $I_1 \ge I_2$ the two largest and $H(f)$ all there is to tell:
#
# $$\mathrm{MIG} = \frac{1}{F} \sum_f \frac{I_1(f) - I_2(f)}{H(f)}.$$
#
# **DCI disentanglement** asks, for each latent, whether trees that predict the factors use it for one factor only. The
# **FactorVAE score** fixes a factor, looks which latent varies least, and counts how often that names the factor.
# **SAP** is a gap like MIG's, of accuracies of a line drawn on one latent.

# %%
angles = [0, 5, 10, 20, 30, 40, 45]
wanted = {"MIG": "MIG", "DCI": "DCI-histogram disentanglement", "SAP": "SAP", "FactorVAE": "FactorVAE score"}
scores = {name: [] for name in ("correlation", *wanted)}
for degrees in angles:
    codes = turned(straight, degrees)
    asked = ("MIG", "DCI-histogram", "SAP", "FactorVAE score")
    results = factor_scores(codes, None, factors, only=asked, n_train=500, n_test=1000)
    scores["correlation"].append(float(abs(torch.corrcoef(codes.T)[0, 1])))
    for name, key in wanted.items():
        scores[name].append(results[key].score)

# %% [markdown]
# Turn it yourself. Colour is the first factor, size the second.
#
# **Predict:** which score falls first, and which one last?

# %%
def turned_code(degrees):
    """The turned code, and what each score says of it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    left.scatter(*turned(straight, degrees)[::10].T, s=8 + 8 * factors[::10, 1], c=factors[::10, 0], alpha=0.6)
    left.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal", xlabel="$z_0$", ylabel="$z_1$")
    left.set_title(f"turned by {degrees} degrees", fontsize=12)
    bars = right.barh(list(scores), [values[angles.index(degrees)] for values in scores.values()], color=figures.BLUE)
    right.bar_label(bars, fmt="%.2f", padding=3)
    right.set(xlim=(0, 1.15), xlabel="score (correlation: its size)")
    right.invert_yaxis()
    return figure


widgets.Panel(turned_code, degrees=angles)

# %% [markdown]
# The same without a slider:

# %%
figure, ax = plt.subplots(figsize=(7, 3))
for (name, values), style in zip(scores.items(), [":", "-", "--", "-.", "-"], strict=True):
    ax.plot(angles, values, style, marker="o", markersize=3, label=name)
ax.set(xlabel="turned by (degrees)", ylabel="score", ylim=(-0.02, 1.05), xticks=angles)
ax.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Two of the curves in numbers, at 0, 20 and 40 degrees:

# %% tags=["nbval-check-output"]
for name in ("MIG", "FactorVAE"):
    print(name, [round(scores[name][angles.index(degrees)], 1) for degrees in (0, 20, 40)])

# %% [markdown]
# MIG and DCI fall from the first degrees on. The FactorVAE score is lenient. Up to 40 degrees it sees nothing wrong: for as
# long as each latent varies *least* with its own factor, the vote is right. SAP is low from the start, because a line
# reads ten values badly, and hardly changes before 30 degrees. **No score is the truth; each answers its
# own question, and a number without the name of its score says nothing.**
#
# **Exercise 1, compute.** The gap of one factor, from what each latent tells of it and the factor's entropy.

# %% tags=["exercise"]
def gap(told, entropy):
    """The mutual information gap of one factor: told is a list of nats, one per latent."""
    ...  # one or two lines; sorted() may help


# %% tags=["check"]
check(gap, (([0.2, 0.9, 0.4, 0.0], 1.0), 0.5), (([0.2, 0.9, 0.4], 2.0), 0.25), (([0.5, 0.5, 0.1], 0.7), 0.0),
      (([0.0, 0.0], 1.0), 0.0), (([0.3, 0.1], 0.5), 0.4),
      hint="how large is the gap, as a share of all there is to tell?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def gap(told, entropy):
    *_, second, best = sorted(told)
    return (best - second) / entropy


# %% [markdown]
# ## Scores of other people's codes
#
# `factor_scores(codes, bits, factors)` knows nothing of our models. It takes any array with one row per image, so it scores
# the output of your own network, of a PCA or of a published model as well. If the code has no bits, they are `None`. As a
# test we give it three columns: the two factors turned by 20 degrees, and a column of pure noise.
#
# **Predict:** does a useless column lower MIG?

# %% tags=["nbval-check-output"]
theirs = torch.cat([turned(straight, 20), torch.randn(len(straight), 1)], dim=1)
for name, codes in (("two columns", theirs[:, :2]), ("with a column of noise", theirs)):
    print(f"{name}: MIG {factor_scores(codes, None, factors, only=['MIG'])['MIG'].score:.1f}")

# %% [markdown]
# It does not, because MIG looks only at the two latents that tell most of a factor. A score that does not see what is
# useless cannot be used to ask whether all latents are in use.
#
# ## A model beside a newcomer
#
# Now a real code: MR-VAE on dSprites, trained without its factors. 6,000 images drawn from all 737,280, so that every
# combination is as likely as any other. Its bits look at each sprite *in its own frame*, centred, scaled and stretched
# until the spread is the same in every direction; its first five reals say where that frame lies. This is built in and
# not learned. Beside it we put a network of the same shape **that was never trained**. Whatever it scores is not knowledge.
#
# **Predict:** which scores of the untrained network will be far above 0?

# %%
model, sprites = load_model("dsprites-mrvae"), load_dataset("dsprites")
torch.manual_seed(0)
newcomer = MRVAE(model.image_shape, model.config).eval()
images = sprites.first(6_000)
codes, new_codes = encode_set(model, images), encode_set(newcomer, images)

# %%
true = images.factors
asked = ("beta-VAE score", "FactorVAE score", "MIG", "SAP", "modularity", "explicitness")
ours, theirs = (factor_scores(part.mu, part.bits, true, only=asked, n_train=3000, n_test=2000)
                for part in (codes, new_codes))
print(f"{'':34} trained  untrained")
for name, result in ours.items():
    print(f"{name:34} {result.score:7.2f}  {theirs[name].score:9.2f}")

# %% [markdown]
# The newcomer is far above chance, which is 0.20 for FactorVAE and 0.5 for explicitness, and the reason is worth more than
# the scores. Place, size and stretch are *computed*, from the moments of the image, and the first five reals start as
# just these. Nobody learned them. Learned is what lies between the columns: which shape it is, and how it is turned. The
# left column alone would have sold what was built in as what was found.
#
# DCI takes minutes here; `mrvae evaluate dsprites-mrvae` prints it, too. FactorVAE and MIG are far apart for the same code:
# the vote finds all factors, while the gap asks for one latent per factor, and orientation is shared by four.
#
# Where the code has several bits, two scores come in two forms: with the whole code as one column of categories, and
# with a column per bit. A shape spread over two bits is a fine description, but the gap between *one* bit and the next
# is small, and so the second form punishes it.
#
# ## Which latent holds which factor
#
# MIG is made from a table, and the table says more than the score: what does each latent tell of each factor, in nats?
#
# **Predict:** which factor will be shared by several latents?

# %%
columns = torch.cat([codes.mu, codes.bits], dim=1)
told = torch.tensor(factor_scores(columns, None, true, only=["MIG"])["MIG"].matrix)  # (latents, factors)
latents = [*(f"z{i}" for i in range(model.n_reals)), *(f"b{k}" for k in range(model.n_bits))]

figure, ax = plt.subplots(figsize=(6.4, 4.8))
ax.imshow(told, cmap="Blues", aspect="auto")
for row, column in itertools.product(range(len(latents)), range(told.shape[1])):
    nats = told[row, column]
    ax.text(column, row, f"{nats:.2f}", ha="center", va="center", color="white" if nats > 0.6 * told.max() else "black")
ax.set_xticks(range(told.shape[1]), images.factor_names)
ax.set_yticks(range(len(latents)), latents)
ax.set_title("nats told of each factor (column) by each latent (row)", fontsize=10, loc="left")
plt.show()

# %% [markdown]
# Read a **row** to see what a latent speaks of: one dark cell is a slider with a name, two dark cells are a mixture, none
# is a latent that is not in use. Read a **column** to see who speaks of a factor: two dark cells of equal darkness make
# MIG 0 for that factor, however much the two tell together.
#
# Orientation stays far from its 3.69 nats in every model. Notebook 01 measured why: a square turned by a quarter is the
# same picture, so much of what orientation *is* cannot be seen. Here an ellipse turns through z3 and z4, which stretch the
# drawing along the axes and along the diagonals, and a square or a heart through z5 and z6: together they go round a
# circle, as a direction does, and so no single one of them is the angle.
#
# ## What each latent costs
#
# The same from the model's side. Each real pays
#
# $$\mathrm{KL}_i = \tfrac12 \big(\mu_i^2 + \sigma_i^2 - 1 - \ln \sigma_i^2\big) \text{ nats per image},$$
#
# so a real in use has a small $\sigma_i^2$ (it is sure of itself) and one not in use has $\sigma_i^2 \approx 1$ and
# $\mu_i \approx 0$, which costs nothing.

# %%
variance, costs = codes.logvar.exp().mean(dim=0).tolist(), codes.kl_reals().mean(dim=0).tolist()
print("real  variance    KL  about        nats told")
for i in range(model.n_reals):
    print(f"z{i}    {variance[i]:.4f}    {costs[i]:.2f}  {images.factor_names[told[i].argmax()]:11}  {told[i].max():.2f}")

# %% [markdown]
# Nobody named these by looking: *about* is the factor of which the real tells most.
#
# The costs must add up to the KL of the whole code. Do they?

# %% tags=["nbval-check-output"]
total = float(codes.kl_reals().sum(dim=1).mean())
print("rows add up to the whole:", abs(sum(costs) - total) < 1e-3)

# %% [markdown]
# And the bits: what each tells of the picture, how often it is on for each shape, and by how much a pixel changes on
# average when only this bit is flipped.

# %%
table, few = CodeTable.from_logits(codes.bit_logits), (codes.mu[:500], codes.bits[:500])
print("bit  nats  on for", ", ".join(images.label_names), "   a flip changes a pixel by")
for k, one in enumerate(torch.eye(model.n_bits)):
    on = [f"{float(codes.bits[images.labels == label, k].mean()):.0%}" for label in range(3)]
    with torch.inference_mode():
        change = (model.decode(few[0], (few[1] - one).abs()) - model.decode(*few)).abs().mean()
    print(f"b{k}   {table.bit_information[k]:.2f}  {', '.join(on):33} {change:.3f}")

# %% [markdown]
# ## Why shape is hard for a real and easy for bits
#
# A Gaussian real puts most images near 0 and moves through everything between. Between a square and a heart there is
# nothing, so a real that holds shape wastes its middle on pictures that do not exist. A bit has no middle. But how many
# bits does it take? One bit cuts three shapes into two groups and tells
#
# $$I = H(\text{group}) = -p \ln p - (1 - p) \ln (1 - p), \quad p = \tfrac13 \quad \text{of} \quad \ln 3.$$

# %% tags=["nbval-check-output"]
p = 1 / 3
one_bit = -p * math.log(p) - (1 - p) * math.log(1 - p)
print(f"one bit tells at most {one_bit:.3f} nats of shape, there are {math.log(3):.3f}; two bits can tell all of it")

# %% [markdown]
# And this model? A small network learns to predict a factor from the bits, or from a draw of the reals, on 4,000 images. On
# the other 2,000 its mean surprise is what remains unknown. The entropy less that surprise is what is told, at least.

# %%
def told_of(known, value):
    """Nats that `known` (N, D) tells of a factor with values `value` (N,), at least."""
    torch.manual_seed(0)
    n = int(value.max()) + 1
    guess = torch.nn.Sequential(torch.nn.Linear(known.shape[1], 64), torch.nn.ReLU(), torch.nn.Linear(64, 64),
                                torch.nn.ReLU(), torch.nn.Linear(64, n))
    optimizer, surprise = torch.optim.Adam(guess.parameters(), lr=1e-2), torch.nn.CrossEntropyLoss()
    for _ in range(300):
        optimizer.zero_grad()
        surprise(guess(known[:4000]), value[:4000]).backward()
        optimizer.step()
    with torch.no_grad():
        return max(0.0, math.log(n) - float(surprise(guess(known[4000:]), value[4000:])))


# %% [markdown]
# The values of a factor are equally likely here, so the entropy is $\ln n$.

# %%
z = codes.sample(torch.Generator().manual_seed(0))[0]
for factor, name in enumerate(images.factor_names[:2]):
    value = images.factors[:, factor].long()
    entropy = math.log(sprites.factor_sizes[factor])
    for kind, known in (("bits", codes.bits), ("reals", z)):
        print(f"{kind:5} tell {told_of(known, value):.2f} of {entropy:.2f} nats of {name}")

# %% [markdown]
# The bits should tell of shape, and they do: they tell all of it and nothing of size. The reals should tell of size, and they
# do. But they tell nearly all of shape as well, in a roundabout way: only an ellipse is stretched, and a heart fills its
# frame otherwise than a square. So shape is said twice. It has a name of its own in the code, and it is not gone from z. A larger measurement says the
# same ([results](../docs/results.md): 1.06 of 1.10 nats by z).
#
# Was that found, or put in? It is both. In a sprite's own frame a turn and a shape are all that is left, and the code was
# rewarded for surviving the turn. Without the frame no run of ours found shape, so the frame is the assumption that did it.
#
# ## One picture that says it
#
# A sprite covers few of the 4,096 pixels, so *flip moves* is a small number. What does it look like? Three test images and
# their reals; in each row only the bits change.
#
# **Predict:** four codes, three shapes. What will the fourth code draw?

# %%
rows = []
for label in range(3):
    z = codes.mu[images.labels == label][1]
    with torch.no_grad():
        rows.append(model.decode(z.expand(4, -1), all_codes(2)))
figure, ax = plt.subplots(figsize=(7, 5.4))
names = [f"code {int(one)}{int(two)}" for one, two in all_codes(2)]
figures.show_pictures(torch.cat(rows), columns=4, ax=ax, row_names=images.label_names, captions=names * 3)
plt.show()

# %% [markdown]
# Each column is one shape, each row one place, size and turn: the bits say *what*, the reals say *how*. The code that no
# sprite has got a shape of its own, which no sprite has either: the model was asked for pictures in which every code can
# be read, and nobody told it that there are only three.
#
# **Exercise 2, predict.** A code of $K$ bits, each image with its own code. What is the most it can tell, in nats?

# %% tags=["exercise"]
def most_told(n_bits):
    """The largest information of a code of so many bits, in nats."""
    ...  # one line


# %% tags=["check"]
check(most_told, ((2,), 2 * math.log(2)), ((1,), math.log(2)), ((5,), 5 * math.log(2)), ((0,), 0.0),
      hint="how many codes are there, and what is the entropy if all are equally likely?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def most_told(n_bits):
    return n_bits * math.log(2)


# %% [markdown]
# ## What may not be concluded
#
# Turn *all* reals of our model by a random rotation $Q$ and let the decoder turn them back first. The prior
# $N(0, I)$ does not change under rotation, so this is a model that draws the same pictures with the same probabilities.
# The pictures cannot prefer one of the two.
#
# **Predict:** what happens to MIG?

# %% [markdown]
# **Exercise 3, explore.** Write `mixed`: the reals turned by `Q`. Then look at the two scores below it.

# %% tags=["exercise"]
def mixed(mu, q):
    """Reals (N, D) turned by a rotation (D, D): each row of mu times the matrix q."""
    ...  # one line


# %% tags=["check"]
third = torch.tensor([[0.5, 0.75**0.5], [-(0.75**0.5), 0.5]])  # 60 degrees
ring = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # each axis to the next one
check(mixed, ((2 * torch.eye(2), third), 2 * third), ((torch.ones(1, 3), torch.eye(3)), torch.ones(1, 3)),
      ((torch.tensor([[1.0, 2.0, 3.0]]), ring), torch.tensor([[3.0, 1.0, 2.0]])),
      hint="which product of matrices takes rows (N, D) and gives rows (N, D)?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def mixed(mu, q):
    return mu @ q


# %%
q, _ = torch.linalg.qr(torch.randn(model.n_reals, model.n_reals, generator=torch.Generator().manual_seed(0)))
spun = codes.mu @ q  # what your `mixed` does
with torch.no_grad():
    before = model.decode(codes.mu[:50], codes.bits[:50])
    after = model.decode(spun[:50] @ q.T, codes.bits[:50])
print(f"largest change of a pixel {float((after - before).abs().max()):.3f}")
for name, reals in (("as they are", codes.mu), ("turned", spun)):
    print(f"MIG of the reals {name}: {factor_scores(reals, None, true, only=['MIG'])['MIG'].score:.2f}")

# %% [markdown]
# The pictures are the same, the score is another. This is the core of Locatello et al. (2019): without some assumption about model or
# data, nothing in the pictures says which axes are the right ones. What is called unsupervised disentanglement is an
# **inductive bias** that happened to fit: here, that structure is a few bits, that it survives a change of pose, and that
# place, size and stretch are what the first five reals are for.
#
# One bias is in every VAE. Its posterior has independent reals, and a turned posterior does not, so the turned model would
# pay more in its KL. This is why VAEs do prefer some axes, those on which the decoder's picture changes in directions at
# right angles to each other (Rolinek et al., 2019). Whether these are the factors is another question. Three more things
# follow.
#
# - **One seed is an anecdote.** In their study the choice of seed moved a score as much as the choice of method.
# - **A score needs its settings.** MIG with 20 bins and all five factors, of means, is another number than MIG of samples
#   with shape left out, and both are in the literature under one name.
# - **A good score on dSprites says nothing about photographs.** Their factors are neither known nor independent.
#
# ## What we saw
#
# Disentangled is about axes, not about correlation: a turned code keeps correlation 0, and no number in it means one thing
# any more. If its factors are normal, even independence does not tell which axes were theirs. Scores differ in what they notice and how early. A trained model is read beside an untrained one, factor by factor, and the
# kind of latent matters: bits for what has no middle, reals for what has.
#
# **New words.** *MIG*, *SAP*, *DCI*, *FactorVAE score*: see above; all with their settings in `mrvae evaluate`. *Active*:
# a real with a KL of at least 0.1 nats. *Inductive bias*: what a method assumes before it sees data.
#
# **Next.** Notebook 09 compares the whole family with these scores, at one budget. `mrvae evaluate dsprites-mrvae
# --latents` prints all of this for any model.
#
# **References.** Locatello et al., *Challenging Common Assumptions in the Unsupervised Learning of Disentangled
# Representations* (2019): read it for the theorem and for how little seeds agree. Chen et al., *Isolating Sources of
# Disentanglement* (2018): read it for MIG. Kim and Mnih, *Disentangling by Factorising* (2018): read it for the vote.
# Rolinek, Zietlow and Martius, *Variational Autoencoders Pursue PCA Directions (by Accident)* (2019): read it for why
# axes are not arbitrary after all. Eastwood and Williams, *A Framework for the Quantitative Evaluation of Disentangled Representations* (2018): read it for
# DCI.
