// The decoder in plain JavaScript: latents to pixels, layer by layer as export.py lists them.
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

// Each makes, from a layer's sizes and a function that takes its weights, a function from { values, shape } to the same.
const LAYERS = {
  linear({ in: width, out }, take) {
    const apply = dense(take(width * out), width, out), bias = take(out);
    return ({ values }) => ({ values: apply(values).map((v, o) => v + bias[o]), shape: [out] });
  },

  relu: () => ({ values, shape }) => ({ values: values.map(v => v > 0 ? v : 0), shape }),

  // channel by channel, as torch has it, to pixel by pixel
  shape: ({ shape: [channels, height, width] }) => ({ values }) => {
    const n = height * width, next = new Float64Array(values.length);
    for (let c = 0; c < channels; c++) for (let p = 0; p < n; p++) next[p * channels + c] = values[c * n + p];
    return { values: next, shape: [height, width, channels] };
  },

  // Transposed convolution: a dense layer gives each pixel a kernel x kernel stamp; the stamps land `stride` apart.
  deconv({ in: channels, out, kernel, stride, padding }, take) {
    const size = kernel * kernel * out, apply = dense(take(channels * size), channels, size), bias = take(out);
    return ({ values, shape: [height, width] }) => {
      const h = (height - 1) * stride - 2 * padding + kernel, w = (width - 1) * stride - 2 * padding + kernel;
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

  crop: ({ left, right, top, bottom }) => ({ values, shape: [height, width, channels] }) => {
    const h = height - top - bottom, w = width - left - right, next = new Float64Array(h * w * channels);
    for (let y = 0; y < h; y++) {
      const start = ((y + top) * width + left) * channels;
      next.set(values.subarray(start, start + w * channels), y * w * channels);
    }
    return { values: next, shape: [h, w, channels] };
  },
};

// z and b to pixels in [0, 1], pixel by pixel
function makeDecoder({ layers, weights, likelihood }) {
  const numbers = halfFloats(weights);
  let at = 0;
  const take = n => numbers.subarray(at, at += n);
  const steps = layers.map(layer => LAYERS[layer.op](layer, take));
  const pixel = likelihood === "mse-tanh" ? v => (Math.tanh(v) + 1) / 2 : v => 1 / (1 + Math.exp(-v));
  return (z, b) => steps.reduce((x, step) => step(x), { values: Float64Array.of(...z, ...b) }).values.map(pixel);
}
