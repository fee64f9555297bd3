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
    for (const point of rest.length ? rest : [first]) context.lineTo(...point);
    context.stroke();
    if ($("fill").checked) context.fill();
  }
}

function bounds() {
  const points = [...strokes.flat(), ...picture ? picture.bounds : []], x = points.map(p => p[0]), y = points.map(p => p[1]);
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
  $("seen-text").textContent = empty ? "A picture can also be dropped or pasted here." : `as the model gets it: ${width} × ${height} pixels`;
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
    stroke.push(...events.map(event => placeOn(pad, event, width, height)));
    lookSoon();
  };
  pad.addEventListener("pointerdown", event => {
    if (event.button || !event.isPrimary) return;
    pad.setPointerCapture(event.pointerId);
    nStrokes++;
    strokes.push(stroke = []);
    add([event]);
  });
  pad.addEventListener("pointermove", event => { if (stroke && event.isPrimary) add(event.getCoalescedEvents?.() ?? [event]); });
  for (const end of ["pointerup", "pointercancel"])
    pad.addEventListener(end, () => { if (stroke) look({ aloud: true }); stroke = null; });
}

// --- pictures

// Ink on paper, whatever their colours: the border is paper, and what differs most from it is ink.
function asInk(bitmap, canvas) {
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height), context = reader(canvas);
  const [w, h] = [bitmap.width, bitmap.height].map(side => Math.max(1, Math.round(side * scale)));
  context.fillStyle = "#fff";  // what is transparent is paper
  context.fillRect(0, 0, w, h);
  context.drawImage(bitmap, 0, 0, w, h);
  const image = context.getImageData(0, 0, w, h), { data } = image;
  const grey = Float32Array.from({ length: w * h }, (_, i) => 0.3 * data[4 * i] + 0.59 * data[4 * i + 1] + 0.11 * data[4 * i + 2]);
  const border = grey.filter((_, i) => i < w || i >= w * (h - 1) || i % w === 0 || i % w === w - 1).sort();
  const paper = border[border.length >> 1], ink = grey.map(v => paper > 128 ? paper - v : v - paper);
  const strongest = ink.reduce((a, b) => Math.max(a, b));
  if (strongest < 16) throw new Error("there is nothing to see on this picture");
  const at = [(canvas.width - w) / 2, (canvas.height - h) / 2].map(Math.round), x = [], y = [];
  ink.forEach((v, i) => {
    const share = Math.min(Math.max((v / strongest - 0.15) / 0.7, 0), 1);  // the grain of paper goes, ink is full
    data.fill(255 * share, 4 * i, 4 * i + 3);
    if (share > 0.3) { x.push(i % w); y.push(Math.floor(i / w)); }
  });
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.putImageData(image, ...at);
  const corner = pick => [x, y].map((list, axis) => (list.reduce(pick) + at[axis] + (pick === larger ? 1 : 0)) / sharp);
  return [corner(smaller), corner(larger)];
}
const smaller = (a, b) => Math.min(a, b), larger = (a, b) => Math.max(a, b);

// A photograph fills the image, and what is too long is cut.
function asPhotograph(bitmap, canvas) {
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d").drawImage(bitmap, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
  return [[0, 0], [width, height]];
}

async function openPicture(file) {
  try {
    const bitmap = await createImageBitmap(file), canvas = makeCanvas({ width: width * sharp, height: height * sharp });
    picture = { canvas, bounds: (page.own === "picture" ? asPhotograph : asInk)(bitmap, canvas) };
    strokes.length = 0;
    nStrokes++;
    look({ aloud: true });
  } catch (error) {
    $("seen-text").textContent = error instanceof DOMException ? "The browser cannot read this file as a picture."
      : "Not used: " + error.message + ".";
  }
}

function takePictures() {
  $("file").addEventListener("change", () => { openPicture($("file").files[0]); $("file").value = ""; });
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => {
    event.preventDefault();
    if (event.dataTransfer.files.length) openPicture(event.dataTransfer.files[0]);
  });
  addEventListener("paste", event => {
    const file = [...event.clipboardData.files].find(one => one.type.startsWith("image/"));
    if (file) openPicture(file);
  });
}

// --- the part as this model needs it

function makeDrawingPart() {
  const labels = [...new Set(page.labels)], digits = labels.every(label => /^\d$/.test(label));
  Object.assign($("pad"), { width: width * sharp, height: height * sharp });
  Object.assign($("fitted"), { width, height });
  $("pad").style.filter = lightPaper ? "invert(1)" : "";
  $("draw-title").textContent = page.own === "picture" ? "Your picture" : "Your drawing";
  $("hint").textContent = page.own === "picture" ? "Drop or paste a picture here"
    : !labels.length ? "Draw here" : digits ? "Draw a digit here" : `Draw here, for example: ${labels.slice(0, 3).join(", ")}`;
  $("unstroke").hidden = $("fill-line").hidden = page.own === "picture";
  $("fill-line").hidden ||= digits;
  $("fill").checked = !digits;
  $("fill").addEventListener("change", () => look());
  $("erase").addEventListener("click", () => { strokes.length = 0; picture = null; look(); });
  $("unstroke").addEventListener("click", () => { nStrokes++; if (!strokes.pop()) picture = null; look({ aloud: true }); });
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
