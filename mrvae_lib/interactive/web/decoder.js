// The decoder in plain JavaScript: latents to pixels, layer by layer as the library lists them.

// fp16 as base64 to numbers
function halfFloats(text) {
  const raw = atob(text), values = new Float32Array(raw.length / 2);
  for (let i = 0; i < values.length; i++) {
    const h = raw.charCodeAt(2 * i) | (raw.charCodeAt(2 * i + 1) << 8);
    const exponent = (h >> 10) & 31, fraction = h & 1023;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
    values[i] = h & 0x8000 ? -size : size;
  }
  return values;
}

// Each makes, from a layer's sizes and the weights that come next, a function from { values, shape } to the same.
const LAYERS = {
  linear({ in: width, out }, take) {
    const weight = take(width * out), bias = take(out);
    return ({ values }) => {
      const next = new Float32Array(out);
      for (let o = 0, w = 0; o < out; o++) {
        let even = bias[o], odd = 0, i = 0;  // two sums, so that one addition need not wait for the other
        for (; i + 1 < width; i += 2, w += 2) {
          even += weight[w] * values[i];
          odd += weight[w + 1] * values[i + 1];
        }
        if (i < width) even += weight[w++] * values[i];
        next[o] = even + odd;
      }
      return { values: next, shape: [out] };
    };
  },

  relu: () => ({ values, shape }) => ({ values: values.map(v => Math.max(v, 0)), shape }),

  shape: ({ shape }) => ({ values }) => ({ values, shape }),

  // Transposed convolution: every tap of the kernel mixes the channels, then lands `stride` pixels apart.
  deconv({ in: channels, out, kernel, stride, padding }, take) {
    const taps = out * kernel * kernel, weight = take(channels * taps), bias = take(out);
    return ({ values, shape: [, height, width] }) => {
      const h = (height - 1) * stride - 2 * padding + kernel, w = (width - 1) * stride - 2 * padding + kernel;
      const next = new Float32Array(out * h * w), mixed = new Float32Array(height * width);
      for (let o = 0; o < out; o++) next.fill(bias[o], o * h * w, (o + 1) * h * w);
      for (let tap = 0; tap < taps; tap++) {
        mix(mixed, values, channels, weight, tap, taps);
        const o = Math.floor(tap / kernel / kernel), i = Math.floor(tap / kernel) % kernel, j = tap % kernel;
        for (let y = 0; y < height; y++) {
          const row = y * stride - padding + i;
          if (row < 0 || row >= h) continue;
          for (let x = 0; x < width; x++) {
            const column = x * stride - padding + j;
            if (column >= 0 && column < w) next[(o * h + row) * w + column] += mixed[y * width + x];
          }
        }
      }
      return { values: next, shape: [out, h, w] };
    };
  },

  crop: ({ left, right, top, bottom }) => ({ values, shape: [channels, height, width] }) => {
    const h = height - top - bottom, w = width - left - right, next = new Float32Array(channels * h * w);
    for (let c = 0; c < channels; c++) for (let y = 0; y < h; y++) {
      const start = (c * height + y + top) * width + left;
      next.set(values.subarray(start, start + w), (c * h + y) * w);
    }
    return { values: next, shape: [channels, h, w] };
  },
};

// sum[p] = sum over c of weight[c, tap] * values[c, p]; four channels at a time, as reading and writing sum is the cost.
function mix(sum, values, channels, weight, tap, taps) {
  const n = sum.length;
  let c = 0;
  sum.fill(0);
  for (; c + 3 < channels; c += 4) {
    const at = c * taps + tap, a = weight[at], b = weight[at + taps], d = weight[at + 2 * taps], e = weight[at + 3 * taps];
    for (let p = 0, v = c * n; p < n; p++, v++)
      sum[p] += a * values[v] + b * values[v + n] + d * values[v + 2 * n] + e * values[v + 3 * n];
  }
  for (; c < channels; c++) for (let p = 0; p < n; p++) sum[p] += weight[c * taps + tap] * values[c * n + p];
}

// z and b to pixels in [0, 1], channel by channel
function makeDecoder({ layers, weights, likelihood }) {
  const numbers = halfFloats(weights);
  let at = 0;
  const take = n => numbers.subarray(at, at += n);
  const steps = layers.map(layer => LAYERS[layer.op](layer, take));
  const pixel = likelihood === "mse-tanh" ? v => (Math.tanh(v) + 1) / 2 : v => 1 / (1 + Math.exp(-v));
  return (z, b) => steps.reduce((x, step) => step(x), { values: Float32Array.of(...z, ...b) }).values.map(pixel);
}
