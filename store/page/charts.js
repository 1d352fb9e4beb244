// Charts of the page, as SVG elements: stacked columns over time, one small column chart, one split bar.
// Colours come from classes in style.css (c-NAME). Every chart says its content in words (aria-label) and
// offers its numbers as a table. No state, no requests.
'use strict';

const charts = (() => {
  const NS = 'http://www.w3.org/2000/svg';

  function svg(name, attributes, ...children) {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  // The pattern of windows in which too few sources were seen. Once per document.
  function ensureHatch() {
    if (document.getElementById('hatch')) return;
    const pattern = svg('pattern', {id: 'hatch', width: 5, height: 5, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)'},
        svg('line', {id: 'hatch-line', x1: 0, y1: 0, x2: 0, y2: 5}));
    const holder = svg('svg', {width: 0, height: 0, 'aria-hidden': 'true', style: 'position:absolute'}, svg('defs', {}, pattern));
    document.body.append(holder);
  }

  const hour = new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit', timeZone: 'UTC'});
  const day = new Intl.DateTimeFormat('en-GB', {day: 'numeric', month: 'short', timeZone: 'UTC'});
  const full = new Intl.DateTimeFormat('en-GB', {weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZone: 'UTC'});

  const windowName = (start, step) => step >= 86400e3 ? day.format(start) : full.format(start);

  // A round number at or above `most`: 1, 2, 4, 5, 8 or 10 times a power of ten.
  function niceTop(most) {
    if (most <= 4) return Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(most));
    for (const factor of [1, 2, 4, 5, 8, 10]) if (factor * power >= most) return factor * power;
    return 10 * power;
  }

  // Instants worth a label: midnights, or every sixth hour on a single day.
  function ticks(starts, step) {
    const chosen = [];
    const hours = starts.length * step / 3600e3;
    for (let i = 0; i < starts.length; ++i) {
      const date = new Date(starts[i]);
      const midnight = date.getUTCHours() === 0;
      if (step >= 86400e3 ? (starts.length - 1 - i) % 7 === 0 : hours > 48 ? midnight : date.getUTCHours() % 6 === 0)
        chosen.push([i, midnight || step >= 86400e3 ? day.format(date) : hour.format(date)]);
    }
    return chosen;
  }

  // `starts`: window starts in ms; `parts`: [{name, label, values}] from the bottom up; `gaps[i]`: window i
  // cannot be compared. Options: step (ms), width, height, label (what it shows), axes, most (top
  // of the scale).
  function columns(starts, parts, gaps, options) {
    ensureHatch();
    const {step, height, label} = options;
    const width = Math.max(160, options.width);
    const axes = options.axes !== false;
    const left = axes ? 30 : 0, bottom = axes ? 18 : 0, top = axes ? 6 : 2;
    const totals = starts.map((_, i) => parts.reduce((sum, part) => sum + part.values[i], 0));
    const most = options.most ?? niceTop(Math.max(...totals, 1));
    const inner = height - bottom - top;
    const y = (value) => top + inner - inner * value / most;
    const pitch = (width - left) / Math.max(1, starts.length);
    const gap = pitch > 8 ? 2 : pitch > 3 ? 1 : 0.3;
    const total = totals.reduce((a, b) => a + b, 0);
    const root = svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img',
      'aria-label': `${label}: ${total} in ${starts.length} windows, at most ${Math.max(...totals, 0)} in one`});
    if (axes)
      for (const value of [0, most / 2, most].filter(Number.isInteger)) {
        root.append(svg('line', {class: 'grid', x1: left, x2: width, y1: y(value), y2: y(value)}));
        const text = svg('text', {x: left - 5, y: y(value) + 4, 'text-anchor': 'end'});
        text.textContent = value;
        root.append(text);
      }
    else
      root.append(svg('line', {class: 'grid', x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5}));
    starts.forEach((start, i) => {
      const x = left + i * pitch;
      const group = svg('g', {class: 'column'});
      group.append(svg('rect', {class: gaps[i] ? 'gap' : '', x, y: top, width: pitch, height: inner, ...(gaps[i] ? {} : {fill: 'transparent'})}));
      let base = 0;
      for (const part of parts) {
        const value = part.values[i];
        if (value > 0)
          group.append(svg('rect', {class: `c-${part.name}`, x: x + gap / 2, y: y(base + value), width: Math.max(0.5, pitch - gap), height: y(base) - y(base + value)}));
        base += value;
      }
      const title = svg('title', {});
      title.textContent = `${windowName(start, step)}\n` + parts.map((p) => `${p.label}: ${p.values[i]}`).join('\n') + (gaps[i] ? '\ntoo few sources seen' : '');
      group.append(title);
      root.append(group);
    });
    if (axes)
      for (const [i, words] of ticks(starts, step)) {
        const text = svg('text', {x: left + i * pitch, y: height - 4, 'text-anchor': 'start'});
        text.textContent = words;
        root.append(text);
      }
    return root;
  }

  // The same numbers as a table inside <details>, windows with nothing left out.
  function table(starts, parts, step) {
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    summary.textContent = 'as a table';
    details.append(summary);
    details.addEventListener('toggle', () => {
      if (!details.open || details.querySelector('table')) return;
      const rows = document.createElement('table');
      const head = rows.createTHead().insertRow();
      for (const words of ['window', ...parts.map((p) => p.label)]) {
        const cell = document.createElement('th');
        cell.scope = 'col';
        cell.textContent = words;
        head.append(cell);
      }
      const body = rows.createTBody();
      starts.forEach((start, i) => {
        if (parts.every((p) => p.values[i] === 0)) return;
        const row = body.insertRow();
        row.insertCell().textContent = windowName(start, step);
        for (const part of parts) {
          const cell = row.insertCell();
          cell.className = 'number';
          cell.textContent = part.values[i];
        }
      });
      const scroll = document.createElement('div');
      scroll.className = 'scroll';
      scroll.append(rows);
      details.append(scroll);
    });
    return details;
  }

  // One bar split in proportion: parts as for columns, with `total` each.
  function split(parts) {
    const bar = document.createElement('div');
    bar.className = 'split';
    bar.setAttribute('role', 'img');
    const sum = parts.reduce((a, p) => a + p.total, 0);
    bar.setAttribute('aria-label', sum === 0 ? 'no articles' : parts.map((p) => `${p.label} ${p.total}`).join(', '));
    for (const part of parts) {
      if (part.total === 0) continue;
      const piece = document.createElement('span');
      piece.className = `c-${part.name}`;
      piece.style.flex = `${part.total} 0 0`;
      piece.textContent = part.total / sum > 0.06 ? part.total : '';
      piece.title = `${part.label}: ${part.total}`;
      bar.append(piece);
    }
    return bar;
  }

  function legend(holder, parts) {
    holder.replaceChildren(...parts.map((part) => {
      const item = document.createElement('span');
      const swatch = document.createElement('i');
      swatch.className = `c-${part.name}`;
      item.append(swatch, part.label);
      return item;
    }));
  }

  return {columns, table, split, legend, full};
})();
