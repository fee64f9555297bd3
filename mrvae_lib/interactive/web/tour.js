// The guided tour: a few steps beside the part each is about. It starts when asked, and ends at any moment.

// What a real does to the picture between its two ends: how far it moves, and how much it leans.
function effectOf(index) {
  const [from, to] = [low, high].map(value => {
    const pixels = decode(state.z.with(index, value), state.b).map(v => lightPaper ? 1 - v : v);
    const [scale, lean, x, , , y] = ownFrame({ values: pixels, shape: [height, width, channels] },
      { frame: "upright", spread: 1, thinnest: 1e-2 });
    return { lean: lean / scale, x, y };
  });
  return { index, lean: Math.abs(to.lean - from.lean), move: Math.hypot(to.x - from.x, to.y - from.y) };
}

const strongest = what => page.sliders.map(({ index }) => effectOf(index)).reduce((a, b) => b[what] > a[what] ? b : a);
const setReal = (index, value) => { real = index; show({ ...state, z: state.z.with(index, value) }); };

function drawAnExample() {
  const points = $("fill").checked ? [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7], [0.3, 0.3]]
    : [[0.28, 0.24], [0.72, 0.24], [0.66, 0.4], [0.5, 0.62], [0.44, 0.82]];
  strokes.splice(0, strokes.length, points.map(([x, y]) => [x * width, y * height]));
  nStrokes++;
  look({ aloud: true });
}

function breakIt() {
  const used = new Set(page.starts.map(start => start.b.join("")));
  const codes = Array.from({ length: page.lattice ? 2 ** state.b.length : 0 }, (_, i) => i.toString(2).padStart(state.b.length, "0"));
  const unused = codes.find(code => !used.has(code));
  show({ ...state, b: unused ? [...unused].map(Number) : state.b,
    z: page.sliders.slice(0, 2).reduce((z, { index }) => z.with(index, high), state.z) });
}

function pushFurthest(index) {
  setReal(index, state.z[index] > 0 ? low : high);
}

function leanOrMove() {
  const moving = strongest("move");
  pushFurthest(moving.move > 0.4 ? moving.index : strongest("lean").index);
}

// `act` is what "Show me" does.
const ALL_STEPS = [
  {
    at: "bits-block", title: "Press a bit", act: () => $("bits").firstElementChild.click(),
    text: "A bit is 0 or 1. Press one, and the picture becomes something else, in the same handwriting: bits say what it is.",
  }, {
    at: "reals-block", title: "Drag a real", act: () => pushFurthest(page.sliders[0].index),
    text: "A real is a number. Drag a slider slowly: it stays the same thing and changes its looks. Reals say how it looks.",
  }, {
    at: "draw", title: "Show it something of yours", act: drawAnExample, fits: () => encode && page.own === "drawing",
    text: "Draw here, or drop a picture. The bits and the sliders jump to what the model finds in it, and each bit says how "
      + "sure the model is.",
  }, {
    at: "reals-block", title: "Find the slider that leans or moves it", act: leanOrMove,
    text: "Nobody told the model that things lean, or lie somewhere. Try the sliders one by one: one of them does it more "
      + "than the others.",
  }, {
    at: "reals-block", title: "Break it", act: breakIt,
    text: "Push two sliders to their ends, or press a code that looks like nothing. The picture falls apart where the model "
      + "has seen no images.",
  }, {
    at: "how", title: "Where to go next",
    text: "Press a part of this drawing for its formula and its Python. Each part links to the lesson that explains it. Drag "
      + "on the map to see where the test images lie.",
  },
];
let steps = [], stepAt = -1;  // those that fit this model, and the one that is shown

// The step is shown at the bottom of the window; its part is brought above it, unless it is in full sight there.
function bringIntoSight(part) {
  const { top, bottom } = part.getBoundingClientRect();
  if (top < $("view").offsetHeight * (innerWidth <= 600) || bottom > $("tour-step").getBoundingClientRect().top)
    part.scrollIntoView({ block: "start" });
}

function goToStep(place) {
  document.querySelector(".toured")?.classList.remove("toured");
  stepAt = place;
  const step = steps[place];
  $("tour-step").hidden = !step;
  if (!step) return $("tour").focus();
  $("tour-title").textContent = `${place + 1} of ${steps.length}: ${step.title}`;
  $("tour-text").textContent = step.text;
  $("tour-do").hidden = !step.act;
  $("tour-back").disabled = place === 0;
  $("tour-next").textContent = place < steps.length - 1 ? "Next" : "Done";
  $(step.at).classList.add("toured");
  bringIntoSight($(step.at));
  $("tour-next").focus({ preventScroll: true });
}

$("tour").addEventListener("click", () => {
  steps = ALL_STEPS.filter(step => !$(step.at).hidden && (step.fits?.() ?? true));
  goToStep(0);
});
$("tour-do").addEventListener("click", () => steps[stepAt].act());
$("tour-back").addEventListener("click", () => goToStep(stepAt - 1));
$("tour-next").addEventListener("click", () => goToStep(stepAt + 1));
$("tour-end").addEventListener("click", () => goToStep(-1));
$("tour-step").addEventListener("keydown", ({ key }) => {
  if (key === "ArrowRight" && stepAt < steps.length - 1) goToStep(stepAt + 1);
  if (key === "ArrowLeft" && stepAt > 0) goToStep(stepAt - 1);
});
addEventListener("keydown", ({ key }) => { if (key === "Escape" && stepAt >= 0) goToStep(-1); });
