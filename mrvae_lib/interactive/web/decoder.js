// The decoder in plain JavaScript: latents to pixels, layer by layer as html_export.py lists them.
// A map is kept pixel by pixel: the channels of one pixel lie side by side, as on a canvas.

// fp16 as base64 to numbers
function halfFloats(text) {
  const raw = atob(text), values = new Float64Array(raw.length / 2);
  for (let i = 0; i < values.length; i++) {
    const h = raw.charCodeAt(2 * i) | (raw.charCodeAt(2 * i + 1) << 8);
    const exponent = (h >> 10) & 31, fraction = h & 1023;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
    values[i] = h & 0x8000 ? -size : size;
  }
  return values;
}

// A dense layer of `out` rows applied to each of the vectors in x; returns a function, vectors to vectors.
// Four rows at a time, so that each number of x is read once for four sums.
function dense(rows, width, out) {
  const weight = new Float64Array(width * 4 * Math.ceil(out / 4));
  weight.set(rows);
  return x => {
    const n = x.length / width, y = new Float64Array(n * out + 3);
    for (let p = 0; p < n; p++) for (let o = 0; o < out; o += 4) {
      let a = 0, b = 0, c = 0, d = 0, w = o * width;
      for (let i = p * width, end = i + width; i < end; i++, w++) {
        const value = x[i];
        a += weight[w] * value;
        b += weight[w + width] * value;
        c += weight[w + 2 * width] * value;
        d += weight[w + 3 * width] * value;
      }
      const at = p * out + o;  // rows past the last are 0, and the next vector writes over them
      y[at] = a; y[at + 1] = b; y[at + 2] = c; y[at + 3] = d;
    }
    return y.subarray(0, n * out);
  };
}

const each = f => ({ values, shape }) => ({ values: values.map(v => f(v)), shape });

// A map looked up at other places, as torch's grid_sample does it: straight lines between pixels, `around` outside.
// The six numbers of `affine` lead from a place in the new map to one in the old; the edges of both are at -1 and 1.
function resampled({ values, shape: [height, width, channels] }, [xx, xy, x0, yx, yy, y0], [h, w], around) {
  const next = new Float64Array(h * w * channels);
  for (let row = 0; row < h; row++) for (let column = 0; column < w; column++) {
    const u = (2 * column + 1) / w - 1, v = (2 * row + 1) / h - 1, to = (row * w + column) * channels;
    const x = ((xx * u + xy * v + x0 + 1) * width - 1) / 2, y = ((yx * u + yy * v + y0 + 1) * height - 1) / 2;
    const left = Math.floor(x), top = Math.floor(y);
    for (let c = 0; c < channels; c++) next[to + c] = around[c];
    for (const [j, i] of [[left, top], [left + 1, top], [left, top + 1], [left + 1, top + 1]]) {
      if (j < 0 || j >= width || i < 0 || i >= height) continue;
      const share = (1 - Math.abs(x - j)) * (1 - Math.abs(y - i)), from = (i * width + j) * channels;
      for (let c = 0; c < channels; c++) next[to + c] += share * (values[from + c] - around[c]);
    }
  }
  return { values: next, shape: [h, w, channels] };
}

// How five reals lay a canvas of parts into an image
function laid(z, perReal, dim) {
  const [across, down, size, turn, light] = perReal.map((by, i) => by * z[i]);
  return { across, down, size: Math.exp(size), turn, light: Math.exp(light - dim) };
}

// Each makes, from a layer's sizes and its rows of numbers, a function from { values, shape } to the same;
// it is also given what no layer before it passes on: the decoder's latents, or the frame that the encoder found.
const LAYERS = {
  linear({ shapes: [[out, width]] }, rows, bias) {
    const apply = dense(rows, width, out);
    return ({ values }) => ({ values: apply(values).map((v, o) => v + bias[o]), shape: [out] });
  },

  scale({ shapes: [[channels]] }, scale, shift) {
    return ({ values, shape }) => ({ values: values.map((v, i) => v * scale[i % channels] + shift[i % channels]), shape });
  },

  relu: () => each(v => v > 0 ? v : 0),
  leakyrelu: ({ slope }) => each(v => v > 0 ? v : slope * v),
  selu: () => each(v => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * Math.expm1(v))),
  tanh: () => each(Math.tanh),

  // channel by channel, as torch has it, to pixel by pixel
  shape: ({ shape: [channels, height, width] }) => ({ values }) => {
    const n = height * width, next = new Float64Array(values.length);
    for (let c = 0; c < channels; c++) for (let p = 0; p < n; p++) next[p * channels + c] = values[c * n + p];
    return { values: next, shape: [height, width, channels] };
  },

  flatten: () => ({ values, shape: [height, width, channels] }) => {
    if (!channels) return { values, shape: [height] };
    const n = height * width, next = new Float64Array(values.length);
    for (let c = 0; c < channels; c++) for (let p = 0; p < n; p++) next[c * n + p] = values[p * channels + c];
    return { values: next, shape: [next.length] };
  },

  // Transposed convolution: a dense layer gives each pixel a kernel x kernel stamp; the stamps land `stride` apart.
  deconv({ shapes: [[kernel, , out, channels]], stride, padding, extra }, rows, bias) {
    const size = kernel * kernel * out, apply = dense(rows, channels, size);
    return ({ values, shape: [height, width] }) => {
      const [h, w] = [height, width].map(side => (side - 1) * stride - 2 * padding + kernel + extra);
      const stamps = apply(values), next = new Float64Array(h * w * out);
      for (let i = 0; i < next.length; i += out) next.set(bias, i);
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++)
        for (let i = 0; i < kernel; i++) for (let j = 0; j < kernel; j++) {
          const row = y * stride - padding + i, column = x * stride - padding + j;
          if (row < 0 || row >= h || column < 0 || column >= w) continue;
          const from = (y * width + x) * size + (i * kernel + j) * out, to = (row * w + column) * out;
          for (let o = 0; o < out; o++) next[to + o] += stamps[from + o];
        }
      return { values: next, shape: [h, w, out] };
    };
  },

  // Zeros around a map; a negative amount cuts.
  pad: ({ amounts: [left, right, top, bottom] }) => ({ values, shape: [height, width, channels] }) => {
    const h = height + top + bottom, w = width + left + right, next = new Float64Array(h * w * channels);
    const from = Math.max(0, -left), to = Math.min(width, width + right);
    for (let y = Math.max(0, -top); y < Math.min(height, height + bottom); y++)
      next.set(values.subarray((y * width + from) * channels, (y * width + to) * channels), ((y + top) * w + from + left) * channels);
    return { values: next, shape: [h, w, channels] };
  },

  // Without the latents that place what the others draw
  skip: ({ n }) => ({ values }) => ({ values: values.subarray(n), shape: [values.length - n] }),

  // What was drawn on a canvas of parts, laid into the image and lit by the first five latents; as model/parts.py has it
  layDown: ({ shape: sides, perReal, dim, margin, beyond }) => ({ values, shape }, { latents }) => {
    const { across, down, size, turn, light } = laid(latents, perReal, dim);
    const [cos, sin] = [Math.cos(turn) / size, Math.sin(turn) / size];
    const chances = values.map(v => Math.min(Math.max((1 + 2 * beyond) / (1 + Math.exp(-v)) - beyond, 0), 1));
    const affine = [cos, sin, -cos * across - sin * down, -sin, cos, sin * across - cos * down];
    const seen = resampled({ values: chances, shape }, affine, sides, new Float64Array(shape[2]));
    return each(v => {
      const chance = Math.min(Math.max(v * light, margin), 1 - margin);
      return Math.log(chance / (1 - chance));
    })(seen);
  },

  // What was drawn, moved, sized and stretched by the first five latents
  place({ shape: sides, halfWidth, reach, size, stretch }, around) {
    return (drawn, { latents }) => {
      const [across, down] = [latents[0] * reach, latents[1] * reach], scale = Math.exp(-size * latents[2]) / halfWidth;
      const [p, q] = [latents[3] * stretch, latents[4] * stretch], r = Math.sqrt(p * p + q * q + 1e-12);
      const even = scale * Math.cosh(r), odd = scale * Math.sinh(r) / r;
      const [xx, xy, yy] = [even - odd * p, -odd * q, even + odd * p];
      return resampled(drawn, [xx, xy, -xx * across - xy * down, xy, yy, -xy * across - yy * down], sides, around);
    };
  },
};

// Makes of networks, which share one row of weights, a function each: { values, shape } to the last layer's values
function makeNetworks({ networks, weights }) {
  const numbers = halfFloats(weights);
  let at = 0;
  const take = shape => numbers.subarray(at, at += shape.reduce((n, side) => n * side, 1));
  return networks.map(layers => {
    const steps = layers.map(layer => LAYERS[layer.op](layer, ...layer.shapes.map(take)));
    return (start, given) => steps.reduce((x, step) => step(x, given), start).values;
  });
}

// z and b to pixels in [0, 1], pixel by pixel
function makeDecoder({ decoder, likelihood }) {
  const [network] = makeNetworks(decoder);
  const pixel = likelihood === "mse-tanh" ? v => (Math.tanh(v) + 1) / 2 : v => 1 / (1 + Math.exp(-v));
  return (z, b) => {
    const latents = Float64Array.of(...z, ...b);
    return network({ values: latents }, { latents }).map(pixel);
  };
}
