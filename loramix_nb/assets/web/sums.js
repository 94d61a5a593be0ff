// What PyTorch, tokenizers and diffusers compute around the models, in plain JavaScript: the same ids, the same noise,
// the same steps. Nothing here needs a browser, so that the tests run it in Node.

/** The Mersenne Twister of 32 bits (Matsumoto and Nishimura, 1998), seeded as torch.Generator().manual_seed seeds it. */
export function twister(seed) {
  const s = new Uint32Array(624)
  let at = 624
  s[0] = Number(BigInt.asUintN(32, BigInt(seed)))
  for (let i = 1; i < 624; i++) s[i] = Math.imul(1812433253, s[i - 1] ^ (s[i - 1] >>> 30)) + i
  const refill = () => {
    for (let i = 0; i < 624; i++) {
      const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff)
      s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    at = 0
  }
  return () => {
    if (at === 624) refill()
    let y = s[at++]
    y ^= y >>> 11; y ^= (y << 7) & 0x9d2c5680; y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }
}

/** torch.randn(n, generator=torch.Generator().manual_seed(seed)) on a CPU, for 16 numbers or more, in blocks of 16. */
export function noise(seed, n) {
  const next = twister(seed), f = Math.fround, x = new Float32Array(n)
  const fresh = () => (next() & 0xffffff) / 0x1000000
  for (let i = 0; i < n; i++) x[i] = fresh()
  const block = from => {
    for (let j = from; j < from + 8; j++) {
      const radius = f(Math.sqrt(f(-2 * f(Math.log(f(1 - x[j])))))), angle = f(f(2 * Math.PI) * x[j + 8])
      x[j] = radius * f(Math.cos(angle)); x[j + 8] = radius * f(Math.sin(angle))
    }
  }
  for (let i = 0; i + 16 <= n; i += 16) block(i)
  if (n % 16) { // the last 16 are drawn anew
    for (let i = n - 16; i < n; i++) x[i] = fresh()
    block(n - 16)
  }
  return x
}

// White space as tokenizers has it: that of Unicode, which is not JavaScript's \s.
const SPACE = '\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const WORDS = new RegExp(`<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^${SPACE}\\p{L}\\p{N}]+`, 'gu')
const PIECES = new RegExp(`'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}+|[^${SPACE}\\p{L}\\p{N}]+`, 'gu')

/** GPT-2's letters for bytes: those that print stand for themselves, the others follow from 256 on. */
function letters() {
  const prints = b => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174
  let more = 256
  return Array.from({length: 256}, (_, b) => String.fromCharCode(prints(b) ? b : more++))
}

/** CLIP's tokenizer from what settings.json says of it: text -> ids, cut and padded to the length of the text encoder. */
export function reader({vocab, merges, start, end, pad, length}) {
  const byte = letters(), rank = new Map(merges.map((m, i) => [m, i])), unknown = vocab['<|endoftext|>']
  const joined = word => {
    const parts = [...new TextEncoder().encode(word)].map(b => byte[b])
    parts[parts.length - 1] += '</w>'
    for (let i = 0; i < parts.length; i++) if (!(parts[i] in vocab)) parts[i] = null // it joins with nothing
    for (;;) {
      let best = -1, least = Infinity
      for (let i = 0; i + 1 < parts.length; i++) {
        const r = parts[i] === null || parts[i + 1] === null ? undefined : rank.get(`${parts[i]} ${parts[i + 1]}`)
        if (r < least) { least = r; best = i }
      }
      if (best < 0) return parts.map(p => p === null ? unknown : vocab[p])
      parts.splice(best, 2, parts[best] + parts[best + 1])
    }
  }
  const plain = text => {
    const even = [...text.normalize('NFC').replace(new RegExp(`[${SPACE}]+`, 'gu'), ' ')].map(c => c.toLowerCase()).join('')
    return (even.match(WORDS) || []).flatMap(w => w.match(PIECES) || []).flatMap(joined)
  }
  return text => {
    const special = {'<|startoftext|>': start, '<|endoftext|>': end}
    const ids = text.split(/(<\|startoftext\|>|<\|endoftext\|>)/).flatMap(t => t in special ? [special[t]] : plain(t))
    const all = [start, ...ids.slice(0, length - 2), end]
    return [...all, ...Array(length - all.length).fill(pad)]
  }
}

/** The DDIM schedule (Song et al., 2021) with diffusers' "leading" spacing: [{t, a, next}], a being ᾱ now and after it. */
export function schedule({alphas, offset, last}, steps) {
  const gap = Math.floor(alphas.length / steps)
  return Array.from({length: steps}, (_, i) => {
    const t = (steps - 1 - i) * gap + offset, after = t - gap
    return {t, a: alphas[t], next: after >= 0 ? alphas[after] : last}
  })
}

/** One step of it without noise of its own: the latents after it, and the picture that it expects at the end. */
export function denoise({a, next}, latents, out, predicts) {
  const [p, q, p2, q2] = [Math.sqrt(a), Math.sqrt(1 - a), Math.sqrt(next), Math.sqrt(1 - next)]
  const after = new Float32Array(latents.length), expected = new Float32Array(latents.length)
  for (let i = 0; i < latents.length; i++) {
    const z = latents[i], v = out[i], velocity = predicts === 'v_prediction'
    const clean = velocity ? p * z - q * v : (z - q * v) / p, dirt = velocity ? p * v + q * z : v
    expected[i] = clean
    after[i] = p2 * clean + q2 * dirt
  }
  return {after, expected}
}

/** Classifier-free guidance of a batch of two: what was predicted without the prompt, then with it. */
export function guided(both, guidance) {
  const n = both.length / 2, out = new Float32Array(n)
  for (let i = 0; i < n; i++) out[i] = both[i] + guidance * (both[n + i] - both[i])
  return out
}

/** How LoRAs are mixed, as the matrix that the models take. Changes: Σ w·up·down. Factors: (Σ w·up)·(Σ w·down). */
export function matrix(weights, factors = false) {
  return Float32Array.from(weights.flatMap((a, i) => weights.map((b, j) => factors ? a * b : i === j ? a : 0)))
}

/** Floats [3, h, w] from 0 to 1 -> bytes [h, w, 4] for a canvas, rounded as NumPy rounds: halves to even. */
export function pixels(floats) {
  const n = floats.length / 3, out = new Uint8ClampedArray(4 * n) // a clamped array rounds halves to even
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < 3; c++) out[4 * i + c] = floats[c * n + i] * 255
    out[4 * i + 3] = 255
  }
  return out
}
