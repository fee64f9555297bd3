// A picture that the visitor opens, pastes or drops: made ink on paper, or kept as a photograph, for draw.js to fit.

const smaller = (a, b) => Math.min(a, b), larger = (a, b) => Math.max(a, b);

// Ink on paper, whatever their colours: the border is paper, and what differs most from it is ink.
function asInk(bitmap, canvas) {
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height), context = reader(canvas);
  const [w, h] = [bitmap.width, bitmap.height].map(side => Math.max(1, Math.round(side * scale)));
  context.fillStyle = "#fff";  // what is transparent is paper
  context.fillRect(0, 0, w, h);
  context.drawImage(bitmap, 0, 0, w, h);
  const image = context.getImageData(0, 0, w, h), { data } = image;
  const grey = Float32Array.from({ length: w * h }, (_, i) =>
    0.3 * data[4 * i] + 0.59 * data[4 * i + 1] + 0.11 * data[4 * i + 2]);
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
