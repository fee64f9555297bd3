// The map: test images at two of their reals. It is for the mouse, touch and pen; the sliders do the same by keyboard.

const map = $("map"), MARGIN = 26;
const axes = { across: page.sliders[0]?.index, up: page.sliders[1]?.index };

const along = (value, side) => MARGIN + (value - low) / (high - low) * (side - 2 * MARGIN);
const back = (place, side) => onSlider(low + (place - MARGIN) / (side - 2 * MARGIN) * (high - low));
const placeOf = z => [along(z[axes.across], map.clientWidth), map.clientHeight - along(z[axes.up], map.clientHeight)];
const markOf = i => (page.labels[i] ?? "").length === 1 ? page.labels[i] : "●";

function star(context, x, y, size) {
  context.beginPath();
  for (let i = 0; i < 10; i++) {
    const turn = Math.PI * (i / 5 - 0.5), r = i % 2 ? size * 0.45 : size;
    context.lineTo(x + r * Math.cos(turn), y + r * Math.sin(turn));
  }
  context.closePath();
  context.fill();
  context.stroke();
}

function drawMap() {
  map.ariaLabel = `map of ${page.starts.length} test images at z${axes.across} and z${axes.up}; `
    + "the sliders of these reals do the same";
  const [w, h] = [map.clientWidth, map.clientHeight], dots = devicePixelRatio, context = map.getContext("2d");
  const colour = name => getComputedStyle(map).getPropertyValue(name);
  Object.assign(map, { width: w * dots, height: h * dots });
  context.scale(dots, dots);
  Object.assign(context, { strokeStyle: colour("--line"), fillStyle: colour("--soft"), font: "12px system-ui, sans-serif",
    textAlign: "center", textBaseline: "middle" });
  for (const value of [-2, -1, 0, 1, 2]) {
    const [x, y] = [along(value, w), h - along(value, h)];
    context.strokeRect(x, MARGIN / 2, 0, h - MARGIN);
    context.strokeRect(MARGIN / 2, y, w - MARGIN, 0);
    const text = value ? String(value).replace("-", "−") : "";
    context.fillText(text, x, h - MARGIN / 2);
    context.fillText(text, MARGIN / 2, y);
  }
  context.fillText("z" + axes.across, w - MARGIN / 2, h - MARGIN / 2);
  context.fillText("z" + axes.up, MARGIN / 2, MARGIN / 2);
  context.font = "600 13px system-ui, sans-serif";
  page.starts.forEach((start, i) => {
    context.fillStyle = start.b.length ? `hsl(${hueOf(start.b)} 70% ${colour("--mark")})` : colour("--ink");
    context.fillText(markOf(i), ...placeOf(start.z));
  });
  Object.assign(context, { strokeStyle: colour("--ink"), fillStyle: colour("--how"), lineWidth: 2 });
  if (reading) star(context, ...placeOf(reading.view.z), 10);
  context.beginPath();
  context.arc(...placeOf(state.z), 11, 0, 2 * Math.PI);
  context.stroke();
}

function nearest([x, y]) {
  const distances = page.starts.map(({ z }) => placeOf(z)).map(([u, v]) => Math.hypot(u - x, v - y));
  const best = Math.min(...distances);
  return best < 11 ? distances.indexOf(best) : null;
}

function tell(i) {
  $("tip").hidden = i === null;
  if (i === null) return;
  const [x, y] = placeOf(page.starts[i].z), { z, b } = page.starts[i], label = page.labels[i];
  paint($("tip-picture"), { z, b });
  $("tip-text").textContent = `test image ${i}${label ? ", a " + label : ""}${b.length ? ", code " + b.join("") : ""}`;
  Object.assign($("tip").style, { left: Math.min(x + 14, map.clientWidth - 130) + "px", top: y + 14 + "px" });
}

function moveTo([x, y]) {
  const z = state.z.with(axes.across, back(x, map.clientWidth)).with(axes.up, back(map.clientHeight - y, map.clientHeight));
  show({ ...state, z }, { gesture: "map" });
}

function makeMap() {
  for (const [axis, other] of [["across", "up"], ["up", "across"]]) {
    for (const { index, label } of page.sliders)
      $("map-" + axis).append(element("option", { value: index, textContent: label, selected: index === axes[axis] }));
    $("map-" + axis).addEventListener("change", event => {
      if (+event.target.value === axes[other]) $("map-" + other).value = axes[other] = axes[axis];  // they change places
      axes[axis] = +event.target.value;
      render(false);
    });
  }
  $("lattice").classList.add("mapped");
  Object.assign($("tip-picture"), { width, height });
  $("map-colour").textContent = state.b.length ? ", in the colour of its code" : "";
  const placeOfPointer = event => placeOn(map, event, map.clientWidth, map.clientHeight);
  let dragging = false;
  map.addEventListener("pointerdown", event => {
    const i = nearest(placeOfPointer(event));
    tell(null);
    if (i !== null) return show(page.starts[i], { aloud: true, seen: null });
    dragging = true;
    map.setPointerCapture(event.pointerId);
    moveTo(placeOfPointer(event));
  });
  map.addEventListener("pointermove", event => {
    if (dragging) moveTo(placeOfPointer(event));
    else if (event.pointerType !== "touch") tell(nearest(placeOfPointer(event)));
  });
  map.addEventListener("pointerleave", () => tell(null));
  for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, () => { dragging = false; endGesture(); });
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  cells.push({ draw: drawMap });
}

$("map-block").hidden = page.sliders.length < 2 || page.starts.length < 2;
if (!$("map-block").hidden) makeMap();
