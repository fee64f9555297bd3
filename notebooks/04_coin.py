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
# # How does a gradient get through a coin?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/04_coin.ipynb)
#
# [Previous: 03 bound](03_bound.ipynb) · [Next: 05 meaning](05_meaning.ipynb)
#
# About 50 minutes, of which the computer needs about half a minute (two CPU cores; a GPU is no faster here). Nothing to
# download.
#
# You need: notebooks 02 and 03.
#
# You will
#
# - **write** four ways to a gradient through a bit, none longer than ten lines,
# - **predict** which of them is noisy and which is wrong on average, and **measure** both,
# - **split** the price of a code into what it tells and what it wastes.

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
import warnings

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from mrvae_lib import CodeTable, Posterior, check, expected_loss, figures, load_config, load_dataset, train, widgets

BLUE, ORANGE = figures.BLUE, figures.ORANGE

# %% [markdown]
# We need a decoder whose bits matter: four bits and no reals, so that a picture depends on its code alone. It is trained
# on real digits in seconds.

# %%
warnings.filterwarnings("ignore", message="Initializing zero-element")  # torch, about a network without reals
model = train(load_config("digits", overrides=[
    "model.hidden=[128]", "model.n_reals=0", "model.n_bits=4", "train.batch_size=64", "train.epochs=25",
    "train.precision=fp32", "train.device=cpu", "objective.beta_z=1", "objective.beta_b=1",
    "objective.lambda_consistency=0", "objective.lambda_information=0"]))
x = load_dataset("digits", "test").floats()

# %% [markdown]
# ## Why a coin has no gradient
#
# A bit is drawn by $b = [u < \pi]$ with $u$ uniform between 0 and 1; the bracket is 1 if its condition holds, and
# else 0. Change $\pi$ a little and, for almost every $u$, the bit stays what it was: the derivative of the draw is 0
# wherever it exists. Yet the *average* loss depends on $\pi$ smoothly,
#
# $$E_b[f(b)] = \pi f(1) + (1 - \pi) f(0), \qquad
#   \frac{d}{d \ell} E_b[f(b)] = \pi (1 - \pi)\, \bigl(f(1) - f(0)\bigr),$$
#
# with $\ell$ the logit. So the gradient exists; what is missing is a cheap way to compute it from one draw.

# %% tags=["nbval-check-output"]
def f(codes):
    return (codes[..., 0] - 0.45) ** 2


logit = torch.tensor([[0.3]], requires_grad=True)
(gradient,) = torch.autograd.grad(expected_loss(f, logit, estimator="exact").sum(), logit)
pi = torch.sigmoid(logit.detach()).item()
print(f"gradient of the average {gradient.item():.4f}, by the formula {pi * (1 - pi) * (0.55**2 - 0.45**2):.4f}")
draw = torch.bernoulli(torch.sigmoid(logit))
print(f"gradient through a draw {torch.autograd.grad(f(draw).sum(), logit)[0].item():.4f}")

# %% [markdown]
# **Exercise 1, compute.** The same by hand, for any one-bit loss with values $f(0)$ and $f(1)$.

# %% tags=["exercise"]
def coin_gradient(logit, f0, f1):
    """d/d logit of E[f(b)] where b = 1 with the probability that the logit says."""
    ...  # two lines; math.exp may help

# %% tags=["check"]
check(coin_gradient, ((0.3, 0.45**2, 0.55**2), gradient.item()), ((0.0, 1.0, 5.0), 1.0), ((-2.0, 3.0, 3.0), 0.0),
      ((2.0, 1.0, 0.0), -0.104994), hint="what is the derivative of the sigmoid, written in pi?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def coin_gradient(logit, f0, f1):
    pi = 1 / (1 + math.exp(-logit))
    return pi * (1 - pi) * (f1 - f0)

# %% [markdown]
# ## The loss of forty digits
#
# From here on $f(b)$ is the reconstruction of forty digits by the decoder above. There are four bits for each digit, so
# the gradient is a table of 40 by 4 numbers. The logits are halved, so that fewer of the bits are nearly certain.
#
# ### Count all codes
#
# With $K$ bits there are $2^K$ codes. List them, weigh each by its probability $q(b \mid x)$, and the average is
# **exact**, so PyTorch's gradient of it is, too.

# %%
few = x[:40]
with torch.no_grad():
    logits = 0.5 * model.encode(few).bit_logits
CODES = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)[:, None].expand(-1, 40, -1)  # (16, 40, 4)


def loss(codes):
    """What the decoder pays for each digit; codes (S, 40, 4) to (S, 40) nats."""
    return model.reconstruction_loss(few, torch.zeros(40, 0), codes)


def chance(logits):
    """The probability q(b | x) of each code for each digit, (16, 40)."""
    return (CODES * F.logsigmoid(logits) + (1 - CODES) * F.logsigmoid(-logits)).sum(dim=2).exp()


def exact(logits, generator=None):
    return (chance(logits) * loss(CODES)).sum(dim=0)

# %% [markdown]
# The cost doubles with every bit. At 4 bits it is 16 passes through the decoder, and at 12 it would be 4,096.
#
# ### Pretend
#
# **Straight-through**: draw the coin, and on the way back behave as if the drawn bit had been the probability. You
# wrote it in notebook 02. It takes one pass. The gradient is wrong wherever $f$ is not a straight line between 0 and 1.

# %%
def coins(logits, generator):
    return torch.bernoulli(torch.sigmoid(logits.detach()), generator=generator)


def straight_through(logits, b):
    probs = torch.sigmoid(logits)
    return loss((b + probs - probs.detach())[None])[0]

# %% [markdown]
# ### Soften
#
# A coin with logit $\ell$ can be made from outside noise, like a normal draw. Take $u$ uniform between 0 and 1. Then
# $\ln u - \ln (1 - u)$ is **logistic noise**, and $b = [\ell + \text{noise} > 0]$ is 1 with probability $\sigma(\ell)$.
# The only step without a derivative is the bracket $[\cdot > 0]$. The **concrete** distribution replaces it by a
# sigmoid that is the steeper the lower the **temperature** $\tau$:
#
# $$\tilde b = \sigma\left(\frac{\ell + \ln u - \ln(1 - u)}{\tau}\right).$$
#
# **Exercise 2, compute.** Write the soft bit.

# %% tags=["exercise"]
def soft_bit(logit, u, temperature):
    """A concrete bit from uniform noise u, all tensors."""
    ...  # one or two lines; torch.sigmoid helps

# %% tags=["check"]
half, quarter, zero = torch.tensor(0.5), torch.tensor(0.25), torch.tensor(0.0)
check(soft_bit, ((zero, half, 1.0), 0.5), ((torch.tensor(2.0), half, 2.0), torch.sigmoid(torch.tensor(1.0))),
      ((zero, quarter, 1.0), 0.25), ((zero, torch.tensor(0.75), 0.1), torch.sigmoid(10 * torch.tensor(3.0).log())),
      hint="the temperature divides the sum of logit and noise; what is the noise at u = 1/2?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def soft_bit(logit, u, temperature):
    return torch.sigmoid((logit + u.log() - (1 - u).log()) / temperature)

# %% [markdown]
# What does the decoder get to see? **Predict:** where do ten thousand soft bits lie at a temperature of 0.1, and where
# at 2?

# %%
u = torch.rand(10_000, generator=torch.Generator().manual_seed(0)).clamp(1e-6, 1 - 1e-6)


def soft_bits(temperature, logit):
    """How ten thousand soft bits of one coin are spread."""
    figure, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
    ax.hist(soft_bit(torch.tensor(logit), u, temperature), bins=torch.linspace(0, 1, 41).tolist(), color=ORANGE)
    probability = 1 / (1 + math.exp(-logit))
    ax.set(xlabel="soft bit", ylabel="draws", title=f"temperature {temperature:.1f}, probability of a 1: {probability:.2f}")
    return figure


widgets.Panel(soft_bits, temperature=(0.1, 2.0, 0.1), logit=(-3.0, 3.0, 0.5))

# %% [markdown]
# With a fair coin, as the panel starts, they are evenly spread at a temperature of 1. At 0.1 most lie close to 0 or 1,
# like a coin's. At 2 nearly all lie between, and after training the decoder gets no such values. But the lower the
# temperature, the steeper the sigmoid: most gradients are close to 0 then, and the few others are large.

# %%
def concrete(logits, generator, temperature=2 / 3):
    u = torch.rand(logits.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    return loss(soft_bit(logits, u, temperature)[None])[0]

# %% [markdown]
# ### Flip
#
# The formula for one coin needs $f(1) - f(0)$. With several bits: draw a code, then flip each bit by itself and see
# what changes. This costs $K + 1$ passes and gives every bit its own difference, with the other bits as they were
# drawn. The last line adds a number that is 0, and its derivative by each probability is the difference we want.

# %%
def bit_flip(logits, b):
    probs = torch.sigmoid(logits)
    value = loss(b[None])[0]
    flipped = torch.stack([loss((b - one).abs()[None])[0] for one in torch.eye(4)])  # (4, 40): each with one bit flipped
    difference = ((flipped - value) * (1 - 2 * b.T)).detach()  # f(1) - f(0), whichever of them was drawn
    return value + ((probs - probs.detach()) * difference.T).sum(dim=1)

# %% [markdown]
# All four are in the library as `expected_loss`. With the same noise it gives the same gradients:

# %% tags=["nbval-check-output"]
def gradient_of(way, *settings):
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(way(leaf, *settings).sum(), leaf)[0]


ways = {"exact": exact, "bit-flip": lambda leaf, generator: bit_flip(leaf, coins(leaf, generator)), "concrete": concrete,
        "straight-through": lambda leaf, generator: straight_through(leaf, coins(leaf, generator))}
for name, way in ways.items():
    ours = gradient_of(way, torch.Generator().manual_seed(1))
    library = gradient_of(lambda leaf, name=name: expected_loss(loss, leaf, estimator=name, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(ours, library, atol=1e-3, rtol=1e-3)
    print(name, "equal")

# %% [markdown]
# ## Wrong or noisy?
#
# Two numbers say how good an estimator $g$ of a gradient $g^*$ is: its squared **bias**, which no number of draws
# removes, and its **variance**, which averaging many draws reduces. Both are given as shares of $\lVert g^* \rVert^2$,
#
# $$\text{bias}^2 = \frac{\lVert E[g] - g^* \rVert^2}{\lVert g^* \rVert^2}, \qquad
#   \text{variance} = \frac{E \lVert g - E[g] \rVert^2}{\lVert g^* \rVert^2}.$$
#
# For the two ways that draw hard coins, $E[g]$ can be had without any noise: only sixteen codes can be drawn. Take the
# gradient at each of them, and weigh it by the chance of that draw. **Predict:** is the average of bit-flip exactly the
# true gradient? Is that of straight-through?

# %% tags=["nbval-check-output"]
truth = gradient_of(exact)
for name, way in {"bit-flip": bit_flip, "straight-through": straight_through}.items():
    at_each = torch.stack([gradient_of(way, code) for code in CODES])  # (16, 40, 4)
    mean = (chance(logits)[:, :, None] * at_each).sum(dim=0)
    distance = (mean - truth).square().sum() / truth.square().sum()
    print(f"{name:16} squared bias below 0.0001: {bool(distance < 1e-4)}, above 0.1: {bool(distance > 0.1)}")

# %% [markdown]
# Bit-flip is right on average, exactly, because $E_b[f(b)]$ is a straight line in each $\pi_k$ and the flip measures its
# slope. Straight-through is wrong however often one draws. How noisy they are, and where concrete stands, we measure with
# 200 draws of each.
#
# **Predict** on paper, before you run the next two cells: draw two axes, bias to the right and variance upwards, and place
# bit-flip, straight-through, and concrete at the temperatures 0.1, 0.67 and 2.

# %%
TEMPERATURES = (0.1, 0.3, 2 / 3, 1.0, 2.0)
settings = {"bit-flip": (ways["bit-flip"],), "straight-through": (ways["straight-through"],)}
settings |= {f"concrete {temperature:.2f}": (concrete, temperature) for temperature in TEMPERATURES}
generator = torch.Generator().manual_seed(0)
draws = {name: torch.stack([gradient_of(way, generator, *more) for _ in range(200)]) for name, (way, *more) in settings.items()}
size, measured = truth.square().sum(), {}
for name, g in draws.items():
    variance = (g - g.mean(dim=0)).square().sum(dim=(1, 2)).mean() / size
    bias = (g.mean(dim=0) - truth).square().sum() / size - variance / len(g)  # the mean of 200 is itself a little noisy
    measured[name] = (max(float(bias), 0.0), float(variance))

# %%
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(*zip(*[measured[f"concrete {t:.2f}"] for t in TEMPERATURES], strict=True), color=ORANGE, linewidth=1)
for name, (bias, variance) in measured.items():
    ax.plot(bias, variance, "o", markersize=8, color=ORANGE if name.startswith("concrete") else BLUE)
    ax.annotate(name, (bias, variance), (9, 5), textcoords="offset points", fontsize=9)
ax.set(xlabel="squared bias, share of the squared gradient", ylabel="variance, share", yscale="log", title="right and calm is lower left")
ax.margins(x=0.3, y=0.15)
ax.set_xlim(left=-0.05)
plt.show()

# %% [markdown]
# Compare with your drawing. In words:

# %% tags=["nbval-check-output"]
(_, calm), (wrong, loud) = measured["bit-flip"], measured["straight-through"]
low, middle, high = (measured[f"concrete {t:.2f}"] for t in (0.3, 2 / 3, 2.0))
print("bit-flip has less than half the variance of straight-through and of concrete 0.67:", calm < min(loud, middle[1]) / 2)
print("concrete 2.00 has at least twice the bias of 0.30: ", high[0] > 2 * low[0])
print("and less than a quarter of its variance:           ", high[1] < low[1] / 4)
print("straight-through has more bias than concrete 0.67: ", wrong > middle[0])

# %% [markdown]
# Bit-flip is right on average and has little noise, at the cost of $K + 1$ passes. With a concrete bit one is traded
# for the other: a low temperature gives little bias and much variance, a high one the reverse. Straight-through has no
# setting to choose, and it has both bias and variance.
#
# One bit of one image, closer. Each histogram is 200 draws of the same derivative; the black line is the truth, and the
# dashed one the mean of the draws.

# %%
image, bit = divmod(int(truth.abs().argmax()), 4)
shown = {name: draws[name][:, image, bit] for name in ("bit-flip", "concrete 0.67", "straight-through")}
low, high = (float(torch.cat(list(shown.values())).quantile(share)) for share in (0.01, 0.99))
figure, axes = plt.subplots(3, 1, figsize=(7, 4), sharex=True, layout="constrained")
for ax, (name, g) in zip(axes, shown.items(), strict=True):
    ax.hist(g, bins=torch.linspace(low, high, 50).tolist(), color=ORANGE)
    ax.axvline(float(truth[image, bit]), color="black", label="exact")
    ax.axvline(float(g.mean()), color=BLUE, linestyle="--", label="mean of the draws")
    ax.set(yticks=[])
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
axes[0].legend(frameon=False, fontsize=8)
axes[-1].set(xlabel=f"derivative of image {image}'s loss by the logit of bit {bit}, nats")
plt.show()

# %% [markdown]
# Where a run does not name a way, the library counts codes up to $K = 4$, flips up to $K = 12$, and softens only
# beyond. But a biased gradient need not train worse: with soft bits the decoder also gets values *between* two codes,
# and our shipped models were trained with them.

# %% [markdown]
# ## What a code tells, and what it only costs
#
# A bit that is 1 for *every* image has KL $\ln 2$: it pays the full price and tells nothing. So a KL is no measure of
# information. But it can be split exactly. With the **aggregate** $q(b) = E_x\, q(b \mid x)$, the mean over all images,
#
# $$E_x\, \mathrm{KL}(q(b \mid x) \Vert p(b)) = I(x; b) + \mathrm{KL}(q(b) \Vert p(b)).$$
#
# For $K$ bits $q(b)$ is a table of $2^K$ numbers, so both terms can be computed. Three one-bit codes, over 1,000
# images:

# %% tags=["nbval-check-output"]
def kl_bits(bit_logits):
    """KL of each bit from a fair coin, (B, K) nats."""
    return Posterior(bit_logits[:, :0], bit_logits[:, :0], bit_logits).kl_bits()


sure = torch.full((1000, 1), 40.0)
halves = {"always 1": sure, "never decided": torch.zeros(1000, 1), "1 for every other image": sure.clone()}
halves["1 for every other image"][::2] *= -1
for name, bit_logits in halves.items():
    table, kl = CodeTable.from_logits(bit_logits), kl_bits(bit_logits).mean()
    print(f"{name:24} KL {kl:.3f} = information {table.information:.3f} + aggregate {abs(table.aggregate_kl):.3f}")

# %% [markdown]
# Only the third bit says anything. This is why MR-VAE rewards $I(x; b)$ itself and does not reward KL. Now the same
# split for the four bits that we trained. A table of 16 codes needs images enough: with few of them the codes look less
# even than they are. Our rule is at least four images for each code, and we take all 360 test images.

# %%
with torch.no_grad():
    bit_logits = model.encode(x).bit_logits
table, kl = CodeTable.from_logits(bit_logits), kl_bits(bit_logits).sum(dim=1).mean()
figure, ax = plt.subplots(figsize=(6.5, 1.5))
ax.barh([0], [table.information], color=BLUE, label="$I(x; b)$")
ax.barh([0], [table.aggregate_kl], left=[table.information], color=ORANGE, label=r"$\mathrm{KL}(q(b) \Vert p)$")
ax.axvline(float(kl), color="black", linewidth=2)
ax.annotate("KL", (float(kl), 0.3), (float(kl) + 0.04, 0.3))
ax.axvline(4 * math.log(2), color="0.5", linestyle="--", linewidth=1)
ax.annotate(r"$4 \ln 2$", (4 * math.log(2), -0.38), (4 * math.log(2) + 0.03, -0.38), color="0.4")
ax.set(xlabel="nats per image", yticks=[], xlim=(0, 3.1))
ax.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
plt.show()

# %% [markdown]
# The two parts add up to the KL, the black line.
#
# **Exercise 3, compute.** A perfect code for ten equally frequent digits uses ten of the sixteen codes of four bits, each
# for one digit, without doubt. What is its aggregate term $\mathrm{KL}(q(b) \Vert p(b))$? Predict whether it is 0, then
# write it for any number of classes and bits.

# %% tags=["exercise"]
def waste_of_a_perfect_code(n_classes, n_bits):
    """KL(q(b) || p(b)) in nats: n_classes of the 2^n_bits codes, equally often."""
    ...  # one line

# %% tags=["check"]
check(waste_of_a_perfect_code, ((10, 4), 0.470004), ((16, 4), 0.0), ((3, 2), 0.287682), ((1, 4), 2.772589),
      hint="the whole KL is information plus aggregate; what is the KL of bits that are certain?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def waste_of_a_perfect_code(n_classes, n_bits):
    return n_bits * math.log(2) - math.log(n_classes)

# %% [markdown]
# So a perfect code *must* use codes unevenly, and a lasting penalty on the aggregate term would spoil it. The presets
# have one only in the first tenth of a run.
#
# ## Telling the same thing twice
#
# **Total correlation** is what latents share: the KL of their joint distribution from the product of the single ones.
# For bits, $\sum_k I(x; b_k) = I(x; b) + TC(b)$: adding up single bits counts what they share more than once. A copied
# bit shows it. Of reals, two normals with correlation $\rho$ share $-\tfrac12 \ln(1 - \rho^2)$ nats; we draw many
# pairs, count them in a table of 40 by 40 cells, and compute what the table's rows and columns share.

# %% tags=["nbval-check-output"]
copied = CodeTable.from_logits(halves["1 for every other image"].expand(-1, 2))
print(f"bits told {copied.bit_information.sum():.3f}, code {copied.information:.3f}, TC {copied.total_correlation:.3f}")

rho, noise = 0.8, torch.randn(2, 400_000, generator=torch.Generator().manual_seed(0))
pairs = torch.stack([noise[0], rho * noise[0] + math.sqrt(1 - rho**2) * noise[1]], dim=1)
counts = torch.histogramdd(pairs, bins=[40, 40], range=[-4.0, 4.0, -4.0, 4.0]).hist
joint = (counts / counts.sum()).clamp_min(1e-12)
tc = (joint * (joint / (joint.sum(dim=1, keepdim=True) * joint.sum(dim=0))).log()).sum()
print(f"normals of correlation {rho}: counted {tc:.2f} nats, by the formula {-math.log(1 - rho**2) / 2:.2f}")

# %% [markdown]
# The beta-TCVAE and the FactorVAE of notebook 09 charge for $TC(z)$ and leave the rest of the KL at its price. The
# setting for this is `objective.lambda_tc`.

# %% [markdown]
# ## What we saw
#
# The average over a coin has a gradient, and a draw of the coin has none. There are four ways: count all codes, pretend
# that the draw was the probability, soften the coin, or flip single bits. We measured their bias and variance and
# counted their passes. And the KL of a code is not what it tells: part of it is information, and the rest is
# unevenness.
#
# **New words.** *Logistic noise*: noise that, added to a logit, gives a coin by its sign. *Concrete*: a bit softened by
# a sigmoid. *Temperature*: how soft it is. *Bias*: how wrong an estimate is on average. *Variance*: how much it varies
# around that. *Aggregate*: the posterior averaged over images. *Total correlation*: what latents share. The
# [glossary](../GLOSSARY.md) has the rest.
#
# **Next.** Nothing so far says *what* a code should tell. [Notebook 05](05_meaning.ipynb) asks what makes bits mean
# something.
#
# **References.** Maddison, Mnih and Teh, *The Concrete Distribution* (2017): read it for the soft coin. Bengio, Léonard
# and Courville, *Estimating or Propagating Gradients Through Stochastic Neurons* (2013): read it for straight-through.
# Titsias and Lázaro-Gredilla, *Local Expectation Gradients* (2015): read it for the bit-flip. Hoffman and Johnson,
# *ELBO surgery* (2016): read it for the split. Chen et al., *Isolating Sources of Disentanglement* (2018): read it for
# total correlation.
