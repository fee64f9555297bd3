"""Many runs of one preset: a grid of settings and seeds, on one machine or several."""
