// What it would cost to keep fewer: which rule keeps what of each class, what research says, what was measured.

import { get, words } from "./api.js";
import { el, grouped, percent, seriesVariable, shell, shown, user } from "./bits.js";

const RULES = [
  ["hardest", "the hardest"], ["window", "a window of the order"], ["ccs", "without the hardest, evenly over the rest"],
  ["easiest", "the easiest"], ["random", "any, by chance"],
];
const SHOWN_CLASSES = 40;

export class CostPanel {
  constructor(parent, view) {
    Object.assign(this, { parent, view });
    this.asked = { rule: "hardest", keep: 0.5, offset: 0.25, cut: 0.1, quota: "none" };
    this.kept = null;
    this.number = 0;
  }

  toggle() {
    this.parent.hidden = !this.parent.hidden;
    if (!this.parent.hidden && !this.built) this.build();
    if (this.parent.hidden) {
      // Keys go where they went before.
      (this.before?.isConnected ? this.before : document.getElementById("gallery")).focus({ preventScroll: true });
    } else {
      this.before = document.activeElement === document.body ? null : document.activeElement;
      this.ask();
      this.parent.querySelector("select").focus();
    }
    return !this.parent.hidden;
  }

  build() {
    this.built = true;
    const slider = (name, text, min, max) => {
      const output = el("output", { textContent: percent(this.asked[name]) });
      const input = el("input", {
        type: "range", min, max, step: 0.01, value: this.asked[name], "aria-label": text,
        on: { input: () => { this.asked[name] = Number(input.value); output.textContent = percent(this.asked[name]); this.soon(); } },
      });
      return el("label", { className: "slider", data: { of: name } }, el("span", { textContent: text }), input, output);
    };
    const rule = el("select", { on: { change: () => { this.asked.rule = rule.value; this.fit(); this.ask(); } } },
      ...RULES.map(([value, text]) => el("option", { value, textContent: text })));
    const quota = el("select", { on: { change: () => { this.asked.quota = quota.value; this.ask(); } } },
      ...[["none", "as it comes"], ["proportional", "the same share"], ["balanced", "the same number"]]
        .map(([value, text]) => el("option", { value, textContent: text })));
    this.out = el("div", { "aria-live": "polite" });
    this.parent.replaceChildren(
      el("div", { className: "bar head" }, el("h2", { textContent: "Keep fewer" }), el("span", { className: "grow" }),
        el("button", { textContent: "×", "aria-label": "Close", on: { click: () => this.view.close() } })),
      el("label", { className: "pair" }, "Keep ", rule),
      slider("keep", "fraction kept", 0.01, 1), slider("offset", "window begins at", 0, 0.99), slider("cut", "hardest left out", 0, 0.9),
      el("label", { className: "pair" }, "Of each class ", quota), this.out);
    this.fit();
  }

  fit() {
    for (const [name, rule] of [["offset", "window"], ["cut", "ccs"]]) {
      this.parent.querySelector(`[data-of=${name}]`).hidden = this.asked.rule !== rule;
    }
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 60);
  }

  // A window that ends after the last example is pushed back.
  parameters() {
    const { rule, keep, quota } = this.asked;
    const offset = rule === "window" ? Math.max(0, Math.min(this.asked.offset, Math.floor(100 * (1 - keep) + 1e-9) / 100)) : null;
    return { by: this.view.by(), rule, keep, offset, cut: rule === "ccs" ? this.asked.cut : null, quota };
  }

  async ask() {
    if (this.parent.hidden && !this.view.coloursKept()) return;
    const number = ++this.number;
    const parameters = this.parameters();
    try {
      const [found, bits] = await Promise.all([get("choice", parameters), words("choice", { ...parameters, bits: true })]);
      if (number !== this.number) return;
      this.view.keeps(new Uint8Array(bits));
      this.draw(found, parameters);
    } catch (error) {
      if (number !== this.number) return;
      // What was kept before is of another choice.
      this.drawn = null;
      this.view.keeps(null);
      this.view.failed(error);
      this.out?.replaceChildren(el("p", { className: "caution", textContent: error.message }));
    }
  }

  // Again, where what is chosen in the plots has changed.
  again() { if (!this.parent.hidden && this.view.truth() && this.drawn) this.draw(...this.drawn); }

  draw(found, parameters) {
    if (!this.out) return;
    this.drawn = [found, parameters];
    const parts = [el("p", {}, el("strong", { textContent: grouped(found.kept) }), ` of ${grouped(found.of)} kept, by `, user(parameters.by), `: ${found.rule}`)];
    if (found.marked) parts.push(el("p", { className: "faint", textContent: found.marked }));
    parts.push(...this.known());
    for (const caution of found.cautions) parts.push(el("p", { className: "caution", textContent: caution }));
    parts.push(...this.measured(parameters));
    if (found.shares.length > 1) {
      let shares = found.shares.filter(([, , of]) => of > 0).map(([code, kept, of]) => ({ code, kept, of, share: kept / of }));
      shares.sort((a, b) => a.share - b.share);
      const many = shares.length;
      if (many > SHOWN_CLASSES) shares = [...shares.slice(0, SHOWN_CLASSES / 2), ...shares.slice(-SHOWN_CLASSES / 2)];
      parts.push(el("h3", { textContent: "Of each class" }));
      parts.push(el("ul", { className: "shares" }, ...shares.map(({ code, kept, of, share }) => {
        const bar = el("span", { className: "meter" });
        bar.style.setProperty("--all", "100%");
        bar.style.setProperty("--sel", `${100 * share}%`);
        return el("li", { title: `${grouped(kept)} of ${grouped(of)}` }, bar,
          el("span", { className: "name" }, user(this.view.className(code))), el("span", { className: "number", textContent: percent(share) }));
      })));
      if (many > SHOWN_CLASSES) parts.push(el("p", { className: "faint", textContent: `the ${SHOWN_CLASSES / 2} that lose most and least, of ${grouped(many)}` }));
    }
    const command = shell(found.command);
    const code = el("code", { textContent: command });
    const copy = el("button", { textContent: "Copy", on: { click: async () => {
      try { await navigator.clipboard.writeText(command); copy.textContent = "Copied"; } catch { getSelection().selectAllChildren(code); }
    } } });
    parts.push(el("h3", { textContent: "Take it along" }), el("p", { className: "command" }, code), copy,
      this.view.coloursKept() ? null : el("button", { textContent: "Colour by it", on: { click: () => this.view.colour() } }));
    this.out.replaceChildren(...parts.filter(Boolean));
  }

  // How many of the labels that are known to be wrong are kept, and how many are in the part that is chosen.
  known() {
    const { truth, kept } = this.view;
    if (!truth()) return [];
    const { name, codes, sel, count } = truth();
    let [all, inKept, inChosen] = [0, 0, 0];
    for (let i = 0; i < codes.length; i++) {
      if (codes[i] === 0) continue;
      all++;
      inKept += kept() ? (kept()[i >> 3] >> (i & 7)) & 1 : 0;
      inChosen += sel[i];
    }
    const line = `${grouped(inKept)} of the ${grouped(all)} labels known to be wrong are kept (${percent(inKept / all)})`;
    const part = count === codes.length ? "" : `; ${grouped(inChosen)} are among the ${grouped(count)} that are chosen (${percent(inChosen / all)})`;
    return [el("p", { className: "known", title: name, textContent: line + part })];
  }

  // Trainings on parts of these data, and what is known at about this size.
  measured(parameters) {
    const all = this.view.measured();
    if (all.length === 0) {
      return [el("p", { className: "faint", textContent: "No training on a part of these data was measured here: `datadiet diet` does, " +
        "and so does `datadiet run`; give its folder with --outcome." })];
    }
    const { by, rule, keep, offset, quota } = parameters;
    const beside = (one) => one.by === "everything" || (one.rule === "random" && (one.quota === quota || one.quota === "none"));
    const isAsked = (one) => one.by === by && one.rule === rule && one.quota === quota && !one.also;
    const isNear = (one) => Math.abs(one.keep - keep) < 0.051 && (one.offset === null || offset === null || Math.abs(one.offset - offset) < 0.051);
    const asked = all.filter(isAsked);
    const near = asked.filter(isNear);
    const groups = [
      ["Measured at about this size", near.length ? [...near, ...all.filter((one) => beside(one) && (one.by === "everything" || isNear(one)))] : []],
      ["Measured, at other sizes", near.length ? [] : asked.length ? [...asked, ...all.filter(beside)] : []],
      ["Measured, of other choices", asked.length ? [] : all],
    ].filter(([, rows]) => rows.length);
    return groups.flatMap(([title, rows]) => [el("h3", { textContent: title }), this.table(rows, asked.length === 0, all)]);
  }

  table(rows, inFull, all) {
    const share = ({ by, rule, keep, offset, quota, also }) => {
      if (by === "everything") return "everything";
      const from = offset === null ? "" : ` from ${percent(offset)} on`;
      const chosen = rule === "random" ? " at random" : inFull ? ` ${rule === "window" ? "a window" : rule} by ${by}` : "";
      return [`${percent(keep)}${from}${chosen}`, quota && quota !== "none" ? quota : "", also].filter(Boolean).join(", ");
    };
    const line = (one) => {
      const alike = all.filter(({ metric }) => metric === one.metric);
      const [low, high] = [Math.min(...alike.map((each) => each.low)), Math.max(...alike.map((each) => each.high))];
      const at = (value) => 100 * (value - low) / Math.max(1e-9, high - low);
      const number = one.metric === null ? (value) => (100 * value).toFixed(1) : shown;
      const bar = el("span", { className: "band-bar" });
      bar.style.setProperty("--from", `${at(one.low)}%`);
      bar.style.setProperty("--to", `${Math.max(at(one.high), at(one.low) + 1.5)}%`);
      bar.style.color = one.rule === "random" ? "var(--reference)" : one.by === "everything" ? "var(--faint)" : seriesVariable(0);
      const unit = one.metric === null ? " %" : ` ${one.metric}${one.less_is_better ? ", less is better" : ""}`;
      return el("tr", {}, el("th", { scope: "row" }, user(share(one))), el("td", {}, bar),
        el("td", { className: "number" }, user(number(one.mean) + unit)),
        el("td", { className: "faint number", textContent: one.trainings > 1 ? `${number(one.low)}–${number(one.high)}` : "1 training" }));
    };
    rows.sort((a, b) => b.keep - a.keep || a.by.localeCompare(b.by));
    return el("table", { className: "measured" }, el("tbody", {}, ...rows.slice(0, 16).map(line)));
  }
}
