// The layers of a network on a device, all but its convolutions, products and the candidate activation. Compiled at run time behind
// cuda_tensor_words (kernels/cuda/source.h): Stored, Vector and WIDTH come from there; IMAGE_CHANNELS,
// IMAGE_SIDE and CLASSES are the data's. Tensors are rows × channels, channels innermost;
// per-channel arrays are fp32. Sums are taken in an order that depends on the launch alone, so the same launch gives the same bits.

// Where a run is in its epoch. The host writes `step` when it begins; begin_step does the rest.
struct Progress {
  unsigned int step;     // the next one
  unsigned int current;  // the one under way
  float rate;            // its learning rate
  unsigned int unused;
  unsigned long long dropout_key;
};

// What happens to an image: evaluator/data/augmentation.h.
struct PlannedImage {
  unsigned int index;
  signed char dx, dy;
  unsigned char flip, unused;
};

struct StepResult {
  double loss_sum;
  int correct;
  int unused;
};

KERNEL void begin_step(Progress* progress, const float* rates, const unsigned long long* dropout_keys) {
  const unsigned int step = progress->step;
  progress->current = step;
  progress->rate = rates[step];
  progress->dropout_key = dropout_keys[step];
  progress->step = step + 1;
}

// A pixel as the first convolution reads it: its channels and zeros up to eight, which let it use tensor cores.
struct alignas(16) Pixel {
  Stored channel[8];
};

// Of the current step's planned images: pixels to NHWC, shifted, mirrored, scaled and averaged down to side × side (a divisor of
// IMAGE_SIDE), and labels. A thread for each pixel of these.
KERNEL void fill_batch(const unsigned char* pixels, const unsigned short* all_labels, const PlannedImage* plan, const Progress* progress,
                       const float* scale, const float* shift, Pixel* images, unsigned short* labels, unsigned int batch,
                       unsigned int side) {
  constexpr unsigned int kImageBytes = IMAGE_CHANNELS * IMAGE_SIDE * IMAGE_SIDE;
  const unsigned int place = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned int image = place / (side * side), pixel = place % (side * side), square = IMAGE_SIDE / side;
  if (image >= batch) return;
  const PlannedImage planned = plan[(unsigned long long)progress->current * batch + image];
  if (pixel == 0) labels[image] = all_labels[planned.index];
  const int top = (int)(pixel / side * square), left = (int)(pixel % side * square);
  float sum[IMAGE_CHANNELS];
  for (int c = 0; c < IMAGE_CHANNELS; ++c) sum[c] = 0.0f;
  for (int i = 0; i < (int)(square * square); ++i) {
    const int row = top + i / (int)square + planned.dy, column = left + i % (int)square;
    const int shifted = (planned.flip ? IMAGE_SIDE - 1 - column : column) + planned.dx;
    if (row < 0 || row >= IMAGE_SIDE || shifted < 0 || shifted >= IMAGE_SIDE) continue;
    for (int c = 0; c < IMAGE_CHANNELS; ++c) {
      const unsigned int at = (c * IMAGE_SIDE + row) * IMAGE_SIDE + shifted;
      sum[c] += (float)pixels[(unsigned long long)planned.index * kImageBytes + at] * scale[c] + shift[c];
    }
  }
  Pixel result;
#pragma unroll
  for (int c = 0; c < 8; ++c) {
    result.channel[c] = store(c < IMAGE_CHANNELS ? sum[c < IMAGE_CHANNELS ? c : 0] * (1.0f / (float)(square * square)) : 0.0f);
  }
  images[place] = result;
}

// Per block of rows and channel: Σ(z - z₀) and Σ(z - z₀)², z₀ the first row's, which guards against cancellation.
// Launched as the activation's kernels (kernels/cuda/source.h); shared memory: lines · vectors · WIDTH · 8 bytes.
KERNEL void channel_sums(const Stored* z, float* sums, unsigned long long rows, unsigned int channels) {
  const unsigned int first = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
  float sum[2][WIDTH], base[WIDTH];
  for (int i = 0; i < WIDTH; ++i) sum[0][i] = sum[1][i] = base[i] = 0.0f;
  if (first < channels) {
    const Vector origin = read(z, 0, channels, first);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) base[i] = load(origin.lane[i]);
    const unsigned long long step = (unsigned long long)gridDim.x * blockDim.y;
#pragma unroll 4
    for (unsigned long long row = (unsigned long long)blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += step) {
      const Vector v = read(z, row, channels, first);
#pragma unroll
      for (int i = 0; i < WIDTH; ++i) {
        const float distance = load(v.lane[i]) - base[i];
        sum[0][i] += distance;
        sum[1][i] += distance * distance;
      }
    }
  }
  extern __shared__ float lines[];
  const unsigned int width = blockDim.x * WIDTH, size = 2u * width;
  float* mine = lines + threadIdx.y * size + threadIdx.x * WIDTH;
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) {
    mine[i] = sum[0][i];
    mine[width + i] = sum[1][i];
  }
  __syncthreads();
  for (unsigned int at = threadIdx.y * blockDim.x + threadIdx.x; at < size; at += blockDim.x * blockDim.y) {
    const unsigned int k = at / width, channel = blockIdx.y * width + at % width;
    if (channel >= channels) continue;
    float total = 0.0f;
    for (unsigned int line = 0; line < blockDim.y; ++line) total += lines[line * size + at];
    sums[((unsigned long long)blockIdx.x * 2u + k) * channels + channel] = total;
  }
}

// Where the sums of a kernel's blocks are added up, a block has as many channels as a sector of memory has floats, and this many lines.
constexpr unsigned int kSumChannels = 8, kSumLines = 128;

// total[k] = Σ over the blocks' sums of kind first + k of a channel: the block's lines share the blocks, then every kSumStrides-th line is
// added up, then those sums are, each in order. Every thread gets the totals. The loads of several blocks are under way at once, and all
// multiprocessors have a part where there are many channels. blockDim (kSumChannels, kSumLines).
template <int KINDS>
__device__ __forceinline__ void over_blocks(const float* sums, unsigned int blocks, unsigned int kinds, unsigned int first,
                                            unsigned int channels, unsigned int channel, float (&total)[KINDS]) {
  constexpr unsigned int kSumStrides = 16;
  __shared__ float lines[KINDS][kSumLines][kSumChannels];
#pragma unroll
  for (int k = 0; k < KINDS; ++k) total[k] = 0.0f;
  if (channel < channels) {
    const float* const mine = sums + (unsigned long long)first * channels + channel;
    const unsigned long long stride = (unsigned long long)kinds * channels;
#pragma unroll 8
    for (unsigned int block = threadIdx.y; block < blocks; block += kSumLines) {
#pragma unroll
      for (int k = 0; k < KINDS; ++k) total[k] += mine[block * stride + (unsigned long long)k * channels];
    }
  }
#pragma unroll
  for (int k = 0; k < KINDS; ++k) lines[k][threadIdx.y][threadIdx.x] = total[k];
  __syncthreads();
  if (threadIdx.y < kSumStrides) {
#pragma unroll
    for (int k = 0; k < KINDS; ++k) {
      float sum = 0.0f;
#pragma unroll
      for (unsigned int line = 0; line < kSumLines; line += kSumStrides) sum += lines[k][line + threadIdx.y][threadIdx.x];
      lines[k][threadIdx.y][threadIdx.x] = sum;
    }
  }
  __syncthreads();
#pragma unroll
  for (int k = 0; k < KINDS; ++k) {
    float sum = 0.0f;
#pragma unroll
    for (unsigned int line = 0; line < kSumStrides; ++line) sum += lines[k][line][threadIdx.x];
    total[k] = sum;
  }
  __syncthreads();
}

// Batch statistics from channel_sums: the activation's scale and shift, what backward needs, and the running statistics moved.
KERNEL void finish_statistics(const Stored* z, const float* sums, unsigned int blocks, unsigned long long rows, unsigned int channels,
                              const float* gamma, const float* delta, float momentum, float epsilon, float* mean,
                              float* inverse_deviation, float* running_mean, float* running_variance, float* scale, float* shift) {
  const unsigned int c = blockIdx.x * blockDim.x + threadIdx.x;
  float total[2];
  over_blocks(sums, blocks, 2u, 0u, channels, c, total);
  if (c >= channels || threadIdx.y != 0u) return;
  const float sum = total[0], squares = total[1];
  const float distance = sum / (float)rows, m = load(z[c]) + distance;
  const float spread = squares / (float)rows - distance * distance, variance = spread < 0.0f ? 0.0f : spread;  // NaN stays
  const float r = 1.0f / sqrtf(variance + epsilon);
  mean[c] = m;
  inverse_deviation[c] = r;
  running_mean[c] = momentum * running_mean[c] + (1.0f - momentum) * m;
  running_variance[c] = momentum * running_variance[c] + (1.0f - momentum) * variance;
  scale[c] = gamma[c] * r;
  shift[c] = delta[c] - m * gamma[c] * r;
}

// The activation's scale and shift from the running statistics.
KERNEL void running_affine(const float* gamma, const float* delta, const float* running_mean, const float* running_variance, float epsilon,
                           float* scale, float* shift, unsigned int channels) {
  const unsigned int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  const float s = gamma[c] / sqrtf(running_variance[c] + epsilon);
  scale[c] = s;
  shift[c] = delta[c] - running_mean[c] * s;
}

// The gradients of the activation's parameters: the sums of kind 2 and above.
__device__ __forceinline__ void beta_gradients(const float* sums, unsigned int blocks, unsigned int kinds, unsigned int channels,
                                               unsigned int channel, float* dbeta) {
  for (unsigned int kind = 2u; kind < kinds; ++kind) {
    float total[1];
    over_blocks(sums, blocks, kinds, kind, channels, channel, total);
    if (channel < channels && threadIdx.y == 0u) dbeta[(kind - 2u) * channels + channel] = total[0];
  }
}

// From activation_sums: the gradients of batch norm and of the activation's parameters, and a, b and d of activation_apply.
// With ẑ = (z - mean)·r: dL_dz = gamma·r·(g - Σg/m - ẑ·Σ(g·ẑ)/m), written as a·g + b·z + d.
KERNEL void finish_backward(const float* sums, unsigned int blocks, unsigned long long rows, unsigned int channels, unsigned int parameters,
                            const float* gamma, const float* mean, const float* inverse_deviation, float* dgamma, float* ddelta,
                            float* dbeta, float* a, float* b, float* d) {
  const unsigned int c = blockIdx.x * blockDim.x + threadIdx.x, kinds = 2u + parameters;
  float total[2];
  over_blocks(sums, blocks, kinds, 0u, channels, c, total);
  const float sum_g = total[0], sum_gz = total[1];
  beta_gradients(sums, blocks, kinds, channels, c, dbeta);
  if (c >= channels || threadIdx.y != 0u) return;
  const float r = inverse_deviation[c], share = 1.0f / (float)rows, normalised = r * (sum_gz - mean[c] * sum_g);
  ddelta[c] = sum_g;
  dgamma[c] = normalised;
  a[c] = gamma[c] * r;
  b[c] = -a[c] * r * normalised * share;
  d[c] = -a[c] * sum_g * share - b[c] * mean[c];
}

// The same for a dense layer's activation, which has a bias and no batch norm: activation_apply then has a = 1 and b = d = 0.
KERNEL void finish_bias(const float* sums, unsigned int blocks, unsigned int channels, unsigned int parameters, float* dbias, float* dbeta) {
  const unsigned int c = blockIdx.x * blockDim.x + threadIdx.x, kinds = 2u + parameters;
  float total[1];
  over_blocks(sums, blocks, kinds, 0u, channels, c, total);
  if (c < channels && threadIdx.y == 0u) dbias[c] = total[0];
  beta_gradients(sums, blocks, kinds, channels, c, dbeta);
}

// What a thread of a 2×2 pool with stride 2 works on: WIDTH channels of a window.
struct Window {
  unsigned int channel;
  unsigned long long result, corner;  // rows of the pooled tensor, and of the other's first of four pixels
  bool inside;
  __device__ __forceinline__ Window(unsigned int images, unsigned int side, unsigned int channels) {
    const unsigned int half = side / 2u, vectors = channels / WIDTH;
    const unsigned long long place = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
    result = place / vectors;
    channel = (unsigned int)(place % vectors) * WIDTH;
    inside = result < (unsigned long long)images * half * half;
    const unsigned long long image = result / (half * half), row = result / half % half, column = result % half;
    corner = (image * side + 2u * row) * side + 2u * column;
  }
};

// 2×2 max-pool with stride 2.
KERNEL void max_pool(const Stored* x, Stored* y, unsigned int images, unsigned int side, unsigned int channels) {
  const Window window(images, side, channels);
  if (!window.inside) return;
  Vector best = read(x, window.corner, channels, window.channel);
#pragma unroll
  for (int k = 1; k < 4; ++k) {
    const Vector other = read(x, window.corner + (k >> 1) * side + (k & 1), channels, window.channel);
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) {
      const float v = load(other.lane[i]);
      if (v > load(best.lane[i]) || v != v) best.lane[i] = other.lane[i];
    }
  }
  write(y, window.result, channels, window.channel, best);
}

// dL_dx from dL_dy: to the first (row by row) of the four that equals the maximum.
KERNEL void max_pool_backward(const Stored* x, const Stored* y, const Stored* dy, Stored* dx, unsigned int images, unsigned int side,
                              unsigned int channels) {
  const Window window(images, side, channels);
  if (!window.inside) return;
  const Vector best = read(y, window.result, channels, window.channel), gradient = read(dy, window.result, channels, window.channel);
  bool given[WIDTH];
#pragma unroll
  for (int i = 0; i < WIDTH; ++i) given[i] = false;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const unsigned long long at = window.corner + (k >> 1) * side + (k & 1);
    const Vector v = read(x, at, channels, window.channel);
    Vector result;
#pragma unroll
    for (int i = 0; i < WIDTH; ++i) {
      const bool mine = !given[i] && load(v.lane[i]) == load(best.lane[i]);
      given[i] = given[i] || mine;
      result.lane[i] = mine ? gradient.lane[i] : (Stored)0;  // zero's bits are 0 in either storage
    }
    write(dx, at, channels, window.channel, result);
  }
}

// What a thread of any other pool works on: WIDTH channels of a pixel of the tensor that has `result_side`².
struct PooledPixel {
  unsigned int channel;
  unsigned long long place, image;
  int row, column;
  bool inside;
  __device__ __forceinline__ PooledPixel(unsigned int images, unsigned int result_side, unsigned int channels) {
    const unsigned int vectors = channels / WIDTH;
    const unsigned long long thread = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
    place = thread / vectors;
    channel = (unsigned int)(thread % vectors) * WIDTH;
    image = place / (result_side * result_side);
    inside = image < images;
    row = (int)(place / result_side % result_side);
    column = (int)(place % result_side);
  }
};

// A pool's numbers. Padding counts as no pixel.
struct PoolWindow {
  int side, result_side, kernel, stride, padding;
};

// Calls body(row, column) for the pixels of the window of a result.
template <class Body>
__device__ __forceinline__ void for_each_pixel(const PoolWindow& pool, int row, int column, Body body) {
  for (int i = 0; i < pool.kernel; ++i) {
    for (int j = 0; j < pool.kernel; ++j) {
      const int r = row * pool.stride - pool.padding + i, c = column * pool.stride - pool.padding + j;
      if (r >= 0 && r < pool.side && c >= 0 && c < pool.side) body(r, c);
    }
  }
}

// Calls body(row, column) for the results whose windows hold a pixel.
template <class Body>
__device__ __forceinline__ void for_each_window(const PoolWindow& pool, int row, int column, Body body) {
  for (int r = 0; r < pool.result_side; ++r) {
    const int i = row - (r * pool.stride - pool.padding);
    if (i < 0 || i >= pool.kernel) continue;
    for (int c = 0; c < pool.result_side; ++c) {
      const int j = column - (c * pool.stride - pool.padding);
      if (j >= 0 && j < pool.kernel) body(r, c);
    }
  }
}

KERNEL void window_pool(const Stored* x, Stored* y, unsigned int images, unsigned int channels, PoolWindow pool, unsigned int average) {
  const PooledPixel at(images, (unsigned int)pool.result_side, channels);
  if (!at.inside) return;
  float result[WIDTH];
  int pixels = 0;
  for (int k = 0; k < WIDTH; ++k) result[k] = 0.0f;
  for_each_pixel(pool, at.row, at.column, [&](int r, int c) {
    const Vector v = read(x, (at.image * pool.side + r) * pool.side + c, channels, at.channel);
    for (int k = 0; k < WIDTH; ++k) {
      const float value = load(v.lane[k]);
      if (average)
        result[k] += value;
      else if (pixels == 0 || value > result[k] || value != value)
        result[k] = value;
    }
    ++pixels;
  });
  Vector out;
  for (int k = 0; k < WIDTH; ++k) out.lane[k] = store(average ? result[k] / (float)pixels : result[k]);
  write(y, at.place, channels, at.channel, out);
}

// dL_dx from dL_dy. A window's largest is the first of its pixels, row by row, that equals the result.
KERNEL void window_pool_backward(const Stored* x, const Stored* y, const Stored* dy, Stored* dx, unsigned int images, unsigned int channels,
                                 PoolWindow pool, unsigned int average) {
  const PooledPixel at(images, (unsigned int)pool.side, channels);
  if (!at.inside) return;
  float sum[WIDTH];
  for (int k = 0; k < WIDTH; ++k) sum[k] = 0.0f;
  for_each_window(pool, at.row, at.column, [&](int row, int column) {
    const unsigned long long result = (at.image * pool.result_side + row) * pool.result_side + column;
    const Vector gradient = read(dy, result, channels, at.channel);
    int pixels = 0;
    for_each_pixel(pool, row, column, [&](int, int) { ++pixels; });
    if (average) {
      for (int k = 0; k < WIDTH; ++k) sum[k] += load(gradient.lane[k]) / (float)pixels;
      return;
    }
    const Vector largest = read(y, result, channels, at.channel);
    bool given[WIDTH];
    for (int k = 0; k < WIDTH; ++k) given[k] = false;
    for_each_pixel(pool, row, column, [&](int r, int c) {
      const Vector v = read(x, (at.image * pool.side + r) * pool.side + c, channels, at.channel);
      for (int k = 0; k < WIDTH; ++k) {
        const bool chosen = !given[k] && load(v.lane[k]) == load(largest.lane[k]);
        given[k] = given[k] || chosen;
        if (chosen && r == at.row && c == at.column) sum[k] += load(gradient.lane[k]);
      }
    });
  });
  Vector out;
  for (int k = 0; k < WIDTH; ++k) out.lane[k] = store(sum[k]);
  write(dx, at.place, channels, at.channel, out);
}

// sum = a + b of WIDTH · n elements, rounded once. sum may be a or b.
KERNEL void add_tensors(const Stored* a, const Stored* b, Stored* sum, unsigned long long n) {
  const unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const Vector first = read(a, i, WIDTH, 0), second = read(b, i, WIDTH, 0);
  Vector result;
#pragma unroll
  for (int k = 0; k < WIDTH; ++k) result.lane[k] = store(load(first.lane[k]) + load(second.lane[k]));
  write(sum, i, WIDTH, 0, result);
}

KERNEL void copy_tensor(const Stored* from, Stored* to, unsigned long long n) {
  const unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) write(to, i, WIDTH, 0, read(from, i, WIDTH, 0));
}

// evaluator/data/random.h
__device__ __forceinline__ unsigned long long mix_bits(unsigned long long x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}
__device__ __forceinline__ unsigned long long hash(unsigned long long first, unsigned long long second) {
  const unsigned long long gamma = 0x9e3779b97f4a7c15ull;
  return mix_bits((mix_bits(first + gamma) ^ second) + gamma);
}

// Drops with probability threshold / 65536 and scales what stays, in place: the same places for values and for their gradients.
KERNEL void dropout(Stored* x, unsigned long long n, unsigned int threshold, float scale, const Progress* progress, unsigned int layer) {
  const unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const unsigned long long draw = hash(hash(progress->dropout_key, layer), i / 4u) >> (16u * (i % 4u)) & 0xffffu;
  x[i] = store(draw < threshold ? 0.0f : load(x[i]) * scale);
}

// Softmax cross-entropy over batch × CLASSES logits without their bias, of the first `valid[step]` images (all, where valid is null).
// dlogits (may be null) is the gradient of the mean loss. One block of 256 threads.
#if CLASSES <= 16
KERNEL void cross_entropy(const float* logits, const float* bias, const unsigned short* labels, const unsigned int* valid,
                          const Progress* progress, Stored* dlogits, float* dbias, StepResult* results, unsigned int batch) {
  __shared__ double losses[256];
  __shared__ int hits[256];
  __shared__ float columns[256][CLASSES];
  const unsigned int me = threadIdx.x, images = valid ? valid[progress->current] : batch;
  double loss = 0.0;
  int correct = 0;
  float column[CLASSES];
#pragma unroll
  for (int c = 0; c < CLASSES; ++c) column[c] = 0.0f;
  const float share = 1.0f / (float)batch;
  for (unsigned int n = me; n < images; n += 256u) {
    const int label = labels[n];
    float row[CLASSES], largest = 0.0f, own = 0.0f;
    int best = 0;
#pragma unroll
    for (int c = 0; c < CLASSES; ++c) {
      row[c] = logits[n * CLASSES + c] + bias[c];
      own = c == label ? row[c] : own;
      if (c == 0 || row[c] > largest) {
        largest = row[c];
        best = c;
      }
    }
    double sum = 0.0;
#pragma unroll
    for (int c = 0; c < CLASSES; ++c) sum += exp((double)(row[c] - largest));
    loss += log(sum) - (double)(own - largest);
    correct += best == label && sum == sum ? 1 : 0;
    if (dlogits) {
#pragma unroll
      for (int c = 0; c < CLASSES; ++c) {
        const float gradient = ((float)(exp((double)(row[c] - largest)) / sum) - (c == label ? 1.0f : 0.0f)) * share;
        dlogits[n * CLASSES + c] = store(gradient);
        column[c] += gradient;
      }
    }
  }
  losses[me] = loss;
  hits[me] = correct;
#pragma unroll
  for (int c = 0; c < CLASSES; ++c) columns[me][c] = column[c];
  for (unsigned int half = 128u; half > 0u; half /= 2u) {
    __syncthreads();
    if (me >= half) continue;
    losses[me] += losses[me + half];
    hits[me] += hits[me + half];
#pragma unroll
    for (int c = 0; c < CLASSES; ++c) columns[me][c] += columns[me + half][c];
  }
  if (me != 0u) return;
  results[progress->current].loss_sum = losses[0];
  results[progress->current].correct = hits[0];
  if (!dlogits) return;
#pragma unroll
  for (int c = 0; c < CLASSES; ++c) dbias[c] = columns[0][c];
}
#else
// With many classes a thread has no room for a row of logits: 256 images at a time, first a thread an image, then a thread a class.
KERNEL void cross_entropy(const float* logits, const float* bias, const unsigned short* labels, const unsigned int* valid,
                          const Progress* progress, Stored* dlogits, float* dbias, StepResult* results, unsigned int batch) {
  constexpr unsigned int kShare = (CLASSES + 255) / 256;  // classes of a thread, every 256th
  __shared__ double losses[256], sums[256];
  __shared__ float largest[256];
  __shared__ int hits[256];
  const unsigned int me = threadIdx.x, images = valid ? valid[progress->current] : batch;
  double loss = 0.0;
  int correct = 0;
  float column[kShare];
  for (unsigned int k = 0; k < kShare; ++k) column[k] = 0.0f;
  const float share = 1.0f / (float)batch;
  for (unsigned int first = 0; first < images; first += 256u) {
    const unsigned int n = first + me, count = images - first < 256u ? images - first : 256u;
    if (me < count) {
      const int label = labels[n];
      const float* const row = logits + (unsigned long long)n * CLASSES;
      float most = row[0] + bias[0];
      int best = 0;
      for (int c = 1; c < CLASSES; ++c) {
        const float logit = row[c] + bias[c];
        if (logit > most) {
          most = logit;
          best = c;
        }
      }
      double sum = 0.0;
      for (int c = 0; c < CLASSES; ++c) sum += exp((double)(row[c] + bias[c] - most));
      loss += log(sum) - (double)(row[label] + bias[label] - most);
      correct += best == label && sum == sum ? 1 : 0;
      largest[me] = most;
      sums[me] = sum;
    }
    __syncthreads();
    if (dlogits) {
      for (unsigned int k = 0; k < kShare; ++k) {
        const unsigned int c = me + k * 256u;
        if (c >= CLASSES) continue;
        for (unsigned int i = 0; i < count; ++i) {
          const unsigned long long at = (unsigned long long)(first + i) * CLASSES + c;
          const float probability = (float)(exp((double)(logits[at] + bias[c] - largest[i])) / sums[i]);
          const float gradient = (probability - (c == labels[first + i] ? 1.0f : 0.0f)) * share;
          dlogits[at] = store(gradient);
          column[k] += gradient;
        }
      }
    }
    __syncthreads();
  }
  losses[me] = loss;
  hits[me] = correct;
  for (unsigned int half = 128u; half > 0u; half /= 2u) {
    __syncthreads();
    if (me >= half) continue;
    losses[me] += losses[me + half];
    hits[me] += hits[me + half];
  }
  if (dlogits) {
    for (unsigned int k = 0; k < kShare; ++k) {
      if (me + k * 256u < CLASSES) dbias[me + k * 256u] = column[k];
    }
  }
  if (me != 0u) return;
  results[progress->current].loss_sum = losses[0];
  results[progress->current].correct = hits[0];
}
#endif

// A run of parameters that are treated alike.
struct Chunk {
  unsigned long long offset;
  unsigned int size;
  unsigned int kind;  // bit 0: decays; bit 1: a weight, whose gradient is Stored and which has a Stored copy; bit 2: of the first layer
};

// Where the first layer's Stored weights lie, and their gradients: eight input channels (Pixel) in place of the values' IMAGE_CHANNELS.
struct FirstLayer {
  unsigned long long values, stored;
  __device__ __forceinline__ unsigned long long place(unsigned long long at) const {
    const unsigned int i = (unsigned int)(at - values);
    return stored + i / IMAGE_CHANNELS * 8u + i % IMAGE_CHANNELS;
  }
};

// Stochastic gradient descent with momentum (evaluator/network/parameters.h); a block for each chunk. A thread reads four values with all that
// belongs to them before it writes the first: the compiler may not move a read over a write that could be to the same place.
KERNEL void descend(const Chunk* chunks, float* values, float* momenta, const float* gradients, const Stored* weight_gradients,
                    Stored* weights, const Progress* progress, FirstLayer first, float momentum, float weight_decay) {
  constexpr unsigned int kAtOnce = 4;
  const Chunk chunk = chunks[blockIdx.x];
  const float decay = chunk.kind & 1u ? weight_decay : 0.0f, rate = progress->rate;
  for (unsigned int i = threadIdx.x; i < chunk.size; i += kAtOnce * blockDim.x) {
    float w[kAtOnce], g[kAtOnce], v[kAtOnce];
    unsigned long long stored[kAtOnce];
#pragma unroll
    for (unsigned int j = 0; j < kAtOnce; ++j) {
      const unsigned int place = i + j * blockDim.x;
      if (place >= chunk.size) continue;
      const unsigned long long at = chunk.offset + place;
      stored[j] = chunk.kind & 4u ? first.place(at) : at;
      w[j] = values[at];
      g[j] = chunk.kind & 2u ? load(weight_gradients[stored[j]]) : gradients[at];
      v[j] = momenta[at];
    }
#pragma unroll
    for (unsigned int j = 0; j < kAtOnce; ++j) {
      const unsigned int place = i + j * blockDim.x;
      if (place >= chunk.size) continue;
      const unsigned long long at = chunk.offset + place;
      const float next_v = momentum * v[j] + (g[j] + decay * w[j]), next = w[j] - rate * next_v;
      momenta[at] = next_v;
      values[at] = next;
      if (chunk.kind & 2u) weights[stored[j]] = store(next);
    }
  }
}

// The weights' copies, from values that the host has written; the first layer has `count` of them.
KERNEL void store_weights(const float* values, Stored* weights, unsigned long long n, FirstLayer first, unsigned int count) {
  const unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  weights[i >= first.values && i < first.values + count ? first.place(i) : i] = store(values[i]);
}
