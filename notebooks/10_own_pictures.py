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
# # What does it find in my own pictures?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/mr-vae/mr-vae/blob/main/notebooks/10_own_pictures.ipynb)
#
# [Previous: 09 family](09_family.ipynb) · [Next: 11 other projects](11_other_projects.ipynb)
#
# About 40 minutes with the example pictures, and as long again with your own. The computer needs about 15 seconds of
# it on two CPU cores; a GPU does not help with so few pictures. Offline, once the project is cloned.
#
# You need: notebook 00, and from notebook 03 what $-$ELBO is.
#
# You will
#
# - **bring** a folder of pictures, an upload or a drawing of your own,
# - **measure** whether your pictures are enough, and make more of them with $T$,
# - **train** an MR-VAE on them, read its codes, explore it, and **export** a page to send to somebody.

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
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch
from ipywidgets import FileUpload

from mrvae_lib import check, encode_set, figures, load_config, load_dataset, measure, random_pose, train, widgets

# %% [markdown]
# ## Which pictures?
#
# Run the notebook once as it is: then it uses `examples/`, a folder of small drawings that comes with the project.
# After that, bring your own pictures in one of two ways and choose *Run All* again.
#
# - **A folder.** Write its path into `my_folder` below. On Colab you can drop pictures into the *Files* panel on the
#   left; a folder there has a path such as `/content/cats`. If the pictures are of several kinds, put each kind into
#   a sub-folder, and its name becomes the label. The model never sees the labels; we use them to judge it.
# - **An upload.** Press the button below and choose several files. They are copied into the folder `uploads`, without
#   labels. To go back to the examples, delete this folder.

# %%
my_folder = ""  # @param {type:"string"}
uploads = Path("uploads")


def keep(change):
    """Write what was chosen into the folder; ipywidgets 7 gives a dict, ipywidgets 8 a list."""
    files = change["new"]
    named = files.items() if isinstance(files, dict) else [(file["name"], file) for file in files]
    uploads.mkdir(exist_ok=True)
    for name, file in named:
        (uploads / Path(name).name).write_bytes(file["content"])


upload = FileUpload(accept="image/*", multiple=True)
upload.observe(keep, names="value")
upload

# %% [markdown]
# The next cell decides: your folder if you named one, else your uploads if there are any, else the examples. Where
# the project is not cloned, as on Colab, the examples are fetched.

# %%
def example_folder():
    """The folder of drawings: beside this notebook's folder, or fetched with the project."""
    places = [Path("../examples"), Path("examples"), Path("mr-vae/examples")]
    if not any(place.is_dir() for place in places):
        clone = ["git", "clone", "--quiet", "--depth", "1", "https://github.com/mr-vae/mr-vae", "mr-vae"]
        subprocess.run(clone, check=True)
    return next(place for place in places if place.is_dir())


folder = my_folder or (uploads if uploads.is_dir() else example_folder())
settings = {}  # for example {"size": 48, "fit": "pad", "channels": "grey", "invert": True}
images, test = load_dataset(folder, **settings), load_dataset(folder, "test", **settings)

# %% [markdown]
# ## Look at them first
#
# Loading made every picture a **square of one side**. Squares of one size stay as they are, so nothing was done to the
# examples. All others are scaled and cropped at the centre, to at most 64 pixels a side, and a line says what was done.
# Four settings change it: `size` is the side, `fit` is `"crop"`, `"pad"` or `"stretch"`, `channels` is `"grey"` or
# `"colour"`, and `invert` exchanges light and dark.
#
# Loading also put one picture in five aside. These **held-out** pictures are never trained on, and every judgement below
# is made on them. If your folder has sub-folders `train` and `test`, these are taken instead.
#
# Find in the picture below what a crop has cut off, and whether you can still see what it is at this size. What you
# cannot recognise here, the model cannot learn.

# %%
whole = torch.cat([images.floats(), test.floats()])
if images.labels is not None:
    whole = whole[torch.cat([images.labels, test.labels]).argsort()]
ax = figures.show_pictures(whole[:96], columns=16, title=f"{folder}: {len(images)} to train on, {len(test)} held out")

# %% tags=["nbval-check-output"]
print(f"{len(images)} + {len(test)} pictures, shape {images.image_shape}, labels: {', '.join(images.label_names) or 'none'}")
print("mostly dark:", bool(whole.mean() < 0.5))

# %% [markdown]
# **Dark or light?** When $T$ moves a picture, what comes in from outside is black. And a model learns most easily where
# most of the picture is 0. So pencil on white paper should be turned into light on dark. The next cell does this
# whenever the mean brightness is above one half. Do not run it on photographs.

# %%
if whole.mean() > 0.5:
    settings["invert"] = True
    images, test = load_dataset(folder, **settings), load_dataset(folder, "test", **settings)

# %% [markdown]
# **Exercise 1, compute.** A fifth of $n$ pictures is held out. The number is rounded down, but at least one picture
# must be there to judge by. Write it.

# %% tags=["exercise"]
def held_out(n):
    """How many of n pictures are kept for testing; n is at least 2."""
    ...  # one line


# %% tags=["check"]
check(held_out, ((96,), 19), ((25,), 5), ((9,), 1), ((3,), 1),
      hint="what does your rule give for three pictures, and for nine?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def held_out(n):
    return max(1, n // 5)


# %% [markdown]
# ## How many are enough?
#
# A network with a few hundred thousand weights can learn eight pictures by heart. It then draws these eight well and
# everything else badly. This is **overfitting**, and the measure of it is the difference between two prices: $-$ELBO
# on the pictures that were trained on, and $-$ELBO on those held out. We write this price by hand, as in notebook 03:
#
# $$-\mathrm{ELBO} = -\log p(x \mid z, b) + \mathrm{KL}(q(z \mid x) \Vert p(z)) + \mathrm{KL}(q(b \mid x) \Vert p(b)).$$

# %%
def price(model, x):
    """-ELBO in nats per image, with one draw of the latents."""
    with torch.no_grad():
        codes = model.encode(x)
        z, b = codes.sample(torch.Generator().manual_seed(0))
        kl = codes.kl_reals().sum(dim=1) + codes.kl_bits().sum(dim=1)
        return float((model.reconstruction_loss(x, z, b[None]) + kl).mean())


# %% [markdown]
# For this measurement a plain VAE is enough: ten reals, no bits. Every model gets 500 steps of at most 32 pictures.
# (An *epoch* is one pass over the pictures, so a smaller set needs more epochs for as many steps.)

# %%
common = ["model.hidden=[128]", "train.precision=fp32", "train.device=cpu"]
plain = ["model.n_bits=0", "objective.beta_z=1", "objective.lambda_information=0", "objective.lambda_aggregate=0",
         "objective.lambda_consistency=0"]


def plain_vae(some, steps=500):
    """A plain VAE after so many steps on these pictures."""
    batch = min(32, len(some))
    epochs = max(1, steps // (len(some) // batch))
    settings = [*common, *plain, f"train.batch_size={batch}", f"train.epochs={epochs}"]
    return train(load_config("digits", overrides=settings), images=some)


# %% [markdown]
# **Predict:** we train on 8 pictures, on 24, and on all of them. Which of the three has the lowest price on its own
# training pictures? Which on the held-out ones? Will the two prices come together?

# %%
sizes = [8, 24, len(images)]
models = [plain_vae(images.first(n)) for n in sizes]
for n, model in zip(sizes, models, strict=True):
    seen, new = price(model, images.first(n).floats()), price(model, test.floats())
    print(f"{n:3} pictures: {seen:5.0f} nats on those it was trained on, {new:5.0f} on new ones, {new - seen:4.0f} apart")

# %% [markdown]
# The fewer the pictures, the cheaper they are, and the dearer the new ones. The prices come nearer to each other and
# do not meet. Now look at it: the first row has held-out pictures, and each other row what one of the three models
# makes of them.

# %%
few = test.floats(slice(0, 8))
with torch.no_grad():
    rows = [few, *(model.reconstruct(few) for model in models)]
ax = figures.show_pictures(torch.cat(rows), columns=8, row_names=["held out", *(f"after {n}" for n in sizes)])

# %% [markdown]
# The model of eight answers with one of the eight pictures it knows, or with a mixture of them. A rule of thumb for
# line drawings: from fewer than 25 pictures a model can do little more than repeat them, and from some hundreds it
# learns what they have in common. If the two prices lie far apart, more pictures will help more than more training.
# Here they do, even with all of our pictures.

# %% tags=["nbval-check-output"]
apart = [price(model, test.floats()) - price(model, images.first(n).floats())
         for n, model in zip(sizes, models, strict=True)]
print("fewer pictures, a wider gap:", apart[0] > apart[1] > apart[2])
print("even with all of them over 40 nats:", apart[2] > 40)

# %% [markdown]
# ## More pictures out of few
#
# A boat that is moved a little is still a boat, and it is another picture. So we may make new pictures out of old
# ones, by a small random change of pose. This is $T$, the same $T$ that the code of an MR-VAE has to survive. But now
# *you* must say how strong it may be: it should vary a picture as much as possible and never change what it is.
#
# **Predict:** at which strength will the first picture stop being what it is? Then move the slider.

# %%
our_t = "objective.pose={rotation=8, shear=0.1, scale=0.1, shift=0.08, elastic=0.03}"
pose = load_config("digits", overrides=[our_t]).objective.pose


def look_at_pose(strength):
    stronger = {name: strength * getattr(pose, name) for name in ("rotation", "shear", "shift", "elastic")}
    scale = min(0.9, strength * pose.scale)
    some = images.floats(slice(0, 4)).repeat(4, 1, 1, 1)
    moved = pose.model_copy(update={**stronger, "scale": scale})
    changed = random_pose(some[4:], moved, torch.Generator().manual_seed(0))
    return figures.show_pictures(torch.cat([some[:4], changed]).unflatten(0, (4, 4)).transpose(0, 1).flatten(0, 1),
                                 columns=4, title="the picture itself, then three draws of T")


widgets.Panel(look_at_pose, strength=(0.0, 4.0, 0.5))

# %% [markdown]
# At strength 1 each of our drawings stays what it is, so we keep this $T$. For your own pictures ask what may change,
# and change `our_t` above. Letters must not be turned far. A leaf may be turned all the way round (`rotation=180`). A
# mirror image is allowed for a cat and not for a letter (add `mirror=true`).
#
# Now each training picture comes eight times: once as it is and seven times changed.

# %%
def with_copies(some, n):
    """The set with each picture n times: as it is, and n - 1 times changed by T. The labels are left behind."""
    x, generator = some.floats(), torch.Generator().manual_seed(0)
    changed = [random_pose(x, pose, generator) for _ in range(n - 1)]
    return replace(some, images=torch.cat([x, *changed]).mul(255).round().byte(), labels=None)


more = with_copies(images, 8)

# %% [markdown]
# **Predict:** the same network, again 500 steps, on the larger set. Will the price of the held-out pictures fall?
# Will the price of the training pictures fall?

# %%
augmented = plain_vae(more)
for name, model in (("as they are", models[-1]), ("with copies", augmented)):
    seen, new = price(model, images.floats()), price(model, test.floats())
    print(f"{name}: {seen:4.0f} nats on training pictures, {new:4.0f} on new ones")

# %% tags=["nbval-check-output"]
print("new pictures become cheaper:", price(augmented, test.floats()) < price(models[-1], test.floats()))
print("training pictures become dearer:", price(augmented, images.floats()) > price(models[-1], images.floats()))

# %% [markdown]
# The training pictures became dearer because they can no longer be learned by heart, and the new ones cheaper. What
# we added is knowledge: that $T$ does not change what a picture is. It helps as far as it is true.
#
# ## Train an MR-VAE on them
#
# Now the model with bits: three of them, so eight codes, beside ten reals. The settings are those of the small
# digits, with a smaller network and our $T$. During the first half of the training the reals are dear, and what a
# picture *is* goes into the bits. After that the reals become cheap and take the rest. The bits see each picture
# centred, of one size and without its slant.
#
# **Predict:** the example folder has four kinds of drawings, and the model is told nothing of them. Will each kind
# get one code, two codes, or will codes mix the kinds?

# %%
ours = ["model.n_bits=3", "train.epochs=60", "train.batch_size=32", our_t]
model = train(load_config("digits", overrides=[*common, *ours]), images=more)

# %% [markdown]
# ## What does each code hold?
#
# One row per code: the training pictures that have it, the first ten of them. This picture is the most useful one of
# the notebook. Look for what the pictures of a row share, and give each row a name before you read on.

# %%
def code_names(some):
    """The hard code of each picture as text, b0 first."""
    return ["".join(str(int(bit)) for bit in code) for code in encode_set(model, some).bits]


codes = code_names(images)
used = Counter(codes).most_common()
blank = torch.zeros(10, *images.image_shape)
rows = [torch.cat([images.floats()[[i for i, c in enumerate(codes) if c == code]], blank])[:10] for code, _ in used]
ax = figures.show_pictures(torch.cat(rows), columns=10, row_names=[f"{code}: {n}" for code, n in used])

# %% [markdown]
# In our run with the examples no row mixes boats, faces, houses and trees; on another computer a row may. A kind can
# fill several rows: there are eight codes for four kinds, and the codes that are left go to what else is different at
# a glance, such as one sail or two. Bits name what the model can tell apart; nobody told it which differences *you*
# care about.
#
# ## Does the code agree with the folders?
#
# Give each code the label that it most often has, and count how often this is right. If your pictures have no
# sub-folders, go on to *Your own drawing*.
#
# **Exercise 2, compute.** Write this count: the share of pictures whose label is the most frequent one of their code.

# %% tags=["exercise"]
def agreement(codes, labels):
    """Between 0 and 1; codes and labels are lists of equal length, one entry per picture."""
    ...  # a few lines; a Counter per code, or Counter(zip(codes, labels))


# %% tags=["check"]
check(agreement, ((["0", "0", "0", "1"], ["boat", "boat", "tree", "tree"]), 0.75),
      ((["0", "1", "2", "3"], ["boat", "boat", "tree", "tree"]), 1.0),
      ((["0", "0", "0", "0"], ["boat", "tree", "face", "tree"]), 0.5), ((["0"], ["boat"]), 1.0),
      ((["1", "1", "1", "0", "0"], ["a", "a", "b", "a", "b"]), 0.6),
      hint="how many pictures of one code are right, if all of them get its most frequent label?")

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# @title Solution
def agreement(codes, labels):
    pairs = list(zip(codes, labels, strict=True))
    right = [max(Counter(label for c, label in pairs if c == code).values()) for code in set(codes)]
    return sum(right) / len(pairs)


# %% [markdown]
# Such a share grows by itself with the number of codes: if each picture had a code of its own, it would be 1. So two
# things are needed beside it. The majorities must come from the training pictures and the count from the held-out
# ones. And there must be a rival with as many groups. The library's rival is *k-means*, which sorts raw pixels into
# eight groups.

# %%
if images.labels is not None:
    scores = measure(model, test, images).trained.scores
    print(f"on {scores['n_images']} held-out pictures the code is right about {100 * scores['code_accuracy']:.0f} %,",
          f"k-means about {100 * scores['kmeans_accuracy']:.0f} %")

# %% tags=["nbval-check-output"]
print("the code is right in over two of three:", images.labels is not None and scores["code_accuracy"] > 2 / 3)
print("so is k-means:", images.labels is not None and scores["kmeans_accuracy"] > 2 / 3)

# %% [markdown]
# Be careful with this result. One of 19 pictures is five per cent, so one or two pictures more than k-means do not
# make the code better. Our drawings are easy: each kind is in the middle, of one size, and unlike the others, so
# their pixels alone nearly tell them apart. What k-means cannot do is draw, and that comes now.
#
# ## Your own drawing
#
# Draw here with `#`, in 16 rows of 16 characters, and run the two cells. Each character becomes a square of pixels.

# %%
drawing = """
................
.......#........
.......##.......
.......###......
.......####.....
.......#####....
.......######...
.......#######..
.......#........
.......#........
..############..
..#..........#..
...#........#...
....########....
................
................
"""

# %% [markdown]
# The model gives your drawing a code and reals, and draws it again from these. Beside it stand held-out pictures with
# the same code, if there are any. **Predict:** what will it take your drawing for?

# %%
rows = [row.ljust(16, ".")[:16] for row in drawing.split()][:16]
ink = torch.tensor([[float(mark == "#") for mark in row] for row in rows])
mine = torch.nn.functional.interpolate(ink[None, None], size=images.image_shape[1:], mode="area")
mine = mine.expand(1, *images.image_shape)
with torch.no_grad():
    code, again = model.encode(mine).bits, model.reconstruct(mine)
like = test.floats()[(encode_set(model, test).bits == code).all(dim=1)][:4]
captions = ["yours", "drawn again", *["same code"] * len(like)]
ax = figures.show_pictures(torch.cat([mine, again, like]), columns=6, captions=captions)

# %% [markdown]
# The drawing is filled and the training pictures are lines, so it comes back as the nearest thing that the model can
# draw. A model of this kind has no answer "I do not know this": it always gives the best code it has. The price of
# the picture says more. Compare that of your drawing with that of the held-out pictures, then draw something that the
# model cannot know and look again.

# %% tags=["nbval-check-output"]
print("this drawing is dearer than a held-out picture:", price(model, mine) > price(model, test.floats()))

# %% [markdown]
# ## Explore it
#
# Press the bits and pull the sliders, as in notebook 07, now on your own pictures. Each starting point is a held-out
# picture, with the original beside it.
#
# **Predict:** which bit turns one kind into another? What will the strongest slider do?

# %%
widgets.LatentExplorer(model, test)

# %% [markdown]
# In our run the last bit turned a face into a house and the middle one turned it into a tree; in another run it may
# be other bits. The strongest slider most often changes the size, or how thick the lines are.
#
# ## A page to send
#
# One line writes a page with the decoder inside. It opens in any browser, on a phone as well, without Python and
# without a network. The page starts from the examples that a model carries, so we first give it the codes of our
# held-out pictures. It holds no picture of yours, but the decoder draws pictures much like them: think before you
# send faces.

# %%
held = encode_set(model, test)
model.examples = {"mu": held.mu, "bits": held.bits}
if images.labels is not None:
    model.examples["label"], model.card["scores"] = test.labels, scores
page = widgets.export_html(model, "my_pictures.html", title="My pictures")
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# In JupyterLab the file lies in the list on the left: right-click and *Download*. On Colab it is in the *Files*
# panel. To keep the model as well, give `train` a folder, `train(config, "my_run", images=more)`, and open it later
# with `load_model("my_run/model")`.
#
# ## If it does not work with your pictures
#
# | what you see | likely reason | try |
# | --- | --- | --- |
# | all pictures have one code | too few steps for a code to form | more epochs, more copies |
# | codes name place or size | $T$ does not cover it | a larger `shift` or `scale` in $T$ |
# | codes name brightness | photographs in different light | `contrast=0.4` in $T$ |
# | reconstructions are blurs | too few pictures, or too varied ones | one kind of thing, drawn alike |
# | new pictures far dearer | overfitting | more pictures, more copies |
# | an error about grey and colour | the folder has both | keep one kind |
#
# **Photographs are hard.** A model of this size learns what is in the same place in every picture. In photographs of
# a cat this is hardly anything: the cat is here or there, large or small, before a sofa or a lawn. With some hundreds
# of photographs it learns the light and the main colours, and the bits name these. Notebook 06 shows it with
# CIFAR-10. What works are drawings, letters, leaves on white paper, faces that are all cropped in the same way, or
# one object before one background.
#
# **Colour costs.** Three channels are three times the numbers to explain, so differences in colour outweigh those in
# form. If form is what you want, save the pictures in grey.
#
# ## What we saw
#
# A folder became a model in a few seconds. With few pictures the first question is not which model to take but how
# far training and held-out prices lie apart. If it is true that $T$ does not change what your pictures are, $T$ makes
# many out of few, and it says what the code may ignore. The rows of pictures per code show what the bits found.
# Whether that is what you had in mind, only labels can tell, and with nineteen held-out pictures only roughly.
#
# **New words.** *Held-out*: put aside and never trained on. *Overfitting*: cheap on what was trained on and dear on
# what is new. *Augmentation*: making more training pictures by changes that do not matter.
#
# **Next.** Notebook 11 runs other people's projects with this library. To go on with your own pictures: photograph
# thirty leaves on white paper, or draw one letter in fifty ways.
#
# **References.** Simard, Steinkraus and Platt, *Best Practices for Convolutional Neural Networks* (2003): read it for
# augmentation by small warps. Shorten and Khoshgoftaar, *A Survey on Image Data Augmentation* (2019): read it for
# what else may be changed. Ha and Eck, *A Neural Representation of Sketch Drawings* (2017): read it for drawings as
# strokes.
