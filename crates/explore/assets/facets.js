// Filters: what is said of every example (label, predicted class, mark, …) and which values are shown.

import { el, grouped, user } from "./bits.js";

const FEW = 12, MANY = 100;

// `codes` has a number below `names.length` for every example.
export class Facet {
  constructor(key, title, codes, names, colour = null, note = "") {
    Object.assign(this, { key, title, codes, names, colour, note });
    this.chosen = new Set();
    this.totals = null; // counted once, until somebody changes codes
    this.sought = "";
    this.open = false;
  }

  get active() { return this.chosen.size > 0; }

  allowed() {
    const allowed = new Uint8Array(this.names.length);
    for (const code of this.chosen) if (code < allowed.length) allowed[code] = 1;
    return allowed;
  }

  // Of each value, how many of all have it, and how many of what is chosen.
  counts(sel, isAll) {
    const { codes } = this;
    if (!this.totals) {
      this.totals = new Uint32Array(this.names.length);
      for (let i = 0; i < codes.length; i++) this.totals[codes[i]]++;
    }
    if (isAll) return [this.totals, this.totals];
    const counts = new Uint32Array(this.names.length);
    for (let i = 0; i < codes.length; i++) counts[codes[i]] += sel[i];
    return [counts, this.totals];
  }
}

// What passes all filters, into `pass`; how many that are.
export function passing(facets, pass) {
  const active = facets.filter((facet) => facet.active).map((facet) => [facet.codes, facet.allowed()]);
  if (active.length === 0) { pass.fill(1); return pass.length; }
  let count = 0;
  for (let i = 0; i < pass.length; i++) {
    let one = 1;
    for (let f = 0; f < active.length; f++) if (!active[f][1][active[f][0][i]]) { one = 0; break; }
    pass[i] = one;
    count += one;
  }
  return count;
}

export class FacetList {
  constructor(parent, changed) {
    this.parent = parent;
    this.changed = changed;
    this.facets = [];
    this.ranges = null; // an element above, made by others
    this.more = null;
    this.note = null; // said below all
  }

  // Draws all, with counts among what is chosen, which may be everything, and in all.
  draw(sel, isAll) {
    const focused = document.activeElement?.dataset?.focus;
    const top = this.parent.scrollTop;
    this.parent.replaceChildren(
      ...(this.ranges ? [this.ranges] : []),
      ...this.facets.map((facet) => this.one(facet, ...facet.counts(sel, isAll))),
      ...(this.more ? [this.more] : []),
      ...(this.note ? [el("p", { className: "faint", textContent: this.note })] : []),
    );
    this.parent.scrollTop = top;
    if (focused) {
      const again = [...this.parent.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focused);
      again?.focus();
      if (again?.tagName === "INPUT") again.setSelectionRange(again.value.length, again.value.length);
    }
  }

  one(facet, counts, totals) {
    let codes = facet.names.map((_, code) => code);
    const long = codes.length > FEW;
    if (long) {
      const sought = facet.sought.toLowerCase();
      codes = codes.filter((code) => facet.chosen.has(code) ||
        (totals[code] > 0 && (!sought || facet.names[code].toLowerCase().includes(sought))));
      codes.sort((a, b) => facet.chosen.has(b) - facet.chosen.has(a) || counts[b] - counts[a] || a - b);
    }
    const matching = codes.length;
    if (long) codes = codes.slice(0, facet.open || facet.sought ? MANY : FEW);
    const most = Math.max(1, ...codes.map((code) => totals[code]));
    const item = (code) => {
      const bar = el("span", { className: "meter", "aria-hidden": "true" });
      bar.style.setProperty("--all", `${100 * totals[code] / most}%`);
      bar.style.setProperty("--sel", `${100 * counts[code] / most}%`);
      const swatch = facet.colour ? el("i", { className: "swatch" }) : null;
      if (swatch) swatch.style.background = facet.colour(code);
      const button = el("button", {
        className: "value", title: facet.names[code], data: { focus: `${facet.key}-${code}` },
        on: { click: () => { this.toggle(facet, code); } },
      }, bar, swatch, el("span", { className: "name" }, user(facet.names[code])),
      el("span", { className: "number", textContent: grouped(counts[code]) }));
      button.setAttribute("aria-pressed", facet.chosen.has(code));
      return el("li", {}, button);
    };
    const parts = [el("h2", {}, facet.title, facet.active ? el("button", {
      className: "quiet", textContent: "all", title: `Show all: ${facet.title}`,
      data: { focus: `${facet.key}-all` }, on: { click: () => { facet.chosen.clear(); this.changed(); } },
    }) : null)];
    if (facet.note) parts.push(el("p", { className: "faint", textContent: facet.note }));
    if (long) {
      parts.push(el("input", {
        type: "search", value: facet.sought, placeholder: `Find one of ${grouped(facet.names.length)}`,
        "aria-label": `Find: ${facet.title}`, data: { focus: `${facet.key}-find` },
        on: { input: (event) => { facet.sought = event.target.value; this.changed(true); } },
      }));
    }
    parts.push(el("ul", {}, ...codes.map(item)));
    if (long && matching > codes.length) {
      parts.push(facet.open || facet.sought
        ? el("p", { className: "faint", textContent: `and ${grouped(matching - codes.length)} more: type to find` })
        : el("button", {
          className: "quiet", textContent: `${grouped(matching - codes.length)} more`,
          data: { focus: `${facet.key}-more` }, on: { click: () => { facet.open = true; this.changed(true); } },
        }));
    }
    return el("section", { className: "facet" }, ...parts);
  }

  toggle(facet, code) {
    if (!facet.chosen.delete(code)) facet.chosen.add(code);
    this.changed();
  }
}
