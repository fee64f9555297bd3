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
# # What does a VAE minimise?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/03_bound.ipynb)
#
# [Previous: 02 write one](02_write_one.ipynb) · [Next: 04 coin](04_coin.ipynb)
#
# About 60 minutes, of which the computer needs about half a minute (two CPU cores; a GPU is no faster here). Nothing to
# download.
#
# You need: notebook 02, and the rules of probability for two random numbers.
#
# You will
#
# - **see** each word of the theory as a picture and a number, in a world small enough to be counted,
# - **check** that what a VAE minimises is a bound, and what it loses,
# - **compute** what a real and a bit cost, and see what changes when this cost gets a price or a target.
#
# Everything is in **nats per image**: summed over pixels and latents, averaged over images at the very end.

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
from torch import distributions as D

from mrvae_lib import Callback, Posterior, all_codes, check, figures, load_config, load_dataset, loss_terms
from mrvae_lib import total_loss, train, widgets

BLUE, ORANGE = figures.BLUE, figures.ORANGE

# %% [markdown]
# ## A world that can be counted
#
# Two small models, trained on real digits in seconds. The first has six bits and no reals, so that all its $2^6 = 64$
# codes can be listed: every formula about them can be computed in full. The second has two reals and four bits.

# %%
warnings.filterwarnings("ignore", message="Initializing zero-element")  # torch, about a network without reals
small = ["model.hidden=[128]", "train.batch_size=64", "train.precision=fp32", "train.device=cpu",
         "objective.beta_z=1", "objective.beta_b=1", "objective.lambda_consistency=0"]
bits_only = train(load_config("digits", overrides=[
    *small, "model.n_reals=0", "model.n_bits=6", "train.epochs=40", "objective.lambda_information=0",
    "objective.estimator=bit-flip"]))
mixed = train(load_config("digits", overrides=[
    *small, "model.n_reals=2", "model.n_bits=4", "train.epochs=25", "objective.lambda_information=10"]))
x = load_dataset("digits", "test").floats()

# %% [markdown]
# ### Latent, prior and likelihood
#
# A **latent** is a number behind an image that nobody observes; here it is a code $b$ of six bits. The **prior** $p(b)$
# says how likely each code is before an image is seen, and here all 64 are equally likely, so each has
# $-\ln p(b) = 6 \ln 2 \approx 4.16$ nats.
#
# The decoder makes of each code a picture, and the picture's pixels are probabilities. The **likelihood** $p(x \mid b)$
# is the probability that these give to an image $x$. It is tiny for every image, because it is a product over 1,024
# pixels, so we speak of $-\ln p(x \mid b)$ in nats: small means that the picture fits the image.

# %% tags=["nbval-check-output"]
codes = all_codes(6)
with torch.no_grad():
    pictures = bits_only.decode(torch.zeros(64, 0), codes)
    log_px_given_b = -bits_only.reconstruction_loss(x, torch.zeros(len(x), 0), codes[:, None].expand(-1, len(x), -1)).T
print("images by codes:", tuple(log_px_given_b.shape), " -log p(b) =", round(6 * math.log(2), 2), "nats for", x[0].numel(), "pixels")

# %%
figures.show_pictures(pictures, columns=16, title="what the decoder makes of each of the 64 codes")
plt.show()

# %% [markdown]
# ### Posterior
#
# An image is given. Which code is behind it? By Bayes' rule, the **posterior** is
#
# $$p(b \mid x) = \frac{p(b)\, p(x \mid b)}{p(x)}, \qquad p(x) = \sum_b p(b)\, p(x \mid b).$$
#
# The sum runs over 64 codes, and we can compute it. $p(x)$ is the probability that the model gives to the image by any
# of its codes.
#
# **Predict:** out of several hundred nats, the picture of the best code saves only a few more than that of the second
# best. How much of the posterior does the best code get: a little more than half, or nearly all?

# %%
log_joint = log_px_given_b - 6 * math.log(2)  # log p(b) p(x | b)
log_px = log_joint.logsumexp(dim=1)
log_true = log_joint - log_px[:, None]  # log p(b | x), (B, 64)


def show_posterior(image):
    """An image, the likelihood of each code for it, and their posterior."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), width_ratios=[1, 2, 2], layout="constrained")
    axes[0].imshow(x[image, 0], cmap="gray")
    axes[0].axis("off")
    axes[1].bar(range(64), -log_px_given_b[image], color=BLUE)
    axes[1].set(xlabel="code", title="$-\\ln p(x | b)$, nats", ylim=(0.9 * float(-log_px_given_b[image].max()), None))
    axes[2].bar(range(64), log_true[image].exp(), color=ORANGE)
    axes[2].set(xlabel="code", title="posterior $p(b | x)$", ylim=(0, 1))
    return figure


widgets.Panel(show_posterior, image=(0, 30))

# %% tags=["nbval-check-output"]
first, second = log_px_given_b.topk(2, dim=1).values.T
print("the best code fits at least 3 nats better than the second for more than half:", bool((first - second).median() > 3))
best = log_true.exp().max(dim=1).values
print("the best code has more than nine tenths of the posterior for more than half of the images:", bool(best.median() > 0.9))

# %% [markdown]
# Nearly all, for most images: three nats are already a factor of $e^3 \approx 20$ in probability, and most differences
# are larger.
#
# ### Entropy, Kullback-Leibler divergence and mutual information
#
# The **entropy** of a distribution is the mean of $-\ln p$: the nats that are missing, on average, until one knows the
# outcome. A certain outcome has 0, and 64 equally likely ones have $\ln 64$.
#
# The **Kullback-Leibler divergence** $\mathrm{KL}(q \Vert p) = E_q[\ln q - \ln p]$ is what it costs to expect $p$ where
# $q$ is true. It is 0 if they are equal and never negative. If $p$ is 64 equally likely codes, it is $\ln 64$ minus the
# entropy of $q$.
#
# The **mutual information** $I(x; b)$ is what knowing the image tells of the code, and equally what the code tells of
# the image: the mean KL of each image's posterior from the average of all posteriors. If every image has the same
# posterior, the code tells nothing.
#
# An average over images needs images enough. Our rule is at least four for each code, so we take all 360 test images.

# %% tags=["nbval-check-output"]
entropy = -(log_true.exp() * log_true).sum(dim=1)
kl_to_prior = (log_true.exp() * (log_true + 6 * math.log(2))).sum(dim=1)
average = log_true.logsumexp(dim=0) - math.log(len(x))  # log of the mean posterior
information = (log_true.exp() * (log_true - average)).sum(dim=1).mean()
print("KL from equally likely codes = ln 64 - entropy:", torch.allclose(kl_to_prior, math.log(64) - entropy, atol=1e-3))
print("0 <= information <= mean KL <= ln 64:", bool(0 <= information <= kl_to_prior.mean() <= math.log(64)))

# %% [markdown]
# The four amounts side by side. The first is the sum of the second and the third.

# %%
figure, ax = plt.subplots(figsize=(6.5, 1.8), layout="constrained")
values = {"entropy of the prior, ln 64": math.log(64), "mean entropy of the posterior": entropy.mean(),
          "mean KL of the posterior": kl_to_prior.mean(), "information of the code": information}
bars = ax.barh(list(values), [float(value) for value in values.values()], color=BLUE)
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set(xlabel="nats", xlim=(0, 4.8))
ax.invert_yaxis()
plt.show()

# %% [markdown]
# The information is less than the mean KL, because the codes are not used equally often. Notebook 04 comes back to the
# difference. What happens without enough images? We take the information again, from a third of them.

# %% tags=["nbval-check-output"]
third = log_true[:120]
too_few = (third.exp() * (third - third.logsumexp(dim=0) + math.log(len(third)))).sum(dim=1).mean()
print("from 120 images the information seems smaller by a tenth of a nat or more:", bool(information - too_few > 0.1))

# %% [markdown]
# ## The bound
#
# Training should make $\ln p(x)$ large. With 64 codes we can compute the sum; with 64 *reals* it is an integral that
# nobody can compute. The way out is a second network that guesses, for each image, which codes are likely: the encoder
# $q(b \mid x)$. In three lines:
#
# $$\begin{aligned}
# \ln p(x) &= E_q\bigl[\ln p(x)\bigr] = E_q\left[\ln \frac{p(b)\, p(x \mid b)}{p(b \mid x)}\right] \\
#  &= E_q\left[\ln \frac{p(b)\, p(x \mid b)}{q(b \mid x)}\right] + E_q\left[\ln \frac{q(b \mid x)}{p(b \mid x)}\right] \\
#  &= \underbrace{E_q[\ln p(x \mid b)] - \mathrm{KL}(q(b \mid x) \Vert p(b))}_{\text{ELBO}}
#   + \mathrm{KL}(q(b \mid x) \Vert p(b \mid x)).
# \end{aligned}$$
#
# The first line takes an average that changes nothing, because $\ln p(x)$ does not depend on $b$, and uses Bayes' rule.
# The second multiplies and divides by $q$. The last term is never negative, so the **ELBO** (evidence lower bound; the
# *evidence* is $\ln p(x)$) is a lower bound. The better the encoder guesses, the smaller is the gap between the two.
# The negative of the ELBO is the loss that you wrote in notebook 02.
#
# **Predict:** after training, will the mean gap be nearer to a tenth of a nat, to 10 or to 90 nats, of several hundred
# in all? Is it about the same for all images?

# %%
with torch.no_grad():
    posterior = bits_only.encode(x)
all_bits = codes[:, None].expand(-1, len(x), -1)  # (64, B, 6)
log_q = D.Bernoulli(logits=posterior.bit_logits).log_prob(all_bits).sum(dim=2).T  # (B, 64): log q(b | x)
elbo = (log_q.exp() * (log_joint - log_q)).sum(dim=1)

# %% [markdown]
# Is the gap really the encoder's error? Both can be computed here, each on its own.

# %% tags=["nbval-check-output"]
encoder_error = (log_q.exp() * (log_q - log_true)).sum(dim=1)
print("the bound never exceeds log p(x):", bool((elbo <= log_px + 1e-3).all()))
print("log p(x) - ELBO = KL(q || p(b | x)):", torch.allclose(log_px - elbo, encoder_error, atol=1e-2))

# %% [markdown]
# Ten images. The blue bar is $-\ln p(x)$, what the model would pay with a perfect encoder; orange is what the real
# encoder loses on top.

# %%
gap = (log_px - elbo)[:10]
figure, axes = plt.subplots(2, 1, figsize=(7, 3.6), height_ratios=[1, 3])
figures.show_pictures(x[:10], columns=10, ax=axes[0])
axes[1].bar(range(10), -log_px[:10], color=BLUE, label="$-\\ln p(x)$")
axes[1].bar(range(10), gap, bottom=-log_px[:10], color=ORANGE, label="gap to $-$ELBO")
axes[1].set(ylabel="nats per image", xticks=[], xlim=(-0.5, 9.5), ylim=(0, 1.3 * float(-elbo[:10].min())))
axes[1].legend(frameon=False, ncols=2, loc="upper left")
plt.show()

# %% [markdown]
# In most columns the gap can hardly be seen. How is it spread over all test images?

# %% tags=["nbval-check-output"]
gap = log_px - elbo
print("mean gap between 5 and 50 nats:", bool(5 < gap.mean() < 50))
print("the mean is more than 1.5 times the median:", bool(gap.mean() > 1.5 * gap.median()))
print("a tenth of the images have more than a quarter of it:", bool(gap.topk(36).values.sum() > gap.sum() / 4))

# %% [markdown]
# Of the three guesses 10 is the nearest. But the mean is not typical: half of the images lose much less, and a few whose
# code the encoder has guessed badly raise it.
#
# ### What each term pays
#
# The loss has two terms. The reconstruction is what the picture costs when the code is known; the KL is what the code costs.
# **Predict:** which of the two is larger, and how many times?

# %% tags=["nbval-check-output"]
with torch.no_grad():
    paid = -(log_q.exp() * log_px_given_b).sum(dim=1)
    kl = posterior.kl_bits().sum(dim=1)
grey = (torch.special.entr(x) + torch.special.entr(1 - x)).sum(dim=(1, 2, 3))
print("reconstruction + KL = -ELBO:", torch.allclose(paid + kl, -elbo, atol=1e-2))
print("the reconstruction is more than 50 times the KL:", bool(paid.mean() > 50 * kl.mean()))
print("grey pixels alone are more than half of it:", bool(grey.mean() > paid.mean() / 2))

# %% [markdown]
# The code is cheap: six bits cannot cost more than $6 \ln 2$ nats. The reconstruction looks expensive, but a large part of
# it is what grey pixels cost even if each is guessed exactly, as in notebook 02. No code can save that part.
#
# ## A draw that can be differentiated
#
# For the reals the average over $q$ is an integral, and we take one draw. To learn $\mu$ and $\sigma$ from it, the
# draw must be a *function* of them. The trick is to let the noise come from outside:
#
# $$z = \mu + \sigma \varepsilon, \qquad \varepsilon \sim N(0, 1), \qquad \sigma = e^{\log \sigma^2 / 2}.$$
#
# A test where the answer is known: $E[z^2] = \mu^2 + \sigma^2$, so its derivatives by $\mu$ and by $\log\sigma^2$ are
# $2\mu$ and $\sigma^2$.

# %% tags=["nbval-check-output"]
def sample(mu, logvar, generator):
    return mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator)


mu, logvar = torch.tensor(0.7, requires_grad=True), torch.tensor(-1.2, requires_grad=True)
generator = torch.Generator().manual_seed(0)
z = sample(mu.expand(200_000), logvar.expand(200_000), generator)
by_mu, by_logvar = torch.autograd.grad(z.square().mean(), (mu, logvar))
print(f"by mu     {by_mu:.2f}, should be {2 * 0.7:.2f}")
print(f"by logvar {by_logvar:.2f}, should be {math.exp(-1.2):.2f}")

# %% [markdown]
# ### A famous slip
#
# One of the projects this suite rebuilds (AndrewSpano/Disentangled-Variational-Autoencoder) draws
# $z = \mu + \tfrac{1}{2} s\, \varepsilon$ with $s = \log\sigma^2$: the exponential is missing, so the spread is
# $\lvert s \rvert / 2$. It trains, and its pictures look fine.
#
# **Predict:** at which $s$ is the noise lost altogether, and what will the KL say there?

# %%
s = torch.linspace(-5, 2, 200)
figure, ax = plt.subplots(figsize=(6.5, 2.8))
ax.plot(s, (s / 2).exp(), color=BLUE, label=r"$\sigma = e^{s/2}$")
ax.plot(s, s.abs() / 2, color=ORANGE, linestyle="--", label=r"without the exponential, $|s|/2$")
ax.axvline(0, color="0.6", linewidth=1)
ax.annotate("at the prior:\nno noise at all", (0, 0), (-1.6, 1.35), fontsize=9, color=ORANGE,
            arrowprops={"arrowstyle": "->", "color": ORANGE})
ax.set(xlabel=r"$s = \log \sigma^2$", ylabel="spread of the draws", ylim=(0, 2.8))
ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.45, 1.02))
plt.show()

# %% [markdown]
# At $s = 0$, where $\sigma = 1$ is the spread of the prior. There the KL is smallest: it says that hardly anything is
# told. But without noise even a small $\mu$ reaches the decoder exactly. At $s = -5$ it is the other way round: the
# posterior should be narrow, and the draw is noisier than the prior. The KL is computed for one posterior and the
# reconstruction for another, so their sum is not a bound.

# %% tags=["nbval-check-output"]
for value in (0.0, -1.0, -5.0):
    statistics = torch.zeros(100_000), torch.full((100_000,), value)
    ours = sample(*statistics, torch.Generator().manual_seed(1)).var()
    print(f"s = {value:4.1f}: variance should be {math.exp(value):.3f}, ours {ours:.2f}, the slip's {(value / 2) ** 2:.2f}")

# %% [markdown]
# ## What a real costs
#
# The KL of a normal to a normal has a closed form. In $D$ dimensions, with $\Delta = m_2 - m_1$,
#
# $$\mathrm{KL}(N(m_1, S_1) \Vert N(m_2, S_2)) = \tfrac12 \left[ \mathrm{tr}(S_2^{-1} S_1)
#   + \Delta^\top S_2^{-1} \Delta - D + \ln \tfrac{\det S_2}{\det S_1} \right].$$
#
# The trace comes from $E[v^\top A v] = \mathrm{tr}(A\, E[v v^\top])$ with $v = z - m_1$ and $A = S_2^{-1}$: the average
# on the right is the covariance $S_1$. Two random three-dimensional normals, our formula against PyTorch's:

# %% tags=["nbval-check-output"]
generator = torch.Generator().manual_seed(3)
m1, m2 = torch.randn(2, 3, generator=generator, dtype=torch.float64)
roots = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
s1, s2 = roots @ roots.mT + 0.5 * torch.eye(3)
delta, inverse = m2 - m1, s2.inverse()
kl = 0.5 * (torch.trace(inverse @ s1) + delta @ inverse @ delta - 3 + torch.logdet(s2) - torch.logdet(s1))
theirs = D.kl_divergence(D.MultivariateNormal(m1, s1), D.MultivariateNormal(m2, s2))
print(f"by the formula {kl:.6f}, by torch.distributions {theirs:.6f} nats")

# %% [markdown]
# A VAE's posterior has independent reals and its prior is $N(0, 1)$, so the matrices become numbers and each real pays
#
# $$\mathrm{KL}_i = \tfrac12 \left( \mu_i^2 + \sigma_i^2 - 1 - \log \sigma_i^2 \right).$$
#
# Monte Carlo agrees, as it should: average $\log q(z) - \log p(z)$ over draws of $q$.

# %% tags=["nbval-check-output"]
def kl_normal(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


mu, logvar = torch.tensor([[1.5]]), torch.tensor([[-2.0]])
q, p = D.Normal(mu, (logvar / 2).exp()), D.Normal(0.0, 1.0)
z = sample(mu.expand(400_000, 1), logvar.expand(400_000, 1), torch.Generator().manual_seed(0))
sampled = (q.log_prob(z) - p.log_prob(z)).mean()
exact = kl_normal(mu, logvar).item()
print(f"closed form {exact:.3f} nats; Monte Carlo within 1 %: {abs(sampled / exact - 1) < 0.01}")
print("the library's is the same:", torch.equal(Posterior(mu, logvar, torch.empty(1, 0)).kl_reals(), kl_normal(mu, logvar)))

# %% [markdown]
# Its slopes say where it pulls: $\partial \mathrm{KL} / \partial \mu = \mu$ draws the mean to 0, and
# $\partial \mathrm{KL} / \partial \log \sigma^2 = \tfrac12 (\sigma^2 - 1)$ the spread to 1.

# %% tags=["nbval-check-output"]
mu, logvar = torch.tensor([[1.5]], requires_grad=True), torch.tensor([[-2.0]], requires_grad=True)
by_mu, by_logvar = torch.autograd.grad(kl_normal(mu, logvar).sum(), (mu, logvar))
print(f"by mu     {by_mu.item():.4f}, mu itself {mu.item():.4f}")
print(f"by logvar {by_logvar.item():.4f}, by the formula {(math.exp(-2) - 1) / 2:.4f}")

# %% [markdown]
# The same as a map. Only the prior itself, the white dot, costs nothing. Moving $\mu$ costs half the square of the
# distance. A small $\sigma$ costs about $\ln(1/\sigma)$ nats, so each further decimal of precision costs $\ln 10$ more.

# %%
mu_axis, logsigma_axis = torch.linspace(-3, 3, 121), torch.linspace(-4, 1, 101)
cost = kl_normal(mu_axis.expand(101, -1), 2 * logsigma_axis[:, None].expand(-1, 121))
figure, ax = plt.subplots(figsize=(6.2, 3.2))
levels = [0, 0.1, 0.5, 1, 2, 3, 4, 5, 6, 8]
filled = ax.contourf(mu_axis, logsigma_axis.exp(), cost, levels=levels, cmap="viridis", extend="max")
ax.plot(0, 1, "o", color="white", markeredgecolor="black")
ax.set(xlabel=r"$\mu$", ylabel=r"$\sigma$", yscale="log", yticks=[0.02, 0.1, 0.5, 1, 2],
       yticklabels=["0.02", "0.1", "0.5", "1", "2"])
figure.colorbar(filled, label="KL to the prior, nats")
plt.show()

# %% [markdown]
# **Exercise, compute.** Write the KL of one normal to *another*, $N(m_1, s_1^2)$ to $N(m_2, s_2^2)$, all plain numbers.
# At $m_2 = 0$, $s_2 = 1$ it must be the formula above.

# %% tags=["exercise"]
def kl_of_two_normals(m1, s1, m2, s2):
    """KL(N(m1, s1^2) || N(m2, s2^2)) in nats."""
    ...  # one line

# %% tags=["check"]
cases = [(1.0, 0.5, -0.5, 2.0), (-2.0, 3.0, 0.0, 1.0), (0.7, 0.4, 0.7, 0.4)]  # in the last case both are the same
check(kl_of_two_normals, *((c, float(D.kl_divergence(D.Normal(*c[:2]), D.Normal(*c[2:])))) for c in cases),
      hint="the matrix formula with D = 1: the trace is a ratio of variances")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def kl_of_two_normals(m1, s1, m2, s2):
    return 0.5 * ((s1 / s2) ** 2 + ((m2 - m1) / s2) ** 2 - 1 + 2 * math.log(s2 / s1))

# %% [markdown]
# ## What a bit costs
#
# A bit is a coin with $\pi = q(b = 1 \mid x)$, and its prior is a fair coin. With $H(\pi)$ for the entropy of the coin,
#
# $$\mathrm{KL} = \pi \ln 2\pi + (1 - \pi) \ln 2(1 - \pi) = \ln 2 - H(\pi), \qquad 0 \le \mathrm{KL} \le \ln 2.$$

# %% tags=["nbval-check-output"]
def kl_bernoulli(logits):
    return Posterior(logits[:, :0], logits[:, :0], logits).kl_bits()


logits = torch.tensor([[0.0, 1.0, -3.0, 200.0]])
by_torch = D.kl_divergence(D.Bernoulli(logits=logits[:, :3]), D.Bernoulli(torch.tensor(0.5)))
print("KL of logits 0, 1, -3, 200:", [round(value, 4) for value in kl_bernoulli(logits)[0].tolist()])
print("by torch.distributions:    ", [round(value, 4) for value in by_torch[0].tolist()])

# %% [markdown]
# The last logit is the reason why code works with logits: $\pi$ rounds to 1, and $0 \cdot \ln 0$ is no number.

# %%
pi = torch.linspace(0.001, 0.999, 300)
figure, ax = plt.subplots(figsize=(5.5, 2.4))
ax.plot(pi, kl_bernoulli(pi.logit()[:, None])[:, 0], color=ORANGE)
ax.axhline(math.log(2), color="0.5", linestyle="--", linewidth=1)
ax.annotate(r"most a bit can cost: $\ln 2$", (0.5, math.log(2)), (0.5, 0.6), ha="center", fontsize=9)
ax.set(xlabel=r"$\pi = q(b = 1 \mid x)$", ylabel="KL, nats", ylim=(0, 0.75))
plt.show()

# %% [markdown]
# ## Beta and capacity
#
# The ELBO charges each nat of KL at price 1. A **beta-VAE** charges $\beta$; a **capacity** form charges $\gamma$ for
# every nat *away from* $C$:
#
# $$L_\beta = \text{reconstruction} + \beta\, \mathrm{KL}, \qquad
#   L_\gamma = \text{reconstruction} + \gamma\, \lvert \mathrm{KL} - C \rvert.$$
#
# All that $\beta$ does is one line, $L_\beta - L_1 = (\beta - 1)\, \mathrm{KL}$. In the project with the slip above,
# $\beta$ never reached the loss, and its comparisons of $\beta = 4$, 80 and 150 are all of $\beta = 1$. One check would
# have shown it:

# %% tags=["nbval-check-output"]
with torch.no_grad():
    terms = loss_terms(mixed, x, generator=torch.Generator().manual_seed(0))
kl_z = terms.values["kl_z"].mean()
for beta in (4.0, 150.0):
    difference = total_loss(terms, {"beta_z": beta}) - total_loss(terms)
    print(f"beta {beta:.0f}: L(beta) - L(1) is (beta - 1) KL:", torch.allclose(difference, (beta - 1) * kl_z, rtol=1e-4))

# %% [markdown]
# The other trap is *what* $\beta$ multiplies. If pixels are averaged and not summed, the same number is 784 times as
# strong on a 28x28 image. The presets that rebuild other projects state both, what was written there and what it is
# here. In the output, `kl-batch-mean` stands for a reconstruction that is summed over the batch and a KL that is
# averaged over it. `dataset-size` stands for a reconstruction averaged over pixels and a KL times the batch size over
# the number of images.

# %% tags=["nbval-check-output"]
for name in ("dsprites-beta", "xys-stacked", "fashion-cnn", "fashion-fc"):
    config = load_config(name)
    stated, ours = config.source, config.objective.beta_z
    print(f"{name:14} beta {stated.beta:6g}, {stated.convention:14} batch {stated.batch_size:3}  ->  beta_z {ours:8.4g}")

# %% [markdown]
# The stated numbers run from 0.01 to 5000, and the prices from 0.04 to 312.5. (In the source of `dsprites-beta` white
# pixels were 1/255 by mistake, which is why its 4 became more and not less.) Notebook 11 does such conversions.
#
# Here is what the two forms charge. A beta makes every nat dear. The capacity makes *too few* nats as dear as too many,
# and $C$ grows during training, so that latents come into use one after the other.

# %%
nats = torch.linspace(0, 30, 200)
figure, ax = plt.subplots(figsize=(6, 2.6))
for beta, style in ((1, ":"), (4, "-")):
    ax.plot(nats, beta * nats, style, color=BLUE, label=rf"$\beta = {beta}$")
for capacity, style in ((5, ":"), (20, "-")):
    ax.plot(nats, 10 * (nats - capacity).abs(), style, color=ORANGE, label=rf"$\gamma = 10$, $C = {capacity}$")
ax.set(xlabel="KL, nats per image", ylabel="charge, nats", ylim=(0, 130))
ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# Watch it happen: ten reals, $\gamma = 30$, and $C$ grows from 0 to 8 nats over the first 60 % of a run. **Predict:**
# will the KL follow $C$, or will it run ahead, since each nat of KL saves more than a nat of reconstruction?

# %%
class KeepKL(Callback):
    """Writes down step, KL and C."""

    def on_start(self, run):
        self.rows = []

    def on_step(self, run, terms, weights):
        self.rows.append((run.step, float(terms.values["kl_z"].detach().mean()), weights["capacity_z"]))


held = KeepKL()
train(load_config("digits", overrides=[
    *small, "model.n_bits=0", "objective.lambda_information=0", "objective.beta_z=0", "objective.gamma_z=30",
    "objective.capacity_z=[[0, 0], [0.6, 8], [1, 8]]", "train.epochs=25"]), callbacks=[held])
steps, kl, capacity = zip(*held.rows, strict=True)
figure, ax = plt.subplots(figsize=(6, 2.6))
ax.plot(steps, kl, color=BLUE, label="KL")
ax.plot(steps, capacity, "--", color="0.4", label="capacity C(t)")
ax.set(xlabel="step", ylabel="nats per image")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# It follows: at $\gamma = 30$ a nat too many costs as much as a nat too few. But what the nats *say* is not in the
# formula. Notebook 04 comes back to that.

# %% tags=["nbval-check-output"]
print("mean KL of the last 100 steps within half a nat of C:", abs(sum(kl[-100:]) / 100 - 8) < 0.5)
with torch.no_grad():
    charge = total_loss(terms, {"beta_z": 0, "gamma_z": 30, "capacity_z": 8}) - total_loss(terms, {"beta_z": 0})
print("the charge is gamma |KL - C|:", torch.allclose(charge, 30 * (kl_z - 8).abs(), rtol=1e-4))

# %% [markdown]
# ## What we saw
#
# A VAE minimises the price of an image under a code, plus the price of the code. The sum is an upper bound on
# $-\ln p(x)$. The gap is the encoder's error, as we saw where all codes can be counted. The cost of a real is a formula
# of its mean and spread; a bit costs at most $\ln 2$. A beta or a capacity changes what a nat costs, whatever the nats
# tell.
#
# **New words.** *Prior, likelihood, posterior*: what is expected of a latent before, how well a latent explains an
# image, what is believed after. *Entropy*: nats that are missing. *Mutual information*: nats that are shared. *ELBO*:
# the bound. *Capacity*: a KL to aim at. The [glossary](../GLOSSARY.md) has the rest.
#
# **Next.** A gradient passes through the draw of a real, and not through a coin. [Notebook 04](04_coin.ipynb) finds
# four ways around that.
#
# **References.** Kingma and Welling, *Auto-Encoding Variational Bayes* (2014): read it for the bound and the draw.
# Higgins et al., *beta-VAE* (2017) and Burgess et al., *Understanding disentangling in beta-VAE* (2018): read them for
# the price and the capacity.
