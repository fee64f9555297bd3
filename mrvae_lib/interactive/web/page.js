// The page: controls set the state, the state is drawn. The state is the library's ExplorerState.
// This file holds what every page has; draw.js, picture.js, map.js, how.js, film.js and tour.js add a part each.
const page = JSON.parse(document.getElementById("page").textContent);
const decode = makeDecoder(page), encode = page.encoder.problem ? null : makeEncoder(page);
const [channels, height, width] = page.imageShape, [low, high, step] = page.range;
const $ = id => document.getElementById(id);
const same = (a, b) => a.z.join() === b.z.join() && a.b.join() === b.b.join();
const hueOf = b => 360 * parseInt(b.join(""), 2) / 2 ** b.length;  // of a code, on the map and beside its picture
const signed = (value, digits = 1) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
const sigmoid = value => 1 / (1 + Math.exp(-value));
const onSlider = value => Math.round(Math.min(Math.max(value, low), high) / step) / Math.round(1 / step) + 0;
let state = page.state, real = page.sliders[0]?.index;  // the view, and the real whose sweep is shown
let reading = null;  // what the encoder found in the visitor's own drawing, if the view started there: see draw.js

// --- pictures: the large one first; then, as far as a frame has time, the small ones that are out of date

Object.assign($("picture"), { width, height });
const cells = [];  // { canvas, view: () => its state } or { draw }, and fresh
let stale = true, waiting = false, nextCell = 0;

function makeCanvas(attributes = {}) {
  return Object.assign(document.createElement("canvas"), { width, height, ...attributes });
}

// Where a pointer is on a canvas that is `wide` by `high`; the page may be zoomed.
function placeOn(canvas, { clientX, clientY }, wide, high) {
  const box = canvas.getBoundingClientRect();
  return [(clientX - box.left) / box.width * wide, (clientY - box.top) / box.height * high];
}

const paint = (canvas, view) => paintPixels(canvas, decode(view.z, view.b));

function paintPixels(canvas, pixels) {
  const n = width * height, image = new ImageData(width, height);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(255 * pixels[channels === 3 ? 3 * i + c : i]);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function frame() {
  const deadline = performance.now() + (stale ? 3 : 9);  // while the view moves, most of the frame is for painting it
  if (stale) paint($("picture"), state);
  stale = false;
  for (let tried = 0; tried < cells.length && performance.now() < deadline; tried++) {
    const cell = cells[nextCell];
    if (!cell.fresh) cell.draw ? cell.draw() : paint(cell.canvas, cell.view());
    cell.fresh = true;
    nextCell = (nextCell + 1) % cells.length;
  }
  waiting = cells.some(cell => !cell.fresh);
  if (waiting) requestAnimationFrame(frame);
}

function redraw() {
  stale = true;
  for (const cell of cells) cell.fresh = Boolean(cell.fixed && cell.fresh);
  if (!waiting) requestAnimationFrame(frame);
  waiting = true;
}

// --- the state

// A `gesture` names a drag, whose views count as one step to undo; `seen` is the reading that the view started from.
function show(view, { aloud = false, gesture = null, seen = reading } = {}) {
  const last = past[at];
  if (last && last.view.example === view.example && last.seen === seen && same(last.view, view)) return render(aloud);
  if (gesture && last?.gesture === gesture) at -= 1;
  past.splice(++at, past.length, { view, seen, gesture });
  goTo(at, { aloud });
}

const past = [];  // { view, seen, gesture } in the order they were shown; the present one is at `at`
let at = -1;

function goTo(place, { aloud = true } = {}) {
  at = place;
  ({ view: state, seen: reading } = past[at]);
  render(aloud);
}

const endGesture = () => { if (past[at]) past[at].gesture = null; };
const undo = () => { if (at > 0) goTo(at - 1); };
const redo = () => { if (at < past.length - 1) goTo(at + 1); };

function originText() {
  const start = reading?.view ?? page.starts[state.example], label = page.labels[state.example];
  if (!start) return "drawn from the prior";
  return (same(state, start) ? "" : "changed from ")
    + (reading ? "your drawing" : `test image ${state.example}${label ? ", a\u00a0" + label : ""}`);
}

function render(aloud) {
  const code = state.b.join("");
  $("picture").setAttribute("aria-label", "decoded picture" + (code && ", code " + code));
  $("code").textContent = code && "code " + code;
  $("origin").textContent = originText();
  if (aloud) $("aloud").textContent = (code && "code " + code + ", ") + originText();
  $("undo").disabled = at <= 0;
  $("redo").disabled = at >= past.length - 1;
  for (const update of updates) update();
  redraw();
  clearTimeout(keeping);
  keeping = setTimeout(keep, 300);
}

// The view as text, and in the address: a browser allows few changes of an address per second, so after a pause.
let keeping;
function keep() {
  if (document.activeElement !== $("text")) $("text").value = JSON.stringify(state);  // else somebody is writing there
  if (self !== top) return;
  opened = "#" + encodeURIComponent(JSON.stringify(state));
  history.replaceState(null, "", opened);
}

function parsed(text) {
  const expected = `expected {"z": [${page.state.z.length} numbers], "b": [${page.state.b.length} times 0 or 1], "example": `
    + `0 to ${page.starts.length - 1} or null}`;
  let view;
  try { view = JSON.parse(text); } catch { throw new Error(expected); }
  const list = (values, like, fits) => Array.isArray(values) && values.length === like.length && values.every(fits);
  const example = view?.example ?? null;
  if (!list(view?.z, page.state.z, Number.isFinite) || !list(view?.b, page.state.b, bit => bit === 0 || bit === 1)
      || !(example === null || (Number.isInteger(example) && page.starts[example]))) throw new Error(expected);
  return { z: view.z.map(value => Math.min(Math.max(value, low), high)), b: view.b, example };
}

function openView(read) {
  try {
    show(parsed(read()), { aloud: true, seen: null });
    $("problem").textContent = "";
  } catch (error) {
    $("problem").textContent = "Not a view of this model: " + error.message;
    $("share").open = true;
  }
}

// --- controls; `updates` make each show the state

const updates = [];

function element(tag, attributes, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

// How sure the encoder is of a bit of the visitor's drawing, whatever the bit is now.
function sureness(k) {
  if (!reading) return [];
  const chance = sigmoid(reading.bitLogits[k]), found = Number(chance > 0.5);
  const title = `The encoder gives a 1 the probability sigmoid(${reading.bitLogits[k].toFixed(1)}) = ${chance.toFixed(3)}`;
  return [element("small", { className: "sure", title,
    textContent: `${Math.floor(100 * Math.max(chance, 1 - chance))} % sure of ${found}` })];
}

for (const { index: k, name, facts } of page.bits) {
  const button = element("button", { type: "button", className: "bit" });
  button.addEventListener("click", () => show({ ...state, b: state.b.with(k, 1 - state.b[k]) }));
  $("bits").append(button);
  updates.push(() => {
    const says = name === `b${k}` ? `${name} = ${state.b[k]}` : name;  // its value, or after what it means
    button.replaceChildren(says, element("small", { textContent: facts }), ...sureness(k));
    button.setAttribute("aria-pressed", String(state.b[k] === 1));
  });
}

for (const { index, label, title } of page.sliders) {
  const input = element("input", { type: "range", min: low, max: high, step }), value = element("output", {});
  const row = element("label", { title }, element("span", { textContent: label }), input, value);
  input.addEventListener("input", () => {
    real = index;
    show({ ...state, z: state.z.with(index, +input.value) }, { gesture: "z" + index });
  });
  input.addEventListener("change", endGesture);
  input.addEventListener("focus", () => { real = index; render(false); });
  $("reals").append(row);
  updates.push(() => {
    input.value = state.z[index];
    value.textContent = signed(state.z[index]);
    row.classList.toggle("current", index === real);
  });
}

if (page.lattice) {
  const n = 2 ** state.b.length;
  $("lattice").style.setProperty("--columns", 2 ** Math.ceil(state.b.length / 2));
  $("lattice").style.setProperty("--across", Math.min(n, n > 16 ? 16 : 8));
  $("n-codes").textContent = n;
  for (let i = 0; i < n; i++) {
    const name = i.toString(2).padStart(state.b.length, "0"), b = [...name].map(Number), canvas = makeCanvas();
    const input = element("input", { type: "radio", name: "code", ariaLabel: "code " + name });
    const text = element("span", { textContent: name, ariaHidden: "true" });
    text.style.setProperty("--hue", hueOf(b));
    $("lattice").append(element("label", { className: "cell" }, input, canvas, text));
    input.addEventListener("change", () => show({ ...state, b }));
    cells.push({ canvas, view: () => ({ ...state, b }) });
    updates.push(() => { input.checked = state.b.join("") === name; });
  }
}

if (page.sliders.length) {
  const n = 11, values = Array.from({ length: n }, (_, i) => +(low + (high - low) * i / (n - 1)).toFixed(2));
  for (const value of values) {
    const canvas = makeCanvas();
    canvas.addEventListener("click", () => show({ ...state, z: state.z.with(real, value) }));
    $("strip").append(canvas);
    cells.push({ canvas, view: () => ({ ...state, z: state.z.with(real, value) }) });
    updates.push(() => canvas.classList.toggle("current", Math.abs(state.z[real] - value) <= (high - low) / (n - 1) / 2));
  }
  updates.push(() => {
    const text = `z${real} from ${signed(low)} to ${signed(high)}`;
    $("strip-title").textContent = text;
    $("strip").setAttribute("aria-label", text + ", all else as it is");
  });
}

page.starts.slice(0, page.shown).forEach((start, i) => {
  const canvas = makeCanvas({ ariaHidden: "true" }), label = page.labels[i];
  const button = element("button", { type: "button", className: "cell", title: "test image " + i }, canvas,
    element("span", { textContent: label || i }));
  button.addEventListener("click", () => show(start, { aloud: true, seen: null }));
  $("starts").append(button);
  cells.push({ canvas, view: () => start, fixed: true });
  updates.push(() => button.classList.toggle("current", state.example === i));
});

for (const [term, text] of page.card)
  $("card").append(element("dt", { textContent: term }), element("dd", { textContent: text }));

function normal() {
  return onSlider(Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()));
}

$("reset").addEventListener("click", () => show(reading?.view ?? page.starts[state.example ?? 0], { aloud: true }));
$("random").addEventListener("click", () => show({ z: state.z.map(normal),
  b: state.b.map(() => Number(Math.random() < 0.5)), example: null }, { aloud: true, seen: null }));
$("undo").addEventListener("click", undo);
$("redo").addEventListener("click", redo);
addEventListener("keydown", event => {
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || event.altKey || !"zy".includes(key) || event.target.matches("textarea")) return;
  event.preventDefault();
  (key === "y" || event.shiftKey ? redo : undo)();
});
$("save").addEventListener("click", () => {
  const scale = Math.ceil(560 / width), large = makeCanvas({ width: width * scale, height: height * scale });
  const context = large.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage($("picture"), 0, 0, large.width, large.height);
  element("a", { href: large.toDataURL(), download: `mrvae${state.b.length ? "-" + state.b.join("") : ""}.png` }).click();
});
$("copy").addEventListener("click", async () => {
  keep();
  try { await navigator.clipboard.writeText($("text").value); } catch { $("text").select(); document.execCommand("copy"); }
  $("problem").textContent = "Copied.";
});
$("open").addEventListener("click", () => openView(() => $("text").value));

$("full").hidden = !document.fullscreenEnabled;
$("full").addEventListener("click", () =>
  document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());

let opened = location.hash;
const openAddress = () => openView(() => decodeURIComponent(location.hash.slice(1)));
addEventListener("hashchange", () => { if (location.hash !== opened) openAddress(); });

// After every part has been made: what this model has no use for is hidden, and the first view shown.
function start() {
  $("bits-block").hidden = $("bits-say").hidden = !state.b.length;
  $("reals-block").hidden = $("reals-say").hidden = $("strip-block").hidden = !page.sliders.length;
  $("nats-say").hidden = ![...page.bits.map(bit => bit.facts), ...page.sliders.map(slider => slider.label)].join().includes("nats");
  $("swaps-say").hidden = !page.bits.some(bit => bit.facts.includes("↔"));
  $("codes-block").hidden = !page.lattice;
  $("starts-block").hidden = page.starts.length < 2;
  document.querySelector("main").classList.toggle("no-side", !page.lattice || state.b.length > 4);
  $("address").hidden = self !== top;
  show(state);
  if (self === top && location.hash.length > 1) openAddress();
}
