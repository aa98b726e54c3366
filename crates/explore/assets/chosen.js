// What is chosen: what passes the filters and lies in both brushes, kept up to date while somebody drags.
//
// When an edge of a brush moves, only examples between its old and its new place can change. Examples stand in the
// order of their pixels on the map, and of narrow bars of the histogram, so that these are found without looking at the
// others. Each is tested by its values: what is chosen does not depend on pixels.

// Of the examples between edges, the share from which on it is faster to look at all.
const MANY = 1 / 4;

// Examples in the order of their codes, those of a code in their own order. `codes` are at most `most`.
export class Ordered {
  constructor(codes, most) {
    const n = codes.length;
    this.starts = new Uint32Array(most + 2);
    for (let i = 0; i < n; i++) this.starts[codes[i] + 1]++;
    for (let code = 0; code <= most; code++) this.starts[code + 1] += this.starts[code];
    this.rows = new Uint32Array(n);
    const next = this.starts.slice();
    for (let i = 0; i < n; i++) this.rows[next[codes[i]]++] = i;
  }
}

const same = (a, b) => a === b || (a !== null && b !== null && a.every((one, at) => one === b[at]));

export class Chosen {
  constructor(n) {
    this.pass = new Uint8Array(n).fill(1);
    this.sel = new Uint8Array(n).fill(1);
    this.count = n;
    this.shownBars = new Uint32Array(256);
    this.bars = new Uint32Array(256);
    this.of = {};
  }

  // Takes what has changed into account; `passed` names the state of `pass`.
  update(map, hist, passed) {
    const of = { passed, placed: map.placed, taken: hist.taken, map: map.brush && [...map.brush], hist: hist.brush && [...hist.brush] };
    const was = this.of;
    const alike = of.passed === was.passed && of.placed === was.placed && of.taken === was.taken;
    if (alike && same(of.map, was.map) && same(of.hist, was.hist)) return;
    this.of = of;
    if (!alike) this.shown(hist);
    const movable = alike && (same(of.map, was.map) || (of.map && was.map)) && (same(of.hist, was.hist) || (of.hist && was.hist));
    if (!movable) { this.all(map, hist); return; }
    const found = [];
    if (!same(of.map, was.map)) found.push([map.ordered, map.between(was.map, of.map)]);
    if (!same(of.hist, was.hist)) found.push([hist.ordered, hist.between(was.hist, of.hist)]);
    let touched = 0;
    for (const [, ranges] of found) for (let at = 0; at < ranges.length; at += 2) touched += ranges[at + 1] - ranges[at];
    if (touched > MANY * this.sel.length) { this.all(map, hist); return; }
    for (const [ordered, ranges] of found) this.some(map, hist, ordered.rows, ranges);
  }

  shown(hist) {
    const { pass, shownBars } = this;
    const { bars } = hist;
    shownBars.fill(0);
    for (let i = 0; i < pass.length; i++) if (pass[i] !== 0) shownBars[bars[i]]++;
  }

  // Looks at every example.
  all(map, hist) {
    const { pass, sel, bars } = this;
    const { x, y, cells, counts, last, brush: b } = map;
    const { values: h, bars: barOf, brush: r } = hist;
    const [x0, x1, y0, y1] = b ?? [0, 0, 0, 0];
    const [h0, h1] = r ?? [0, 0];
    const [byMap, byHist] = [b !== null, r !== null];
    bars.fill(0);
    counts.fill(0);
    let count = 0;
    for (let i = 0; i < sel.length; i++) {
      let one = pass[i];
      if (one !== 0 && byMap) { const px = x[i], py = y[i]; if (!(px >= x0 && px <= x1 && py >= y0 && py <= y1)) one = 0; }
      if (one !== 0 && byHist) { const ph = h[i]; if (!(ph >= h0 && ph <= h1)) one = 0; }
      sel[i] = one;
      if (one !== 0) { count++; bars[barOf[i]]++; const cell = cells[i]; counts[cell]++; last[cell] = i; }
    }
    this.count = count;
  }

  // Looks at some: `ranges` of places in `rows`, which may overlap.
  some(map, hist, rows, ranges) {
    const { pass, sel, bars } = this;
    const { x, y, cells, counts, last, brush: b } = map;
    const { values: h, bars: barOf, brush: r } = hist;
    const [x0, x1, y0, y1] = b ?? [0, 0, 0, 0];
    const [h0, h1] = r ?? [0, 0];
    const [byMap, byHist] = [b !== null, r !== null];
    const stale = [];
    let { count } = this;
    for (let range = 0; range < ranges.length; range += 2) {
      for (let at = ranges[range]; at < ranges[range + 1]; at++) {
        const i = rows[at];
        let one = pass[i];
        if (one !== 0 && byMap) { const px = x[i], py = y[i]; if (!(px >= x0 && px <= x1 && py >= y0 && py <= y1)) one = 0; }
        if (one !== 0 && byHist) { const ph = h[i]; if (!(ph >= h0 && ph <= h1)) one = 0; }
        if (one === sel[i]) continue;
        sel[i] = one;
        const cell = cells[i];
        if (one !== 0) {
          count++;
          bars[barOf[i]]++;
          if (counts[cell] === 0 || last[cell] < i) last[cell] = i;
          counts[cell]++;
        } else {
          count--;
          bars[barOf[i]]--;
          counts[cell]--;
          if (last[cell] === i) stale.push(cell);
        }
      }
    }
    this.count = count;
    // The last of a pixel is gone: the last of those that are left.
    const { starts, rows: byPixel } = map.ordered;
    for (const cell of stale) {
      if (counts[cell] === 0 || cell === map.nowhere || sel[last[cell]] !== 0) continue;
      let at = starts[cell + 1] - 1;
      while (sel[byPixel[at]] === 0) at--;
      last[cell] = byPixel[at];
    }
  }
}
