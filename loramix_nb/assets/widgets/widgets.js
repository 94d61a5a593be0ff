// The screens of loramix_nb.widgets: one file, one function for each kind. They show what Python says and tell it what
// the hand does; nothing is decided here but where a point of the triangle is, which must follow the pointer at once.

/** An element: h('button', {class: 'x', onclick: f}, 'text', child, …). What begins with "on" is a listener. */
export function h(tag, props = {}, ...kids) {
  const svg = ['svg', 'polygon', 'circle', 'text', 'line', 'path', 'g'].includes(tag)
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
  for (const [k, v] of Object.entries(props)) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v)
    else if (v === true) e.setAttribute(k, '')
    else if (v !== false && v != null) e.setAttribute(k, v)
  }
  e.append(...kids.flat().filter(k => k != null))
  return e
}

/** Call `fn` now and whenever one of these traits changes, until the view is gone. */
function follow(model, signal, traits, fn) {
  for (const t of traits) {
    model.on(`change:${t}`, fn)
    signal.addEventListener('abort', () => model.off(`change:${t}`, fn))
  }
  fn()
}

function set(model, changes) {
  for (const [k, v] of Object.entries(changes)) model.set(k, v)
  model.save_changes()
}

/** Put a PNG into an <img>, with what is known of it, in one go: nothing is shown before it is decoded. */
async function put(img, seen) {
  if (!seen || !seen.png || !seen.png.byteLength) return
  const turn = img.turn = (img.turn || 0) + 1
  const url = URL.createObjectURL(new Blob([seen.png], {type: 'image/png'})), next = new Image()
  next.src = url
  try { await next.decode() } catch { return URL.revokeObjectURL(url) }
  if (turn !== img.turn) return URL.revokeObjectURL(url)
  if (img.src.startsWith('blob:')) URL.revokeObjectURL(img.src)
  img.src = url
  img.alt = seen.words || ''
  Object.assign(img.dataset, {mark: seen.mark || '', stage: seen.stage || '', shown: performance.now()})
}

const percent = v => `${Math.round(v * 100)}%`
const step = (v, by) => Math.round(v / by) * by

async function copy(text, say) {
  try { await navigator.clipboard.writeText(text); say('copied') }
  catch { say('the browser does not let this page copy: select the lines and copy them') }
}

/** The note, which screen readers read aloud; its line is there even when it is empty, so that nothing jumps. */
function note(model, signal) {
  const p = h('p', {class: 'lm-note', role: 'status', 'aria-live': 'polite'})
  follow(model, signal, ['note'], () => { p.textContent = model.get('note') || '\u00a0' })
  return p
}

function lines(model, signal, say) {
  const pre = h('pre', {class: 'lm-code', tabindex: 0, 'aria-label': 'The Python that makes this picture'})
  follow(model, signal, ['code'], () => { pre.textContent = model.get('code') })
  return [h('button', {type: 'button', class: 'lm-copy', onclick: () => copy(model.get('code'), say)}, 'Copy the Python'), pre]
}

/** A slider with its name before it and its value behind it. */
function fader(name, {min = 0, max = 1, by = 0.05, text = percent, words, moved, ...more}) {
  const out = h('output', {}), input = h('input', {type: 'range', min, max, step: by, 'aria-label': name, ...more,
    oninput: () => { tell(); moved(step(+input.value, by)) }})
  const tell = () => {
    out.textContent = text(+input.value)
    input.setAttribute('aria-valuetext', words ? words(+input.value) : text(+input.value))
  }
  return {input, out, show: v => { if (document.activeElement !== input || +input.value !== v) input.value = v; tell() }}
}

/** What every studio has: a picture on the right; on the left prompt, seed, the controls, and what can be done with it. */
function studio(model, root, signal, title, controls) {
  const img = h('img', {class: 'lm-picture', alt: '', width: 288, height: 288}), words = h('figcaption', {})
  const stages = {near: 'the nearest picture there is', sketch: 'a sketch', full: '\u00a0'}
  follow(model, signal, ['seen'], () => {
    const seen = model.get('seen') || {}
    put(img, seen)
    words.replaceChildren(seen.words || 'painting …', h('br'), h('small', {}, stages[seen.stage] || '\u00a0'))
  })
  const prompt = h('input', {type: 'text', class: 'lm-prompt', onchange: () => set(model, {prompt: prompt.value})})
  const seed = h('input', {type: 'number', class: 'lm-seed', min: 0, max: 2147483647, step: 1,
    onchange: () => { if (seed.checkValidity() && seed.value) set(model, {seed: +seed.value}) }})
  follow(model, signal, ['prompt'], () => { prompt.value = model.get('prompt') })
  follow(model, signal, ['seed'], () => { seed.value = model.get('seed') })
  const say = text => { model.set('note', text) }
  const kept = h('select', {class: 'lm-kept', onchange: () => {
    if (kept.value) model.send({do: 'load', name: kept.value}); kept.value = '' }})
  follow(model, signal, ['kept'], () => {
    kept.replaceChildren(h('option', {value: ''}, model.get('kept').length ? 'take up a kept one …' : 'nothing kept yet'),
      ...model.get('kept').map(n => h('option', {value: n}, n)))
  })
  const [button, pre] = lines(model, signal, say)
  root.append(h('section', {class: `lm lm-${model.get('kind')}`, role: 'group', 'aria-label': title},
    h('div', {class: 'lm-left'},
      h('div', {class: 'lm-scene'}, h('label', {}, 'Prompt', prompt), h('label', {}, 'Seed', seed)),
      controls,
      h('div', {class: 'lm-buttons'}, button,
        h('button', {type: 'button', class: 'lm-keep', onclick: () => model.send({do: 'keep'})}, 'Keep the recipe'),
        h('label', {class: 'lm-hush'}, 'Kept recipes', kept)),
      pre, note(model, signal)),
    h('figure', {}, img, words)))
}

const swatch = (model, i) => h('i', {class: 'lm-swatch', style: `background:${model.get('colours')[i]}`})

function alpha(model, root, signal) {
  const [a, b] = model.get('names')
  const words = v => `${percent(1 - v)} ${a}, ${percent(v)} ${b}`
  const f = fader(`From ${a} to ${b}`, {class: 'lm-alpha-range', words, text: v => v.toFixed(2),
    moved: v => set(model, {at: [v]})})
  follow(model, signal, ['at'], () => f.show(model.get('at')[0]))
  studio(model, root, signal, `From ${a} to ${b}`, h('div', {class: 'lm-control'},
    h('div', {class: 'lm-ends'}, h('span', {}, swatch(model, 0), a), f.out, h('span', {}, b, swatch(model, 1))), f.input))
}

// ---- the triangle: the same arithmetic as `shares` and `triangle_weights` in Python, which the tests compare
const CORNERS = [[0.5, 0], [1, 1], [0, 1]]

export function shares(weights, n = 100) {
  const w = weights.map(x => Math.max(x, 0)), sum = w[0] + w[1] + w[2], exact = w.map(x => x / sum * n)
  const whole = exact.map(x => Math.floor(x + 1e-9))
  const order = [0, 1, 2].sort((i, j) => (whole[i] - exact[i]) - (whole[j] - exact[j]))
  for (const i of order.slice(0, Math.round(n - whole[0] - whole[1] - whole[2]))) whole[i] += 1
  return whole.map(x => +(x / n).toFixed(6))
}

export const point = w => [0, 1].map(k => w[0] * CORNERS[0][k] + w[1] * CORNERS[1][k] + w[2] * CORNERS[2][k])

export function weights(x, y) {
  const b = (y + 2 * (x - 0.5)) / 2, c = (y - 2 * (x - 0.5)) / 2, w = [1 - b - c, b, c]
  if (Math.min(...w) >= 0) return shares(w)
  const near = [0, 1, 2].map(i => {
    const j = (i + 1) % 3, [p, q] = [CORNERS[i], CORNERS[j]], d = [q[0] - p[0], q[1] - p[1]]
    const t = Math.min(Math.max(((x - p[0]) * d[0] + (y - p[1]) * d[1]) / (d[0] ** 2 + d[1] ** 2), 0), 1)
    const v = [0, 0, 0]
    v[i] = 1 - t; v[j] = t
    return v
  })
  const far = v => { const [px, py] = point(v); return (px - x) ** 2 + (py - y) ** 2 }
  return shares(near.reduce((a, v) => far(v) < far(a) ? v : a))
}

function triangle(model, root, signal) {
  const names = model.get('names'), colours = model.get('colours'), [W, H, M] = [260, 225, 22]
  const xy = w => { const [x, y] = point(w); return [M + x * W, M + y * H] }
  const corners = [0, 1, 2].map(i => xy([0, 1, 2].map(j => +(i === j))))
  const handle = h('circle', {r: 10, class: 'lm-handle'}), spokes = corners.map((_, i) => h('line', {stroke: colours[i], class: 'lm-spoke'}))
  const where = ['lm-top', 'lm-right', 'lm-leftmost']
  const pad = h('svg', {viewBox: `0 0 ${W + 2 * M} ${H + 2 * M}`, class: 'lm-pad', tabindex: 0, role: 'slider',
    'aria-roledescription': 'style triangle', 'aria-label': `Mix of ${names.join(', ')}; arrow keys move, 1 2 3 go to a corner, 0 to the middle`,
    'aria-valuemin': 0, 'aria-valuemax': 100},
    h('polygon', {points: corners.map(c => c.join()).join(' '), class: 'lm-triangle'}), spokes,
    corners.map(([cx, cy], i) => h('circle', {cx, cy, r: 5, fill: colours[i]})), handle)
  const go = w => set(model, {at: w})
  const move = (dx, dy) => { const [x, y] = point(model.get('at')); go(weights(x + dx, y + dy)) }
  pad.addEventListener('keydown', e => {
    const [dx, dy] = e.shiftKey ? [0.01, 0.02] : [0.05, 0.04]
    const act = {ArrowLeft: () => move(-dx, 0), ArrowRight: () => move(dx, 0), ArrowUp: () => move(0, -dy), ArrowDown: () => move(0, dy),
      1: () => go([1, 0, 0]), 2: () => go([0, 1, 0]), 3: () => go([0, 0, 1]), 0: () => go(shares([1, 1, 1])), Home: () => go(shares([1, 1, 1]))}[e.key]
    if (!act || e.ctrlKey || e.metaKey || e.altKey) return
    e.preventDefault(); e.stopPropagation() // a notebook would take some of them for its own
    act()
  })
  const drag = e => {
    const box = pad.getBoundingClientRect(), k = (W + 2 * M) / box.width
    go(weights(((e.clientX - box.left) * k - M) / W, ((e.clientY - box.top) * k - M) / H))
  }
  pad.addEventListener('pointerdown', e => { pad.setPointerCapture(e.pointerId); pad.focus(); drag(e); e.preventDefault() })
  pad.addEventListener('pointermove', e => { if (pad.hasPointerCapture(e.pointerId)) drag(e) })
  const shares_of = h('div', {class: 'lm-shares'})
  follow(model, signal, ['at'], () => {
    const w = model.get('at'), [x, y] = xy(w), text = names.map((n, i) => `${percent(w[i])} ${n}`).join(', ')
    handle.setAttribute('cx', x); handle.setAttribute('cy', y)
    spokes.forEach((s, i) => { for (const [k, v] of Object.entries({x1: x, y1: y, x2: corners[i][0], y2: corners[i][1]})) s.setAttribute(k, v)
      s.setAttribute('stroke-width', 1 + 8 * w[i]) })
    pad.setAttribute('aria-valuenow', Math.round(100 * Math.max(...w))); pad.setAttribute('aria-valuetext', text)
    pad.dataset.at = w.join()
    shares_of.replaceChildren(...names.map((n, i) => h('span', {class: where[i]}, swatch(model, i), `${n} ${percent(w[i])}`)))
  })
  studio(model, root, signal, `Mix of ${names.join(', ')}`, h('div', {class: 'lm-control'}, pad, shares_of))
}

function board(model, root, signal) {
  const names = model.get('names'), blocks = model.get('blocks'), shows = []
  const at = (i, v) => { const a = [...model.get('at')]; for (const k of [i].flat()) a[k] = v; set(model, {at: a}) }
  let n = names.length
  const rows = names.map((name, i) => {
    const ids = blocks[i].map(() => n++), text = blocks[i].indexOf('BASE'), unet = ids.filter((_, j) => j !== text)
    const wide = {min: -1, max: 2, text: v => v.toFixed(2)}
    const strength = fader(`Strength of ${name}`, {...wide, class: 'lm-strength', moved: v => at(i, v)})
    const words = text < 0 ? null : fader(`Text encoder of ${name}`, {...wide, class: 'lm-text', moved: v => at(ids[text], v)})
    const all = fader(`UNet of ${name}`, {...wide, class: 'lm-unet', moved: v => at(unet, v)})
    const each = blocks[i].map((b, j) => fader(`${b} of ${name}`, {...wide, class: 'lm-block', 'data-block': b, moved: v => at(ids[j], v)}))
    shows.push(() => {
      const a = model.get('at'), mean = unet.reduce((s, k) => s + a[k], 0) / (unet.length || 1)
      strength.show(a[i]); if (words) words.show(a[ids[text]]); all.show(+mean.toFixed(2)); each.forEach((f, j) => f.show(a[ids[j]]))
    })
    const cell = (f, what) => h('div', {class: 'lm-cell'}, h('span', {}, what), f ? [f.input, f.out] : h('em', {title: 'this LoRA leaves it alone'}, 'not touched'))
    return h('div', {class: 'lm-style'}, h('strong', {}, swatch(model, i), name), cell(strength, 'strength'), cell(words, 'text encoder'), cell(all, 'UNet'),
      h('details', {}, h('summary', {}, 'block by block'), h('div', {class: 'lm-blocks'}, blocks[i].map((b, j) => h('div', {class: 'lm-cell'}, h('span', {}, b), each[j].input, each[j].out)))))
  })
  follow(model, signal, ['at'], () => shows.forEach(f => f()))
  const flat = h('button', {type: 'button', class: 'lm-flat', onclick: () => set(model, {at: model.get('at').map((v, i) => i < names.length ? v : 1)})}, 'All faders to 1')
  studio(model, root, signal, `Mixing board of ${names.join(', ')}`, h('div', {class: 'lm-control'}, rows, flat))
}

const kinds = {alpha, triangle, board}

export default {
  render({model, el}) {
    const gone = new AbortController()
    kinds[model.get('kind')](model, el, gone.signal)
    return () => gone.abort()
  },
}
