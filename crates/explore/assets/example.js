// An example on its own: picture or text, where it stands in every score, what it was over time, who said what.

import { get, pictureOf } from "./api.js";
import { $, MARK_NAMES, MARKS, el, grouped, seriesVariable, shown, user } from "./bits.js";

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, properties, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A score over the times of the table, its standard error as a band.
function track(score, points, number) {
  const known = points.filter(([, value]) => value !== null);
  if (known.length < 2) return null;
  const [wide, high] = [150, 44];
  const times = known.map(([time]) => time);
  const low = Math.min(...known.map(([, value, error]) => value - (error ?? 0)));
  const top = Math.max(...known.map(([, value, error]) => value + (error ?? 0)));
  const x = (time) => 3 + (time - times[0]) / Math.max(1e-9, times.at(-1) - times[0]) * (wide - 6);
  const y = (value) => high - 3 - (value - low) / Math.max(1e-9, top - low) * (high - 6);
  const line = known.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const above = known.map(([time, value, error]) => `${x(time).toFixed(1)},${y(value + (error ?? 0)).toFixed(1)}`);
  const below = known.map(([time, value, error]) => `${x(time).toFixed(1)},${y(value - (error ?? 0)).toFixed(1)}`);
  const drawing = svg("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, "aria-hidden": "true" },
    svg("polygon", { points: [...above, ...below.reverse()].join(" "), class: "band" }),
    svg("polyline", { points: line, class: "line" }),
    ...known.map(([time, value]) => svg("circle", { cx: x(time), cy: y(value), r: 2.2, class: "dot" })));
  drawing.style.color = seriesVariable(number);
  const words = known.map(([time, value]) => `epoch ${time}: ${shown(value)}`).join("; ");
  return el("figure", { className: "track", title: words },
    el("figcaption", { textContent: score }), drawing,
    el("p", { className: "faint", textContent:
      `${shown(known[0][1])} at epoch ${times[0]}, ${shown(known.at(-1)[1])} at ${times.at(-1)}` }));
}

export class ExamplePage {
  constructor(parent, view) {
    Object.assign(this, { parent, view });
    this.row = null;
  }

  get isOpen() { return !this.parent.hidden; }

  close() {
    this.parent.hidden = true;
    this.row = null;
    document.body.classList.remove("has-example");
    $("gallery").focus({ preventScroll: true });
  }

  async open(row) {
    this.row = row;
    const opened = this.parent.hidden;
    this.parent.hidden = false;
    if (opened) this.parent.scrollTop = 0;
    document.body.classList.add("has-example");
    let found;
    try {
      found = await get("example", { row, by: this.view.sort });
    } catch (error) {
      if (this.row === row) this.parent.replaceChildren(this.head("cannot be shown"), el("p", { className: "caution", textContent: error.message }));
      return;
    }
    // Where another column is sorted by meanwhile, whoever did that opens it again.
    if (this.row !== row || found.by !== this.view.sort) return;
    this.found = found;
    this.draw();
  }

  head(id) {
    const button = (text, label, act) => el("button", { textContent: text, "aria-label": label, title: label, on: { click: act } });
    return el("div", { className: "bar head" },
      el("h2", {}, "Example ", user(id)), el("span", { className: "grow" }),
      button("←", "The one before (←)", () => this.view.step(-1)),
      button("→", "The next (→)", () => this.view.step(1)),
      button("×", "Close (Esc)", () => this.close()));
  }

  draw() {
    const { found, view } = this;
    const { row } = found;
    const scroll = this.parent.scrollTop;
    const parts = [this.head(found.id)];
    if (view.contents === "pictures") {
      const picture = el("img", { className: "large", alt: `Example ${found.id}`, src: pictureOf(row, true) });
      if (view.small) picture.classList.add("small");
      parts.push(picture);
    } else if (found.text !== null) {
      parts.push(el("div", { className: "whole-text", tabIndex: 0 }, user(found.text)));
    }
    const label = view.labelOf(row), predicted = view.predictedOf(row), right = view.rightOf(row);
    const mark = view.markOf(row);
    const facts = el("dl", { className: "facts" });
    const fact = (name, value) => { if (value) facts.append(el("dt", { textContent: name }), el("dd", {}, user(value))); };
    fact("labelled", label);
    fact("predicted", predicted);
    fact("marked", mark ? MARK_NAMES[mark] : null);
    fact("right class", right);
    if (view.isSuspect(row)) fact("suspect", "its label looks wrong");
    if (view.isKnownWrong(row)) fact("known", "its label is wrong");
    parts.push(facts);
    parts.push(el("div", { className: "bar acts", role: "toolbar", "aria-label": "Mark this example" },
      ...[["wrong", "Wrong label…", "W"], ["drop", "Drop", "D"], ["keep", "Keep", "K"], ["unsure", "Unsure", "U"], ["none", "Clear", "C"]]
        .map(([act, text, key]) => {
          const button = el("button", { textContent: text, title: key, on: { click: () => view.act(act, [row]) } });
          button.setAttribute("aria-pressed", MARKS[mark] === act);
          return button;
        })));
    parts.push(el("h3", { textContent: "Scores" }), ...this.scores(found.scores));
    const tracks = found.tracks.map(({ score, points }, number) => track(score, points, number)).filter(Boolean);
    if (tracks.length) parts.push(el("h3", { textContent: "Over training" }), el("div", { className: "tracks" }, ...tracks));
    parts.push(el("h3", { textContent: `Beside it by ${found.by}` }), this.neighbours(found.neighbours));
    if (found.history.length) {
      parts.push(el("h3", { textContent: "What was said" }), el("ul", { className: "history" },
        ...found.history.toReversed().map(({ at, by, mark, label, undoes }) => {
          const when = new Date(at);
          const what = mark === null ? (undoes ? "undone" : "cleared") : MARK_NAMES[MARKS.indexOf(mark)];
          return el("li", {}, user(by), `: ${undoes && mark ? "back to " : ""}${what}`, ...(label ? [" → ", user(label)] : []),
            el("span", { className: "faint", textContent: `, ${when.toLocaleString()}` }));
        })));
    }
    const others = found.facts.filter(({ name }) => !["label", "class", "text"].includes(name));
    if (others.length) {
      parts.push(el("details", {}, el("summary", { textContent: "Other columns" }), el("dl", { className: "facts" },
        ...others.flatMap(({ name, value }) => [el("dt", {}, user(name)), el("dd", {}, user(String(value)))]))));
    }
    this.parent.replaceChildren(...parts);
    this.parent.scrollTop = scroll;
  }

  // The sorted column, then those of the latest time; those of earlier times folded.
  scores(scores) {
    const isSorted = ({ name }) => name === this.view.sort;
    const latest = Math.max(...scores.map(({ time }) => time ?? -Infinity));
    const isNow = (score) => isSorted(score) || score.time === null || score.time === latest;
    const now = scores.filter(isNow).sort((a, b) => isSorted(b) - isSorted(a));
    const older = scores.filter((score) => !isNow(score)).sort((a, b) => b.time - a.time);
    const parts = [el("div", { className: "wide" }, this.table(now))];
    if (older.length) {
      const folded = el("details", { open: this.older === true, on: { toggle: () => { this.older = folded.open; } } },
        el("summary", { textContent: `Earlier (${grouped(older.length)})` }), el("div", { className: "wide" }, this.table(older)));
      parts.push(folded);
    }
    return parts;
  }

  table(scores) {
    const row = ({ name, value, text, se, rank, of, ties, hard, reliability }) => {
      // Of ties, the middle of the ranks that they share.
      const share = of > 1 ? (of - rank - ties / 2) / (of - 1) : 1;
      const bar = el("span", { className: "rank" });
      bar.style.setProperty("--share", `${100 * share}%`);
      const place = ties > 0 && ties === of - 1 ? [el("span", { className: "faint", textContent: `all ${grouped(of)} alike` })]
        : [bar, el("span", { textContent: ` ${grouped(rank)}` }),
          el("span", { className: "faint", textContent: ` of ${grouped(of)}${ties ? `, tied with ${grouped(ties)}` : ""}` })];
      const spread = se === null ? "" : ` ± ${shown(se)}`;
      return el("tr", { className: name === this.view.sort ? "sorted" : "" }, el("th", { scope: "row" }, user(name)),
        el("td", { className: "number", title: text, textContent: `${value === null ? text : shown(value)}${spread}` }),
        el("td", {}, ...place),
        el("td", { className: "faint", textContent: reliability === null ? "" : reliability.toFixed(2),
          title: `hard is ${hard}` }));
    };
    return el("table", {}, el("thead", {}, el("tr", {}, el("th", { textContent: "score" }), el("th", { textContent: "value" }),
      el("th", { textContent: "rank, 1 is hardest" }), el("th", { textContent: "reliab." }))),
    el("tbody", {}, ...scores.map(row)));
  }

  neighbours(rows) {
    const { view } = this;
    return el("div", { className: "neighbours" }, ...rows.map((row) => {
      const words = [view.labelOf(row), shown(view.valueOf(row))].filter(Boolean).join(", ");
      const button = el("button", { title: words, "aria-label": words, on: { click: () => view.open(row) } });
      if (view.contents === "pictures") {
        const picture = el("img", { alt: "", src: pictureOf(row) });
        if (view.small) picture.classList.add("small");
        button.append(picture);
      }
      button.append(el("span", { textContent: shown(view.valueOf(row)) }));
      if (row === this.row) button.setAttribute("aria-current", "true");
      return button;
    }));
  }
}
