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
# # Can I write one myself?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/02_write_one.ipynb)
#
# [Previous: 01 data](01_data.ipynb) · [Next: 03 bound](03_bound.ipynb)
#
# About 75 minutes if you type the exercises, of which the computer needs half a minute (two CPU cores; a GPU is no
# faster here). Nothing to download.
#
# You need: Python, arrays and the chain rule. You have seen a class in Python; you need not have trained a network
# before.
#
# You will
#
# - **write** an autoencoder in plain PyTorch and see what its latent space lacks,
# - **turn** it into a variational autoencoder by one random draw and one price,
# - **add** four bits, and **check** that the library computes the same number as your own code.

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

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from mrvae_lib import MRVAE, check, figures, load_config, load_dataset, loss_terms, total_loss, widgets

# %% [markdown]
# From `mrvae_lib` we take the images, the drawing of pictures, the sliders and the checks of your answers. Everything
# that learns is written here. At the end we compare it with the library.
#
# **MR** stands for *mixed representation*: reals beside bits. (A *Multi-Rate VAE*, Bae et al. 2023, shares the letters
# and is another model.)
#
# ## The images
#
# A batch of images is one array of shape $(B, C, H, W)$: images, channels, rows, columns. A pixel is a number between
# 0, black, and 1, white. We train on `x` and look at `held_out`, which no model here ever trains on.

# %% tags=["nbval-check-output"]
train_set, test_set = load_dataset("digits"), load_dataset("digits", "test")
x, held_out = train_set.floats(), test_set.floats()
n_pixels = x[0].numel()
print("train on", tuple(x.shape), "look at", tuple(held_out.shape), "pixels per image", n_pixels)

# %%
figures.show_pictures(held_out[:20], columns=10)
plt.show()

# %% [markdown]
# ## An autoencoder
#
# An **autoencoder** is two functions. The *encoder* takes an image to a few numbers, its **latent** $z$. The *decoder*
# takes $z$ back to an image. Both are learned together, so that the image that comes out is the image that went in. We
# give $z$ two numbers, so that we can draw it.
#
# In PyTorch a function with numbers to be learned is an `nn.Module`. `nn.Linear(m, n)` is such a function: it
# multiplies a vector of $m$ numbers by a matrix and adds a vector of $n$ numbers, and the entries of both are learned.
# `nn.ReLU` replaces negative numbers by 0. Without it, two linear functions in a row would be a single linear function.
# `nn.Sequential` applies one function after the other.

# %%
def encoder_network(n_out):
    """From images to n_out numbers each."""
    return nn.Sequential(nn.Flatten(), nn.Linear(n_pixels, 256), nn.ReLU(), nn.Linear(256, n_out))


def decoder_network(n_latents):
    """From latents to a number per pixel, the pixel's log-odds of being white."""
    return nn.Sequential(nn.Linear(n_latents, 256), nn.ReLU(), nn.Linear(256, n_pixels), nn.Unflatten(1, x.shape[1:]))


# %% [markdown]
# The decoder's output may be any real number. The sigmoid $\sigma(a) = 1 / (1 + e^{-a})$ turns it into a pixel between
# 0 and 1, and we read the result as the probability that the pixel is white. The **reconstruction** error of a pixel
# $x$ whose probability is $\hat x$ is then
#
# $$-\big(x \ln \hat x + (1 - x) \ln (1 - \hat x)\big),$$
#
# the *binary cross-entropy*, in **nats**, the unit that belongs to the natural logarithm. We add it up over the pixels
# of an image. PyTorch has this function; given the number before the sigmoid, it computes both steps at once and
# without rounding errors.

# %%
def reconstruction(x, logits):
    """What the decoder pays for each image, (B,) nats."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=(1, 2, 3))


class Autoencoder(nn.Module):
    def __init__(self, n_reals=2):
        super().__init__()
        self.encoder, self.decoder = encoder_network(n_reals), decoder_network(n_reals)

    def loss(self, x):
        return reconstruction(x, self.decoder(self.encoder(x))).mean()


# %% [markdown]
# ## The loop that learns
#
# The loss is one number, computed from all the matrices by additions, products and the like. PyTorch has recorded each
# of these operations, so `loss.backward()` can apply the chain rule from the loss back to every matrix. It leaves in
# each the **gradient**: how much the loss would change if an entry were raised a little.
#
# `Adam` is the rule that then changes the entries. It takes a step against the gradient, and it scales the step of each
# entry by how large that entry's gradients have been lately. An **epoch** is one pass over all images, in a new order.

# %%
def fit(model, epochs=25):
    """Train on x; the loss on held-out images after each epoch."""
    torch.manual_seed(0)
    optimizer, curve = torch.optim.Adam(model.parameters(), lr=2e-3), []
    for _ in range(epochs):
        for indices in torch.randperm(len(x)).split(64):
            loss = model.loss(x[indices])
            optimizer.zero_grad()  # forget the gradients of the step before
            loss.backward()
            optimizer.step()
        with torch.no_grad():  # only looking: nothing need be recorded
            curve.append(float(model.loss(held_out)))
    return curve


# %% [markdown]
# **Predict:** a decoder that has learned nothing gives every pixel the probability one half. How many nats does it pay
# for an image of 1,024 pixels? Training starts near there.

# %% tags=["nbval-check-output"]
print(f"one half everywhere: {n_pixels * math.log(2):.1f} nats")
torch.manual_seed(1)
autoencoder = Autoencoder()
curve = fit(autoencoder)
print("pays less than 400 nats on images it has not seen:", curve[-1] < 400)

# %% [markdown]
# The reconstruction can never reach 0 here. Many pixels are grey, and a grey pixel costs something even when its value
# is guessed exactly: at $x = \hat x = 1/2$ it costs $\ln 2$. What matters is how far the number falls, and how the
# pictures look.

# %%
def show_reconstructions(model, decode, title):
    """Ten held-out images above what the model makes of them."""
    with torch.no_grad():
        pictures = torch.cat([held_out[:10], torch.sigmoid(decode(model, held_out[:10]))])
    figures.show_pictures(pictures, columns=10, row_names=["image", "model"], title=title)
    plt.show()


show_reconstructions(autoencoder, lambda model, x: model.decoder(model.encoder(x)), "autoencoder, two reals")

# %% [markdown]
# Two numbers are enough for many digits, and some are confused. Where does the encoder put the images? Each point is
# one image of the training set, and its colour is the digit it shows. The model has not seen the labels.

# %%
def show_plane(ax, z, title, reach):
    """Latents as points, coloured by digit."""
    points = ax.scatter(*z.T, c=train_set.labels, cmap="tab10", s=5, vmin=-0.5, vmax=9.5)
    ax.set(title=title, xlabel="$z_0$", ylabel="$z_1$", xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return points


z = autoencoder.encoder(x).detach()
figure, ax = plt.subplots(figsize=(6, 4.6), layout="constrained")
points = show_plane(ax, z, "autoencoder: where the images are", 1.05 * float(z.abs().max()))
figure.colorbar(points, ticks=range(10), label="digit")
plt.show()

# %% [markdown]
# ## Can it draw a new digit?
#
# A good model of digits should also draw digits that it has not been shown. We take a point of the plane at
# random and decode it.
#
# **Predict:** we draw twenty points at random, each place in the square of the picture above being equally likely. How
# many of them will be decoded to a digit that you would accept from a person?

# %%
def decoded(model, z):
    """Pictures of latents."""
    with torch.no_grad():
        return torch.sigmoid(model.decoder(z))


torch.manual_seed(2)
anywhere = (2 * torch.rand(20, 2) - 1) * z.abs().max()
figures.show_pictures(decoded(autoencoder, anywhere), columns=10, title="autoencoder at twenty random points")
plt.show()

# %% [markdown]
# Fewer than half are, and many are only blots. The loss says nothing about points where no image was encoded, so the
# picture there can be anything. Nor does anything say where the images should be, so we do not know which points to ask
# for. An autoencoder is a way to store images. To *draw* with it we need to know how latents are spread.
#
# ## From a point to a cloud
#
# A **variational autoencoder** (VAE) changes two things.
#
# 1. The encoder does not say *where* an image is. It says *about where*: a mean $\mu$ and a standard deviation $\sigma$
#    for each latent. The decoder is given a random draw from the normal distribution with these two numbers. So points
#    near an image must be decoded to that image too.
# 2. There is a fixed rule for how the latents of all images together should be spread, the **prior**: independent
#    standard normal numbers. What the encoder says of an image costs the more, the further it is from the prior.
#
# A random draw has no derivative. But a draw from the normal distribution with mean $\mu$ and deviation $\sigma$ is the
# same thing as
#
# $$z = \mu + \sigma\, \epsilon, \qquad \epsilon \sim N(0, 1),$$
#
# and in this formula $\mu$ and $\sigma$ are only added and multiplied, so gradients reach them. The network gives the
# logarithm of the variance, `logvar`, because a logarithm may be any real number: $\sigma = e^{\texttt{logvar} / 2}$.
# (With an argument, as in $\sigma(a)$, the letter still means the sigmoid.)
#
# **Exercise 1, compute.** Write the draw. Here the noise is handed in, so that the answer can be checked.

# %% tags=["exercise"]
def draw(mu, logvar, noise):
    """z = mu + sigma * noise, for arrays of one shape."""
    ...  # one line


# %% tags=["check"]
check(draw, ((torch.tensor(1.0), torch.tensor(0.0), torch.tensor(2.0)), 3.0),
      ((torch.tensor(0.0), torch.tensor(2 * math.log(3)), torch.tensor(1.0)), 3.0),
      ((torch.tensor([5.0]), torch.tensor([-200.0]), torch.tensor([1.0])), [5.0]),
      hint="logvar is the logarithm of sigma squared, not of sigma")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def draw(mu, logvar, noise):
    return mu + (0.5 * logvar).exp() * noise


# %% [markdown]
# ## The price
#
# How different two distributions are is measured by the **Kullback-Leibler divergence** (KL): the nats that one pays on
# average for expecting $p$ where $q$ is true. For a normal distribution against the standard normal one it is
#
# $$\mathrm{KL} = \tfrac12 \left( \mu^2 + \sigma^2 - 1 - \ln \sigma^2 \right).$$
#
# It is 0 where $\mu = 0$ and $\sigma = 1$, and positive everywhere else. Notebook 03 says where it comes from.
#
# **Exercise 2, compute.** Add it up over the latents of each image.

# %% tags=["exercise"]
def kl_reals(mu, logvar):
    """KL of N(mu, exp(logvar)) from N(0, 1), summed over the D latents; (B, D) and (B, D) to (B,) nats."""
    ...  # one line


# %% tags=["check"]
check(kl_reals, ((torch.zeros(3, 2), torch.zeros(3, 2)), torch.zeros(3)),
      ((torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2)), [2.0]),
      ((torch.zeros(1, 1), torch.tensor([[math.log(4)]])), [1.5 - math.log(2)]),
      hint="the sum runs over the latents of one image, and ln sigma squared has a name already")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def kl_reals(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)


# %% [markdown]
# The loss of a VAE is the reconstruction plus this price, both in nats per image. The class is the autoencoder's with
# two changes: the encoder has twice as many outputs, and the loss has a draw and a price. (`chunk(2, dim=1)` cuts the
# outputs into two halves.)

# %%
class VAE(nn.Module):
    def __init__(self, n_reals=2):
        super().__init__()
        self.encoder, self.decoder = encoder_network(2 * n_reals), decoder_network(n_reals)

    def loss(self, x):
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        z = draw(mu, logvar, torch.randn_like(mu))
        return (reconstruction(x, self.decoder(z)) + kl_reals(mu, logvar)).mean()


# %% [markdown]
# **Predict:** the VAE pays a price that the autoencoder does not pay, and its decoder is given noisy latents. Which of
# the two will have the lower loss on held-out images? And which one will draw better digits from random points?

# %% tags=["nbval-check-output"]
torch.manual_seed(1)
vae = VAE()
curves = {"autoencoder": curve, "VAE": fit(vae)}
print("the VAE's loss is the higher one:", curves["VAE"][-1] > curves["autoencoder"][-1])

# %%
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, values in curves.items():
    ax.plot(range(1, len(values) + 1), values, label=name)
ax.set(xlabel="epoch", ylabel="loss on held-out images, nats")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The VAE's curve contains the price, the autoencoder's has none. So the two curves do not say which of them
# reconstructs better.
#
# Where are the images now? The circle holds about nine tenths of the prior's draws.

# %%
REACH = 4
mu, logvar = vae.encoder(x).detach().chunk(2, dim=1)
figure, ax = plt.subplots(figsize=(6, 4.6), layout="constrained")
figure.colorbar(show_plane(ax, mu, "VAE: the means of the images", REACH), ticks=range(10), label="digit")
ax.add_patch(plt.Circle((0, 0), math.sqrt(2 * math.log(10)), fill=False, color="0.4"))
plt.show()

# %% [markdown]
# They lie around 0, and at the scale of the prior: compare the numbers on the axes with those of the autoencoder. The
# regions of neighbouring digits touch. Many images lie outside the circle. For them a better reconstruction is worth
# the price of being far out. So now we know which points to ask for: draws of the prior.

# %%
torch.manual_seed(0)
figures.show_pictures(decoded(vae, torch.randn(20, 2)), columns=10, title="VAE at twenty draws of the prior")
plt.show()

# %% [markdown]
# More of these are digits, and the others lie between two digits. Move through the plane yourself.
#
# **Predict:** on a straight way from one digit to another, does the picture jump at some point, or does it change
# slowly?

# %%
def at(z0, z1):
    """The picture at a point of the plane, and the point among the images."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.3), layout="constrained")
    left.imshow(decoded(vae, torch.tensor([[z0, z1]]))[0, 0], cmap="gray", vmin=0, vmax=1)
    left.axis("off")
    show_plane(right, mu, "", REACH)
    right.plot(z0, z1, "k+", markersize=20, markeredgewidth=3)
    return figure


widgets.Panel(at, z0=(-3.0, 3.0, 0.25), z1=(-3.0, 3.0, 0.25))

# %% [markdown]
# It changes slowly, and half-way it is neither digit. Between any two values of a real there is a third. For
# slant and thickness this is right. For *which digit* it is not, as nobody writes half a seven and half a one.
#
# ## Four bits
#
# A **bit** $b$ is 0 or 1 and nothing between. The encoder gives a third group of outputs, `bit_logits`: the log-odds of
# each bit being 1, so that the probability is $\sigma(\texttt{bit\_logits})$. The prior of a bit is a fair coin. The
# price is again a KL: a bit that is 1 with probability $\pi$ costs
#
# $$\mathrm{KL} = \pi \ln \pi + (1 - \pi) \ln (1 - \pi) + \ln 2.$$
#
# A bit that is certain costs $\ln 2 \approx 0.69$ nats; a bit that says nothing, $\pi = 1/2$, costs 0. Four bits
# together are a **code**, and there are sixteen codes.
#
# **Exercise 3, compute.** Write it for a batch. Mind the ends: a certain bit has a logit of a hundred or so, where
# $\pi$ is rounded to 1 and $\ln(1 - \pi)$ is minus infinity. `F.logsigmoid(l)` is $\ln \sigma(l)$ without that trouble,
# and $1 - \sigma(l) = \sigma(-l)$.

# %% tags=["exercise"]
def kl_bits(bit_logits):
    """KL of the bits from fair coins, summed over the K bits; (B, K) to (B,) nats."""
    ...  # two or three lines


# %% tags=["check"]
check(kl_bits, ((torch.zeros(2, 4),), torch.zeros(2)), ((torch.full((1, 4), 200.0),), [4 * math.log(2)]),
      ((torch.tensor([[math.log(3), -math.log(3)]]),), [2 * (0.75 * math.log(0.75) + 0.25 * math.log(0.25) + math.log(2))]),
      hint="each bit adds ln 2, and 0 times minus infinity is not a number")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def kl_bits(bit_logits):
    on, off = F.logsigmoid(bit_logits), F.logsigmoid(-bit_logits)
    return (on.exp() * on + off.exp() * off + math.log(2)).sum(dim=1)


# %% [markdown]
# One problem is left. The decoder must be given bits that are 0 or 1, drawn like coins, and such a draw has no
# derivative. This time no formula like $\mu + \sigma \epsilon$ helps, as a bit jumps. We use the simplest trick,
# **straight-through**: the value is the drawn bit, but in the backward pass it is treated as if it were the probability
# $\pi$. In code this is `coin + probs - probs.detach()`, where `detach` means: take the number, forget how it was made.
# Notebook 04 measures what this costs, and shows three other ways.

# %%
class MixedVAE(nn.Module):
    def __init__(self, n_reals=2, n_bits=4):
        super().__init__()
        self.sizes = [n_reals, n_reals, n_bits]
        self.encoder, self.decoder = encoder_network(sum(self.sizes)), decoder_network(n_reals + n_bits)

    def loss(self, x):
        mu, logvar, bit_logits = self.encoder(x).split(self.sizes, dim=1)
        z = draw(mu, logvar, torch.randn_like(mu))
        probs = torch.sigmoid(bit_logits)
        b = torch.bernoulli(probs.detach()) + probs - probs.detach()
        price = kl_reals(mu, logvar) + kl_bits(bit_logits)
        return (reconstruction(x, self.decoder(torch.cat([z, b], dim=1))) + price).mean()


# %% [markdown]
# This is a whole MR-VAE. **Predict:** it has four more latents, and pays for what they say. Is its loss lower than the
# VAE's? And if we draw the sixteen codes, will we see the ten digits?

# %% tags=["nbval-check-output"]
torch.manual_seed(1)
mixed = MixedVAE()
curves["with four bits"] = fit(mixed)
print("bits lower the loss:", curves["with four bits"][-1] < curves["VAE"][-1])

# %%
def codes_at(z0, z1):
    """What each of the sixteen codes draws at the same two reals."""
    b = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    z = torch.tensor([[z0, z1]]).expand(16, 2)
    names = ["".join(str(int(bit)) for bit in code) for code in b]
    return figures.show_pictures(decoded(mixed, torch.cat([z, b], dim=1)), columns=8, captions=names)


codes_at(0.0, 0.0)
plt.show()

# %% [markdown]
# The bits are worth their price: they save more nats of reconstruction than they cost. But the sixteen pictures are not
# the ten digits. Some codes draw no digit, and some digits are missing. Do the codes at least tell digits apart? We
# give each code the digit that most of its held-out images show, and count how often that is right.

# %% tags=["nbval-check-output"]
with torch.no_grad():
    bit_logits = mixed.encoder(held_out).split(mixed.sizes, dim=1)[2]
code = ((bit_logits > 0) * torch.tensor([8, 4, 2, 1])).sum(dim=1)
right = sum(test_set.labels[code == c].bincount().max().item() for c in code.unique())
print("the code is right about more than three in ten images:", right > 0.3 * len(code))
print("and wrong about more than one in four:", right < 0.75 * len(code))

# %% [markdown]
# Sixteen codes that have nothing to do with the digit would be right about two in ten, if all were used equally often,
# because each is given its commonest digit on the very images that we count. So the bits say something about the digit,
# and not enough. Nothing in the loss asks for
# it: a bit is used for whatever saves most nats, and a thick stroke or a slant changes more pixels than the small
# difference between a 3 and an 8. Below, move the reals and look at how the pictures of the codes change.
#
# **Predict:** if the bits said *which digit* and the reals *how it is written*, what would a slider change in each
# picture, and what would it leave?

# %%
widgets.Panel(codes_at, z0=(-2.0, 2.0, 0.5), z1=(-2.0, 2.0, 0.5))

# %% [markdown]
# It would change how the digit is written and leave which digit it is. Here a slider changes both. **What makes bits
# mean something** is the question of notebook 05.
#
# ## The same numbers from the library
#
# The library's model has the same two networks, so your weights fit into it. With the same noise it must give the same
# loss. (`frame=image` leaves out a help that notebook 05 explains.)

# %% tags=["nbval-check-output"]
config = load_config("digits", overrides=["model.hidden=[256]", "model.n_reals=2", "model.frame=image",
                                          "objective.estimator=straight-through"])
library = MRVAE(train_set.image_shape, config.model)
library.encoder.load_state_dict(mixed.encoder.state_dict())
library.decoder.load_state_dict(mixed.decoder.state_dict())
terms = loss_terms(library, held_out, config.objective, generator=torch.Generator().manual_seed(7))
torch.manual_seed(7)
torch.testing.assert_close(total_loss(terms), mixed.loss(held_out))
print("equal, from", list(terms.values))

# %% [markdown]
# ## What the library adds
#
# | it adds | because | notebook |
# | --- | --- | --- |
# | exact terms, each checked against a slow formula | a loss with a wrong sign trains without any error message | 03 |
# | gradients through a bit with less noise or no error | straight-through is wrong on average | 04 |
# | a frame, a change of pose T, a reward for information | bits should say *which* and not *how* | 05 |
# | schedules, checkpoints, resuming, a monitor | a long run may fail in its last hour | 06 |
# | an explorer with sliders and buttons | one picture says more than a loss | 07 |
# | scores against true factors | "looks disentangled" is no measurement | 08 |
# | convolutions, colour, bf16, your own folders | digits of 32 by 32 pixels are the beginning | 06, 10 |
#
# ## What we saw
#
# An autoencoder stores images, and nothing in its loss says where in the latent space. One random draw and one price
# turn it into a model that can draw new ones from a known distribution. A bit needs its own price and a way for the
# gradient. All of it fits on two screens. The bits then say whatever saves most nats.
#
# **New words.** *Encoder, decoder*: the two learned functions. *Latent*: what is between them. *Prior*: how latents
# should be spread. *Kullback-Leibler divergence*: the price of differing from it. *Straight-through*: draw a coin,
# differentiate its probability. *Code*: all bits together. *Epoch*: one pass over the images.
#
# **Next.** [Notebook 03](03_bound.ipynb) says what the sum of reconstruction and price is: a bound on the probability
# of the images.
#
# **References.** Kingma and Welling, *Auto-Encoding Variational Bayes* (2014): read section 2.4 for the draw that
# gradients pass. Bengio, Léonard and Courville, *Estimating or Propagating Gradients Through Stochastic Neurons*
# (2013): read it for straight-through. Bae et al., *Multi-Rate VAE* (2023): read it for another model with these
# letters.
