// How it works: each part of the drawing shows its live numbers, and opens its formula and its lines of Python.

const nPixels = width * height * channels, nLatents = state.z.length + state.b.length;
const sum = list => list.reduce((total, value) => total + value, 0);
const list = (values, text) => values.map(text).join(", ");

function pressPart(pressed) {
  for (const button of document.querySelectorAll("#stages button")) {
    const open = button === pressed && button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    $(`how-${button.dataset.part}-part`).hidden = !open;
  }
}

// What the reading costs: the KL of each part from its prior, and of the pixels where each is a coin.
function costs({ mu, logvar, bitLogits, pixels, view }) {
  const bits = sum(bitLogits.map(sigmoid).flatMap(p => [p, 1 - p]).map(p => p > 0 ? p * Math.log(2 * p) : 0));
  const reals = sum(mu.map((m, i) => (m * m + Math.exp(logvar[i]) - 1 - logvar[i]) / 2)), drawn = decode(view.z, view.b);
  const nats = sum(pixels.map((x, i) => -x * Math.log(drawn[i] + 1e-9) - (1 - x) * Math.log(1 - drawn[i] + 1e-9)));
  return `Your drawing costs ${bits.toFixed(1)} nats for the bits and ${reals.toFixed(1)} for the reals`
    + (page.likelihood === "bernoulli" ? `, and its pixels ${nats.toFixed(0)} nats more.` : ".");
}

function tellNumbers() {
  $("how-bits").replaceChildren(...state.b.map(bit => element("i", { textContent: bit, className: bit ? "on" : "" })));
  $("how-reals").textContent = list(state.z, value => signed(value));
  $("how-image-say").textContent = reading ? `${nPixels} numbers` : encode && page.own ? "draw one above" : "";
  const { bitLogits = [], mu = [], logvar = [] } = reading ?? {};
  $("how-bits-live").textContent = bitLogits.length ? "In your drawing: " + list(bitLogits,
    (logit, k) => `ℓ${k} = ${signed(logit)} makes ${sigmoid(logit).toFixed(3)}`) + "." : "";
  $("how-reals-live").textContent = mu.length ? "In your drawing: " + list(page.sliders.slice(0, 3),
    ({ index }) => `μ${index} = ${signed(mu[index], 2)} with σ = ${Math.exp(logvar[index] / 2).toFixed(2)}`) + "." : "";
  $("how-picture-live").textContent = reading ? costs(reading) : "";
}

function copyPictures() {
  const context = $("how-image").getContext("2d");
  context.clearRect(0, 0, width, height);
  if (reading) paintPixels($("how-image"), reading.pixels);
  $("how-picture").getContext("2d").drawImage($("picture"), 0, 0);
}

for (const id of ["how-image", "how-picture"]) Object.assign($(id), { width, height });
for (const button of document.querySelectorAll("#stages button")) {
  button.setAttribute("aria-controls", `how-${button.dataset.part}-part`);
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => pressPart(button));
  button.hidden = { bits: !state.b.length, reals: !state.z.length }[button.dataset.part] ?? false;
}
document.querySelector(".n-pixels").textContent = nPixels;
$("how-encoder-say").textContent = `${nPixels} → ${2 * state.z.length + state.b.length} numbers`;
$("how-decoder-say").textContent = `${nLatents} → ${nPixels} numbers`;
$("how-picture-say").textContent = `${nPixels} numbers`;
$("how-frame").textContent = page.encoder.networks?.flat().some(layer => layer.op === "frame")
  ? "This one first moves the image into a frame of its own, so that the bits do not see its place and size." : "";
$("to-how").addEventListener("click", () => { $("how").scrollIntoView(); $("how-title").focus({ preventScroll: true }); });
cells.push({ draw() { tellNumbers(); copyPictures(); } });
