// The screens of loramix_nb.widgets: one file, one function for each kind. They show the state of
// the Python side and send it the user's input; only the point of the triangle is computed here, to follow the pointer.

/** An element: h('button', {class: 'x', onclick: f}, 'text', child, …). What begins with "on" is a listener. */
export function h(tag, props = {}, ...kids) {
  const svg = ['svg', 'polygon', 'circle', 'text', 'line', 'path', 'g'].includes(tag)
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
  for (const [k, v] of Object.entries(props)) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v)
    else if (v === true) e.setAttribute(k, '')
    else if (v !== false && v != null) e.setAttribute(k, v)
  }
  // Arrow keys are for what has the focus; a notebook in command mode would take them for itself.
  if ('tabindex' in props || ['button', 'input', 'select', 'summary', 'textarea'].includes(tag)) e.dataset.lmSuppressShortcuts = 'true'
  e.append(...kids.flat(Infinity).filter(k => k != null))
  return e
}

/** Call `fn` now and whenever one of these traits changes, until the view is gone. */
export function follow(model, signal, traits, fn) {
  for (const t of traits) {
    model.on(`change:${t}`, fn)
    signal.addEventListener('abort', () => model.off(`change:${t}`, fn))
  }
  fn()
}

export function set(model, changes) {
  for (const [k, v] of Object.entries(changes)) model.set(k, v)
  model.save_changes()
}

/** Ask Python to do something, and say where the controls are: changes wait for a busy kernel, messages do not. */
function ask(model, message, buffers) {
  model.send({...message, epoch: model.get('epoch'), at: Object.fromEntries(model.get('controls').map(k => [k, model.get(k)]))}, undefined, buffers)
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
  Object.assign(img.dataset, {mark: seen.mark || '', stage: seen.stage || '', shown: turn})
}

const percent = v => `${Math.round(v * 100)}%`

async function copy(text, say) {
  try { await navigator.clipboard.writeText(text); say('copied') }
  catch { say('the browser does not let this page copy: select the lines and copy them') }
}

/** The note, which screen readers read aloud; its line is there even when it is empty, so that nothing jumps. */
export function note(model, signal) {
  const p = h('p', {class: 'lm-note', role: 'status', 'aria-live': 'polite'})
  follow(model, signal, ['note'], () => { p.textContent = model.get('note') || '\u00a0' })
  return p
}

function lines(model, signal, say) {
  const pre = h('pre', {class: 'lm-code', tabindex: 0, 'aria-label': 'Python code of this picture'})
  follow(model, signal, ['code'], () => { pre.textContent = model.get('code') })
  return [h('button', {type: 'button', class: 'lm-copy', onclick: () => copy(model.get('code'), say)}, 'Copy Python code'), pre]
}

/** The command line of the picture, folded beside its Python. */
function shell(model, signal, say) {
  const pre = h('pre', {class: 'lm-command', tabindex: 0, 'aria-label': 'Command line of this picture'})
  follow(model, signal, ['command'], () => { pre.textContent = model.get('command') })
  return h('details', {class: 'lm-shell'}, h('summary', {}, 'Command line'), h('div', {class: 'lm-buttons'},
    h('button', {type: 'button', class: 'lm-copy-command', onclick: () => copy(model.get('command'), say)}, 'Copy command')), pre)
}

let fields = 0

/** A number that is typed. What cannot be is said beside the field and stays in it to be mended; nothing else changes. */
function field(name, {min, max, step = 'any', moved, ...more}) {
  const wrong = h('span', {class: 'lm-wrong', role: 'alert', id: `lm-wrong-${++fields}`})
  const judge = (fault = '') => { wrong.textContent = fault; input.setAttribute('aria-invalid', !!fault) }
  const input = h('input', {type: 'number', min, max, step, 'aria-label': name, 'aria-describedby': wrong.id, ...more, onchange: () => {
    const v = input.value === '' ? NaN : +input.value, fits = v >= min && v <= max && (step !== 1 || Number.isInteger(v))
    judge(fits ? '' : `${input.value && `${input.value}: `}give a ${step === 1 ? 'whole ' : ''}number from ${min} to ${max}; ${input.dataset.now} still holds`)
    if (fits) moved(v)
  }})
  const show = v => { input.value = input.dataset.now = v; judge() }
  return {input, wrong, show}
}

const icon = (...kids) => h('svg', {viewBox: '0 0 16 16', class: 'lm-icon', 'aria-hidden': true}, ...kids)
const die = () => icon(h('path', {d: 'M4 2h8l2 2v8l-2 2H4l-2-2V4z'}), [[5, 5], [11, 5], [8, 8], [5, 11], [11, 11]].map(([cx, cy]) => h('circle', {cx, cy, r: 0.7})))
const padlock = () => icon(h('path', {d: 'M3.5 7.5h9v6.5h-9z'}), h('path', {d: 'M5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5', class: 'lm-shackle'}))

/** Prompt and seed of a picture; the seed in the range of other programs, with a die, and a lock that keeps it for a new prompt. */
export function scene(model, signal) {
  const roll = () => crypto.getRandomValues(new Uint32Array(1))[0], locked = () => lock.getAttribute('aria-pressed') === 'true'
  const f = field('Seed', {class: 'lm-seed', min: 0, max: 4294967295, step: 1, moved: v => set(model, {seed: v})})
  follow(model, signal, ['seed'], () => f.show(model.get('seed')))
  const prompt = h('textarea', {class: 'lm-prompt', rows: 2, onkeydown: e => { if (e.key === 'Enter') { e.preventDefault(); prompt.blur(); prompt.focus() } },
    onchange: () => set(model, {prompt: prompt.value, ...locked() ? {} : {seed: roll()}})})
  follow(model, signal, ['prompt'], () => { prompt.value = model.get('prompt') })
  const dice = h('button', {type: 'button', class: 'lm-dice', title: 'a new seed', 'aria-label': 'New seed', onclick: () => set(model, {seed: roll()})}, die())
  const lock = h('button', {type: 'button', class: 'lm-lock', 'aria-pressed': 'true', title: 'locked: a new prompt keeps the seed',
    'aria-label': 'Keep the seed for a new prompt', onclick: () => {
      lock.setAttribute('aria-pressed', !locked())
      lock.title = locked() ? 'locked: a new prompt keeps the seed' : 'open: a new prompt gets a new seed'
    }}, padlock())
  return h('div', {class: 'lm-scene'}, h('label', {}, 'Prompt', prompt), h('label', {}, 'Seed', f.input, f.wrong), dice, lock)
}

/** A list to choose from: `options` of the model are shown by `text`, and compared as text. */
function choice(model, signal, name, trait, options, text) {
  const box = h('select', {class: `lm-${trait}`, onchange: () => set(model, {[trait]: all()[box.selectedIndex]})})
  const all = () => {
    const known = model.get(options), now = model.get(trait)
    return known.some(v => `${v}` === `${now}`) ? known : [...known, now]
  }
  follow(model, signal, [trait, options], () => {
    box.replaceChildren(...all().map(v => h('option', {value: `${v}`}, text(v))))
    box.value = `${model.get(trait)}`
  })
  return h('label', {}, name, box)
}

/** What is set once for all pictures of a studio, folded away: negative prompt, steps, guidance, size, scheduler. */
function settings(model, signal) {
  const number = (trait, name, more) => {
    const f = field(name, {class: `lm-${trait}`, ...more, moved: v => set(model, {[trait]: v})})
    follow(model, signal, [trait], () => f.show(model.get(trait)))
    return h('label', {}, name, f.input, f.wrong)
  }
  const negative = h('input', {type: 'text', class: 'lm-negative', onchange: () => set(model, {negative: negative.value})})
  follow(model, signal, ['negative'], () => { negative.value = model.get('negative') })
  return h('details', {class: 'lm-settings'}, h('summary', {}, 'settings'), h('div', {class: 'lm-scene lm-numbers'},
    h('label', {class: 'lm-wide'}, 'Negative prompt', negative), number('steps', 'Steps', {min: 1, max: 1000, step: 1}),
    number('guidance', 'Guidance', {min: 0, max: 100}),
    model.get('sizes').length ? choice(model, signal, 'Size', 'size', 'sizes', v => v.join(' × ')) : null,
    choice(model, signal, 'Scheduler', 'scheduler', 'schedulers', v => v || 'the base’s own')))
}

/** Two pictures in one frame: what is left of the line is the one that was kept. */
function wipe(img) {
  const kept = h('img', {class: 'lm-kept', alt: '', hidden: true}), line = h('input', {type: 'range', min: 0, max: 100, value: 50, class: 'lm-line', hidden: true,
    'aria-label': 'How much of the kept picture is shown', oninput: () => show()})
  const show = () => { kept.style.clipPath = `inset(0 ${100 - line.value}% 0 0)`; line.setAttribute('aria-valuetext', `${line.value}% of the kept picture`) }
  const toggle = on => {
    kept.hidden = line.hidden = !on
    if (on) { kept.src = still(img); kept.alt = `kept: ${img.alt}`; line.value = 50; show() }
  }
  return {frame: h('div', {class: 'lm-frame'}, img, kept), line, toggle}
}

/** A copy of what an <img> shows, which stays when the picture changes. */
function still(img) {
  const c = h('canvas', {width: img.naturalWidth, height: img.naturalHeight})
  c.getContext('2d').drawImage(img, 0, 0)
  return c.toDataURL('image/png')
}

/** The pictures of this page: favourites, then the latest first; a click brings back all settings of one, a star keeps it. */
function history_of(model, signal) {
  const box = h('div', {class: 'lm-thumbs lm-history', role: 'group', 'aria-label': 'History'})
  const entry = p => h('div', {class: 'lm-past', 'data-mark': p.mark},
    h('button', {type: 'button', class: 'lm-revisit', title: p.words, 'aria-label': `back to ${p.words}`, onclick: () => ask(model, {do: 'revisit', mark: p.mark})}, thumb(p)),
    h('button', {type: 'button', class: 'lm-star', 'aria-label': `favourite: ${p.words}`, onclick: () => ask(model, {do: 'star', mark: p.mark})}))
  follow(model, signal, ['history'], () => {
    const had = new Map([...box.children].map(b => [b.dataset.mark, b])), focus = document.activeElement
    box.replaceChildren(...model.get('history').map(p => {
      const e = had.get(p.mark) || entry(p), star = e.querySelector('.lm-star')
      star.textContent = p.star ? '★' : '☆'; star.title = p.star ? 'a favourite' : 'keep as a favourite'; star.setAttribute('aria-pressed', !!p.star)
      return e
    }))
    if (box.contains(focus)) focus.focus()
  })
  roam(box, '.lm-revisit', false)
  return h('div', {class: 'lm-kept-here'}, box, h('small', {}, 'These last as long as this page. A star keeps one in front, Download PNG keeps one on your disk.'))
}

const PIECE = 4 << 20 // a server refuses messages of more than 10 MB

/** Hand files to Python, in pieces. */
async function hand_over(model, files) {
  for (const f of files) for (let start = 0; start < Math.max(f.size, 1); start += PIECE)
    ask(model, {do: 'take', name: f.name, start, size: f.size}, [await f.slice(start, start + PIECE).arrayBuffer()])
}

/** The photo that is restyled: how much of it is painted over, and the way back. */
function over_photo(model, signal) {
  const img = h('img', {class: 'lm-before', alt: '', width: 56, height: 56})
  const f = fader('Strength of the restyling', {class: 'lm-photo-strength', text: v => v.toFixed(2), moved: v => set(model, {strength: v})})
  const row = h('div', {class: 'lm-over-photo'}, img, h('label', {}, 'Strength', f.input), f.out,
    h('button', {type: 'button', class: 'lm-plain', onclick: () => ask(model, {do: 'plain'})}, 'Without photo'))
  follow(model, signal, ['photo', 'before', 'strength'], () => {
    const name = model.get('photo')
    row.hidden = !name
    if (name) put(img, {png: model.get('before'), words: `the photo ${name}`})
    f.show(model.get('strength'))
  })
  return row
}

/** The mixes between two styles, with all other settings as they are: started, stopped, resumed; a click opens one. */
function grid(model, signal) {
  const select = (cls, name, values, value) => {
    const s = h('select', {class: cls}, values.map(v => h('option', {value: v}, v)))
    s.value = value
    return [s, h('label', {}, name, s)]
  }
  const [count, counts] = select('lm-grid-count', 'Mixes', [3, 5, 7, 9, 11], 5), [seeds, rows_of] = select('lm-grid-seeds', 'Seeds', [1, 2, 3, 4], 1)
  const ends = ['From', 'To'].map((name, i) => select(`lm-grid-end-${i}`, name, [], ''))
  const act = (name, text, message) => h('button', {type: 'button', class: `lm-grid-${name}`, onclick: () => ask(model, message())}, text)
  const start = act('start', 'Start', () => ({do: 'paint_grid', first: +ends[0][0].value, second: +ends[1][0].value, count: +count.value, seeds: +seeds.value}))
  const stop = act('stop', 'Stop', () => ({do: 'stop_grid'})), go_on = act('resume', 'Resume', () => ({do: 'resume_grid'}))
  const bar = h('progress', {max: 1, value: 0, 'aria-label': 'Pictures of the grid'}), said = h('span', {class: 'lm-grid-said', role: 'status'})
  const table = h('table', {class: 'lm-grid'}), wrong = h('span', {class: 'lm-wrong', role: 'alert'})
  const judge = () => {
    start.disabled = ends[0][0].value === ends[1][0].value
    wrong.textContent = start.disabled ? 'choose two different styles' : ''
  }
  const box = h('details', {class: 'lm-grid-box'}, h('summary', {}, 'Grid'), h('div', {class: 'lm-scene'}, ends.map(e => e[1]), counts, rows_of, wrong),
    h('div', {class: 'lm-buttons'}, start, stop, go_on, bar, said), table)
  for (const [s] of ends) s.addEventListener('change', judge)
  follow(model, signal, ['names'], () => {
    const names = model.get('names')
    box.hidden = names.length < 2
    ends.forEach(([s], i) => { const v = s.value || `${i}`; s.replaceChildren(...names.map((n, k) => h('option', {value: k}, n))); s.value = v })
    judge()
  })
  const known = new Map()
  follow(model, signal, ['grid'], () => {
    const {columns = [], rows = [], cells = [], state = '', ends: [a, b] = ['', '']} = model.get('grid'), done = cells.filter(Boolean).length
    bar.max = cells.length || 1; bar.value = done
    said.textContent = cells.length ? `${done} of ${cells.length} ${state === 'stopped' ? 'pictures, stopped' : 'pictures'}` : ''
    stop.disabled = state !== 'running'; go_on.disabled = state !== 'stopped'
    const cell = (c, i) => {
      const key = `${i} ${c ? c.mark : ''}`, words = c ? `open ${percent(1 - columns[i % columns.length])} ${a}, ${percent(columns[i % columns.length])} ${b}` : 'not painted yet'
      if (!known.has(key)) known.set(key, h('button', {type: 'button', class: 'lm-cell-of-grid', disabled: !c, 'aria-label': words, onclick: () => ask(model, {do: 'open_cell', i})}, c ? thumb({...c, words}) : ''))
      return h('td', {}, known.get(key))
    }
    table.replaceChildren(...cells.length ? [h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'seed'), columns.map(v => h('th', {scope: 'col'}, percent(v))))),
      h('tbody', {}, rows.map((r, j) => h('tr', {}, h('th', {scope: 'row'}, `${r}`), columns.map((_, i) => cell(cells[j * columns.length + i], j * columns.length + i)))))] : [])
  })
  return box
}

/** Hand a file of the model to the browser. */
function keep_files(model, signal) {
  const give = () => {
    const {name, png} = model.get('given')
    if (!name || !png) return
    const url = URL.createObjectURL(new Blob([png], {type: 'image/png'}))
    h('a', {href: url, download: name}).click()
    setTimeout(() => URL.revokeObjectURL(url), 1e4)
  }
  model.on('change:given', give)
  signal.addEventListener('abort', () => model.off('change:given', give))
}

/** A slider and its value. It takes any hundredth; a key moves it to the next twentieth, with Shift to the next hundredth. */
export function fader(name, {min = 0, max = 1, fine = 0.01, coarse = 0.05, text = percent, words, moved, typed, ...more}) {
  const number = typed && field(name, {class: 'lm-number', min, max, moved: v => { show(v); moved(v) }})
  const out = number ? number.input : h('output', {}), input = h('input', {type: 'range', min, max, step: fine, 'aria-label': name, ...more,
    oninput: () => to(+input.value, fine)})
  const show = v => {
    input.value = v
    if (number) number.show(text(v)); else out.textContent = text(v)
    input.setAttribute('aria-valuetext', words ? words(v) : text(v))
  }
  const to = (v, by) => { const w = +Math.min(Math.max(Math.round(v / by) * by, min), max).toFixed(4); show(w); moved(w) }
  input.addEventListener('keydown', e => {
    const way = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[e.key], by = e.shiftKey ? fine : coarse
    if (way) { e.preventDefault(); e.stopPropagation(); to(((way > 0 ? Math.floor : Math.ceil)(input.value / by + way * 1e-6) + way) * by, by) } // a notebook has other plans for these keys
    else if (['Home', 'End', 'PageUp', 'PageDown'].includes(e.key)) e.stopPropagation()
  })
  return {input, out, show, wrong: number && number.wrong}
}

/** What every studio has: a picture on the right; on the left prompt, seed, the controls, and what can be done with it. */
function studio(model, root, signal, title, controls, takes = false) {
  const img = h('img', {class: 'lm-picture', alt: '', width: 288, height: 288}), words = h('figcaption', {})
  const stages = {nearest: 'nearest cached picture', preview: 'preview', full: '\u00a0'}
  follow(model, signal, ['seen'], () => {
    const seen = model.get('seen') || {}
    put(img, seen)
    words.replaceChildren(seen.words || 'painting …', h('br'), h('small', {}, stages[seen.stage] || '\u00a0'))
  })
  const say = text => { model.set('note', text) }
  const saved = h('select', {class: 'lm-saved', onchange: () => {
    if (saved.value) ask(model, {do: 'load', name: saved.value}); saved.value = '' }})
  follow(model, signal, ['saved'], () => {
    saved.replaceChildren(h('option', {value: ''}, model.get('saved').length ? 'load a saved recipe …' : 'no saved recipes'),
      ...model.get('saved').map(n => h('option', {value: n}, n)))
  })
  const file = takes && h('input', {type: 'file', multiple: true, class: 'lm-file', 'aria-label': 'Add a LoRA, a photo or a picture', onchange: async () => {
    await hand_over(model, file.files); file.value = '' }})
  const [button, pre] = lines(model, signal, say), act = (name, text) => h('button', {type: 'button', class: `lm-${name}`, onclick: () => ask(model, {do: name})}, text)
  const undo = act('undo', 'Undo'), redo = act('redo', 'Redo'), {frame, line, toggle} = wipe(img)
  follow(model, signal, ['can'], () => { [undo.disabled, redo.disabled] = model.get('can').map(c => !c) })
  const compare = h('button', {type: 'button', class: 'lm-compare', 'aria-pressed': 'false', title: 'keep this picture, and compare later ones with it', onclick: () => {
    const on = compare.getAttribute('aria-pressed') !== 'true'
    compare.setAttribute('aria-pressed', on); toggle(on)
  }}, 'Compare')
  const section = h('section', {class: `lm lm-studio lm-${model.get('kind')}`, role: 'group', 'aria-label': title},
    h('div', {class: 'lm-main'},
      scene(model, signal),
      takes ? over_photo(model, signal) : null,
      controls,
      settings(model, signal),
      h('div', {class: 'lm-buttons'}, undo, redo, compare, act('download', 'Download PNG'), act('save', 'Save recipe'),
        h('label', {class: 'lm-hush'}, 'Saved recipes', saved),
        takes ? h('label', {class: 'lm-add', title: 'a LoRA joins the mix, a photo is restyled, a saved picture brings back its settings'}, 'Add file', file) : null),
      takes ? grid(model, signal) : null,
      h('details', {class: 'lm-lines'}, h('summary', {}, 'Python code'), h('div', {class: 'lm-buttons'}, button), pre),
      model.get('command') ? shell(model, signal, say) : null,
      note(model, signal)),
    h('figure', {}, frame, line, words), history_of(model, signal))
  section.addEventListener('keydown', e => { // a text field has an undo of its own
    if (!(e.ctrlKey || e.metaKey) || e.key.toLowerCase() !== 'z' || /^(TEXTAREA|INPUT)$/.test(e.target.tagName) && e.target.type !== 'range') return
    e.preventDefault(); e.stopPropagation(); ask(model, {do: e.shiftKey ? 'redo' : 'undo'})
  })
  section.addEventListener('dragover', e => { e.preventDefault(); section.classList.add('lm-over') })
  section.addEventListener('dragleave', () => section.classList.remove('lm-over'))
  section.addEventListener('drop', async e => {
    e.preventDefault(); section.classList.remove('lm-over')
    if (takes) hand_over(model, e.dataTransfer.files)
    else if (e.dataTransfer.files.length) ask(model, {do: 'restore'}, [await e.dataTransfer.files[0].arrayBuffer()])
  })
  if (takes) follow(model, signal, ['photo'], () => {
    const size = section.querySelector('.lm-size'), photo = !!model.get('photo')
    size.disabled = photo; size.title = photo ? 'a restyled picture has the size of its photo' : ''
  })
  keep_files(model, signal)
  root.append(section)
}

const swatch = (model, i) => h('i', {class: 'lm-swatch', style: `background:${model.get('colours')[i]}`})

/** A slider between two styles: `get` gives the share of the second, `go` sets it. */
export function between(model, signal, get, go) {
  const [a, b] = model.get('names'), words = v => `${percent(1 - v)} ${a}, ${percent(v)} ${b}`
  const f = fader(`From ${a} to ${b}`, {class: 'lm-alpha-range', fine: 0.05, words, text: v => v.toFixed(2), moved: go})
  follow(model, signal, ['at'], () => f.show(get()))
  return [h('div', {class: 'lm-ends'}, h('span', {}, swatch(model, 0), a), f.out, h('span', {}, b, swatch(model, 1))), f.input]
}

function alpha(model, root, signal) {
  const [a, b] = model.get('names')
  studio(model, root, signal, `From ${a} to ${b}`, h('div', {class: 'lm-control'},
    between(model, signal, () => model.get('at')[0], v => set(model, {at: [v]}))))
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

/** A point in a triangle of three styles: `get` gives their shares, `go` sets them. */
export function among(model, signal, get, go) {
  const names = model.get('names'), colours = model.get('colours'), [W, H, M] = [260, 225, 22]
  const xy = w => { const [x, y] = point(w); return [M + x * W, M + y * H] }
  const corners = [0, 1, 2].map(i => xy([0, 1, 2].map(j => +(i === j))))
  const handle = h('circle', {r: 10, class: 'lm-handle'}), spokes = corners.map((_, i) => h('line', {stroke: colours[i], class: 'lm-spoke'}))
  const where = ['lm-top', 'lm-right', 'lm-third']
  const pad = h('svg', {viewBox: `0 0 ${W + 2 * M} ${H + 2 * M}`, class: 'lm-pad', tabindex: 0, role: 'slider',
    'aria-roledescription': 'style triangle', 'aria-label': `Mix of ${names.join(', ')}; arrow keys move, 1 2 3 go to a corner, 0 to the middle`,
    'aria-valuemin': 0, 'aria-valuemax': 100},
    h('polygon', {points: corners.map(c => c.join()).join(' '), class: 'lm-field'}), spokes,
    corners.map(([cx, cy], i) => h('circle', {cx, cy, r: 5, fill: colours[i]})), handle)
  const move = (dx, dy) => { const [x, y] = point(get()); go(weights(x + dx, y + dy)) }
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
  pad.addEventListener('pointerdown', e => { pad.setPointerCapture(e.pointerId); pad.focus({preventScroll: true}); drag(e); e.preventDefault() })
  pad.addEventListener('pointermove', e => { if (pad.hasPointerCapture(e.pointerId)) drag(e) })
  const shares_of = h('div', {class: 'lm-shares'})
  follow(model, signal, ['at'], () => {
    const w = get(), [x, y] = xy(w), text = names.map((n, i) => `${percent(w[i])} ${n}`).join(', ')
    handle.setAttribute('cx', x); handle.setAttribute('cy', y)
    spokes.forEach((s, i) => { for (const [k, v] of Object.entries({x1: x, y1: y, x2: corners[i][0], y2: corners[i][1]})) s.setAttribute(k, v)
      s.setAttribute('stroke-width', 1 + 8 * w[i]) })
    pad.setAttribute('aria-valuenow', Math.round(100 * Math.max(...w))); pad.setAttribute('aria-valuetext', text)
    pad.dataset.at = w.join()
    shares_of.replaceChildren(...names.map((n, i) => h('span', {class: where[i]}, swatch(model, i), `${n} ${percent(w[i])}`)))
  })
  return [pad, shares_of]
}

function triangle(model, root, signal) {
  studio(model, root, signal, `Mix of ${model.get('names').join(', ')}`, h('div', {class: 'lm-control'},
    among(model, signal, () => model.get('at'), w => set(model, {at: w}))))
}

/** Tabs over one state: those of the views that fit; `view` of the model is the one that is shown. */
function tabs(model, signal, views) {
  const names = Object.keys(views), panels = names.map(n => h('div', {role: 'tabpanel', 'aria-label': n, class: `lm-view-${n}`}, views[n]))
  const heads = names.map(n => h('button', {type: 'button', role: 'tab', 'data-view': n, onclick: () => set(model, {view: n})}, n))
  const list = h('div', {class: 'lm-tabs', role: 'tablist', 'aria-label': 'controls of the mix'}, heads)
  roam(list, 'button')
  follow(model, signal, ['view'], () => {
    const at = Math.max(0, names.indexOf(model.get('view')))
    heads.forEach((b, i) => { b.setAttribute('aria-selected', i === at); b.tabIndex = i === at ? 0 : -1; panels[i].hidden = i !== at })
  })
  return names.length > 1 ? [list, panels] : panels
}

function board(model, root, signal) {
  const control = h('div', {class: 'lm-control'})
  let inner = new AbortController()
  signal.addEventListener('abort', () => inner.abort())
  follow(model, signal, ['blocks'], () => { // anew when a LoRA has joined
    inner.abort(); inner = new AbortController()
    control.replaceChildren(...[board_controls(model, inner.signal)].flat(Infinity))
  })
  studio(model, root, signal, 'Mixing board', control, true)
}

function board_controls(model, signal) {
  const names = model.get('names'), blocks = model.get('blocks'), shows = []
  const at = (i, v) => { const a = [...model.get('at')]; for (const k of [i].flat()) a[k] = v; set(model, {at: a}) }
  let n = names.length
  const rows = names.map((name, i) => {
    const ids = blocks[i].map(() => n++), text = blocks[i].indexOf('BASE'), unet = ids.filter((_, j) => j !== text)
    const wide = {min: -1, max: 2, text: v => v.toFixed(2), typed: true}
    const strength = fader(`Strength of ${name}`, {...wide, class: 'lm-strength', moved: v => at(i, v)})
    const words = text < 0 ? null : fader(`Text encoder of ${name}`, {...wide, class: 'lm-text', moved: v => at(ids[text], v)})
    const all = fader(`UNet of ${name}`, {...wide, class: 'lm-unet', moved: v => at(unet, v)})
    const each = blocks[i].map((b, j) => fader(`${b} of ${name}`, {...wide, class: 'lm-block', 'data-block': b, moved: v => at(ids[j], v)}))
    shows.push(() => {
      const a = model.get('at'), mean = unet.reduce((s, k) => s + a[k], 0) / (unet.length || 1)
      strength.show(a[i]); if (words) words.show(a[ids[text]]); all.show(+mean.toFixed(2)); each.forEach((f, j) => f.show(a[ids[j]]))
    })
    const cell = (f, what) => h('div', {class: 'lm-cell'}, h('span', {}, what), f ? [f.input, f.out, f.wrong] : h('em', {title: 'this LoRA has no weights there'}, 'not trained'))
    return h('div', {class: 'lm-style'}, h('strong', {}, swatch(model, i), name), cell(strength, 'strength'), cell(words, 'text encoder'), cell(all, 'UNet'),
      h('details', {}, h('summary', {}, 'blocks'), h('div', {class: 'lm-blocks'}, blocks[i].map((b, j) => h('div', {class: 'lm-cell'}, h('span', {}, b), each[j].input, each[j].out, each[j].wrong)))))
  })
  follow(model, signal, ['at'], () => shows.forEach(f => f()))
  const strengths = w => set(model, {at: [...w, ...model.get('at').slice(names.length)]})
  const positive = () => model.get('at').slice(0, names.length).map(v => Math.max(v, 0)), sum = w => w.reduce((a, b) => a + b)
  const share = () => { const w = positive(); return sum(w) ? +(w[1] / sum(w)).toFixed(2) : 0.5 }
  const three = () => { const w = positive(); return shares(sum(w) ? w : [1, 1, 1]) }
  const flat = h('button', {type: 'button', class: 'lm-flat', onclick: () => set(model, {at: model.get('at').map((v, i) => i < names.length ? v : 1)})}, 'Reset')
  return tabs(model, signal, {
    faders: [rows, flat],
    ...names.length === 2 ? {slider: between(model, signal, share, v => strengths([+(1 - v).toFixed(2), v]))} : {},
    ...names.length === 3 ? {triangle: among(model, signal, three, strengths)} : {},
  })
}

/** Move the focus among buttons with the arrow keys, as in a grid of pictures. */
function roam(box, of, click = true) {
  box.addEventListener('keydown', e => {
    const all = [...box.querySelectorAll(of)], at = all.indexOf(document.activeElement)
    if (at < 0) return
    const wide = all.filter(b => b.offsetTop === all[0].offsetTop).length
    const next = {ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + wide, ArrowUp: at - wide, Home: 0, End: all.length - 1}[e.key]
    if (next === undefined) return
    e.preventDefault(); e.stopPropagation()
    if (all[next]) { all[next].focus(); if (click) all[next].click() }
  })
}

function thumb({png, mark, words}) {
  const img = h('img', {alt: words || '', width: 72, height: 72})
  put(img, {png, mark, words})
  return img
}

function sweep(model, root, signal) {
  const img = h('img', {class: 'lm-picture', alt: '', width: 288, height: 288}), words = h('figcaption', {})
  follow(model, signal, ['seen'], () => { put(img, model.get('seen')); words.textContent = model.get('seen').words || '' })
  const filters = Object.entries(model.get('facets')).map(([k, values]) => {
    const s = h('select', {'data-column': k, onchange: () => set(model, {wanted: {...model.get('wanted'), [k]: s.value}})},
      h('option', {value: ''}, 'any'), values.map(v => h('option', {value: v}, v)))
    follow(model, signal, ['wanted'], () => { s.value = model.get('wanted')[k] || '' })
    return h('label', {}, k, s)
  })
  const box = h('div', {class: 'lm-thumbs', role: 'listbox', 'aria-label': 'The pictures of the sweep'})
  const mark_picked = () => box.querySelectorAll('button').forEach(b => {
    const on = +b.dataset.i === model.get('picked')
    b.setAttribute('aria-selected', on); b.tabIndex = on ? 0 : -1
  })
  follow(model, signal, ['thumbs'], () => {
    const had = box.contains(document.activeElement)
    box.replaceChildren(...model.get('thumbs').map(t => h('button', {type: 'button', role: 'option', 'data-i': t.i, title: t.words,
      onclick: () => set(model, {picked: t.i})}, thumb(t))))
    mark_picked()
    if (had && box.querySelector('[tabindex="0"]')) box.querySelector('[tabindex="0"]').focus()
  })
  follow(model, signal, ['picked'], mark_picked)
  roam(box, 'button')
  const turn = by => set(model, {page: Math.min(Math.max(model.get('page') + by, 0), model.get('pages') - 1)})
  const back = h('button', {type: 'button', class: 'lm-back', 'aria-label': 'earlier pictures', onclick: () => turn(-1)}, '‹')
  const on = h('button', {type: 'button', class: 'lm-on', 'aria-label': 'later pictures', onclick: () => turn(1)}, '›')
  const page = h('span', {class: 'lm-page'})
  follow(model, signal, ['page', 'pages'], () => {
    page.textContent = `page ${model.get('page') + 1} of ${model.get('pages')}`
    back.disabled = !model.get('page'); on.disabled = model.get('page') >= model.get('pages') - 1
  })
  const say = text => model.set('note', text), [button, pre] = lines(model, signal, say)
  root.append(h('section', {class: 'lm lm-sweep', role: 'group', 'aria-label': 'A sweep'},
    h('div', {class: 'lm-main'}, h('div', {class: 'lm-filters'}, filters), box,
      h('div', {class: 'lm-buttons'}, back, page, on, button), pre, note(model, signal)),
    h('figure', {}, img, words)))
}

const signed = v => `${v < 0 ? '−' : '+'}${Math.abs(v).toFixed(2)}`

/** The end of a survey, the best first: place, picture, name, strength with its interval on one scale for all. */
function ranked({rows = [], words = ''}) {
  const low = Math.min(0, ...rows.map(r => r.low)), high = Math.max(0, ...rows.map(r => r.high)) || low + 1
  const x = v => 8 + 184 * (v - low) / (high - low)
  const bar = r => h('svg', {viewBox: '0 0 200 20', class: 'lm-interval', role: 'img',
    'aria-label': `strength ${signed(r.strength)}, interval ${signed(r.low)} to ${signed(r.high)}`},
    h('line', {x1: x(0), x2: x(0), y1: 0, y2: 20, class: 'lm-zero'}), h('line', {x1: x(r.low), x2: x(r.high), y1: 10, y2: 10}),
    h('circle', {cx: x(r.strength), cy: 10, r: 5}))
  const row = (r, i) => h('tr', {}, h('td', {}, `${i + 1}`), h('td', {}, thumb({...r, words: `picture of ${r.name}`})), h('th', {scope: 'row'}, r.name),
    h('td', {}, bar(r), h('small', {}, `${signed(r.strength)} (${signed(r.low)} to ${signed(r.high)})`)), h('td', {}, `${r.votes}`))
  const head = ['', 'picture', 'item', 'strength', 'votes'].map(t => h('th', {scope: 'col'}, t))
  return rows.length ? [h('table', {}, h('caption', {}, words), h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows.map(row)))] : [words]
}

function survey(model, root, signal) {
  const side = name => {
    const img = h('img', {class: 'lm-picture', alt: `the picture on the ${name}`, width: 288, height: 288})
    return {img, button: h('button', {type: 'button', class: `lm-${name}`, 'aria-label': `The ${name} one`, onclick: () => answer(name)}, img)}
  }
  const answer = a => { if (model.get('pair').left) ask(model, {do: 'answer', answer: a, turn: model.get('pair').turn}) }
  const undo = () => ask(model, {do: 'undo'})
  const left = side('left'), right = side('right'), progress = h('progress', {max: 1, value: 0}), count = h('span', {class: 'lm-count'})
  const result = h('div', {class: 'lm-result', hidden: true, tabindex: 0, 'aria-label': 'Ranking'})
  const pictures = h('div', {class: 'lm-pair'}, left.button, right.button)
  const tie = h('button', {type: 'button', class: 'lm-tie', onclick: () => answer('tie')}, 'Tie ↓')
  const skip = h('button', {type: 'button', class: 'lm-skip', onclick: () => answer('skip')}, 'Skip (S)')
  const section = h('section', {class: 'lm lm-survey', role: 'group', tabindex: 0, 'aria-label':
    `${model.get('question')} Left and right arrow choose a side, down is a tie, S skips, Z undoes the last answer`},
    h('div', {class: 'lm-main'}, h('strong', {class: 'lm-question'}, model.get('question')), pictures, result,
      h('div', {class: 'lm-buttons'},
        tie, skip,
        h('button', {type: 'button', class: 'lm-undo', onclick: undo}, 'Undo (Z)'), progress, count),
      note(model, signal)))
  section.addEventListener('keydown', e => {
    if (e.repeat || e.ctrlKey || e.metaKey || e.altKey) return
    const act = {ArrowLeft: () => answer('left'), ArrowRight: () => answer('right'), ArrowDown: () => answer('tie'),
      s: () => answer('skip'), z: undo}[e.key.length === 1 ? e.key.toLowerCase() : e.key]
    if (!act) return
    e.preventDefault(); e.stopPropagation(); act()
  })
  follow(model, signal, ['pair', 'total', 'result'], () => {
    const {left: l, right: r, turn, done} = model.get('pair'), total = model.get('total')
    if (l) { put(left.img, {png: l, words: left.img.alt || 'the picture on the left'}); put(right.img, {png: r, words: right.img.alt || 'the picture on the right'}) }
    progress.max = total; progress.value = done; count.textContent = `${done} of ${total}`
    section.dataset.turn = turn; section.dataset.done = done
    tie.disabled = skip.disabled = !l
    pictures.hidden = !l; result.hidden = !!l; result.replaceChildren(...l ? [] : ranked(model.get('result')))
  })
  root.append(section)
}

function pool(model, root, signal) {
  const box = h('div', {class: 'lm-cards', role: 'listbox', 'aria-multiselectable': true, 'aria-label': 'The LoRAs of the pool'})
  const toggle = n => { const s = model.get('selected'); set(model, {selected: s.includes(n) ? s.filter(x => x !== n) : [...s, n]}) }
  const known = new Map() // name -> card, so that a picture that arrives does not take the focus away
  const draw = () => {
    const cards = model.get('cards'), chosen = model.get('selected')
    for (const n of [...known.keys()]) if (!cards.some(c => c.name === n)) { known.get(n).button.remove(); known.delete(n) }
    for (const c of cards) {
      if (!known.has(c.name)) {
        const img = h('img', {alt: '', width: 96, height: 96}), from = h('small', {})
        known.set(c.name, {img, from, button: h('button', {type: 'button', role: 'option', 'data-name': c.name, onclick: () => toggle(c.name)}, img, h('b', {}, c.name), from)})
      }
      const k = known.get(c.name), order = chosen.indexOf(c.name)
      if (c.mark && k.img.dataset.mark !== c.mark) put(k.img, {...c, words: `a picture by ${c.name}`, stage: 'full'})
      k.from.textContent = c.descent
      k.button.setAttribute('aria-selected', order >= 0)
      if (box.children[cards.indexOf(c)] !== k.button) box.insertBefore(k.button, box.children[cards.indexOf(c)] || null)
    }
    for (const b of needs) b.disabled = !chosen.length
    mixing.replaceChildren(chosen.length > 1 ? `Mix ${chosen.join(' + ')}` : 'Select two or more LoRAs to mix')
    mix.disabled = share.input.disabled = chosen.length < 2
    share.show(model.get('share'))
    share.out.textContent = chosen.length === 2 ? `${percent(1 - share.input.value)} ${chosen[0]}, ${percent(+share.input.value)} ${chosen[1]}` : 'equal weights'
  }
  const act = (label, message, cls) => h('button', {type: 'button', class: cls, onclick: () => ask(model, message())}, label)
  const name = h('input', {type: 'text', class: 'lm-name', 'aria-label': 'New name', placeholder: 'new name'})
  const rename = act('Rename', () => ({do: 'rename', old: model.get('selected')[0], new: name.value}), 'lm-rename')
  const remove = act('Remove', () => ({do: 'remove'}), 'lm-remove'), keep = act('Keep only selected', () => ({do: 'keep'}), 'lm-keep')
  const load = act('Load its recipe', () => ({do: 'load'}), 'lm-load'), needs = [rename, remove, keep, load], mixing = h('span', {class: 'lm-mixing'})
  const share = fader('Weight of the second', {coarse: 0.1, text: percent, moved: v => set(model, {share: v}), class: 'lm-share'})
  const mix = act('Mix', () => ({do: 'mix'}), 'lm-mix')
  const file = h('input', {type: 'file', multiple: true, class: 'lm-file', accept: '.safetensors,.pt,.bin', onchange: () => take(file.files)})
  const take = async files => { for (const f of files) ask(model, {do: 'drop', name: f.name}, [await f.arrayBuffer()]) }
  const tree = h('img', {class: 'lm-tree', alt: 'The lineage of the pool'}), say = text => model.set('note', text)
  follow(model, signal, ['tree'], () => put(tree, {png: model.get('tree'), words: 'The lineage of the pool'}))
  const [button, pre] = lines(model, signal, say)
  const section = h('section', {class: 'lm lm-pool', role: 'group', 'aria-label': 'A pool of LoRAs'},
    h('div', {class: 'lm-main'}, scene(model, signal), box,
      h('div', {class: 'lm-mixer'}, mixing, share.input, share.out, mix),
      h('div', {class: 'lm-buttons'}, name, rename, remove, keep,
        act('Undo', () => ({do: 'undo'}), 'lm-undo'), act('Redo', () => ({do: 'redo'}), 'lm-redo'), load, h('label', {class: 'lm-take'}, 'Add files', file)),
      h('div', {class: 'lm-buttons'}, button), pre, note(model, signal),
      h('details', {}, h('summary', {}, 'lineage'), tree)))
  section.addEventListener('dragover', e => { e.preventDefault(); section.classList.add('lm-over') })
  section.addEventListener('dragleave', () => section.classList.remove('lm-over'))
  section.addEventListener('drop', e => { e.preventDefault(); section.classList.remove('lm-over'); take(e.dataTransfer.files) })
  box.addEventListener('keydown', e => {
    const all = [...box.children], at = all.indexOf(document.activeElement), to = {ArrowRight: at + 1, ArrowLeft: at - 1}[e.key]
    if (at < 0 || to === undefined) return
    e.preventDefault(); e.stopPropagation(); if (all[to]) all[to].focus()
  })
  follow(model, signal, ['cards', 'selected', 'share'], draw)
  root.append(section)
}

function transfer(model, root, signal) {
  const names = model.get('names'), can = model.get('has')
  const at = (i, v) => { const a = [...model.get('at')]; a[i] = v; set(model, {at: a}) }
  const settings = ['denoising strength', 'IP-Adapter scale', 'ControlNet scale']
  const faders = settings.map((what, i) => fader(what, {class: `lm-setting-${i}`, disabled: !can[i], title: can[i] ? null : ['', 'needs an IP-Adapter', 'needs a ControlNet'][i], moved: v => at(i, v)}))
  const styles = names.map((n, i) => fader(`Strength of ${n}`, {class: 'lm-strength', moved: v => at(3 + i, v)}))
  follow(model, signal, ['at'], () => { const a = model.get('at'); faders.forEach((f, i) => f.show(a[i])); styles.forEach((f, i) => f.show(a[3 + i])) })
  const photo = h('select', {class: 'lm-photo', onchange: () => set(model, {photo: photo.value})}, model.get('photos').map(n => h('option', {value: n}, n)))
  const before = h('img', {class: 'lm-before', alt: '', width: 96, height: 96})
  follow(model, signal, ['photo'], () => { photo.value = model.get('photo') })
  follow(model, signal, ['before'], () => put(before, {png: model.get('before'), words: `the photo ${model.get('photo')}`}))
  const cell = (f, what) => h('div', {class: 'lm-cell'}, h('span', {}, what), f.input, f.out)
  studio(model, root, signal, 'A photo in other styles', h('div', {class: 'lm-control'},
    h('div', {class: 'lm-scene'}, before, h('label', {}, 'Photo', photo)),
    h('div', {class: 'lm-style'}, faders.map((f, i) => cell(f, settings[i]))),
    h('div', {class: 'lm-style'}, styles.map((f, i) => cell(f, names[i])))))
}

function doctor(model, root, signal) {
  const frame = h('iframe', {class: 'lm-report', sandbox: '', title: 'Report of the files'}), say = text => model.set('note', text)
  follow(model, signal, ['page'], () => { frame.hidden = !model.get('page'); frame.srcdoc = model.get('page') })
  const take = async files => {
    for (const f of [...files].slice(0, 2)) for (let start = 0; start < Math.max(f.size, 1); start += PIECE)
      ask(model, {do: 'drop', name: f.name, start, size: f.size}, [await f.slice(start, start + PIECE).arrayBuffer()])
  }
  const file = h('input', {type: 'file', multiple: true, class: 'lm-file', onchange: () => take(file.files)})
  const [button, pre] = lines(model, signal, say)
  const section = h('section', {class: 'lm lm-doctor', role: 'group', 'aria-label': 'What is this LoRA file?'},
    h('div', {class: 'lm-main'}, h('div', {class: 'lm-buttons'}, h('label', {class: 'lm-take'}, 'One file or two ', file)), note(model, signal), frame,
      h('details', {}, h('summary', {}, 'Python'), h('div', {class: 'lm-buttons'}, button), pre)))
  section.addEventListener('dragover', e => { e.preventDefault(); section.classList.add('lm-over') })
  section.addEventListener('dragleave', () => section.classList.remove('lm-over'))
  section.addEventListener('drop', e => { e.preventDefault(); section.classList.remove('lm-over'); take(e.dataTransfer.files) })
  root.append(section)
}

const kinds = {alpha, triangle, board, sweep, survey, pool, transfer, doctor}

/** In the app: when the page has lost its kernel and is loaded anew, the controls stand where they stood. */
function resume(model, signal) {
  if (!document.body.dataset.voila) return
  const controls = model.get('controls'), key = `lm ${model.get('kind')} ${model.get('names') || ''}`
  const kept = controls.length && sessionStorage.getItem(key)
  if (kept) {
    const {added, where} = JSON.parse(kept)
    sessionStorage.removeItem(key)
    if (added.length) ask(model, {do: 'again', added, where}); else set(model, where)
  }
  document.addEventListener('lm-lost', () => sessionStorage.setItem(key, JSON.stringify(
    {added: model.get('added') || [], where: Object.fromEntries(controls.map(k => [k, model.get(k)]))})), {signal})
}

export default {
  render({model, el}) {
    const gone = new AbortController()
    resume(model, gone.signal)
    kinds[model.get('kind')](model, el, gone.signal)
    return () => gone.abort()
  },
}
