"""What a project's beta multiplies, so that it can be converted to the beta of our loss.

Our loss is the reconstruction plus beta times the KL, both per image in nats, pixels and latents summed. Every project
weighs the two terms by sums or means of its own, so one number means many things. Written with our terms, any of these
losses is `a * reconstruction + beta * b * KL`. Divided by `a` it is our loss with `beta_eff = beta * b / a`. The weight
gamma of a capacity form converts in the same way. With B images in a batch, N in the training set, C x H x W pixels:

    convention        a               b
    per-image         1               1
    batch-sum         B               B
    kl-batch-mean     B               1
    dataset-size      1 / (C H W)     B / N
    joint-vae         1 / (C H W)     1 / (H W)

Where white is another value than 1 there, `beta_eff` is divided by that value too.
"""

CONVENTIONS = {
    "per-image": "both terms per image: pixels and latents summed, the batch averaged",
    "batch-sum": "both terms summed over the batch as well",
    "kl-batch-mean": "reconstruction summed over the batch, KL averaged over it",
    "dataset-size": "reconstruction averaged over pixels, KL times batch size / training images",
    "joint-vae": "reconstruction averaged over pixels and channels, KL divided by height * width",
}
"""What each convention does to the two terms.

Users: `per-image` miyosuda, AndrewSpano, 1Konny and this library; `batch-sum` DejasDejas/MR_VAE, and Near32 on MNIST;
`kl-batch-mean` Near32 on dSprites and XYS; `dataset-size` AxelNathanson; `joint-vae` Schlumberger.
"""
