// The map and the histogram: drawn from columns of numbers, a part of them chosen by dragging.
//
// Every example is one entry of typed arrays. Its place on the map and its bar are worked out when an axis
// changes; what is chosen is added up by pixel and bar in chosen.js.

import { shown } from "./bits.js";
import { Ordered } from "./chosen.js";

export const BARS = 64;
const NARROW = 1024; // bars by which examples are found while an edge moves
const MARGIN = { left: 46, right: 10, top: 8, bottom: 22 };

export function ends(values) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value - value !== 0) continue; // NaN and ∞
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function ticks([low, high], wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at++) found.push(at * step);
  return { step, found };
}

const tick = (value, step) => {
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return (places > 6 || Math.abs(value) >= 1e6 ? value.toExponential(1) : value.toFixed(places)).replace("-", "−");
};

class Canvas {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  // Takes the size of the element; whether it has changed.
  fit() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const { clientWidth, clientHeight } = this.canvas;
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    const changed = this.canvas.width !== width || this.canvas.height !== height;
    if (changed) { this.canvas.width = width; this.canvas.height = height; }
    this.ratio = ratio;
    this.left = MARGIN.left; this.top = MARGIN.top;
    this.wide = Math.max(20, clientWidth - MARGIN.left - MARGIN.right);
    this.high = Math.max(20, clientHeight - MARGIN.top - MARGIN.bottom);
    return changed;
  }

  axis(colours, domain, across) {
    const { context, ratio } = this;
    context.save();
    context.scale(ratio, ratio);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colours.text("faint");
    context.strokeStyle = colours.text("rule");
    context.lineWidth = 1;
    const { step, found } = ticks(domain, across ? this.wide / 80 : this.high / 45);
    for (const value of found) {
      const share = (value - domain[0]) / (domain[1] - domain[0]);
      const text = tick(value, step);
      context.beginPath();
      if (across) {
        const x = Math.round(this.left + share * this.wide) + 0.5;
        context.moveTo(x, this.top); context.lineTo(x, this.top + this.high); context.stroke();
        context.textAlign = "center"; context.textBaseline = "top";
        context.fillText(text, x, this.top + this.high + 5);
      } else {
        const y = Math.round(this.top + (1 - share) * this.high) + 0.5;
        context.moveTo(this.left, y); context.lineTo(this.left + this.wide, y); context.stroke();
        context.textAlign = "right"; context.textBaseline = "middle";
        context.fillText(text, this.left - 5, y);
      }
    }
    context.restore();
  }

  // Where the pointer is, as shares of the drawing, from the left and the bottom.
  shares(event) {
    const box = this.canvas.getBoundingClientRect();
    const across = (event.clientX - box.left - this.left) / this.wide;
    const up = 1 - (event.clientY - box.top - this.top) / this.high;
    return [across, up];
  }
}

const within = (share) => Math.min(1, Math.max(0, share));
const value = (domain, share) => domain[0] + share * (domain[1] - domain[0]);

// Dragging: `begin(shares)` says what is dragged, `move(shares)` goes on, `click(shares)` where nothing was.
function drag(canvas, { begin, move, end, click }) {
  let start = null, moved = false;
  canvas.canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.canvas.setPointerCapture(event.pointerId);
    start = [event.clientX, event.clientY];
    moved = false;
    begin(canvas.shares(event));
  });
  canvas.canvas.addEventListener("pointermove", (event) => {
    if (!start) return;
    if (!moved && Math.hypot(event.clientX - start[0], event.clientY - start[1]) < 4) return;
    moved = true;
    move(canvas.shares(event));
  });
  const stop = (event) => {
    if (!start) return;
    start = null;
    if (moved) end(); else if (event.type === "pointerup") click(canvas.shares(event));
  };
  canvas.canvas.addEventListener("pointerup", stop);
  canvas.canvas.addEventListener("pointercancel", stop);
}

export class ScatterMap {
  constructor(element, changed, settled, opened) {
    this.canvas = new Canvas(element);
    this.brush = null; // [x from, x to, y from, y to], in values
    this.cells = new Uint32Array(0);
    this.placed = 0; // how often places were worked out
    let grabbed = null, from = null;
    drag(this.canvas, {
      begin: ([across, up]) => {
        const at = [value(this.xs, across), value(this.ys, up)];
        const b = this.brush;
        // One that is all there is to see, as after zooming in, is not moved: a drag makes a smaller one.
        const isAll = b && b[0] <= this.xs[0] && b[1] >= this.xs[1] && b[2] <= this.ys[0] && b[3] >= this.ys[1];
        const inside = b && !isAll && at[0] >= b[0] && at[0] <= b[1] && at[1] >= b[2] && at[1] <= b[3];
        grabbed = inside ? { at, brush: [...b] } : null;
        from = [within(across), within(up)];
      },
      move: ([across, up]) => {
        if (grabbed) {
          const dx = value(this.xs, across) - grabbed.at[0], dy = value(this.ys, up) - grabbed.at[1];
          const [a, b, c, d] = grabbed.brush;
          this.brush = [a + dx, b + dx, c + dy, d + dy];
        } else {
          const xs = [from[0], within(across)].sort((a, b) => a - b).map((share) => value(this.xs, share));
          const ys = [from[1], within(up)].sort((a, b) => a - b).map((share) => value(this.ys, share));
          this.brush = [...xs, ...ys];
        }
        changed();
      },
      end: settled,
      click: (shares) => {
        const row = this.nearest(shares);
        if (row !== null) opened(row);
        else if (this.brush) { this.brush = null; changed(); settled(); }
      },
    });
  }

  // New columns; `keep` keeps the part that is shown.
  take(x, y, keep = false) {
    this.x = x; this.y = y;
    if (!keep) { this.xs = ends(x); this.ys = ends(y); }
    this.stale = true;
  }

  zoom(domain) {
    if (domain) { this.xs = [domain[0], domain[1]]; this.ys = [domain[2], domain[3]]; }
    else { this.xs = ends(this.x); this.ys = ends(this.y); }
    this.stale = true;
  }

  // Where every example is drawn: pixels of the drawing, by axes and size.
  place() {
    const changed = this.canvas.fit();
    if (!changed && !this.stale) return;
    this.stale = false;
    const ratio = this.canvas.ratio;
    this.width = Math.max(1, Math.round(this.canvas.wide * ratio));
    this.height = Math.max(1, Math.round(this.canvas.high * ratio));
    const { x, y, width, height } = this;
    const n = x.length;
    if (this.cells.length !== n) this.cells = new Uint32Array(n);
    const cells = this.cells;
    const sx = (width - 1) / (this.xs[1] - this.xs[0]), sy = (height - 1) / (this.ys[1] - this.ys[0]);
    const [x0, y0] = [this.xs[0], this.ys[0]];
    let absent = 0, outside = 0;
    const size = width * height;
    this.nowhere = size;
    for (let i = 0; i < n; i++) {
      const px = (x[i] - x0) * sx, py = (y[i] - y0) * sy;
      if (px >= 0 && px < width && py >= 0 && py < height) cells[i] = (height - 1 - (py | 0)) * width + (px | 0);
      else { cells[i] = size; if ((x[i] - x[i]) !== 0 || (y[i] - y[i]) !== 0) absent++; else outside++; }
    }
    this.absent = absent; this.outside = outside;
    this.placed++;
    this.order = null;
    // Of each pixel, the last entry being of no pixel: how many pass, how many are chosen, and the last of these.
    this.base = new Uint32Array(size + 1);
    this.counts = new Uint32Array(size + 1);
    this.last = new Uint32Array(size + 1);
    this.image = this.canvas.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.baseOf = null;
  }

  // The examples in the order of their pixels.
  get ordered() { return this.order ??= new Ordered(this.cells, this.nowhere); }

  // Where in that order examples stand that may lie in one of two brushes and not in the other: beginnings and ends.
  between(was, is) {
    const { width, height } = this;
    const { starts } = this.ordered;
    const sx = (width - 1) / (this.xs[1] - this.xs[0]), sy = (height - 1) / (this.ys[1] - this.ys[0]);
    const column = (x) => Math.max(0, Math.min(width - 1, Math.floor((x - this.xs[0]) * sx)));
    const line = (y) => height - 1 - Math.max(0, Math.min(height - 1, Math.floor((y - this.ys[0]) * sy)));
    const ranges = [];
    const strip = (left, right, above, below) => {
      for (let y = above; y <= below; y++) {
        const [from, to] = [starts[y * width + left], starts[y * width + right + 1]];
        if (to > from) ranges.push(from, to);
      }
    };
    const ends = (at) => [Math.min(was[at], is[at]), Math.max(was[at], is[at])];
    const [left, right] = [column(ends(0)[0]), column(ends(1)[1])];
    const [above, below] = [line(ends(3)[1]), line(ends(2)[0])];
    for (const edge of [0, 1]) {
      if (was[edge] !== is[edge]) strip(column(ends(edge)[0]), column(ends(edge)[1]), above, below);
    }
    for (const edge of [2, 3]) {
      if (was[edge] !== is[edge]) strip(left, right, line(ends(edge)[1]), line(ends(edge)[0]));
    }
    const reaches = ([a, b, c, d]) => a < this.xs[0] || b > this.xs[1] || c < this.ys[0] || d > this.ys[1];
    if (this.outside > 0 && (reaches(was) || reaches(is))) ranges.push(starts[this.nowhere], starts[this.nowhere + 1]);
    return ranges;
  }

  // How far a dot reaches beyond its pixel, for so many of them.
  reach(count) {
    const size = count <= 4000 ? 2 : count <= 60000 ? 1 : 0;
    return Math.round(size * this.canvas.ratio * (count <= 600 ? 1.5 : 1));
  }

  stamped(counts, reach) {
    if (reach === 0) return counts;
    const out = new Uint32Array(counts.length);
    for (let at = 0; at < this.nowhere; at++) {
      const count = counts[at];
      if (count !== 0) this.dot(at, reach, (pixel) => { out[pixel] += count; });
    }
    return out;
  }

  // Gives `paint` each pixel of the dot at a pixel.
  dot(at, reach, paint) {
    const { width, height } = this;
    const cx = at % width, cy = (at / width) | 0;
    for (let dy = -reach; dy <= reach; dy++) {
      const y = cy + dy;
      if (y < 0 || y >= height) continue;
      for (let dx = -reach; dx <= reach; dx++) {
        const x = cx + dx;
        if (x < 0 || x >= width || dx * dx + dy * dy > reach * reach + 1) continue;
        paint(y * width + x);
      }
    }
  }

  // Draws what is chosen over what passes, which `pass` says, whose state `passed` names. `colour` says which of
  // `colours` an example has; where many lie on one pixel, it has that of the last: a mean of many classes is grey.
  draw(theme, { pass, colour, colours, passed, shownCount, all }) {
    const { cells, width, height, counts, last, pixels } = this;
    const n = cells.length;
    // Where all are shown as chosen, nothing of those behind them is seen.
    if (this.baseOf !== passed && !all) {
      this.baseOf = passed;
      const base = this.base.fill(0);
      for (let i = 0; i < n; i++) if (pass[i] !== 0) base[cells[i]]++;
      this.grey = this.stamped(base, this.reach(shownCount));
    }
    const reach = this.reach(shownCount);
    const dense = reach === 0;
    const [ink, ground] = [theme.faint, theme.surface];
    const mix = (a, b) => (a + (b - a) * 0.3) | 0;
    const pixel = ([r, g, b]) => (b << 16) | (g << 8) | r;
    const faint = pixel([0, 1, 2].map((channel) => mix(ground[channel], ink[channel])));
    const strong = Uint32Array.from(colours, pixel);
    const alphas = (from, by) => Uint32Array.from({ length: 64 }, (_, count) => Math.min(255, from + by * Math.log2(1 + count)) << 24);
    const [weak, full] = dense ? [alphas(40, 30), alphas(90, 40)] : [alphas(150, 0), alphas(225, 0)];
    const grey = this.grey;
    const size = width * height;
    for (let at = 0; at < size; at++) {
      const count = counts[at];
      if (count !== 0 && dense) { pixels[at] = full[count < 64 ? count : 63] | strong[colour[last[at]]]; continue; }
      const below = all ? 0 : grey[at];
      pixels[at] = below === 0 ? 0 : weak[below < 64 ? below : 63] | faint;
    }
    if (!dense) {
      for (let at = 0; at < size; at++) {
        if (counts[at] === 0) continue;
        const dot = full[1] | strong[colour[last[at]]];
        this.dot(at, reach, (pixel) => { pixels[pixel] = dot; });
      }
    }
    const { context, ratio } = this.canvas;
    context.clearRect(0, 0, this.canvas.canvas.width, this.canvas.canvas.height);
    this.canvas.axis(theme, this.xs, true);
    this.canvas.axis(theme, this.ys, false);
    // Over the lines of the grid: pixels of an image have their own transparency when drawn as a bitmap.
    this.layer ??= document.createElement("canvas");
    if (this.layer.width !== width || this.layer.height !== height) {
      this.layer.width = width; this.layer.height = height;
    }
    this.layer.getContext("2d").putImageData(this.image, 0, 0);
    context.drawImage(this.layer, Math.round(this.canvas.left * ratio), Math.round(this.canvas.top * ratio));
    this.frame(theme);
  }

  frame(theme) {
    const { context, ratio, left, top, wide, high } = this.canvas;
    context.save();
    context.scale(ratio, ratio);
    const at = (row) => [
      left + (this.x[row] - this.xs[0]) / (this.xs[1] - this.xs[0]) * wide,
      top + (1 - (this.y[row] - this.ys[0]) / (this.ys[1] - this.ys[0])) * high,
    ];
    context.beginPath();
    context.rect(left, top, wide, high);
    context.clip();
    if (this.brush) {
      const [a, b, c, d] = this.brush;
      const x = (value) => left + (value - this.xs[0]) / (this.xs[1] - this.xs[0]) * wide;
      const y = (value) => top + (1 - (value - this.ys[0]) / (this.ys[1] - this.ys[0])) * high;
      context.strokeStyle = theme.text("accent");
      context.lineWidth = 1.5;
      context.strokeRect(x(a), y(d), x(b) - x(a), y(c) - y(d));
      context.globalAlpha = 0.08;
      context.fillStyle = theme.text("accent");
      context.fillRect(x(a), y(d), x(b) - x(a), y(c) - y(d));
      context.globalAlpha = 1;
    }
    if (this.cursor !== null && this.cursor !== undefined) {
      const [x, y] = at(this.cursor);
      context.strokeStyle = theme.text("ink");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.stroke();
    }
    context.restore();
  }

  // The shown example nearest to a place, if one is within a finger's breadth.
  nearest([across, up]) {
    const { x, y, xs, ys } = this;
    const [px, py] = [this.canvas.wide, this.canvas.high];
    let best = 10 * 10, found = null;
    const sel = this.shown();
    for (let i = 0; i < x.length; i++) {
      if (!sel[i]) continue;
      const dx = ((x[i] - xs[0]) / (xs[1] - xs[0]) - across) * px;
      const dy = ((y[i] - ys[0]) / (ys[1] - ys[0]) - up) * py;
      const distance = dx * dx + dy * dy;
      if (distance < best) { best = distance; found = i; }
    }
    return found;
  }
}

export class Histogram {
  constructor(element, changed, settled) {
    this.canvas = new Canvas(element);
    this.brush = null; // [from, to], in values
    this.bars = new Uint8Array(0);
    this.taken = 0; // how often values were taken
    let grabbed = null, from = 0;
    drag(this.canvas, {
      begin: ([across]) => {
        const at = value(this.domain, across);
        const inside = this.brush && at >= this.brush[0] && at <= this.brush[1];
        grabbed = inside ? { at, brush: [...this.brush] } : null;
        from = within(across);
      },
      move: ([across]) => {
        if (grabbed) {
          const by = value(this.domain, across) - grabbed.at;
          this.brush = grabbed.brush.map((end) => end + by);
        } else {
          this.brush = [from, within(across)].sort((a, b) => a - b).map((share) => value(this.domain, share));
        }
        changed();
      },
      end: settled,
      click: () => { if (this.brush) { this.brush = null; changed(); settled(); } },
    });
  }

  take(values) {
    this.values = values;
    this.domain = ends(values);
    const n = values.length;
    if (this.bars.length !== n) this.bars = new Uint8Array(n);
    const scale = BARS / (this.domain[1] - this.domain[0]);
    for (let i = 0; i < n; i++) {
      const value = values[i];
      this.bars[i] = value - value !== 0 ? 255 : Math.min(BARS - 1, (value - this.domain[0]) * scale);
    }
    this.taken++;
    this.order = null;
  }

  // The narrow bar of a value; those without a value have one of their own.
  narrow(value) {
    const at = Math.floor((value - this.domain[0]) * (NARROW / (this.domain[1] - this.domain[0])));
    return at >= 0 ? Math.min(NARROW - 1, at) : at < 0 ? 0 : NARROW;
  }

  // The examples in the order of narrow bars.
  get ordered() {
    if (!this.order) {
      const { values } = this;
      const codes = new Uint16Array(values.length);
      for (let i = 0; i < codes.length; i++) codes[i] = this.narrow(values[i]);
      this.order = new Ordered(codes, NARROW);
    }
    return this.order;
  }

  // Where in that order examples stand that may lie in one of two brushes and not in the other: beginnings and ends.
  between(was, is) {
    const { starts } = this.ordered;
    const ranges = [];
    for (const edge of [0, 1]) {
      if (was[edge] === is[edge]) continue;
      const [low, high] = [Math.min(was[edge], is[edge]), Math.max(was[edge], is[edge])];
      ranges.push(starts[this.narrow(low)], starts[this.narrow(high) + 1]);
    }
    return ranges;
  }

  draw(theme, shownBars, chosenBars) {
    this.canvas.fit();
    const { context, ratio, left, top, wide, high } = this.canvas;
    context.clearRect(0, 0, this.canvas.canvas.width, this.canvas.canvas.height);
    let most = 1;
    for (let bar = 0; bar < BARS; bar++) most = Math.max(most, shownBars[bar]);
    this.canvas.axis(theme, this.domain, true);
    this.canvas.axis(theme, [0, most], false);
    context.save();
    context.scale(ratio, ratio);
    const width = wide / BARS;
    for (let bar = 0; bar < BARS; bar++) {
      const x = left + bar * width;
      const tall = (count) => count === 0 ? 0 : Math.max(1, count / most * high);
      context.fillStyle = theme.text("missing");
      const back = tall(shownBars[bar]);
      context.fillRect(x + 0.5, top + high - back, width - 1, back);
      context.fillStyle = theme.text("series-0");
      const front = tall(chosenBars[bar]);
      context.fillRect(x + 0.5, top + high - front, width - 1, front);
    }
    if (this.brush) {
      const x = (value) => left + within((value - this.domain[0]) / (this.domain[1] - this.domain[0])) * wide;
      const [a, b] = this.brush.map(x);
      context.strokeStyle = theme.text("accent");
      context.lineWidth = 1.5;
      context.strokeRect(a, top, b - a, high);
      context.globalAlpha = 0.08;
      context.fillStyle = theme.text("accent");
      context.fillRect(a, top, b - a, high);
    }
    context.restore();
  }

  words() {
    return this.brush ? `${shown(this.brush[0])} to ${shown(this.brush[1])}` : "";
  }
}
