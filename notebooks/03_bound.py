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
# # What does a VAE minimise, and how does a gradient get through a coin?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/03_bound.ipynb)
#
# About 40 minutes of reading, half a minute of computing (29 s on two CPU cores), nothing to download.
#
# You will
#
# - **check** every formula of the loss by a cell that computes it twice,
# - **measure** what four ways through a coin flip cost in bias and in noise,
# - **split** the price of a code into what it tells and what it wastes.
#
# Everything is in **nats per image**: summed over pixels and latents, averaged over images at the very end.

# %%
import sys

if "google.colab" in sys.modules:  # Colab starts empty; elsewhere the library is already there
    import subprocess

    source = "mrvae_lib @ git+https://github.com/mr-vae/mr-vae"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)

# %%
import math
import warnings

import matplotlib.pyplot as plt
import torch
from torch import distributions as D

from mrvae_lib import Callback, CodeTable, Posterior, all_codes, check, expected_loss, figures, load_config
from mrvae_lib import load_dataset, load_model, loss_terms, random_pose, total_loss, train

BLUE, ORANGE = figures.BLUE, figures.ORANGE

# %% [markdown]
# Two small models, trained on 1,437 real digits in seconds. The first has six bits and no reals, so that all its
# $2^6 = 64$ codes can be listed: every formula about them can be computed in full. The second has two reals and four bits.

# %%
warnings.filterwarnings("ignore", message="Initializing zero-element")  # torch, about a network without reals
small = ["model.hidden=[128]", "train.batch_size=64", "train.precision=fp32", "train.device=cpu",
         "objective.beta_z=1", "objective.beta_b=1", "objective.lambda_consistency=0"]
bits_only = train(load_config("digits", overrides=[
    *small, "model.n_reals=0", "model.n_bits=6", "train.epochs=40", "objective.lambda_information=0",
    "objective.estimator=bit-flip"]))
mixed = train(load_config("digits", overrides=[
    *small, "model.n_reals=2", "model.n_bits=4", "train.epochs=25", "objective.lambda_information=10"]))
x = load_dataset("digits", "test").floats(slice(0, 120))

# %% [markdown]
# ## The bound
#
# A model with latents gives an image the probability $p(x) = \sum_b p(b)\, p(x \mid b)$. Training wants
# $\log p(x)$ large. With 64 codes we can compute the sum; with 64 *reals* nobody could. The way out is a second
# network that guesses, for each image, which codes matter: the encoder $q(b \mid x)$. Then, exactly,
#
# $$\log p(x) = \underbrace{E_q[\log p(x \mid b)] - \mathrm{KL}(q(b \mid x) \Vert p(b))}_{\text{ELBO}}
#   + \mathrm{KL}(q(b \mid x) \Vert p(b \mid x)).$$
#
# The last term is never negative, so the **ELBO** is a lower bound, and it is the better the better the encoder
# guesses. **Predict:** after training, will the gap be nearer to 0.1, to 4 or to 30 nats, of about 385 in all?

# %%
with torch.no_grad():
    posterior = bits_only.encode(x)
    codes = all_codes(6)[:, None].expand(-1, len(x), -1)  # (64, B, 6)
    log_q = D.Bernoulli(logits=posterior.bit_logits).log_prob(codes).sum(dim=2).T  # (B, 64): log q(b | x)
    log_px_given_b = -bits_only.reconstruction_loss(x, torch.zeros(len(x), 0), codes).T
log_joint = log_px_given_b - 6 * math.log(2)  # log p(b) p(x | b), every code equally likely a priori
log_px = log_joint.logsumexp(dim=1)
elbo = (log_q.exp() * (log_joint - log_q)).sum(dim=1)

# %% [markdown]
# Is the gap really the encoder's error? $p(b \mid x)$ is the joint, divided by $p(x)$, so its KL can be had on its own.

# %% tags=["nbval-check-output"]
log_true = log_joint - log_px[:, None]  # log p(b | x)
encoder_error = (log_q.exp() * (log_q - log_true)).sum(dim=1)
print("the bound never exceeds log p(x):", bool((elbo <= log_px + 1e-3).all()))
print("log p(x) - ELBO = KL(q || p(b | x)):", torch.allclose(log_px - elbo, encoder_error, atol=1e-2))

# %% [markdown]
# Ten images. The blue bar is $-\log p(x)$, what the model would pay with a perfect encoder; orange is what the real
# encoder loses on top.

# %%
gap = (log_px - elbo)[:10]
figure, axes = plt.subplots(2, 1, figsize=(7, 3.6), height_ratios=[1, 3])
figures.show_pictures(x[:10], columns=10, ax=axes[0])
axes[1].bar(range(10), -log_px[:10], color=BLUE, label="$-\\log p(x)$")
axes[1].bar(range(10), gap, bottom=-log_px[:10], color=ORANGE, label="gap to $-$ELBO")
axes[1].set(ylabel="nats per image", xticks=[], xlim=(-0.5, 9.5), ylim=(0, 1.3 * float(-elbo[:10].min())))
axes[1].legend(frameon=False, ncols=2, loc="upper left")
plt.show()
print(f"gap: {float((log_px - elbo).mean()):.1f} nats per image on {len(x)} test images, median "
      f"{float((log_px - elbo).median()):.1f}")

# %% [markdown]
# The gap can hardly be seen in the picture, and of the three guesses 4 is the nearest. Half of the images lose about 3 nats
# or less. The mean is about 10, because it is raised by a few images whose code the encoder has guessed badly.
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
# $\lvert s \rvert / 2$. It trains, and its pictures look fine. **Predict:** at which $s$ is the damage greatest?

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
# At $s = 0$. There the KL below is cheapest, because the encoder *claims* to say nothing ($\sigma = 1$), and the draw has
# no noise, so it says everything. At $s = -5$ the encoder claims to be precise and the draw is noisier than the
# prior. The loss and the sampler speak of two different posteriors, and the bound is none.

# %% tags=["nbval-check-output"]
for value in (0.0, -1.0, -5.0):
    statistics = torch.zeros(100_000), torch.full((100_000,), value)
    ours = sample(*statistics, torch.Generator().manual_seed(1)).var()
    print(f"s = {value:4.1f}: variance should be {math.exp(value):.3f}, ours {ours:.2f}, the slip's {(value / 2) ** 2:.2f}")

# %% [markdown]
# ## What a real costs
#
# The KL of a normal to a normal has a closed form. In several dimensions, with $\Delta = m_2 - m_1$,
#
# $$\mathrm{KL}(N(m_1, S_1) \Vert N(m_2, S_2)) = \tfrac12 \left[ \mathrm{tr}(S_2^{-1} S_1)
#   + \Delta^\top S_2^{-1} \Delta - D + \ln \tfrac{\det S_2}{\det S_1} \right].$$
#
# The trace comes from $E[\Delta^\top A \Delta] = \mathrm{tr}(A\, E[\Delta \Delta^\top])$, which turns an average of a
# quadratic form into the covariance. Two random three-dimensional normals, our formula against PyTorch's:

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
# As a map. Nothing is free but the prior itself, the white dot. Moving $\mu$ costs the square of the distance; a small
# $\sigma$ costs about $\ln(1/\sigma)$ nats: precision is paid for by the digit.

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
# **Exercise 1, compute.** Write the KL of one normal to *another*, $N(m_1, s_1^2)$ to $N(m_2, s_2^2)$, all plain numbers.
# At $m_2 = 0$, $s_2 = 1$ it must be the formula above.

# %% tags=["exercise"]
def kl_of_two_normals(m1, s1, m2, s2):
    """KL(N(m1, s1^2) || N(m2, s2^2)) in nats."""
    ...  # one line


# %% tags=["check"]
cases = [(1.0, 0.5, -0.5, 2.0), (-2.0, 3.0, 0.0, 1.0), (0.7, 0.4, 0.7, 0.4)]  # the last two normals are the same
check(kl_of_two_normals, *((c, float(D.kl_divergence(D.Normal(*c[:2]), D.Normal(*c[2:])))) for c in cases),
      hint="the matrix formula with D = 1: the trace is a ratio of variances")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def kl_of_two_normals(m1, s1, m2, s2):
    return 0.5 * ((s1 / s2) ** 2 + ((m2 - m1) / s2) ** 2 - 1 + 2 * math.log(s2 / s1))


# %% [markdown]
# ## What a bit costs
#
# A bit is a coin with $\pi = q(b = 1 \mid x)$, and a priori a fair one:
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
# The whole point of $\beta$ is one line, $L_\beta - L_1 = (\beta - 1)\, \mathrm{KL}$. In the project with the slip above,
# $\beta$ never reached the loss, and its comparisons of $\beta = 4$, 80 and 150 are all of $\beta = 1$. One check would
# have told:

# %% tags=["nbval-check-output"]
with torch.no_grad():
    terms = loss_terms(mixed, x, generator=torch.Generator().manual_seed(0))
kl_z = terms.values["kl_z"].mean()
for beta in (4.0, 150.0):
    difference = total_loss(terms, {"beta_z": beta}) - total_loss(terms)
    print(f"beta {beta:.0f}: L(beta) - L(1) is (beta - 1) KL:", torch.allclose(difference, (beta - 1) * kl_z, rtol=1e-4))

# %% [markdown]
# The other trap is *what* $\beta$ multiplies. If pixels are averaged and not summed, the same number is 784 times as
# strong on a 28x28 image. The presets that rebuild other projects state both, what was written there and what it is here:

# %% tags=["nbval-check-output"]
for name in ("dsprites-beta", "xys-stacked", "fashion-cnn", "fashion-fc"):
    config = load_config(name)
    stated, ours = config.source, config.objective.beta_z
    print(f"{name:14} beta {stated.beta:6g}, {stated.convention:14} batch {stated.batch_size:3}  ->  beta_z {ours:8.4g}")

# %% [markdown]
# Numbers from 0.01 to 5000 that are prices between 0.04 and 312.5. Here is what the two forms charge. A beta makes
# every nat dear; the capacity makes *too few* nats as dear as too many, and $C$ grows during training so that latents
# open one after the other.

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
figures.plot_capacity(steps, kl, capacity)
plt.show()

# %% [markdown]
# It follows: at $\gamma = 30$ a nat too many costs as much as a nat too few. But what the nats *say* is not in the
# formula. We come back to that in the last section but one.

# %% tags=["nbval-check-output"]
print("mean KL of the last 100 steps within half a nat of C:", abs(sum(kl[-100:]) / 100 - 8) < 0.5)
with torch.no_grad():
    charge = total_loss(terms, {"beta_z": 0, "gamma_z": 30, "capacity_z": 8}) - total_loss(terms, {"beta_z": 0})
print("the charge is gamma |KL - C|:", torch.allclose(charge, 30 * (kl_z - 8).abs(), rtol=1e-4))

# %% [markdown]
# ## Why a coin has no gradient
#
# A bit is drawn by $b = [u < \pi]$ with $u$ uniform. Nudge $\pi$ and, for almost every $u$, the bit stays what it was:
# the derivative of the draw is 0 wherever it exists. Yet the *average* loss depends on $\pi$ smoothly,
#
# $$E_b[f(b)] = \pi f(1) + (1 - \pi) f(0), \qquad
#   \frac{d}{d \ell} E_b[f(b)] = \pi (1 - \pi)\, \bigl(f(1) - f(0)\bigr),$$
#
# with $\ell$ the logit. So the gradient exists; what is missing is a cheap way to it from one draw.

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
# **Exercise 2, compute.** The same by hand, for any one-bit loss with values $f(0)$ and $f(1)$.

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
# ## Four ways through
#
# | way | idea | decoder passes | catch |
# | --- | --- | --- | --- |
# | **exact** | list all codes, weigh each by $q(b \mid x)$ | $2^K$ | the cost doubles with every bit |
# | **bit-flip** | draw a code, flip each bit once, compare | $K + 1$ | some noise from the bits that were drawn |
# | **concrete** | replace the coin by a soft one, $\sigma((\ell + \text{logistic noise}) / \tau)$ | 1 | the decoder sees bits it will never see again |
# | **straight-through** | draw hard, pretend on the way back that $db/d\pi = 1$ | 1 | the pretence |
#
# On the mixed model, for the reconstruction of 40 digits: 300 gradients from each, against the exact one.
#
# **Predict:** which is noisiest? Which is wrong *on average*, however often you draw?

# %%
few = x[:40]
with torch.no_grad():
    posterior = mixed.encode(few)
logits = 0.5 * posterior.bit_logits  # softened, so that the coins are coins


def gradient_of(estimator, generator=None):
    leaf = logits.clone().requires_grad_()
    loss = expected_loss(lambda codes: mixed.reconstruction_loss(few, posterior.mu, codes), leaf,
                         estimator=estimator, generator=generator)
    return torch.autograd.grad(loss.sum(), leaf)[0]


exact = gradient_of("exact")
generator = torch.Generator().manual_seed(0)
draws = {name: torch.stack([gradient_of(name, generator) for _ in range(300)])
         for name in ("bit-flip", "concrete", "straight-through")}

# %% [markdown]
# Two numbers say how good an estimator $g$ of a gradient $g^*$ is: its squared **bias** and its **variance**, both as
# shares of $\lVert g^* \rVert^2$,
#
# $$\frac{\lVert E[g] - g^* \rVert^2}{\lVert g^* \rVert^2}, \qquad
#   \frac{E \lVert g - E[g] \rVert^2}{\lVert g^* \rVert^2}.$$

# %%
size = exact.square().sum()
for name, g in draws.items():
    noise = (g - g.mean(dim=0)).square().sum(dim=(1, 2)).mean() / size
    bias = ((g.mean(dim=0) - exact).square().sum() / size - noise / len(g)).clamp(min=0)
    cosine = torch.cosine_similarity(g.mean(dim=0).flatten(), exact.flatten(), dim=0)
    print(f"{name:16} bias^2 {bias:.3f}   variance {noise:.2f}   cosine of the mean {cosine:.3f}")

# %% [markdown]
# One bit of one image, closer. Each histogram is 300 draws of the same derivative; the line is the truth.

# %%
image, bit = divmod(int(exact.abs().argmax()), 4)
values = [g[:, image, bit] for g in draws.values()]
low, high = (float(torch.cat(values).quantile(share)) for share in (0.01, 0.99))
figure, axes = plt.subplots(3, 1, figsize=(6.5, 3.8), sharex=True)
for ax, (name, g) in zip(axes, draws.items(), strict=True):
    ax.hist(g[:, image, bit], bins=torch.linspace(low, high, 50).tolist(), color=ORANGE)
    ax.axvline(float(exact[image, bit]), color="black", label="exact")
    ax.axvline(float(g[:, image, bit].mean()), color=BLUE, linestyle="--", label="mean of the draws")
    ax.set(yticks=[])
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
axes[0].legend(frameon=False, fontsize=8)
axes[-1].set(xlabel=f"derivative of image {image}'s reconstruction by the logit of bit {bit}, nats")
plt.show()

# %% [markdown]
# Bit-flip has no bias and little noise. Concrete and straight-through are not only noisy: their dashed line is off the
# black one, and more draws will not move it there. That is why the library counts codes up to $K = 4$, flips up to
# $K = 12$, and softens only beyond. It does not follow that a biased gradient trains worse: a soft coin lets the
# decoder feel *between* two codes early on, and our shipped models were trained with it.
#
# ## What a code tells, and what it only costs
#
# A bit that is 1 for *every* image has KL $\ln 2$: it pays the full price and tells nothing. So a KL is no measure of
# information. But it splits, exactly. With the aggregate $q(b) = E_x\, q(b \mid x)$,
#
# $$E_x\, \mathrm{KL}(q(b \mid x) \Vert p(b)) = I(x; b) + \mathrm{KL}(q(b) \Vert p(b)).$$
#
# For $K$ bits $q(b)$ is a table of $2^K$ numbers, so both terms can be computed. Three one-bit codes, over 1,000 images:

# %% tags=["nbval-check-output"]
sure = torch.full((1000, 1), 40.0)
halves = {"always 1": sure, "never decided": torch.zeros(1000, 1), "1 for every other image": sure.clone()}
halves["1 for every other image"][::2] *= -1
for name, bit_logits in halves.items():
    table, kl = CodeTable.from_logits(bit_logits), kl_bernoulli(bit_logits).mean()
    print(f"{name:24} KL {kl:.3f} = information {table.information:.3f} + aggregate {abs(table.aggregate_kl):.3f}")

# %% [markdown]
# Only the third bit says anything. This is why MR-VAE rewards $I(x; b)$ itself and does not reward KL. Now the same split
# for the six-bit model that we trained. A table of 64 codes needs images enough: with few of them the codes look less
# even than they are. Our rule is four images for each code, so 256, and we take all 360 test images.

# %%
test = load_dataset("digits", "test")
with torch.no_grad():
    bit_logits = bits_only.encode(test.floats()).bit_logits
table, kl = CodeTable.from_logits(bit_logits), kl_bernoulli(bit_logits).sum(dim=1).mean()
figure, ax = plt.subplots(figsize=(6.5, 1.5))
ax.barh([0], [table.information], color=BLUE, label="$I(x; b)$")
ax.barh([0], [table.aggregate_kl], left=[table.information], color=ORANGE, label=r"$\mathrm{KL}(q(b) \Vert p)$")
ax.axvline(float(kl), color="black", linewidth=2)
ax.annotate("KL", (float(kl), 0.3), (float(kl) + 0.04, 0.3))
ax.axvline(6 * math.log(2), color="0.5", linestyle="--", linewidth=1)
ax.annotate(r"$6 \ln 2$", (6 * math.log(2), -0.38), (6 * math.log(2) + 0.04, -0.38), color="0.4")
ax.set(xlabel="nats per image", yticks=[], xlim=(0, 4.6))
ax.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
plt.show()

# %% [markdown]
# **Exercise 3, predict.** A perfect code for ten equally frequent digits uses ten of the sixteen codes of four bits, each
# for one digit, without doubt. What is its aggregate term $\mathrm{KL}(q(b) \Vert p(b))$?

# %% tags=["exercise"]
def waste_of_a_perfect_code():
    """KL(q(b) || p(b)) in nats: ten of sixteen codes, equally often."""
    ...  # one line; the whole KL is that of four certain bits


# %% tags=["check"]
check(waste_of_a_perfect_code, ((), 4 * math.log(2) - math.log(10)),
      hint="the whole KL is information plus aggregate; how much does a perfect code tell of ten digits?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def waste_of_a_perfect_code():
    return 4 * math.log(2) - math.log(10)


# %% [markdown]
# So a perfect code *must* use codes unevenly, and a penalty on the aggregate term would spoil it.
#
# ## Telling the same thing twice
#
# **Total correlation** is what latents share: the KL of their joint distribution to the product of the single ones. For
# bits, $\sum_k I(x; b_k) = I(x; b) + TC(b)$: adding up single bits counts what they share more than once. A copied bit
# shows it. Of reals, two normals with correlation $\rho$ share $-\tfrac12 \ln(1 - \rho^2)$ nats; we draw many pairs, count
# them in a table of 40 by 40 cells, and compute what the table's rows and columns share.

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
# beta-TCVAE and FactorVAE charge for $TC(z)$ and leave the rest of the KL at its price: `objective.lambda_tc`.

# %% [markdown]
# ## Which structure?
#
# Nothing so far says *what* a code should tell. Four bits could as well name slant and size, which move more pixels than
# the class does. MR-VAE makes three choices, and they are choices: no image forces them on us.
#
# **A frame.** The bits see each image moved, sized and straightened by its own moments: centred at the mean place of its
# ink $(\bar x, \bar y)$, as high as the spread $\sqrt{\mathrm{Var}(y)}$, and sheared until $\mathrm{Cov}(x, y) = 0$.
#
# **A pose.** $T$ turns, stretches and bends an image a little, at random, and a code that changes with it costs
#
# $$\lambda_T \bigl[\mathrm{KL}(q(b \mid x) \Vert q(b \mid Tx)) + \mathrm{KL}(q(b \mid Tx) \Vert q(b \mid x))\bigr].$$
#
# **Predict:** one seven, drawn by the model that comes with the library, is moved, sized, turned and slanted in eight ways.
# Below stands each of the eight in its own frame. What will be left of the changes?

# %%
shipped = load_model("mnist-mrvae")
codes = shipped.examples["mu"].float(), shipped.examples["bits"].float()
with torch.no_grad():
    drawn = shipped.decode(*codes)  # a hundred digits; the first is a seven
pose = load_config("digits").objective.pose
strong = pose.model_copy(update={"shear": 0.4, "scale": 0.3, "elastic": 0})
changed = random_pose(drawn[:1].expand(8, -1, -1, -1), strong, torch.Generator().manual_seed(2))
framed = shipped.own_frame(changed)
ax = figures.show_pictures(torch.cat([changed, framed]), columns=8, row_names=["changed", "in its frame"])

# %% [markdown]
# Place, size and slant are gone, and most of a turn, since a small turn is nearly a slant. How wide a digit is beside its
# height stays, and so does a bent stroke. These are left to $T$, which stretches and bends as well. What the frame took away
# is for $z$ to say.
#
# **A reader.** Now the code tells the class; but what an image is, $z$ may know too, and then the decoder can take it
# from there. So any code $b'$, drawn with the $z$ of some image, must be read back from the picture $f(z, b')$, in any
# pose:
#
# $$- \lambda_R\, E_{p(b')} \ln q\bigl(b' \mid T f(z, b')\bigr),$$
#
# which is $0$ if every bit is read, $K \ln 2$ if none is, and more if they are read wrongly. (It is InfoGAN's bound on the
# information that the code has about the picture; the gradient goes to the decoder alone.) A network may hang a bit on a
# single pixel, and a decoder that must be read would rather light that pixel than draw another digit. So on MNIST $T$
# throws specks as well: random pixels of random brightness, which no code survives that hangs on one.
#
# The mixed model from above was trained without a reader; the model that comes with the library, with one. What does a
# picture with a random code cost each of them?

# %%
objective = load_config("digits").objective
for name, model, images in (("without", mixed, x), ("with", shipped, drawn)):
    with torch.no_grad():
        noise = torch.Generator().manual_seed(0)
        missed = loss_terms(model, images, objective, {"lambda_reading": 1}, generator=noise).values["reading"].mean()
    print(f"{name:8} {missed:5.2f} nats; a guess would cost {model.n_bits * math.log(2):.2f}")

# %% [markdown]
# ## What we saw
#
# A VAE minimises the price of an image under a code, plus the price of the code: a bound on $-\log p(x)$ whose slack is
# the encoder's error, and we saw it to be so, code by code. A real passes gradients because its noise comes from
# outside. A coin does not, so we count, flip, soften or pretend, and know what each costs. And the price of a code is
# not what it tells: part of it is information, the rest is unevenness. What it *should* tell is an assumption: a frame, a
# pose, a reader.
#
# **New words.** *ELBO*: the bound. *Reparameterisation*: a draw written as a function of its parameters and outside
# noise. *Aggregate*: the posterior averaged over images. *Capacity*: a KL to aim at. *Total correlation*: what latents
# share. The [glossary](../GLOSSARY.md) has the rest.
#
# **Next.** Train with these losses yourself: `mrvae presets` lists experiments, `mrvae presets digits` shows every setting.
#
# **References.** Kingma and Welling, *Auto-Encoding Variational Bayes* (2014): read it for the bound and the trick.
# Hoffman and Johnson, *ELBO surgery* (2016): read it for the split. Titsias and Lázaro-Gredilla, *Local Expectation
# Gradients* (2015): read it for the bit-flip. Maddison, Mnih and Teh, *The Concrete Distribution* (2017): read it for the
# soft coin. Chen et al., *InfoGAN* (2016): read it for the reader. Chen et al., *Isolating Sources of Disentanglement*
# (2018): read it for total correlation.
