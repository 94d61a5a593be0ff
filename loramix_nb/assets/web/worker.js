// Paints beside the page. A message asks for a picture on a channel; a newer one on the same channel takes its place.
import {denoise, guided, matrix, noise, pixels, reader, schedule} from './sums.js'

const HOME = new URL('.', import.meta.url)
const asked = new Map(), states = new Map() // channel -> request; prompt and mix -> what the text encoder says of it
let ort, models, settings, read, busy = false
const breath = () => new Promise(go => setTimeout(go)) // messages that came meanwhile are read

async function fetched(name, tell) {
  const answer = await fetch(new URL(name, HOME))
  if (!answer.ok) throw new Error(`${name} did not come: ${answer.status} ${answer.statusText}`)
  const parts = []
  for (const from = answer.body.getReader();;) {
    const {done, value} = await from.read()
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer())
    parts.push(value); tell(value.length)
  }
}

/** WebGPU where the browser has all that it takes, else the processor. */
async function provider(wanted) {
  if (wanted === 'wasm' || !navigator.gpu || !('Suspending' in WebAssembly)) return 'wasm'
  const adapter = await navigator.gpu.requestAdapter().catch(() => null)
  return adapter && !adapter.info?.isFallbackAdapter ? 'webgpu' : 'wasm'
}

async function open(on, files) {
  const kind = on === 'webgpu' ? 'jspi' : 'wasm'
  ort = await import(new URL(`ort/ort.${kind}.min.mjs`, HOME))
  ort.env.wasm.wasmPaths = new URL('ort/', HOME).href
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1
  ort.env.logLevel = 'error'
  models = {}
  for (const [name, bytes] of Object.entries(files)) models[name] = await ort.InferenceSession.create(bytes, {executionProviders: [on]})
}

async function load({wanted}) {
  let came = 0
  const tell = n => postMessage({came: came += n})
  const names = ['text_encoder', 'unet', 'vae_decoder']
  settings = JSON.parse(new TextDecoder().decode(await fetched('settings.json', tell)))
  read = reader(settings.tokenizer)
  const files = Object.fromEntries(await Promise.all(names.map(async n => [n, await fetched(`${n}.onnx`, tell)])))
  let on = await provider(wanted)
  try { await open(on, files) } catch (e) {
    if (on === 'wasm') throw e
    await open(on = 'wasm', files) // a graphics card that this build cannot use
  }
  postMessage({ready: {on, threads: ort.env.wasm.numThreads, size: settings.size, loras: settings.loras}})
}

const tensor = (data, ...shape) => new ort.Tensor(data, shape)
const run = async (name, feeds) => (await models[name].run(feeds)).out.data

async function text(prompt, mix, square) {
  const model = models.text_encoder, mixed = model.inputNames.includes('mix'), key = JSON.stringify([prompt, mixed && [...mix]])
  if (!states.has(key)) {
    const ids = BigInt64Array.from([...read(''), ...read(prompt)], BigInt)
    states.set(key, await run('text_encoder', {ids: tensor(ids, 2, settings.tokenizer.length), ...mixed && {mix: square}}))
  }
  return states.get(key)
}

/** Yields pictures while one is made; the last is the picture. */
async function* paint({prompt, seed, steps, guidance = settings.guidance, weights, factors, every = 2}) {
  const [c, h, w] = settings.latents, n = weights.length, mix = matrix(weights, factors), square = n && tensor(mix, n, n)
  const said = await text(prompt, mix, square), states = tensor(said, 2, settings.tokenizer.length, said.length / 2 / settings.tokenizer.length)
  const show = async z => pixels(await run('vae_decoder', {latents: tensor(z, 1, c, h, w)}))
  let z = noise(seed, c * h * w), i = 0
  for (const at of schedule(settings.scheduler, steps)) {
    const both = new Float32Array(2 * z.length)
    both.set(z); both.set(z, z.length)
    const out = await run('unet', {latents: tensor(both, 2, c, h, w), t: tensor(Float32Array.of(at.t), 1), states, ...n && {mix: square}})
    const {after, expected} = denoise(at, z, guided(out, guidance), settings.scheduler.predicts)
    z = after; i += 1
    yield i === steps ? {i, bytes: await show(z), done: true} : {i, bytes: i % every ? null : await show(expected)}
  }
}

async function work() {
  if (busy) return
  busy = true
  for (;;) {
    const next = asked.entries().next()
    if (next.done) break
    const [channel, request] = next.value, start = performance.now()
    try {
      for await (const step of paint(request)) {
        await breath()
        if (asked.get(channel) !== request) { postMessage({dropped: request.id, at: step.i}); break }
        postMessage({id: request.id, channel, ...step, steps: request.steps, ms: performance.now() - start})
        if (step.done) asked.delete(channel)
      }
    } catch (e) { asked.delete(channel); postMessage({id: request.id, channel, wrong: String(e.message || e)}) }
  }
  busy = false
}

onmessage = ({data}) => {
  if (data.do === 'load') load(data).catch(e => postMessage({wrong: String(e.message || e)}))
  else if (data.do === 'paint') { asked.delete(data.channel); asked.set(data.channel, data); work() }
  else if (data.do === 'cancel') asked.delete(data.channel)
}
