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

/** Whether the browser has all that WebGPU takes; an adapter that only plays a graphics card is no help, unless asked for. */
async function has_card(wanted) {
  if (wanted === 'wasm' || !navigator.gpu || !('Suspending' in WebAssembly)) return false
  const adapter = await navigator.gpu.requestAdapter().catch(() => null)
  return !!adapter && (!!wanted || !adapter.info?.isFallbackAdapter)
}

async function runtime(kind) {
  try { ort = await import(new URL(`ort/ort.${kind}.min.mjs`, HOME)) }
  catch (e) { throw new Error(`onnxruntime-web is not in the folder ort (${e.message}): export the page with --runtime`) }
  ort.env.wasm.wasmPaths = new URL('ort/', HOME).href
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1
  ort.env.logLevel = 'error'
}

async function open(on, files) {
  const made = {}
  for (const [name, bytes] of Object.entries(files)) {
    made[name] = await ort.InferenceSession.create(bytes, {executionProviders: [on], logSeverityLevel: 3})
  }
  return made
}

/** How long a step takes, in ms; the first one, which prepares, does not count. */
async function pace(made) {
  const [c, h, w] = settings.latents, mix = matrix(settings.loras.map(() => 1))
  const of = (...shape) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), ...shape)
  const feeds = {latents: of(2, c, h, w), t: of(1), states: of(2, settings.tokenizer.length, settings.width), ...mixing(made.unet, mix)}
  await made.unet.run(feeds)
  const begun = performance.now()
  await made.unet.run(feeds)
  return performance.now() - begun
}

/** The models on the graphics card or the processor, whichever is quicker with models as small as these. */
async function start(wanted, files) {
  if (await has_card(wanted)) try {
    await runtime('jspi')
    const quick = await open('webgpu', files)
    if (wanted === 'webgpu') return ['webgpu', quick]
    const sure = await open('wasm', files)
    return await pace(quick) < await pace(sure) ? ['webgpu', quick] : ['wasm', sure]
  } catch (e) { console.warn(`WebGPU cannot run these models (${e.message}): the processor does`) }
  await runtime('wasm')
  return ['wasm', await open('wasm', files)]
}

async function load({wanted}) {
  let came = 0
  const tell = n => postMessage({came: came += n})
  const names = ['text_encoder', 'unet', 'vae_decoder']
  settings = JSON.parse(new TextDecoder().decode(await fetched('settings.json', tell)))
  read = reader(settings.tokenizer)
  const files = Object.fromEntries(await Promise.all(names.map(async n => [n, await fetched(`${n}.onnx`, tell)])))
  const [on, made] = await start(wanted, files)
  models = made
  postMessage({ready: {on, threads: ort.env.wasm.numThreads, size: settings.size, loras: settings.loras}})
}

const tensor = (data, ...shape) => new ort.Tensor(data, shape)
const run = async (name, feeds) => (await models[name].run(feeds)).out.data
/** The mix, for a model that takes it. */
const mixing = (model, mix) => model.inputNames.includes('mix') ? {mix: tensor(mix, Math.sqrt(mix.length), Math.sqrt(mix.length))} : {}

async function text(prompt, mix) {
  const mixed = mixing(models.text_encoder, mix), key = JSON.stringify([prompt, mixed.mix && [...mix]])
  if (!states.has(key)) {
    const ids = BigInt64Array.from([...read(''), ...read(prompt)], BigInt)
    states.set(key, await run('text_encoder', {ids: tensor(ids, 2, settings.tokenizer.length), ...mixed}))
  }
  return states.get(key)
}

/** Yields pictures while one is made; the last is the picture. */
async function* paint({prompt, seed, steps, guidance = settings.guidance, weights, factors, every = 2}) {
  const [c, h, w] = settings.latents, mix = matrix(weights, factors)
  const states = tensor(await text(prompt, mix), 2, settings.tokenizer.length, settings.width)
  const show = async z => pixels(await run('vae_decoder', {latents: tensor(z, 1, c, h, w)}))
  let z = noise(seed, c * h * w), i = 0
  for (const at of schedule(settings.scheduler, steps)) {
    const both = new Float32Array(2 * z.length)
    both.set(z); both.set(z, z.length)
    const out = await run('unet', {latents: tensor(both, 2, c, h, w), t: tensor(Float32Array.of(at.t), 1), states, ...mixing(models.unet, mix)})
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
    } catch (e) { if (asked.get(channel) === request) asked.delete(channel); postMessage({id: request.id, channel, wrong: String(e.message || e)}) }
  }
  busy = false
}

onmessage = ({data}) => {
  if (data.do === 'load') load(data).catch(e => postMessage({wrong: String(e.message || e)}))
  else if (data.do === 'paint') { asked.delete(data.channel); asked.set(data.channel, data); work() }
  else if (data.do === 'cancel') asked.delete(data.channel)
}
