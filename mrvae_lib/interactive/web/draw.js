// The visitor's own drawing or picture, fitted as the model's data is; the view jumps to what the encoder finds in it.
// Places are in the model's pixels. All is drawn white on black, and turned round for a model of dark on light.

const PEN = 2.6 / 28 * Math.max(width, height);  // about as wide as a stroke of MNIST's
const sharp = Math.ceil(560 / Math.max(width, height));  // pixels of the pad for one of the model's
const strokes = [];  // each a list of [x, y]
let picture = null;  // what was opened, pasted or dropped: { canvas, bounds }
let looking = false, nStrokes = 0;

// The corners of the model's own pictures tell the colour of its paper.
const corners = page.starts.slice(0, 8).flatMap(({ z, b }) => {
  const pixels = decode(z, b), n = pixels.length;
  return [pixels[0], pixels[(width - 1) * channels], pixels[n - width * channels], pixels[n - 1]];
});
const lightPaper = channels === 1 && corners.reduce((sum, v) => sum + v, 0) > corners.length / 2;

function reader(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true });
}

function drawOn(context, scale, dx, dy, pen) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.setTransform(scale, 0, 0, scale, dx, dy);
  context.imageSmoothingQuality = "high";
  if (picture) context.drawImage(picture.canvas, 0, 0, width, height);
  Object.assign(context, { lineWidth: pen, lineCap: "round", lineJoin: "round", strokeStyle: "#fff", fillStyle: "#fff" });
  for (const [first, ...rest] of strokes) {
    context.beginPath();
    context.moveTo(...first);
    for (const point of rest.length ? rest : [[first[0] + 0.01, first[1]]]) context.lineTo(...point);  // a dot
    context.stroke();
    if ($("fill").checked) context.fill();
  }
}

function bounds() {
  const points = [...strokes.flat(), ...picture ? picture.bounds : []];
  const [x, y] = [points.map(point => point[0]), points.map(point => point[1])];
  return [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
}

function centreOfMass(values) {
  let mass = 0, x = 0, y = 0;
  values.forEach((v, i) => { mass += v; x += v * (i % width); y += v * Math.floor(i / width); });
  return [x / mass, y / mass];
}

// What the model is given, pixels in [0, 1]. As MNIST's makers did it: fit the longest side, then bring the mass to the
// middle, which of their 28 pixels, from 0 on, is the 14th.
function fitted() {
  const context = reader(makeCanvas());
  const pixels = (scale, dx, dy) => {
    drawOn(context, scale, dx, dy, PEN / scale);
    const { data } = context.getImageData(0, 0, width, height);
    return Array.from({ length: width * height * channels }, (_, i) =>
      data[4 * Math.floor(i / channels) + i % channels] / 255);
  };
  if (!page.fit) return pixels(1, 0, 0);
  const [share, middle] = page.fit, side = share * Math.max(width, height) - (picture ? 0 : PEN);
  const [left, right, top, bottom] = bounds(), scale = side / Math.max(right - left, bottom - top, 1e-3);
  const [x0, y0] = [(left + right) / 2, (top + bottom) / 2];
  if (middle === "free") return scale < 1 ? pixels(scale, x0 - scale * x0, y0 - scale * y0) : pixels(1, 0, 0);
  const dx = width / 2 - scale * x0, dy = height / 2 - scale * y0;
  if (middle === "box") return pixels(scale, dx, dy);
  const [x, y] = centreOfMass(pixels(scale, dx, dy));
  return pixels(scale, dx + width / 2 - x, dy + height / 2 - y);
}

function look({ aloud = false } = {}) {
  looking = false;
  drawOn($("pad").getContext("2d"), sharp, 0, 0, PEN);
  const empty = !strokes.length && !picture;
  $("hint").hidden = !empty;
  $("fitted").hidden = empty;
  $("erase").disabled = $("unstroke").disabled = empty;
  $("seen-text").textContent = empty ? "A picture can also be dropped or pasted here."
    : `as the model gets it: ${width} × ${height} pixels`;
  if (empty) return;
  const pixels = fitted().map(v => lightPaper ? 1 - v : v), found = encode(pixels);
  paintPixels($("fitted"), pixels);
  const view = { z: found.mu.map(onSlider), b: found.bitLogits.map(logit => Number(logit > 0)), example: null };
  show(view, { aloud, gesture: "stroke " + nStrokes, seen: { ...found, view, pixels } });
}

function lookSoon() {
  if (!looking) requestAnimationFrame(() => { if (looking) look(); });
  looking = true;
}

function follow(pad) {
  let stroke = null;
  const add = events => {
    const inside = (value, side) => Math.min(Math.max(value, 0), side);  // what is off the pad is not seen on it
    stroke.push(...events.map(event => placeOn(pad, event, width, height)).map(([x, y]) => [inside(x, width), inside(y, height)]));
    lookSoon();
  };
  pad.addEventListener("pointerdown", event => {
    if (event.button || !event.isPrimary) return;
    pad.setPointerCapture(event.pointerId);
    nStrokes++;
    strokes.push(stroke = []);
    add([event]);
  });
  pad.addEventListener("pointermove", event => {
    if (stroke && event.isPrimary) add(event.getCoalescedEvents?.() ?? [event]);
  });
  for (const end of ["pointerup", "pointercancel"])
    pad.addEventListener(end, () => { if (stroke) look({ aloud: true }); stroke = null; });
}

// --- the part as this model needs it

function makeDrawingPart() {
  const labels = [...new Set(page.labels)], digits = labels.every(label => /^\d$/.test(label));
  Object.assign($("pad"), { width: width * sharp, height: height * sharp });
  Object.assign($("fitted"), { width, height });
  $("pad").style.filter = lightPaper ? "invert(1)" : "";
  $("draw-title").textContent = page.own === "picture" ? "Your picture" : "Your drawing";
  $("hint").textContent = page.own === "picture" ? "Drop or paste a picture here"
    : !labels.length ? "Draw here" : digits ? "Draw a digit here"
    : `Draw here, for example: ${labels.slice(0, 3).join(", ")}`;
  $("unstroke").hidden = $("fill-line").hidden = page.own === "picture";
  $("fill-line").hidden ||= digits;
  $("fill").checked = !digits;
  $("fill").addEventListener("change", () => look());
  $("erase").addEventListener("click", () => { strokes.length = 0; picture = null; look(); });
  $("unstroke").addEventListener("click", () => {
    nStrokes++;
    if (!strokes.pop()) picture = null;
    look({ aloud: true });
  });
  if (page.own === "drawing") follow($("pad"));
  takePictures();
  look();
}

$("draw").hidden = !page.own;
document.querySelector("main").classList.toggle("no-draw", !page.own);
if (page.own && !encode) {
  $("draw-body").hidden = true;
  $("no-draw").hidden = false;
  $("no-draw").textContent = "Nothing can be drawn here: " + page.encoder.problem + ".";
} else if (page.own) makeDrawingPart();
