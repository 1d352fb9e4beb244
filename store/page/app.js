// The page: asks the HTTP/JSON API (proto3 JSON, original field names, 64-bit integers as strings) and draws.
// Counts come from /api/v1/trends and are never added up from the stream, so they equal the gauges to the
// integer. "Now" is the newest window the store knows, not this machine's clock: the demo runs in its own week.
'use strict';

const THEMES = {
  model_capability: 'Model capability', cost_efficiency: 'Cost and efficiency', open_source: 'Open source',
  chips_compute: 'Chips and compute', export_controls: 'Export controls', markets: 'Markets',
  investment_infrastructure: 'Investment, infrastructure', geopolitics: 'Geopolitics',
  national_security: 'National security', data_privacy: 'Data and privacy', censorship: 'Censorship',
  regulation: 'Regulation', governance_cooperation: 'Governance, cooperation',
  ecosystem_adoption: 'Ecosystem, adoption', ip_distillation: 'IP and distillation',
  third_countries: 'Third countries', energy_environment: 'Energy, environment',
  talent_society: 'Talent and society', safety_ethics: 'Safety and ethics',
};
const TARGETS = {
  china_parity: 'China has caught up with the US in AI',
  chinese_ai_adoption: 'Chinese AI is a welcome choice abroad',
  export_controls: "China's access to AI technology should be restricted",
  us_china_cooperation: 'The US and China should work together on AI',
  ai_regulation: 'AI needs more or stricter rules',
};
const POSITIONS = {favor: 'for', neutral: 'both sides', against: 'against', unsure: 'unsure'};
const LEANS = {us: 'United States', neutral: 'neither', china: 'China', unsure: 'unsure'};
// `step`: width of a column, one or several windows of the store.
const PERIODS = {day: {window: 'hour', ms: 864e5, step: 36e5}, week: {window: 'hour', ms: 7 * 864e5, step: 6 * 36e5},
                 month: {window: 'day', ms: 30 * 864e5, step: 864e5}};
const COVERAGE_MIN = 0.5;  // below it a window is hatched; the default of alert rules
const TICKER_MAX = 80;
const REFRESH_MS = 3000;

const KEPT_MAX = 500;
const CATCH_UP_MS = 2 * 864e5;

// `kept`: the articles met last, newest at the end, so that a change of filter needs no request.
// `newest`: start of the newest hour with an article; `gaps`: windows in which too few sources were seen.
const state = {period: 'week', theme: '', token: '', paused: false, kept: new Map(), newest: 0, gaps: new Set(), trends: null};

const $ = (selector, root = document) => root.querySelector(selector);
const list = (section) => $(`#${section} [data-list]`);

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'class') node.className = value;
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

// ---- the API ----

async function get(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== '' && v !== undefined));
  const response = await fetch(`/api/v1/${path}${query.size ? '?' + query : ''}`, {headers: {Accept: 'application/json'}});
  if (!response.ok) {
    const body = await response.text();
    let message = body;
    try { message = JSON.parse(body).error ?? JSON.parse(body).message ?? body; } catch { /* plain text */ }
    throw new Error(typeof message === 'string' && message ? message : `HTTP ${response.status}`);
  }
  return response.json();
}

async function post(path, body) {
  const response = await fetch(`/api/v1/${path}`, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message || `HTTP ${response.status}`);
  return answer;
}

const number = (value) => Number(value ?? 0);  // uint64 arrives as a string
const time = (value) => value ? Date.parse(value) : 0;
const utc = (ms) => ms ? charts.full.format(ms) : '–';

// Only links that a browser may follow; anything else becomes plain text. The invented hosts of the demo week
// (.example is reserved, RFC 2606) are shown by this server itself.
function safe(url) {
  if (!/^https?:\/\//i.test(url ?? '') || !URL.canParse(url)) return null;
  const {hostname, pathname} = new URL(url);
  return hostname.endsWith('.example') ? `/demo/${hostname}${pathname}` : url;
}

function link(url, words) {
  const target = safe(url);
  return target ? el('a', {href: target, rel: 'noopener noreferrer'}, words) : el('span', {}, words);
}

// ---- trends ----

// The answer as {starts, gaps, series: Map "theme=x" → values}.
function shape(response, period) {
  const all = new Set();
  for (const series of response.series ?? []) for (const point of series.points ?? []) all.add(time(point.start));
  const {step, ms} = PERIODS[period];
  const newest = Math.floor(Math.max(...all, state.newest) / step) * step;
  const starts = [];
  for (let at = newest - ms + step; at <= newest; at += step) starts.push(at);
  const index = new Map(starts.map((at, i) => [at, i]));
  const width = PERIODS[period].window === 'day' ? 864e5 : 36e5;
  const gaps = starts.map((at) => {
    let missing = 0;
    for (let t = at; t < at + step; t += width) missing += state.gaps.has(t);
    return missing * width > step / 2;
  });
  const series = new Map(), rates = new Map();
  for (const {key, points, true_positive_rate, false_positive_rate} of response.series ?? []) {
    if (key.language || key.publisher_group) continue;
    const name = key.theme && !key.target ? `theme=${key.theme}` : key.target ? `stance=${key.target}:${key.position}` : `lean=${key.lean}`;
    const values = starts.map(() => 0);
    for (const point of points ?? []) {
      const i = index.get(Math.floor(time(point.start) / step) * step);
      if (i !== undefined) values[i] += number(point.articles);
    }
    series.set(name, values);
    // Corrected only if every window is: another model's errors are not known.
    if (true_positive_rate !== undefined && (points ?? []).every((point) => point.adjusted_share !== undefined))
      rates.set(name, {hit: number(true_positive_rate), fault: number(false_positive_rate)});
  }
  return {starts, gaps, series, rates, newest, step};
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
const valuesOf = (trends, name) => trends.series.get(name) ?? trends.starts.map(() => 0);

// Wilson score interval for n of total at 95 % (Wilson 1927).
function wilson(n, total) {
  if (total === 0) return [0, 0];
  const z = 1.96, p = n / total, d = 1 + z * z / total;
  const middle = (p + z * z / (2 * total)) / d;
  const half = z / d * Math.sqrt(p * (1 - p) / total + z * z / (4 * total * total));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
const percent = (x) => `${Math.round(100 * x)} %`;

// Share and interval as words; with known rates also corrected for them (adjusted classify and count, Forman 2008), unless
// errors alone would bring more (or less) than was seen at either end of the interval: then the rates do not hold here.
function shareWords(n, total, rates) {
  const words = (share, low, high) => `${percent(share)} (${percent(low)} to ${percent(high)})`;
  const raw = [n / total, ...wilson(n, total)];
  const adjust = (share) => Math.min(1, Math.max(0, (share - rates.fault) / (rates.hit - rates.fault)));
  const [share, low, high] = rates ? raw.map(adjust) : [];
  return words(...raw) + (low < high ? `, corrected ${words(share, low, high)}` : '');
}

function partsOf(trends, names, prefix) {
  return Object.entries(names).map(([name, label]) => {
    const values = valuesOf(trends, `${prefix}${name}`);
    return {name, label, values, total: sum(values)};
  });
}

function drawThemes(trends, relevant) {
  const rows = Object.entries(THEMES).map(([id, label]) => ({id, label, values: valuesOf(trends, `theme=${id}`)}));
  for (const row of rows) row.total = sum(row.values);
  rows.sort((a, b) => b.total - a.total || a.label.localeCompare(b.label));
  const most = Math.max(1, ...rows.flatMap((row) => row.values));  // one scale, so that heights compare
  list('themes').replaceChildren(...rows.map((row) => {
    const button = el('button', {type: 'button', class: 'multiple', 'aria-pressed': String(state.theme === row.id)},
        el('span', {class: 'head'}, el('span', {}, row.label), el('b', {}, row.total)),
        charts.columns(trends.starts, [{name: 'theme', label: row.label, values: row.values}], trends.gaps,
                       {step: trends.step, width: 270, height: 42, label: row.label, axes: false, most}),
        el('span', {class: 'quiet'}, relevant ? `of relevant: ${shareWords(row.total, relevant, trends.rates.get(`theme=${row.id}`))}` : 'no relevant articles'));
    button.addEventListener('click', () => chooseTheme(state.theme === row.id ? '' : row.id));
    return button;
  }));
  drawThemeDetail(trends);
}

function drawThemeDetail(trends) {
  const holder = $('#themes [data-detail]');
  if (!state.theme) return holder.replaceChildren();
  const parts = [{name: 'theme', label: THEMES[state.theme], values: valuesOf(trends, `theme=${state.theme}`)}];
  holder.replaceChildren(el('h3', {}, THEMES[state.theme], ' ', sampleButton('sample', THEMES[state.theme], {theme: state.theme})),
      charts.columns(trends.starts, parts, trends.gaps, {step: trends.step, width: holder.clientWidth, height: 190, label: THEMES[state.theme]}),
      charts.table(trends.starts, parts, trends.step));
}

// Of each part its count, its share of all relevant articles and a way to its articles.
function partWords(trends, parts, relevant, prefix, filter) {
  return el('p', {class: 'parts'}, ...parts.filter((p) => p.total > 0).map((p) => el('span', {},
      `${p.label}: ${p.total} of ${relevant} relevant, ${shareWords(p.total, relevant, trends.rates.get(prefix + p.name))} `,
      sampleButton('sample', p.label, filter(p.name)))));
}

function drawStance(trends, relevant) {
  list('stance').replaceChildren(...Object.entries(TARGETS).map(([target, label]) => {
    const parts = partsOf(trends, POSITIONS, `stance=${target}:`);
    const total = parts.reduce((a, p) => a + p.total, 0);
    return el('div', {}, el('h3', {}, label), el('span', {class: 'quiet'}, plural(total, 'article')), charts.split(parts),
        partWords(trends, parts, relevant, `stance=${target}:`, (position) => ({target, position})),
        charts.columns(trends.starts, parts, trends.gaps, {step: trends.step, width: 380, height: 110, label}),
        charts.table(trends.starts, parts, trends.step));
  }));
  charts.legend($('#stance [data-legend]'), partsOf(trends, POSITIONS, 'stance=x:'));
}

function drawLean(trends) {
  const parts = partsOf(trends, LEANS, 'lean=');
  charts.legend($('#lean [data-legend]'), parts);
  const relevant = parts.reduce((a, p) => a + p.total, 0);
  list('lean').replaceChildren(charts.split(parts), partWords(trends, parts, relevant, 'lean=', (lean) => ({lean})),
      charts.columns(trends.starts, parts, trends.gaps, {step: trends.step, width: list('lean').clientWidth, height: 160, label: 'Lean'}),
      charts.table(trends.starts, parts, trends.step));
  return relevant;
}

function drawTiles(trends, relevant) {
  const top = Object.keys(THEMES).map((id) => [id, sum(valuesOf(trends, `theme=${id}`))]).sort((a, b) => b[1] - a[1])[0];
  const last = partsOf(trends, LEANS, 'lean=').reduce((a, p) => a + (p.values.at(-1) ?? 0), 0);
  setTile('relevant', relevant, 'articles about the AI race');
  setTile('last', last, `of them in the newest ${trends.step === 36e5 ? 'hour' : trends.step === 864e5 ? 'day' : `${trends.step / 36e5} hours`}`);
  setTile('top', top && top[1] ? THEMES[top[0]] : '–', 'most frequent theme');
}

function setTile(id, value, label) {
  let tile = document.getElementById(`tile-${id}`);
  if (!tile) {
    tile = el('div', {class: 'tile', id: `tile-${id}`}, el('b'), el('span'));
    $('#tiles').append(tile);
  }
  const strong = $('b', tile);
  strong.textContent = value;
  strong.className = typeof value === 'string' && value.length > 6 ? 'words' : '';
  strong.title = value;
  $('span', tile).textContent = label;
}

// The chosen period, ending with the newest hour; without one the server's own last day.
function spanParameters() {
  const {window, ms, step} = PERIODS[state.period];
  if (!state.newest) return {window};
  const last = Math.floor(state.newest / step) * step;
  return {window, from: new Date(last - ms + step).toISOString(), to: new Date(last + step).toISOString()};
}

async function refreshNewest() {
  for (const series of (await get('trends', {window: 'hour'})).series ?? [])
    for (const point of series.points ?? []) state.newest = Math.max(state.newest, time(point.start));
}

async function refreshTrends() {
  const response = await get('trends', spanParameters());
  const trends = shape(response, state.period);
  state.trends = trends;
  if (!trends.newest) return;
  $('#span').textContent = `${utc(trends.starts[0])} to ${utc(trends.newest + trends.step)}`;
  $('#model').textContent = response.model_version || '–';
  const relevant = drawLean(trends);
  drawTiles(trends, relevant);
  drawThemes(trends, relevant);
  drawStance(trends, relevant);
}

// ---- alerts ----

function seriesWords(series = {}) {
  const words = [];
  if (series.theme) words.push(THEMES[series.theme] ?? series.theme);
  if (series.target) words.push(TARGETS[series.target] ?? series.target);
  if (series.position) words.push(POSITIONS[series.position] ?? series.position);
  if (series.lean) words.push(`lean ${LEANS[series.lean] ?? series.lean}`);
  return words.join(', ') || 'all articles';
}

const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

function alertNode(alert) {
  const closed = String(alert.state).toLowerCase().includes('close');
  const round = (x) => Number(number(x).toFixed(number(x) < 10 ? 1 : 0));
  const when = closed ? `${utc(time(alert.opened_at))} to ${utc(time(alert.at))}` : `open since ${utc(time(alert.opened_at))}`;
  return el('div', {class: `alert${closed ? ' closed' : ''}`},
      el('h3', {}, `${seriesWords(alert.series)}`),
      el('div', {class: 'meta'}, `${when} · ${closed ? 'back to ' : ''}${plural(round(alert.observed), 'article')} in ${alert.window}, ` +
          `${round(alert.expected)} expected · ${plural(number(alert.publishers), 'publisher')} · ` +
          `${plural(number(alert.stories), 'story', 'stories')} · rule ${alert.rule}`),
      el('ul', {}, ...(alert.evidence ?? []).slice(0, 5).map((item) =>
          el('li', {}, link(item.url, item.title || item.article_id), el('span', {class: 'meta'}, ` ${item.publisher ?? ''} · ${utc(time(item.published))}`)))));
}

async function refreshAlerts() {
  const open = (await get('alerts', {open_only: 'true'})).alerts ?? [];
  setTile('alerts', open.length, open.length === 1 ? 'open alert' : 'open alerts');
  let shown = open;
  if (open.length === 0) shown = ((await get('alerts', {page_size: 10})).alerts ?? []);
  list('alerts').replaceChildren(...(open.length ? [] : [el('p', {class: 'empty'}, shown.length ? 'Nothing is open. The last ones:' : 'No alert so far.')]),
      ...shown.map(alertNode));
}

// ---- articles ----

const encoder = new TextEncoder(), decoder = new TextDecoder();

// The passage around the strongest evidence, with all evidence in it marked. Offsets are UTF-8 bytes in
// title + "\n" + text. Returns nodes.
function snippet(article, evidence) {
  const bytes = encoder.encode(`${article.title ?? ''}\n${article.text ?? ''}`);
  const body = encoder.encode(article.title ?? '').length + 1;
  const spans = (evidence ?? []).map((e) => ({start: number(e.start), end: number(e.start) + number(e.length), weight: number(e.weight)}))
      .filter((s) => s.start >= body && s.end <= bytes.length && s.weight > 0);
  const best = spans.reduce((a, s) => !a || s.weight > a.weight ? s : a, null);
  const boundary = (i) => { while (i > body && i < bytes.length && (bytes[i] & 0xC0) === 0x80) --i; return i; };
  let from = best ? boundary(Math.max(body, best.start - 110)) : body;
  if (from > body)  // begin at a word where the script has spaces
    for (let i = from; i < Math.min(from + 20, best.start); ++i) if (bytes[i] === 0x20) { from = i + 1; break; }
  const to = boundary(Math.min(bytes.length, from + 300));
  const nodes = [from > body ? '…' : ''];
  let at = from;
  for (const span of spans.filter((s) => s.start >= from && s.end <= to).sort((a, b) => a.start - b.start)) {
    if (span.start < at) continue;
    nodes.push(decoder.decode(bytes.slice(at, span.start)), el('mark', {}, decoder.decode(bytes.slice(span.start, span.end))));
    at = span.end;
  }
  nodes.push(decoder.decode(bytes.slice(at, to)), to < bytes.length ? '…' : '');
  return nodes;
}

function chips(tags) {
  if (!tags?.relevance?.label) return el('div', {class: 'chips'}, el('span', {class: 'chip'}, 'other news'));
  const score = (s) => `probability ${number(s).toFixed(2)}`;
  return el('div', {class: 'chips'},
      ...(tags.themes ?? []).map((t) => el('span', {class: 'chip', title: score(t.score)}, THEMES[t.id] ?? t.id)),
      ...(tags.stance ?? []).map((s) => el('span', {class: `chip ${s.position}`, title: `${TARGETS[s.target] ?? s.target}; ${score(s.score)}`},
          `${s.target.replaceAll('_', ' ')}: ${POSITIONS[s.position] ?? s.position}`)),
      tags.lean?.label && tags.lean.label !== 'neutral' ? el('span', {class: `chip ${tags.lean.label}`, title: score(tags.lean.score)}, `lean ${LEANS[tags.lean.label]}`) : null);
}

function articleNode({article, tags}) {
  const published = time(article.published) || time(article.fetched_at);
  return el('li', {class: 'article fresh', id: `article-${article.id}`, lang: article.language || null},
      link(article.url, article.title || article.url),
      el('div', {class: 'meta', lang: 'en'}, `${article.publisher} · ${utc(published)} · ${article.language}`),
      el('p', {class: 'snippet'}, ...snippet(article, tags?.evidence)), chips(tags), correction({article, tags}));
}

// ---- wrong labels, samples ----

const READER_KEY = 'racewatch-reader';  // kept by the browser, so that a reader types the name once

function choice(options, chosen) {
  const node = el('select', {}, ...Object.entries(options).map(([value, words]) => el('option', {value}, words)));
  node.value = chosen in options ? chosen : Object.keys(options)[0];
  return node;
}

// All labels of an article, begun with those it has; made when it is first opened.
function correction(tagged) {
  const holder = el('details', {class: 'correction', lang: 'en'}, el('summary', {}, 'wrong label?'));
  holder.addEventListener('toggle', () => { if (holder.open && holder.children.length === 1) holder.append(correctionForm(tagged)); });
  return holder;
}

function correctionForm({article, tags}) {
  const relevant = el('input', {type: 'checkbox'});
  relevant.checked = Boolean(tags?.relevance?.label);
  const themes = Object.entries(THEMES).map(([id, label]) => {
    const box = el('input', {type: 'checkbox', value: id});
    box.checked = (tags?.themes ?? []).some((t) => t.id === id);
    return {box, node: el('label', {}, box, ` ${label}`)};
  });
  const stance = Object.entries(TARGETS).map(([target, label]) => {
    const pick = choice({'': 'does not speak to it', favor: POSITIONS.favor, neutral: POSITIONS.neutral, against: POSITIONS.against},
                        (tags?.stance ?? []).find((s) => s.target === target)?.position ?? '');
    return {target, pick, node: el('label', {}, `${label} `, pick)};
  });
  const lean = choice({us: LEANS.us, neutral: LEANS.neutral, china: LEANS.china}, tags?.lean?.label ?? 'neutral');
  const reader = el('input', {type: 'text', required: '', maxlength: '60', autocomplete: 'name'});
  reader.value = localStorage.getItem(READER_KEY) ?? '';
  const note = el('input', {type: 'text', maxlength: '500'});
  const said = el('span', {role: 'status', class: 'quiet'});
  const labels = el('fieldset', {}, el('legend', {}, 'Its labels'), el('div', {class: 'boxes'}, ...themes.map((t) => t.node)),
      ...stance.map((s) => s.node), el('label', {}, 'Shows in the better light ', lean));
  const follow = () => { labels.disabled = !relevant.checked; };
  relevant.addEventListener('change', follow);
  follow();
  const form = el('form', {}, el('label', {}, relevant, ' about the US-China AI race'), labels,
      el('label', {}, 'Your name ', reader), el('label', {}, 'Note ', note), el('div', {class: 'row'}, el('button', {}, 'Keep'), said));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const set = relevant.checked ? {
      relevant: true, themes: themes.filter((t) => t.box.checked).map((t) => t.box.value),
      stance: Object.fromEntries(stance.filter((s) => s.pick.value).map((s) => [s.target, s.pick.value])), lean: lean.value,
    } : {relevant: false};
    localStorage.setItem(READER_KEY, reader.value);
    try {
      const kept = await post('corrections', {article: article.id, labels: set, reader: reader.value, note: note.value});
      said.textContent = `kept as number ${kept.correction.id}; counts stay as they are`;
    } catch (error) {
      said.textContent = `not kept: ${error.message}`;
    }
  });
  return form;
}

function sampleButton(words, what, filter) {
  const button = el('button', {type: 'button', class: 'sample', title: `A random sample of these articles: ${what}`}, words);
  button.addEventListener('click', () => showSample(what, filter));
  return button;
}

// A random sample of the articles behind a count of the period shown.
async function showSample(what, filter) {
  const holder = $('#sample');
  holder.hidden = false;
  $('[data-about]', holder).textContent = `${what}: …`;
  holder.scrollIntoView({block: 'start'});
  const {from, to} = spanParameters();
  try {
    const drawn = await get('sample', {...filter, relevant_only: 'true', from, to, size: 20});
    const articles = drawn.articles ?? [];
    $('[data-about]', holder).textContent = `${what}: ${articles.length} of ${drawn.matched} articles of the period shown, each as likely as any other ` +
        `(seed ${drawn.seed}). Read them, and correct what is wrong.`;
    list('sample').replaceChildren(...articles.map(articleNode));
    for (const node of list('sample').children) node.removeAttribute('id');  // the same article may stand in the stream as well
  } catch (error) {
    $('[data-about]', holder).textContent = `${what}: no sample to be had: ${error.message}`;
    list('sample').replaceChildren();
  }
}

const passes = ({tags}) => (!$('#filter-relevant').checked || tags?.relevance?.label) &&
    (!state.theme || (tags?.themes ?? []).some((t) => t.id === state.theme));

// A revision takes the place of what it revises.
function show(tagged) {
  const {article} = tagged;
  if (!article?.id) return;
  state.newest = Math.max(state.newest, Math.floor(time(article.published) / 36e5) * 36e5);
  if (state.kept.get(article.id)?.article.content_hash === article.content_hash) return;
  state.kept.delete(article.id);
  state.kept.set(article.id, tagged);
  if (state.kept.size > KEPT_MAX) state.kept.delete(state.kept.keys().next().value);
  if (!state.paused && passes(tagged)) place(tagged);
}

function place(tagged) {
  const ticker = $('#ticker');
  document.getElementById(`article-${tagged.article.id}`)?.remove();
  ticker.prepend(articleNode(tagged));
  while (ticker.children.length > TICKER_MAX) ticker.lastElementChild.remove();
}

function refill() {
  $('#ticker').replaceChildren();
  for (const tagged of [...state.kept.values()].filter(passes).slice(-TICKER_MAX)) place(tagged);
}

// Reads one answer of newline-delimited JSON to its end.
async function readLines(parameters) {
  const response = await fetch(`/api/v1/articles/watch?${new URLSearchParams(parameters)}`);
  if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
  setStatus('live', 'live');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line.trim()) take(JSON.parse(line));
  }
}

// First what the newest days hold, then what comes; starts again where it broke off.
async function watch() {
  for (;;) {
    try {
      if (!state.token) {
        await refreshNewest();
        const from = state.newest ? {from: new Date(state.newest - CATCH_UP_MS).toISOString()} : {};
        await readLines({resume_token: '0', follow: 'false', ...from});
      }
      await readLines(state.token ? {resume_token: state.token} : {});
    } catch (error) {
      setStatus('broken', `no stream (${error.message}), trying again`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function take(message) {
  if (message.resume_token) state.token = message.resume_token;
  if (message.article) show(message.article);
}

function setStatus(kind, words) {
  $('#status').className = `status ${kind}`;
  $('#status').textContent = words;
}

function chooseTheme(theme) {
  state.theme = theme;
  $('#filter-theme').value = theme;
  refill();
  if (state.trends) drawThemes(state.trends, partsOf(state.trends, LEANS, 'lean=').reduce((a, p) => a + p.total, 0));
}

// ---- coverage, feeds, one article ----

const GROUPS = {us: 'United States', china: 'China', europe: 'Europe', other: 'Elsewhere'};

async function refreshCoverage() {
  const points = (await get('coverage', spanParameters())).points ?? [];
  state.gaps = new Set(points.filter((p) => (p.publisher_group || 'all') === 'all' && number(p.expected) > 0 &&
      number(p.seen) < COVERAGE_MIN * number(p.expected)).map((p) => time(p.start)));
  const starts = [...new Set(points.map((p) => time(p.start)))].sort((a, b) => a - b);
  const newest = starts.at(-1);
  const rows = [...Object.entries(GROUPS), ['all', 'All']].map(([group, label]) => {
    const mine = points.filter((p) => (p.publisher_group || 'all') === group);
    const due = sum(mine.map((p) => number(p.expected)));
    const seen = sum(mine.map((p) => Math.min(number(p.seen), number(p.expected))));  // a surplus makes up for no gap
    const last = mine.find((p) => time(p.start) === newest);
    return {label, seen, due, last};
  });
  const all = rows.at(-1).due ? rows.at(-1) : {seen: sum(rows.map((r) => r.seen)), due: sum(rows.map((r) => r.due))};
  setTile('coverage', all.due ? percent(all.seen / all.due) : '–', 'of the sources due were seen');
  const head = el('tr', {}, ...['Publishers', 'seen', 'due', 'share', 'newest window'].map((words, i) => el('th', {scope: 'col', class: i ? 'number' : null}, words)));
  list('coverage').replaceChildren(el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows.filter((r) => r.due || r.seen).map((r) =>
      el('tr', {}, el('th', {scope: 'row'}, r.label), ...[r.seen, r.due, r.due ? percent(r.seen / r.due) : '–',
          r.last ? `${number(r.last.seen)} of ${number(r.last.expected)}` : '–'].map((value) => el('td', {class: 'number'}, value)))))));
}

async function refreshFeeds() {
  const feeds = (await get('feeds')).feeds ?? [];
  const bad = (feed) => !['ok', 'folder'].includes(feed.state);
  feeds.sort((a, b) => bad(b) - bad(a) || a.title.localeCompare(b.title));
  const head = el('tr', {}, ...['Feed', 'state', 'last new', 'last fetch', 'entries', 'articles', 'failures'].map((words, i) =>
      el('th', {scope: 'col', class: i > 3 ? 'number' : null}, words)));
  list('feeds').replaceChildren(el('div', {class: 'scroll'}, el('table', {}, el('thead', {}, head), el('tbody', {}, ...feeds.map((feed) =>
      el('tr', {}, el('td', {title: feed.id}, feed.title || feed.id),
          el('td', {class: bad(feed) ? 'state-bad' : 'state-ok', title: feed.detail}, feed.reason && bad(feed) ? `${feed.state}: ${feed.reason}` : feed.state),
          el('td', {}, utc(time(feed.last_new))), el('td', {}, utc(time(feed.last_fetch))),
          ...[feed.entries, feed.articles, feed.failures].map((value) => el('td', {class: 'number'}, number(value)))))))));
}

async function findArticle(event) {
  event.preventDefault();
  const wanted = $('#where-input').value.trim();
  const holder = list('where');
  try {
    const found = await get('where', {article: wanted});
    const steps = (found.steps ?? []).map((s) => el('li', {}, `${utc(time(s.at))} ${s.stage}: ${String(s.what).replaceAll('_', ' ')}${s.reason ? ` (${s.reason})` : ''}`));
    holder.replaceChildren(el('p', {class: 'meta'}, `id ${found.article_id}${found.story_id ? ` · story ${found.story_id}` : ''}`),
        el('ol', {class: 'path'}, ...steps), found.article ? el('ol', {class: 'ticker'}, articleNode(found.article)) : '');
  } catch (error) {
    holder.replaceChildren(el('p', {class: 'empty'}, `Not found: ${error.message}`));
  }
}

// ---- wiring ----

// One part that fails says so in its own place and leaves the others alone.
async function refresh() {
  const parts = {coverage: refreshCoverage, themes: refreshTrends, alerts: refreshAlerts, feeds: refreshFeeds};
  await refreshNewest().catch(() => {});
  for (const [name, part] of Object.entries(parts))
    await part().catch((error) => list(name).replaceChildren(el('p', {class: 'empty'}, `Not to be had: ${error.message}`)));
}

async function refreshForEver() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
  }
}

function start() {
  for (const id of ['relevant', 'last', 'top', 'alerts', 'coverage']) setTile(id, '–', '');
  for (const [id, label] of Object.entries(THEMES)) $('#filter-theme').append(el('option', {value: id}, label));
  $('#period').addEventListener('click', (event) => {
    const period = event.target.dataset.period;
    if (!period) return;
    state.period = period;
    for (const button of $('#period').children) button.setAttribute('aria-pressed', String(button.dataset.period === period));
    refresh();
  });
  $('#filter-theme').addEventListener('change', (event) => chooseTheme(event.target.value));
  $('#filter-relevant').addEventListener('change', refill);
  $('#pause').addEventListener('click', (event) => {
    state.paused = !state.paused;
    event.target.setAttribute('aria-pressed', String(state.paused));
    if (!state.paused) refill();
  });
  $('#where-form').addEventListener('submit', findArticle);
  window.addEventListener('resize', () => state.trends && refreshTrends().catch(() => {}));
  watch();
  refreshForEver();
}

start();
