// The sweep of one real as a film, there and back, at four times the picture's size.

async function film() {
  const small = makeCanvas(), large = makeCanvas({ width: 4 * width, height: 4 * height }), context = large.getContext("2d");
  const recorder = new MediaRecorder(large.captureStream(30), { mimeType: "video/webm" }), pieces = [];
  const there = Array.from({ length: 46 }, (_, i) => low + (high - low) * i / 45), { z, b } = state, moved = real;
  const ended = new Promise(done => { recorder.onstop = done; });
  recorder.ondataavailable = event => pieces.push(event.data);
  recorder.start();
  context.imageSmoothingEnabled = false;
  for (const value of [...there, ...there.toReversed()]) {
    paint(small, { z: z.with(moved, value), b });
    context.drawImage(small, 0, 0, large.width, large.height);
    await new Promise(done => setTimeout(done, 33));  // a recorder takes pictures as they come: one each 1/30 s
  }
  recorder.stop();
  await ended;
  const href = URL.createObjectURL(new Blob(pieces, { type: "video/webm" }));
  element("a", { href, download: `mrvae-z${moved}.webm` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

$("film").hidden = !globalThis.MediaRecorder?.isTypeSupported("video/webm");
$("film").addEventListener("click", async () => {
  $("film").disabled = true;
  await film();
  $("film").disabled = false;
});
