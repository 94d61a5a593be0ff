// Says when this page has lost its kernel, and connects it anew: the page is loaded again, and its controls are set to
// where they stood (widgets.js keeps them on the event "lm-lost").
(() => {
  const {baseUrl, kernelId} = JSON.parse(document.getElementById('jupyter-config-data').textContent)
  const EVERY = 5000, LONG = 60000 // ms: between two looks; the life of a kernel after which a loss is no failed start
  const RESUMED = 'Connected anew: the controls stand where they stood.'
  const note = document.createElement('div')
  note.id = 'lm-lost'
  note.hidden = true
  note.setAttribute('role', 'alert')
  document.body.append(note)

  function say(text, ...more) {
    if (note.dataset.text === text) return
    note.dataset.text = text
    note.replaceChildren(text, ...more)
    note.hidden = !text
  }

  function again() {
    document.dispatchEvent(new Event('lm-lost'))
    sessionStorage.setItem('lm-again', 1)
    location.reload()
  }

  async function answer() {
    try {
      const got = await fetch(`${baseUrl}api/kernels/${kernelId}`, {cache: 'no-store', redirect: 'manual'})
      return got.status
    } catch { return 0 }
  }

  // A kernel that is too busy to answer the page in time leaves its widgets dead, with this text in their place.
  function dead() {
    const shown = [...document.querySelectorAll('.jp-OutputArea-output')]
    return shown.some(e => e.textContent.includes('Error displaying widget'))
  }

  function connect(lost, twice) {
    if (!sessionStorage.getItem('lm-again')) {
      leaving = true
      say(`${lost} The page is being connected anew …`)
      return setTimeout(again, 1500)
    }
    const button = document.createElement('button')
    button.onclick = again
    button.textContent = 'Connect anew'
    say(twice, button)
  }

  let leaving = false
  async function look() {
    if (document.hidden || leaving) return
    const status = await answer()
    if (status === 404) connect('This page has lost its Python.', 'Python ended again soon after its start; perhaps memory is short.')
    else if (status === 200 && dead()) connect('Some controls are missing.', 'Some controls are missing again; perhaps the machine is busy.')
    else if (status === 200) {
      if (performance.now() > LONG) sessionStorage.removeItem('lm-again')
      if (note.dataset.text !== RESUMED || performance.now() > LONG) say('')
    } else if (status === 0) say('The app does not answer. If it was stopped, start it again and open the address that it prints.')
    else say('The app was started anew. Open the address that it printed.')
  }

  if (sessionStorage.getItem('lm-again')) say(RESUMED)
  setInterval(look, EVERY)
  document.addEventListener('visibilitychange', look)
  addEventListener('pageshow', e => { if (e.persisted) look() })
})()
