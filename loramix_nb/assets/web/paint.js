// The page that paints. <div class="lm-here" data-view="triangle" data-styles="a,b,c"> gets a button; what it needs is
// loaded when it is pressed. The controls are those of the widgets.
const HOME = new URL('.', import.meta.url), COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00']
const MOST = 500 // pictures that are remembered, of 16 kB each
let engine // the worker: one for all the pictures of a page

/** What the widgets' controls read and set, without a kernel behind it. */
export function state(values) {
  const heard = {}
  return {
    get: k => values[k], save_changes() {}, on: (e, f) => (heard[e] ||= new Set()).add(f), off: (e, f) => heard[e]?.delete(f),
    set(k, v) { if (JSON.stringify(v) !== JSON.stringify(values[k])) { values[k] = v; heard[`change:${k}`]?.forEach(f => f()) } },
  }
}

/** Start the worker: `paint` asks for a picture, and `answer` is called for each of its stages. */
function start(wanted, tell) {
  const worker = new Worker(new URL('worker.js', HOME), {type: 'module'}), waiting = new Map(), made = new Map()
  let turn = 0
  const ready = new Promise((go, fail) => {
    worker.onerror = e => fail(new Error(e.message || 'the worker did not start'))
    worker.onmessage = ({data}) => {
      if (data.came) tell(data.came)
      else if (data.ready) go(data.ready)
      else if (data.dropped) waiting.delete(data.dropped)
      else if (data.id) settle(data)
      else if (data.wrong) fail(new Error(data.wrong))
    }
  })
  const settle = data => {
    const {answer, key, channel} = waiting.get(data.id) || {}
    if (!answer) return
    if (data.done || data.wrong) waiting.delete(data.id)
    if (data.done) { made.set(key, data.bytes); if (made.size > MOST) made.delete(made.keys().next().value) }
    if (latest.get(channel) === data.id) answer(data)
  }
  const latest = new Map() // channel -> id of what is wanted there
  const paint = (channel, request, answer) => {
    const key = JSON.stringify(request), id = ++turn, bytes = made.get(key)
    latest.set(channel, id)
    if (bytes) { worker.postMessage({do: 'cancel', channel}); answer({id, bytes, done: true, cached: true, ms: 0}); return }
    waiting.set(id, {answer, key, channel})
    worker.postMessage({do: 'paint', id, channel, ...request})
  }
  worker.postMessage({do: 'load', wanted})
  return {ready, paint, stop: () => worker.terminate()}
}

const seconds = ms => `${(ms / 1000).toFixed(1)} s`
const spaced = name => name.replaceAll('_', ' ')

/** The shares of the styles that a place of the control stands for. */
export function shares_at(view, at, styles = 2) { return view === 'triangle' ? at : styles > 1 ? [1 - at[0], at[0]] : at }

function studio(root, ui, made) {
  const {h, follow, set, scene, among, between, note} = ui
  const {view = 'slider', styles = '', prompt = 'A painting of a red boat on the sea', seed = 3, steps = 8} = root.dataset
  const names = styles.split(','), kinds = view === 'sides' ? ['changes', 'factors'] : ['']
  const all = made.loras.map(l => l.name), missing = names.filter(n => !all.includes(n))
  if (missing.length) throw new Error(`this page has no style ${missing.join(', ')}: there are ${all.join(', ')}`)
  if (view === 'triangle' ? names.length !== 3 : names.length > 2) throw new Error(`${names.length} styles for a ${view}`)
  const ends = names.length > 1 ? names.map(spaced) : ['the base', spaced(names[0])]
  const model = state({names: ends, colours: COLOURS, prompt, seed: +seed, steps: +steps, note: '',
    at: view === 'triangle' ? [+(1 - 2 * 0.33).toFixed(2), 0.33, 0.33] : [0.5]}), gone = new AbortController()
  const get = () => model.get('at'), [height, width] = made.size
  const control = view === 'triangle' ? among(model, gone.signal, get, w => set(model, {at: w}))
    : between(model, gone.signal, () => get()[0], v => set(model, {at: [v]}))
  const views = kinds.map((kind, i) => {
    const canvas = h('canvas', {class: 'lm-picture lm-canvas', role: 'img', width, height, 'aria-label': 'no picture yet',
      'data-kind': kind || 'changes'})
    return {kind, canvas, words: h('figcaption', {}), channel: `${root.id || 'here'}-${Math.random().toString(36).slice(2)}-${i}`}
  })
  const choose = h('select', {class: 'lm-steps', onchange: () => set(model, {steps: +choose.value})},
    [4, 8, 12, 20].map(n => h('option', {value: n}, `${n}`)))
  choose.value = model.get('steps')
  const where = made.on === 'webgpu' ? 'the graphics card' : made.threads > 1 ? `${made.threads} threads` : 'one thread'
  const shares = () => shares_at(view, get(), names.length)
  const mixed = () => shares().map((w, i) => w ? `${Math.round(100 * w)}% ${spaced(names[i])}` : '').filter(Boolean).join(', ') || 'no style'
  const draw = ({kind, canvas, words, channel}) => {
    const weights = all.map(n => +(names.includes(n) ? shares()[names.indexOf(n)] : 0).toFixed(4)), what = mixed()
    const title = kind ? `${kind === 'factors' ? 'Factors' : 'Changes'} mixed: ${what}` : what
    canvas.setAttribute('aria-busy', true)
    const request = {prompt: model.get('prompt'), seed: model.get('seed'), steps: model.get('steps'), weights, factors: kind === 'factors'}
    engine.paint(channel, request, data => {
      if (data.wrong) return model.set('note', `The picture failed: ${data.wrong}`)
      if (data.bytes) canvas.getContext('2d').putImageData(new ImageData(data.bytes, width, height), 0, 0)
      words.replaceChildren(title, h('br'), h('small', {}, data.done ? '\u00a0' : `step ${data.i} of ${data.steps}`))
      if (!data.done) return
      canvas.setAttribute('aria-label', `${request.prompt}: ${title}`); canvas.removeAttribute('aria-busy')
      model.set('note', data.cached ? 'From memory.' : `Painted in ${seconds(data.ms)}, on ${where}.`)
      root.dispatchEvent(new CustomEvent('painted', {bubbles: true, detail: {...request, kind, ms: data.ms, cached: !!data.cached, on: made.on}}))
    })
  }
  const title = `Mix of ${ends.join(', ')}, painted in this page`
  root.replaceChildren(h('section', {class: `lm lm-studio lm-paint lm-${view}`, role: 'group', 'aria-label': title},
    h('div', {class: 'lm-main'}, h('div', {class: 'lm-control'}, control), scene(model, gone.signal),
      h('label', {class: 'lm-count-of-steps'}, 'Steps', choose), note(model, gone.signal)),
    h('div', {class: 'lm-pictures'}, views.map(v => h('figure', {}, v.canvas, v.words)))))
  for (const k of ['prompt', 'seed', 'at', 'steps']) model.on(`change:${k}`, () => views.forEach(draw))
  views.forEach(draw)
  return model
}

function style(name) {
  const href = new URL(name, HOME).href
  if (document.querySelector(`link[href="${href}"]`)) return
  document.head.append(Object.assign(document.createElement('link'), {rel: 'stylesheet', href}))
}

/** Put the button into a place of the page. */
export function mount(root) {
  style('paint.css')
  const button = Object.assign(document.createElement('button'), {type: 'button', className: 'lm-start', textContent: 'Paint here'})
  const about = Object.assign(document.createElement('span'), {className: 'lm-about', textContent:
    ` Your browser paints, with nothing installed: it loads about ${root.dataset.megabytes || 26} MB from this site, once.`})
  about.setAttribute('role', 'status')
  button.onclick = async () => {
    button.disabled = true
    about.textContent = ' loading …'
    try {
      style('widgets.css')
      const ui = await import(new URL('widgets.js', HOME))
      engine ||= start(root.dataset.on, n => engine.tell.forEach(f => f(n)))
      engine.tell ||= []
      engine.tell.push(n => { about.textContent = ` ${(n / 1e6).toFixed(0)} MB of the models are here …` })
      const made = await engine.ready
      root.studio = studio(root, ui, made)
      root.querySelector('[tabindex="0"], input[type=range]')?.focus({preventScroll: true})
      root.dispatchEvent(new CustomEvent('ready', {bubbles: true, detail: made}))
    } catch (e) {
      engine?.stop()
      engine = undefined
      button.disabled = false
      about.textContent = ` This page cannot paint here: ${e.message}`
    }
  }
  root.replaceChildren(button, about)
}

if (typeof document !== 'undefined') document.querySelectorAll('.lm-here').forEach(mount)
