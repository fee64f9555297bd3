// A picture that the visitor opens, pastes or drops: made ink on paper, or kept as a photograph, for draw.js to fit.

const FAINT = 16;  // of 255: ink that differs less from its paper is none
const smaller = (a, b) => Math.min(a, b), larger = (a, b) => Math.max(a, b);

// How much darker or lighter than its border each pixel is, 0 to 255; `ground` lies under what is transparent.
function contrast(bitmap, context, w, h, ground) {
  context.fillStyle = ground;
  context.fillRect(0, 0, w, h);
  context.drawImage(bitmap, 0, 0, w, h);
  const { data } = context.getImageData(0, 0, w, h);
  const grey = Float32Array.from({ length: w * h }, (_, i) =>
    0.3 * data[4 * i] + 0.59 * data[4 * i + 1] + 0.11 * data[4 * i + 2]);
  const border = grey.filter((_, i) => i < w || i >= w * (h - 1) || i % w === 0 || i % w === w - 1).sort();
  const paper = border[border.length >> 1];
  return grey.map(v => paper > 128 ? paper - v : v - paper);
}

// Ink on paper, whatever their colours: the border is paper, and what differs most from it is ink.
function asInk(bitmap, canvas) {
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height), context = reader(canvas);
  const [w, h] = [bitmap.width, bitmap.height].map(side => Math.max(1, Math.round(side * scale)));
  const onGround = ground => contrast(bitmap, context, w, h, ground), most = list => list.reduce(larger);
  let ink = onGround("#fff");
  if (most(ink) < FAINT) ink = onGround("#000");  // white ink without any paper
  const strongest = most(ink), image = context.createImageData(w, h), data = image.data.fill(255);
  if (strongest < FAINT) throw new Error("there is nothing to see on this picture");
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
  const bitmap = Object.assign(new Image(), { src: URL.createObjectURL(file) });  // takes SVG as well
  try {
    await bitmap.decode();
    const canvas = makeCanvas({ width: width * sharp, height: height * sharp });
    picture = { canvas, bounds: (page.own === "picture" ? asPhotograph : asInk)(bitmap, canvas) };
    strokes.length = 0;
    nStrokes++;
    look({ aloud: true });
  } catch (error) {
    $("seen-text").textContent = error instanceof DOMException ? "The browser cannot read this file as a picture."
      : "Not used: " + error.message + ".";
  } finally {
    URL.revokeObjectURL(bitmap.src);
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
