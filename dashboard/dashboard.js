// @ts-check
/**
 * The page of the admin API: it reads the live stream and shows it. No text of the proxy is ever taken for markup.
 *
 * @typedef {import('../dist/control/admin/live-stream.js').LiveMessage} LiveMessage
 * @typedef {import('../dist/control/admin/live-view.js').Load} Load
 * @typedef {LiveMessage['endpoints'][number]} Endpoint
 * @typedef {LiveMessage['events'][number]} ProxyEvent
 * @typedef {import('../dist/explain/explanation.js').Explanation} Explanation
 */

const HISTORY_MAX = 120;
const EVENTS_MAX = 200;
const ROUTES_MAX = 20;
const RETRY_MS = 2_000;
const TOKEN_KEY = 'fourseven-token';
const SVG = 'http://www.w3.org/2000/svg';

/** @type {Load[]} */
const history = [];
/** By cluster and address. @type {Map<string, { endpoint: Endpoint, row: HTMLTableRowElement }>} */
const endpoints = new Map();
let lastEvent = 0;

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`there is no #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ text?: string, class?: string, title?: string }} [what]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, what = {}, ...children) {
  const made = document.createElement(tag);
  if (what.text !== undefined) made.textContent = what.text;
  if (what.class !== undefined) made.className = what.class;
  if (what.title !== undefined) made.title = what.title;
  made.append(...children);
  return made;
}

// --- Talking to the proxy ---------------------------------------------------------------------------------------------------------------

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
async function ask(path, init = {}) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(path, { ...init, headers });
  if (response.status !== 401) return response;
  await askForToken();
  return ask(path, init);
}

function askForToken() {
  const dialog = /** @type {HTMLDialogElement} */ (element('token'));
  const input = /** @type {HTMLInputElement} */ (element('token-text'));
  input.value = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        sessionStorage.setItem(TOKEN_KEY, input.value);
        resolve(undefined);
      },
      { once: true },
    );
  });
}

/** Reads the stream until it ends. EventSource cannot say a token. */
async function follow() {
  const response = await ask('/api/events');
  if (!response.ok || response.body === null) throw new Error(await failureOf(response));
  showState('live', 'good');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const messages = text.split('\n\n');
    text = messages.pop() ?? '';
    for (const message of messages) if (message.startsWith('data: ')) show(JSON.parse(message.slice(6)));
  }
}

async function followForEver() {
  for (;;) {
    try {
      await follow();
      showState('the proxy has ended this stream; connecting …', 'warn');
    } catch (error) {
      showState(`no answer (${error instanceof Error ? error.message : error}); connecting …`, 'bad');
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** @param {Response} response */
async function failureOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return `status ${response.status}`;
  }
}

// --- Showing ----------------------------------------------------------------------------------------------------------------------------

/** @param {LiveMessage} message */
function show(message) {
  const { status, load } = message;
  history.push(...(message.history ?? []), load);
  history.splice(0, history.length - HISTORY_MAX);
  showAbout(status);
  showListeners(status, load);
  showClusters(status, load);
  showShards(status, load);
  showRoutes(load);
  showEndpoints(message);
  showEvents(message.events);
}

/**
 * @param {string} text
 * @param {'good' | 'warn' | 'bad'} mood
 */
function showState(text, mood) {
  const state = element('state');
  if (state.textContent !== text) state.textContent = text;
  state.className = mood;
}

/** @param {LiveMessage['status']} status */
function showAbout({ version, pid, configVersion, draining, rejected }) {
  if (draining) showState('draining', 'warn');
  element('about').textContent = `version ${version}, process ${pid}, configuration ${configVersion}`;
  const trouble = element('trouble');
  trouble.hidden = rejected === null;
  const problems =
    rejected === null ? '' : `A configuration was rejected at ${rejected.at}:\n${rejected.problems.join('\n')}`;
  if (trouble.textContent !== problems) trouble.textContent = problems;
}

/**
 * @param {LiveMessage['status']} status
 * @param {Load} load
 */
function showListeners(status, load) {
  const cards = status.listeners.map(({ name, address, protocol, connections }) => {
    const now = load.listeners.find((row) => row.name === name);
    const past = history.map(({ listeners }) => listeners.find((row) => row.name === name));
    const unit = protocol === 'http' ? 'Requests' : 'Sessions';
    const figures = [
      ['Connections', count(connections)],
      [`${unit}/s`, rate(now?.perSecond)],
      ['Failures/s', rate(now?.failuresPerSecond)],
      ['In, out', `${bytes(now?.receivedPerSecond)}/s, ${bytes(now?.sentPerSecond)}/s`],
    ];
    const card = make('article', { class: 'card' });
    card.append(
      make('h3', { text: name }),
      make('p', { class: 'quiet', text: `${protocol} on ${address}` }),
      facts(figures),
    );
    if (protocol === 'http') {
      const p50 = past.map((row) => row?.p50Ms ?? null);
      const p99 = past.map((row) => row?.p99Ms ?? null);
      card.append(
        chart(`Latency of ${name} over time, p50 ${latency(now?.p50Ms)}, p99 ${latency(now?.p99Ms)}`, p50, p99),
        legend(`p50 ${latency(now?.p50Ms)}`, `p99 ${latency(now?.p99Ms)}`),
      );
    }
    return card;
  });
  element('listeners').replaceChildren(...cards);
}

/**
 * @param {LiveMessage['status']} status
 * @param {Load} load
 */
function showClusters(status, load) {
  const cards = status.clusters.map(({ name, policy, endpointCount }) => {
    const now = load.clusters.find((row) => row.name === name);
    const own = [...endpoints.values()].filter(({ endpoint }) => endpoint.cluster === name);
    const out = own.filter(({ endpoint }) => !isInService(endpoint)).length;
    const card = make('article', { class: 'card' });
    card.append(
      make('h3', { text: name }),
      make('p', {
        class: 'quiet',
        text: `${policy}, ${endpointCount} ${endpointCount === 1 ? 'endpoint' : 'endpoints'}`,
      }),
      facts([
        ['Out of service', count(out), out > 0 ? 'warn' : ''],
        ['Attempts/s', rate(now?.perSecond)],
        ['Retries/s', rate(now?.retriesPerSecond)],
        ['First byte p50, p99', `${latency(now?.p50Ms)}, ${latency(now?.p99Ms)}`],
      ]),
    );
    return card;
  });
  element('clusters').replaceChildren(...cards);
}

/**
 * @param {LiveMessage['status']} status
 * @param {Load} load
 */
function showShards(status, load) {
  const cards = status.shards.map(({ index, connections, restarts }) => {
    const now = load.shards.find((row) => row.index === index);
    const past = history.map(({ shards }) => shards.find((row) => row.index === index)?.perSecond ?? null);
    const card = make('article', { class: 'card' });
    card.append(
      make('h3', { text: `Shard ${index}` }),
      facts([
        ['Connections', count(connections)],
        ['Requests and sessions/s', rate(now?.perSecond)],
        ['Event loop late by', latency(now?.delayMs)],
        ['Restarts', count(restarts), restarts > 0 ? 'warn' : ''],
      ]),
      chart(`Requests and sessions per second of shard ${index} over time, now ${rate(now?.perSecond)}`, past, []),
    );
    return card;
  });
  element('shards').replaceChildren(...cards);
}

/** @param {Load} load */
function showRoutes({ routes }) {
  const busiest = routes.toSorted((a, b) => b.perSecond - a.perSecond).slice(0, ROUTES_MAX);
  const rows = busiest.map(({ listener, route, perSecond, failuresPerSecond }) =>
    make(
      'tr',
      {},
      make('td', { text: listener }),
      make('td', { text: route === '' ? '(none)' : route }),
      make('td', { class: 'number', text: rate(perSecond) }),
      make('td', { class: `number ${failuresPerSecond > 0 ? 'bad' : ''}`, text: rate(failuresPerSecond) }),
    ),
  );
  if (rows.length === 0) {
    const cell = make('td', { class: 'quiet', text: 'no request in the last second' });
    cell.colSpan = 4;
    rows.push(make('tr', {}, cell));
  }
  element('routes')
    .querySelector('tbody')
    ?.replaceChildren(...rows);
}

/** @param {LiveMessage} message */
function showEndpoints({ endpoints: told, isWhole }) {
  const body = element('endpoints').querySelector('tbody');
  if (body === null) return;
  if (isWhole) {
    endpoints.clear();
    body.replaceChildren();
  }
  for (const endpoint of told) {
    const key = `${endpoint.cluster} ${endpoint.address}`;
    const known = endpoints.get(key);
    const row = known?.row ?? make('tr');
    fillRow(row, endpoint);
    endpoints.set(key, { endpoint, row });
    if (known === undefined) body.append(row);
  }
  if (told.length > 0) filterEndpoints();
}

/**
 * @param {HTMLTableRowElement} row
 * @param {Endpoint} endpoint
 */
function fillRow(row, endpoint) {
  const { cluster, address, weight, health, admin, inFlight } = endpoint;
  const healthClass = health === 'healthy' ? 'good' : health === 'unhealthy' ? 'bad' : 'quiet';
  // A button that has the focus must not be taken away under the finger.
  const buttons = row.cells[6] ?? make('td');
  if (row.dataset.admin !== admin) {
    const actions =
      admin === 'enabled' ? /** @type {const} */ (['drain', 'disable']) : /** @type {const} */ (['enable']);
    buttons.replaceChildren(...actions.map((action) => actionButton(action, cluster, address)));
    row.dataset.admin = admin;
  }
  row.replaceChildren(
    make('td', { text: cluster }),
    make('td', { text: address }),
    numberCell('weight', weight),
    make('td', { class: healthClass, text: health }),
    make('td', { class: isInService(endpoint) ? '' : 'warn', text: stateText(endpoint) }),
    numberCell('in flight', inFlight),
    buttons,
  );
}

/**
 * @param {string} name shown where there is no head of the column
 * @param {number} value
 */
function numberCell(name, value) {
  const cell = make('td', { class: 'number', text: count(value) });
  cell.dataset.name = name;
  return cell;
}

/** @param {Endpoint} endpoint */
function isInService({ health, admin, ejectedUntil }) {
  return admin === 'enabled' && health !== 'unhealthy' && ejectedUntil === null;
}

/** @param {Endpoint} endpoint */
function stateText({ admin, ejectedUntil }) {
  return ejectedUntil === null ? admin : `${admin}, ejected until ${time(ejectedUntil)}`;
}

function filterEndpoints() {
  const wanted = /** @type {HTMLInputElement} */ (element('filter')).value.trim().toLowerCase();
  let shown = 0;
  for (const { endpoint, row } of endpoints.values()) {
    const text = `${endpoint.cluster} ${endpoint.address} ${endpoint.health} ${stateText(endpoint)}`.toLowerCase();
    const isShown = text.includes(wanted);
    row.hidden = !isShown;
    shown += isShown ? 1 : 0;
  }
  element('filter-count').textContent = `${shown} of ${endpoints.size}`;
}

/** @param {readonly ProxyEvent[]} events */
function showEvents(events) {
  const list = element('events');
  for (const { number, at, level, text } of events) {
    if (number <= lastEvent) continue;
    lastEvent = number;
    const mood = level === 'error' ? 'bad' : level === 'warn' ? 'warn' : '';
    const when = make('time', { text: time(at) });
    when.dateTime = at;
    list.prepend(make('li', {}, when, make('span', { class: mood, text })));
  }
  while (list.children.length > EVENTS_MAX) list.lastElementChild?.remove();
}

// --- Doing ------------------------------------------------------------------------------------------------------------------------------

const ACTIONS = {
  drain: {
    label: 'Drain',
    text: 'It gets no new work but what its own clients bring. What is left after the deadline of its cluster is cut.',
  },
  disable: {
    label: 'Disable',
    text: 'It gets no new work at all. What is left after the deadline of its cluster is cut.',
  },
  enable: { label: 'Enable', text: 'It gets its share again.' },
};

/**
 * @param {keyof typeof ACTIONS} action
 * @param {string} cluster
 * @param {string} address
 */
function actionButton(action, cluster, address) {
  const { label, text } = ACTIONS[action];
  const button = make('button', { text: label });
  button.type = 'button';
  button.setAttribute('aria-label', `${label} ${address} of ${cluster}`);
  button.addEventListener('click', async () => {
    if (!(await confirmed(`${label} ${address} of ${cluster}?`, text, label))) return;
    const path = `/api/clusters/${encodeURIComponent(cluster)}/endpoints/${encodeURIComponent(address)}/${action}`;
    const response = await ask(path, { method: 'POST' });
    if (!response.ok) showState(await failureOf(response), 'bad');
  });
  return button;
}

/**
 * @param {string} title
 * @param {string} text
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
function confirmed(title, text, yes) {
  const dialog = /** @type {HTMLDialogElement} */ (element('confirm'));
  element('confirm-title').textContent = title;
  element('confirm-text').textContent = text;
  element('confirm-yes').textContent = yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** @param {SubmitEvent} event */
async function explain(event) {
  event.preventDefault();
  const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
  const query = new URLSearchParams({ method: String(form.get('method')), url: String(form.get('url')) });
  for (const line of String(form.get('headers')).split('\n')) if (line.trim() !== '') query.append('header', line);
  const response = await ask(`/api/explain?${query}`);
  const shown = element('explanation');
  if (!response.ok) shown.replaceChildren(make('p', { class: 'bad', text: await failureOf(response) }));
  else shown.replaceChildren(...explanation(/** @type {Explanation} */ (await response.json())));
}

/** @param {Explanation} answer */
function explanation({ listener, route, routes, outcome }) {
  const taken = route === undefined ? 'no route takes it' : `route ${route} takes it`;
  const parts = [make('p', {}, make('strong', { text: `On listener ${listener}, ${taken}.` }))];
  if (outcome.kind === 'refused') parts.push(make('p', { class: 'bad', text: `${outcome.status}: ${outcome.reason}` }));
  if (outcome.kind === 'forwarded') {
    const lines = outcome.clusters.map(({ name, policy, endpoints: all }) => {
      return `cluster ${name} (${policy}): ${all.map(({ address }) => address).join(', ')}`;
    });
    parts.push(make('p', { text: lines.join('; ') }));
  }
  const reasons = routes.map(({ name, takes, reason }) =>
    make('li', { class: takes ? 'good' : '' }, make('strong', { text: name }), ` ${reason}`),
  );
  if (reasons.length > 0) parts.push(make('p', { text: 'Routes, in the order of the file:' }));
  const text =
    outcome.kind === 'forwarded' ? outcome.request : outcome.kind === 'answered' ? outcome.response : undefined;
  return [...parts, make('ul', {}, ...reasons), ...(text === undefined ? [] : [preformatted(text)])];
}

/** @param {string} text */
function preformatted(text) {
  const block = make('pre', { text });
  block.tabIndex = 0;
  return block;
}

// --- Figures ----------------------------------------------------------------------------------------------------------------------------

/** @param {(readonly string[])[]} rows name, figure, class */
function facts(rows) {
  const list = make('dl');
  for (const [name = '', figure = '', mood = ''] of rows) {
    list.append(make('dt', { text: name }), make('dd', { text: figure, class: mood }));
  }
  return list;
}

/**
 * Lines from the oldest to the newest value; where nothing was measured the line goes on.
 * @param {string} label
 * @param {readonly (number | null)[]} first
 * @param {readonly (number | null)[]} second
 */
function chart(label, first, second) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 100 100');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'chart');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  const top = Math.max(...[...first, ...second].map((value) => value ?? 0), Number.MIN_VALUE);
  for (const [values, name] of /** @type {const} */ ([
    [first, 'line-first'],
    [second, 'line-second'],
  ])) {
    const line = document.createElementNS(SVG, 'polyline');
    line.setAttribute('class', name);
    const step = 100 / Math.max(1, HISTORY_MAX - 1);
    const shift = 100 - (values.length - 1) * step;
    const points = values.flatMap((value, index) =>
      value === null ? [] : [`${shift + index * step},${100 - (value / top) * 95}`],
    );
    line.setAttribute('points', points.join(' '));
    svg.append(line);
  }
  return svg;
}

/**
 * @param {string} first
 * @param {string} second
 */
function legend(first, second) {
  return make(
    'p',
    { class: 'legend' },
    make('span', { class: 'first', text: `— ${first}` }),
    make('span', { class: 'second', text: `┄ ${second}` }),
  );
}

/** @param {number} value */
function count(value) {
  return value.toLocaleString('en');
}

/** @param {number | undefined} value */
function rate(value = 0) {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** @param {number | null | undefined} ms */
function latency(ms) {
  if (ms === null || ms === undefined) return '–';
  return ms >= 1000 ? `${(ms / 1000).toPrecision(3)} s` : `${Number(ms.toPrecision(2))} ms`;
}

/** @param {number | undefined} value */
function bytes(value = 0) {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  return `${rate(value / 1024 ** power)} ${units[power]}`;
}

/** @param {string} iso */
function time(iso) {
  return new Date(iso).toLocaleTimeString('en-GB');
}

element('filter').addEventListener('input', filterEndpoints);
element('filter-form').addEventListener('submit', (event) => event.preventDefault());
element('explain-form').addEventListener('submit', (event) => void explain(/** @type {SubmitEvent} */ (event)));
void followForEver();
