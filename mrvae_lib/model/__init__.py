"""The model: two kinds of latent, the networks around them, and the likelihood."""
