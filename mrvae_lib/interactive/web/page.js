// The page: controls set the state, the state is drawn. The state is the library's ExplorerState.
const page = JSON.parse(document.getElementById("page").textContent);
const decode = makeDecoder(page), encode = page.encoder.problem ? null : makeEncoder(page);
const [channels, height, width] = page.imageShape, [low, high, step] = page.range;
const $ = id => document.getElementById(id);
const same = (a, b) => a.z.join() === b.z.join() && a.b.join() === b.b.join();
const signed = value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(1);
let state = page.state, real = page.sliders[0]?.index;  // the view, and the real whose sweep is shown

// --- pictures: the large one first; then, as far as a frame has time, the small ones that are out of date

const cells = [];  // { canvas, view: () => its state, fresh }
let stale = true, waiting = false, nextCell = 0;

function makeCanvas(attributes = {}) {
  return Object.assign(document.createElement("canvas"), { width, height, ...attributes });
}

function paint(canvas, view) {
  const pixels = decode(view.z, view.b), n = width * height, image = new ImageData(width, height);
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
    if (!cell.fresh) paint(cell.canvas, cell.view());
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

function show(view, { aloud = false } = {}) {
  state = view;
  const code = state.b.join(""), start = page.starts[state.example], label = page.labels[state.example];
  const origin = start ? `${same(state, start) ? "" : "changed from "}test image ${state.example}${label ? ", a " + label : ""}`
    : "drawn from the prior";
  $("picture").setAttribute("aria-label", "decoded picture" + (code && ", code " + code));
  $("code").textContent = code && "code " + code;
  $("origin").textContent = origin;
  if (aloud) $("aloud").textContent = (code && "code " + code + ", ") + origin;
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
  return { z: view.z, b: view.b, example };
}

function openView(read) {
  try {
    show(parsed(read()), { aloud: true });
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

state.b.forEach((_, k) => {
  const button = element("button", { type: "button", className: "bit" });
  button.addEventListener("click", () => show({ ...state, b: state.b.with(k, 1 - state.b[k]) }));
  $("bits").append(button);
  updates.push(() => {
    button.replaceChildren(`b${k} = ${state.b[k]}`, element("small", { textContent: page.bits[k] }));
    button.setAttribute("aria-pressed", String(state.b[k] === 1));
  });
});

for (const { index, label } of page.sliders) {
  const input = element("input", { type: "range", min: low, max: high, step }), value = element("output", {});
  const row = element("label", {}, element("span", { textContent: label }), input, value);
  const select = () => { real = index; show(state); };
  input.addEventListener("input", () => { real = index; show({ ...state, z: state.z.with(index, +input.value) }); });
  input.addEventListener("focus", select);
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
  button.addEventListener("click", () => show(start, { aloud: true }));
  $("starts").append(button);
  cells.push({ canvas, view: () => start, fixed: true });
  updates.push(() => button.classList.toggle("current", state.example === i));
});

for (const [term, text] of page.card)
  $("card").append(element("dt", { textContent: term }), element("dd", { textContent: text }));

function normal() {
  const draw = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return +(Math.round(Math.min(Math.max(draw, low), high) / step) * step).toFixed(4);
}

$("reset").addEventListener("click", () => show(page.starts[state.example ?? 0], { aloud: true }));
$("random").addEventListener("click", () => show(
  { z: state.z.map(normal), b: state.b.map(() => Number(Math.random() < 0.5)), example: null }, { aloud: true }));
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

let opened = location.hash;
const openAddress = () => openView(() => decodeURIComponent(location.hash.slice(1)));
addEventListener("hashchange", () => { if (location.hash !== opened) openAddress(); });

Object.assign($("picture"), { width, height });
$("bits-block").hidden = $("bits-say").hidden = !state.b.length;
$("reals-block").hidden = $("reals-say").hidden = $("strip-block").hidden = !page.sliders.length;
$("codes-block").hidden = !page.lattice;
$("starts-block").hidden = page.starts.length < 2;
document.querySelector("main").classList.toggle("no-side", !page.lattice || state.b.length > 4);
$("address").hidden = self !== top;
show(state);
if (self === top && location.hash.length > 1) openAddress();
