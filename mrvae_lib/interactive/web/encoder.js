// The encoder in plain JavaScript: pixels to what the model finds in them. Its layers join the decoder's.

// Where an image's own frame lies, from the moments of its brightness; the same as _to_image in model/frame.py.
function ownFrame({ values, shape: [height, width, channels] }, { frame, spread, thinnest }) {
  let mass = 0, cx = 0, cy = 0, xx = thinnest ** 2, xy = 0, yy = thinnest ** 2;
  const eachPixel = visit => {
    for (let row = 0; row < height; row++) for (let column = 0; column < width; column++) {
      let brightness = 0;
      for (let c = 0; c < channels; c++) brightness += values[(row * width + column) * channels + c];
      visit(brightness, (2 * column + 1) / width - 1, (2 * row + 1) / height - 1);
    }
  };
  eachPixel(brightness => { mass += brightness; });
  mass = Math.max(mass, 1e-6);
  eachPixel((brightness, x, y) => { cx += brightness * x / mass; cy += brightness * y / mass; });
  eachPixel((brightness, x, y) => {
    const share = brightness / mass;
    xx += share * (x - cx) ** 2; xy += share * (x - cx) * (y - cy); yy += share * (y - cy) ** 2;
  });
  if (frame === "upright") {
    const scale = Math.sqrt(yy);
    return [scale / spread, xy / scale / spread, cx, 0, scale / spread, cy];
  }
  const root = Math.sqrt(Math.max(xx * yy - xy * xy, thinnest ** 4)), trace = Math.sqrt(xx + yy + 2 * root) * spread;
  return [(xx + root) / trace, xy / trace, cx, xy / trace, (yy + root) / trace, cy];
}

// The five reals that place a drawing in a frame: the way back of the decoder's `place`.
function poseOf([xx, xy, across, , yy, down], { halfWidth, reach, size, stretch }) {
  const even = (xx + yy) / 2, p = (xx - yy) / 2, q = xy, r = Math.sqrt(p * p + q * q + 1e-12);
  const stretched = Math.atanh(r / even) / r / stretch;
  return [across / reach, down / reach, (Math.log(xx * yy - xy * xy) / 2 - Math.log(halfWidth)) / size,
    stretched * p, stretched * q];
}

const vector = values => ({ values, shape: [values.length] });

Object.assign(LAYERS, {
  // Convolution: a dense layer looks at the kernel x kernel pixels around each place.
  conv({ shapes: [[out, kernel, , channels]], stride, padding }, rows, bias) {
    const size = kernel * kernel * channels, apply = dense(rows, size, out);
    return ({ values, shape: [height, width] }) => {
      const [h, w] = [height, width].map(side => Math.floor((side + 2 * padding - kernel) / stride) + 1);
      const seen = new Float64Array(h * w * size);
      for (let y = 0; y < h; y++) for (let x = 0; x < w; x++)
        for (let i = 0; i < kernel; i++) for (let j = 0; j < kernel; j++) {
          const row = y * stride - padding + i, column = x * stride - padding + j, from = (row * width + column) * channels;
          if (row < 0 || row >= height || column < 0 || column >= width) continue;
          seen.set(values.subarray(from, from + channels), (y * w + x) * size + (i * kernel + j) * channels);
        }
      return { values: apply(seen).map((v, i) => v + bias[i % out]), shape: [h, w, out] };
    };
  },

  // The mean of each map
  adaptiveavgpool2d: () => ({ values, shape: [height, width, channels] }) => {
    const mean = new Float64Array(channels);
    values.forEach((v, i) => { mean[i % channels] += v / (height * width); });
    return { values: mean, shape: [1, 1, channels] };
  },

  // The image in its own frame; where that frame lies is noted for the layers after it.
  frame: layer => (image, found) => {
    found.affine = ownFrame(image, layer);
    return resampled(image, found.affine, [layer.side, layer.side], new Float64Array(image.shape[2]));
  },
  // A canvas of parts: the reals are noted, and the bits see the image taken back to the canvas, in even light.
  note: () => (x, found) => { found.z = x.values; return x; },
  takeUp: ({ perReal, dim }) => (image, { z }) => {
    const { across, down, size, turn, light } = laid(z, perReal, dim);
    const [cos, sin] = [size * Math.cos(turn), size * Math.sin(turn)], sides = image.shape.slice(0, 2);
    const seen = resampled(image, [cos, -sin, across, sin, cos, down], sides, new Float64Array(image.shape[2]));
    return each(v => v / light)(seen);
  },
  seePose: sizes => ({ values }, { affine }) => vector(Float64Array.of(...values, ...poseOf(affine, sizes))),
  addPose: sizes => ({ values }, { affine }) => {
    const pose = poseOf(affine, sizes);
    return vector(values.map((v, i) => v + (pose[i] ?? 0)));
  },
});

// Pixels in [0, 1], pixel by pixel, to the posterior q(z, b | x)
function makeEncoder({ imageShape: [channels, height, width], encoder, state }) {
  const networks = makeNetworks(encoder), n = state.z.length;
  return pixels => {
    const image = { values: Float64Array.from(pixels), shape: [height, width, channels] }, found = {};
    const stats = networks.flatMap(network => [...network(image, found)]);
    return { mu: stats.slice(0, n), logvar: stats.slice(n, 2 * n), bitLogits: stats.slice(2 * n) };
  };
}
