// The page: what is shown and chosen, and what happens at a key or a click.

import { get, onTrouble, pictureOf, words } from "./api.js";
import { $, MARKS, MARK_NAMES, MARK_SERIES, el, fill, grouped, palette, percent, seriesOf, seriesVariable, shell, shown, user } from "./bits.js";
import { Chosen } from "./chosen.js";
import { CostPanel } from "./cost.js";
import { ExamplePage } from "./example.js";
import { Facet, FacetList, passing } from "./facets.js";
import { Gallery } from "./gallery.js";
import { Marking } from "./marking.js";
import { Histogram, ScatterMap } from "./map.js";

const MANY = 200; // marking more than so many asks first
const POLL = 2000;
const SCREENFULS = 500; // examples listed while somebody drags
const MOST_CLASSES = 1 << 20;
const NONE = 0xffffffff;
const COLUMN = "column-"; // keys of filters by a column

const info = await get("info");
const n = info.rows;
const known = new Map(info.columns.map((column) => [column.name, column]));
const columns = new Map();

// The values of a column.
function column(name) {
  if (!columns.has(name)) {
    const type = known.get(name)?.kind === "whole" ? Uint32Array : Float32Array;
    const values = words("column", { name }).then((buffer) => new type(buffer));
    // What failed is asked for anew the next time.
    values.catch(() => columns.delete(name));
    columns.set(name, values);
  }
  return columns.get(name);
}

const hash = (() => { try { return JSON.parse(decodeURIComponent(location.hash.slice(1))); } catch { return {}; } })();
const has = (name) => typeof name === "string" && known.has(name);
const chosen = new Chosen(n);
const S = {
  x: has(hash.x) ? hash.x : info.x, y: has(hash.y) ? hash.y : info.y,
  h: has(hash.h) ? hash.h : info.suspicion.includes("+") ? info.by : info.suspicion,
  sort: has(hash.sort) || (typeof hash.sort === "string" && hash.sort.includes("+")) ? hash.sort : info.by,
  reversed: hash.reversed === true,
  colour: hash.colour,
  labels: null, predicted: null, suspects: null, kept: null, truth: null, sentence: null,
  marks: new Uint8Array(n), right: new Int32Array(n).fill(-1),
  pass: chosen.pass, sel: chosen.sel, passed: 0, passCount: n, get selCount() { return chosen.count; },
  codes: new Uint8Array(n), colours: [], order: null,
  values: null, // of the sorted column
};
let theme = palette();
// Of several labels an example, the one that looks wrong stands in the place of its class.
const classNames = info.worst ?? info.classes;
const className = (code) => classNames[code] ?? String(code);
const hasLabels = info.labelled || info.worst !== null, hasPredicted = info.predicted !== null || info.worst !== null;
const frames = [];

// ---------------------------------------------------------------- drawing

const brushed = () => { dragging = true; dirty(); };
const released = () => { dragging = false; settle(); };
const map = new ScatterMap($("map"), brushed, released, (row) => look(row));
map.shown = () => S.sel;
// What lies under the pointer, where there are not too many to look through.
$("map").addEventListener("pointermove", (event) => {
  if (n > 200_000 || event.buttons || event.pointerType === "touch" || !map.x) return;
  const row = map.nearest(map.canvas.shares(event));
  const box = $("hover");
  box.hidden = row === null;
  if (row === null) return;
  // Made anew for another example, and for other axes.
  if (box.row !== row) {
    box.row = row;
    const picture = info.contents === "pictures" ? el("img", { alt: "", src: pictureOf(row), className: view.small ? "small" : "" }) : null;
    const predicted = predictedOf(row);
    box.replaceChildren(...(picture ? [picture] : []), el("div", {},
      ...(labelOf(row) === null ? [] : [user(labelOf(row))]), ...(predicted !== null && predicted !== labelOf(row) ? [" → ", user(predicted)] : []),
      el("div", { className: "faint", textContent: `${shown(map.x[row])}, ${shown(map.y[row])}` })));
  }
  box.style.left = `${Math.min(event.clientX + 14, innerWidth - 310)}px`;
  box.style.top = `${Math.min(event.clientY + 14, innerHeight - 80)}px`;
});
for (const name of ["pointerleave", "pointerdown"]) $("map").addEventListener(name, () => { $("hover").hidden = true; });
const hist = new Histogram($("hist"), brushed, released);

let asked = false, lastList = 0, dragging = false;
function dirty() {
  if (asked || !map.x) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const begin = performance.now();
    choose();
    draw();
    const now = performance.now();
    if (dragging && now - lastList > 200) { lastList = now; listed(false, SCREENFULS); }
    frames.push([begin, performance.now()]);
    if (frames.length > 2000) frames.splice(0, 1000);
  });
}

function choose() {
  map.place();
  chosen.update(map, hist, S.passed);
}

function draw() {
  map.cursor = example.isOpen ? example.row : gallery.row;
  map.draw(theme, {
    pass: S.pass, colour: S.codes, colours: S.colours, passed: S.passed, shownCount: S.passCount,
    all: S.selCount === S.passCount,
  });
  hist.draw(theme, chosen.shownBars, chosen.bars);
  $("hist-note").textContent = hist.words();
  $("count").textContent = S.selCount === n ? "all shown" : `${grouped(S.selCount)} chosen (${percent(S.selCount / n)})`;
  $("zoom").disabled = !map.brush;
  const notes = [];
  if (map.absent) notes.push(`${grouped(map.absent)} have no value here`);
  if (map.outside) notes.push(`${grouped(map.outside)} lie outside`);
  $("map-note").textContent = notes.join(", ");
}

// The gallery's list: what is chosen, in the order of the sorted column; its beginning, where `most` says so.
function listed(stay, most = n) {
  const { order, sel } = S;
  if (!order) return;
  const list = new Uint32Array(Math.min(most, S.selCount));
  let at = 0;
  if (S.reversed) { for (let i = n - 1; i >= 0 && at < list.length; i--) if (sel[order[i]] !== 0) list[at++] = order[i]; }
  else for (let i = 0; i < n && at < list.length; i++) if (sel[order[i]] !== 0) list[at++] = order[i];
  gallery.take(at === list.length ? list : list.slice(0, at), stay);
}

function settle(quietly = false, stay = false) {
  choose();
  listed(stay || quietly || example.isOpen);
  draw();
  drawFacets();
  ranges();
  const filtered = facets.facets.some((facet) => facet.active);
  $("clear").hidden = !map.brush && !hist.brush && !filtered;
  cost.again();
  if (!quietly) remember();
}
const drawFacets = () => facets.draw(S.sel, S.selCount === n);

function filtered(stay = false) {
  S.passCount = passing(facets.facets, S.pass);
  S.passed++;
  settle(false, stay);
}

// ---------------------------------------------------------------- colours

function colourCodes() {
  const { codes } = S;
  const { series, classes, faint } = theme;
  const by = S.colour;
  if (by === "class" || by === "predicted") {
    const values = by === "class" ? S.labels : S.predicted;
    S.colours = classes;
    for (let i = 0; i < n; i++) codes[i] = values ? seriesOf(values[i]) : 0;
  } else if (by === "right") {
    S.colours = [series[0], series[1]];
    for (let i = 0; i < n; i++) codes[i] = S.labels && S.predicted && S.labels[i] !== S.predicted[i] ? 1 : 0;
  } else if (by === "suspect") {
    S.colours = [series[5], series[1]];
    for (let i = 0; i < n; i++) codes[i] = S.suspects ? S.suspects[i] : 0;
  } else if (by === "truth") {
    S.colours = [series[5], series[1]];
    if (S.truth) codes.set(S.truth); else codes.fill(0);
  } else if (by === "kept") {
    // Of no choice nothing is said.
    S.colours = S.kept ? [series[1], series[0]] : [faint];
    for (let i = 0; i < n; i++) codes[i] = S.kept ? (S.kept[i >> 3] >> (i & 7)) & 1 : 0;
  } else {
    S.colours = MARK_SERIES.map((number, mark) => mark === 0 ? faint : series[number]);
    codes.set(S.marks);
  }
}

function recolour() {
  colourCodes();
  dirty();
}

// ---------------------------------------------------------------- parts of the page

const labelOf = (row) => S.labels ? className(S.labels[row]) : null;
const predictedOf = (row) => S.predicted ? className(S.predicted[row]) : null;
const view = {
  contents: info.contents,
  small: info.shape ? Math.max(...info.shape) <= 96 : false,
  get sort() { return S.sort; },
  labelOf, predictedOf,
  rightOf: (row) => S.right[row] >= 0 ? className(S.right[row]) : null,
  markOf: (row) => S.marks[row],
  isKnownWrong: (row) => S.truth ? S.truth[row] === 1 : false,
  isSuspect: (row) => S.suspects ? S.suspects[row] === 1 : false,
  valueOf: (row) => S.values ? S.values[row] : NaN,
  open: (row) => look(row),
  moved: (row) => { if (example.isOpen && row !== null) example.open(row); dirty(); },
  pickedChanged,
  act, step: (by) => { gallery.moveTo(gallery.cursor + by); },
};
const gallery = new Gallery($("gallery"), $("room"), view);
gallery.cursorTo = (row) => {
  const place = gallery.list.indexOf(row);
  if (place >= 0) { gallery.cursor = place; gallery.moveTo(place); }
};
const example = new ExamplePage($("example"), view);
// An example on its own, with the cursor on it where it is listed: `moved` opens it again then.
function look(row) {
  gallery.cursorTo(row);
  if (!example.isOpen || gallery.row !== row) example.open(row);
  dirty();
}
const facets = new FacetList($("facets"), (onlyDraw) => onlyDraw ? drawFacets() : filtered());
const cost = new CostPanel($("cost"), {
  by: () => S.sort, kept: () => S.kept,
  truth: () => S.truth && { name: info.truth.name, codes: S.truth, sel: S.sel, count: S.selCount },
  className, measured: () => info.measured,
  close: () => toggleCost(), coloursKept: () => S.colour === "kept",
  keeps: (bits) => { S.kept = bits; if (S.colour === "kept") recolour(); },
  failed: (error) => { if (S.colour === "kept") brief(`What is kept is not known: ${error.message}`, true); },
  colour: () => { S.colour = $("colour").value = "kept"; recolour(); cost.ask(); remember(); },
});

function toggleCost() {
  const open = cost.toggle();
  $("open-cost").setAttribute("aria-expanded", open);
}

function pickedChanged() {
  const count = gallery.picked.size;
  $("picked").textContent = count ? `${grouped(count)} picked (Esc to leave them)` : "";
  gallery.mark();
}

function said(text) {
  $("banner").textContent = text ?? "";
  $("banner").hidden = !text;
}
let noteTimer = null;
// Said over the page, which does not move; what went wrong stays until something else is said.
function brief(text, isBad = false) {
  clearTimeout(noteTimer);
  $("toast").textContent = text ?? "";
  $("toast").hidden = !text;
  $("toast").classList.toggle("bad", isBad);
  if (text && !isBad) noteTimer = setTimeout(brief, 6000);
}
let trouble = null;
onTrouble((why) => { if (why || trouble) said(why); trouble = why; });

// ---------------------------------------------------------------- acting

async function act(name, rows = null) {
  const chosen = rows ?? (example.isOpen && !gallery.picked.size ? [example.row] : gallery.chosen);
  if (chosen.length === 0) return;
  if (chosen.length > MANY && !await confirmed(`Mark ${grouped(chosen.length)} examples as ${name === "none" ? "unmarked" : MARK_NAMES[MARKS.indexOf(name)]}?`)) return;
  if (name === "wrong") return pickClass(chosen);
  await mark(chosen, name === "none" ? null : name, null);
}

const marking = new Marking(S.marks, S.right, {
  changed: () => {
    $("undo").disabled = !marking.canUndo;
    markFacet.totals = null;
    if (S.colour === "mark") colourCodes();
    if (markFacet.active) filtered(true);
    else {
      gallery.mark();
      drawFacets();
      dirty();
    }
  },
  saved: (one, more) => {
    if ($("toast").classList.contains("bad")) brief(null);
    if (one.isUndo) undone(one, more);
    if (example.isOpen && one.rows.includes(example.row)) example.open(example.row);
    cost.soon();
  },
  failed: (error, lost) => {
    const more = lost.length > 1 ? `, nor what came after it (${grouped(lost.length - 1)} more)` : "";
    brief(`${lost[0].isUndo ? "Not undone" : "Not saved, and taken back"}${more}: ${error.message}`, true);
    $("undo").disabled = !marking.canUndo;
    if (lost[0].rows.length) goTo(lost[0].rows[0]);
  },
});
// A page that is left takes along what is not saved.
window.addEventListener("beforeunload", (event) => { if (marking.waiting.length) event.preventDefault(); });

function goTo(row) {
  if (example.isOpen) look(row); else gallery.cursorTo(row);
}

function mark(rows, name, label, labels = null) {
  const single = rows.length === 1 && !gallery.picked.size;
  const next = single ? gallery.list[gallery.cursor + 1] : undefined;
  // One that is not listed, or was reached otherwise, stays open.
  const follows = example.isOpen && example.row === gallery.row;
  marking.mark(rows, name, label, labels);
  const what = name === null ? "unmarked" : MARK_NAMES[MARKS.indexOf(name)] + (label === null ? "" : `, right: ${className(label)}`);
  $("count").setAttribute("aria-label", `${grouped(rows.length)} marked: ${what}`);
  if (!single) { gallery.picked.clear(); pickedChanged(); }
  // On to the next, as somebody does who looks through a list.
  if (single && name !== null && gallery.row === rows[0] && next !== undefined) gallery.moveTo(gallery.cursor + 1);
  else if (example.isOpen) example.open(follows ? gallery.row ?? example.row : example.row);
}

function undo() {
  const rows = marking.undo();
  if (rows.length) goTo(rows[0]);
}

function undone(one, { undone: count, others, row, id }) {
  const more = count > 1 ? ` and ${grouped(count - 1)} more` : "";
  const now = row !== null && count === 1 ? ` is ${S.marks[row] ? `marked “${MARK_NAMES[S.marks[row]]}”` : "unmarked"} again` : "";
  const what = count ? `Undone${one.undoes ? "" : ", of what you did before"}: example ${id}${more}${now}` : "Nothing undone";
  brief(`${what}${others ? `; ${grouped(others)} ${others === 1 ? "was" : "were"} marked otherwise since, and ${others === 1 ? "stays" : "stay"}` : ""}`);
  if (!one.undoes && row !== null) goTo(row);
}

async function poll() {
  if (document.hidden) return;
  try {
    const news = await get("marks", { since: marking.version });
    const about = example.isOpen && news.version > marking.version && news.rows.includes(example.row);
    marking.take(news);
    if (about) example.open(example.row);
    if (news.rows.length) cost.soon();
  } catch { /* said by onTrouble */ }
}
setInterval(poll, POLL);
document.addEventListener("visibilitychange", poll);

function confirmed(text) {
  const dialog = $("confirm");
  $("confirm-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

// The right class, by typing; what is predicted comes first. Of several nothing is offered first that would make them
// all one class, until somebody types one.
function pickClass(rows) {
  const dialog = $("picker"), input = $("class-search"), list = $("class-list");
  // The label of several that looks wrong has a number of its own, which is none of a class.
  const classOf = (values, row) => values && !info.worst ? values[row] : NONE;
  const [first, current] = rows.length === 1 ? [classOf(S.predicted, rows[0]), classOf(S.labels, rows[0])] : [NONE, NONE];
  const guess = (row) => {
    const code = classOf(S.predicted, row);
    return code < info.classes.length && code !== S.labels?.[row] ? code : null;
  };
  const guessed = rows.length > 1 ? rows.filter((row) => guess(row) !== null) : [];
  const stay = rows.length - guessed.length;
  const each = { name: "each as predicted", code: null, each: true, note: stay ? ` (${grouped(guessed.length)}; ${grouped(stay)} predicted as labelled stay)` : "" };
  const unknown = { name: "wrong, and I cannot say what is right", code: null };
  let options = [], at = 0;
  const offer = () => {
    const sought = input.value.trim().toLowerCase();
    const all = info.classes.map((name, code) => ({ name, code })).filter(({ name, code }) => code !== current &&
      (!sought || name.toLowerCase().includes(sought) || String(code) === sought));
    const weight = ({ name, code }) => (String(code) === sought ? -4 : 0) + (name.toLowerCase().startsWith(sought) ? -1 : 0) + (code === first ? -2 : 0);
    all.sort((a, b) => weight(a) - weight(b) || a.code - b.code);
    const ofEach = guessed.length && each.name.includes(sought) ? [each] : [];
    const unknownOf = sought ? [] : [unknown];
    // What is typed is looked for among the classes first.
    const [before, after] = sought || rows.length === 1 ? [[], [...ofEach, ...unknownOf]] : [[...ofEach, ...unknownOf], []];
    options = [...before, ...all.slice(0, 50), ...after];
    at = 0;
    list.replaceChildren(...options.map(({ name, code, note }, place) => el("li", {
      role: "option", id: `class-${place}`, on: { mousedown: (event) => { event.preventDefault(); done(place); } },
    }, code === null ? name : user(name), code === first && code !== null ? el("span", { className: "faint", textContent: " (predicted)" }) : null,
    note ? el("span", { className: "faint", textContent: note }) : null)));
    point();
  };
  const point = () => {
    [...list.children].forEach((one, place) => one.setAttribute("aria-selected", place === at));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", `class-${at}`);
  };
  const done = (place) => {
    const chosen = options[place];
    if (!chosen) return;
    dialog.close();
    if (chosen.each) mark(guessed, "wrong", null, guessed.map(guess));
    else mark(rows, "wrong", chosen.code);
  };
  input.value = "";
  input.oninput = offer;
  input.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      at = Math.min(Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)), options.length - 1);
      point();
    } else if (event.key === "Enter") done(at);
    else return;
    event.preventDefault();
  };
  dialog.onclose = () => $("gallery").focus({ preventScroll: true });
  const picture = $("picker-picture");
  picture.hidden = info.contents !== "pictures" || rows.length > 1;
  if (!picture.hidden) { picture.src = pictureOf(rows[0], true); picture.classList.toggle("small", view.small); }
  $("picker-label").replaceChildren(rows.length > 1 ? `${grouped(rows.length)} examples` : "labelled ", ...(rows.length === 1 && labelOf(rows[0]) !== null ? [user(labelOf(rows[0]))] : []));
  offer();
  dialog.showModal();
  input.focus();
}

// ---------------------------------------------------------------- keys

const HELP = [
  ["← → ↑ ↓", "go through the examples"], ["Enter", "look at one"], ["Esc", "close, or leave what is picked"],
  ["W", "wrong label, then the right class"], ["D", "drop"], ["K", "keep"], ["U", "unsure"], ["C", "clear the mark"],
  ["Z", "undo"], ["X or Space", "pick one more"], ["Shift + arrows", "pick a row of them"], ["A", "pick all that are chosen"],
  ["S", "show all again"], ["/", "find an id"], ["M, H, G, F", "go to map, histogram, examples, filters"], ["arrows on map or histogram", "move the chosen part, with Shift resize it"],
  ["P", "keep fewer: what it would cost"], ["?", "this"],
];
const ACTS = { w: "wrong", d: "drop", k: "keep", u: "unsure", c: "none" };

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const typing = event.target.matches?.("input:not([type=range]), select, textarea");
  if (event.key === "Escape") {
    if ($("cost").contains(event.target)) toggleCost();
    else if (typing) { $("found").hidden = true; $("gallery").focus({ preventScroll: true }); }
    else if (example.isOpen) { example.close(); dirty(); }
    else if (!$("cost").hidden) toggleCost();
    else if (gallery.picked.size) gallery.pickNone();
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) { event.preventDefault(); undo(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  // Where nothing has the focus, keys go through the examples.
  if (event.target === document.body) gallery.key(event);
  if (event.defaultPrevented) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in ACTS) act(ACTS[key]);
  else if (key === "z") undo();
  else if (key === "/") $("search").focus();
  else if (key === "?") help();
  else if (key === "a") gallery.pickAll();
  else if (key === "p") toggleCost();
  else if (key === "s") showAll();
  else if (key === "m") { tab("map"); $("map").focus(); }
  else if (key === "h") { tab("map"); $("hist").focus(); }
  else if (key === "g") { tab("gallery"); $("gallery").focus(); }
  else if (key === "f") { tab("facets"); $("facets").querySelector("button, input")?.focus(); }
  else if (example.isOpen && (key === "ArrowLeft" || key === "ArrowRight") && !event.defaultPrevented) {
    gallery.moveTo(gallery.cursor + (key === "ArrowLeft" ? -1 : 1));
  } else return;
  event.preventDefault();
});

// Brushing by keyboard: the first arrow makes a brush in the middle.
function brushByKeys(element, axes, read, write) {
  element.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] };
    if (event.key === "Delete" || event.key === "Backspace") { write(null); settle(); event.preventDefault(); return; }
    if (!(event.key in ways)) return;
    const [axis, sign] = ways[event.key];
    const domains = axes();
    if (axis >= domains.length) return;
    let brush = read();
    if (!brush) brush = domains.flatMap(([low, high]) => [low + 0.35 * (high - low), low + 0.65 * (high - low)]);
    else {
      brush = [...brush];
      const [low, high] = domains[axis];
      const by = sign * 0.02 * (high - low);
      brush[2 * axis + 1] += by;
      if (!event.shiftKey) brush[2 * axis] += by;
      if (brush[2 * axis] > brush[2 * axis + 1]) brush[2 * axis + 1] = brush[2 * axis];
    }
    write(brush);
    event.preventDefault();
    event.stopPropagation();
    settle();
  });
}
brushByKeys($("map"), () => [map.xs, map.ys], () => map.brush, (brush) => { map.brush = brush; });
brushByKeys($("hist"), () => [hist.domain], () => hist.brush, (brush) => { hist.brush = brush; });

function help() {
  const dialog = $("help");
  const link = (path) => {
    const why = el("span", { className: "caution", role: "alert" });
    const made = el("a", { href: `api/${path}`, textContent: path, download: "", on: { click: async (event) => {
      if (made.dataset.checked) { delete made.dataset.checked; return; }
      // A download that fails does not say why: it begins where there is something.
      event.preventDefault();
      try {
        await words(path);
        why.textContent = "";
        made.dataset.checked = "yes";
        made.click();
      } catch (error) { why.textContent = ` (${error.message})`; }
    } } });
    return [made, why];
  };
  dialog.replaceChildren(el("form", { method: "dialog" },
    el("div", { className: "bar head" }, el("h2", { textContent: "Keys" }), el("span", { className: "grow" }), el("button", { textContent: "×", "aria-label": "Close", autofocus: true })),
    el("dl", {}, ...HELP.flatMap(([key, what]) => [el("dt", {}, el("kbd", { textContent: key })), el("dd", { textContent: what })])),
    el("h2", { textContent: "Marks" }), el("p", {}, "Saved at once to ", el("code", {}, user(info.marks)), ", as ", user(info.who), ". Take them along:"),
    el("p", {}, el("code", { textContent: shell(["datadiet", "select", info.scores, "--marks", info.marks, "--out", "kept.parquet"]) })),
    info.name ? el("p", {}, el("code", { textContent: shell(["datadiet", "noise", "--data", info.name, "--from", info.marks, "--out", "labels.parquet"]) })) : null,
    el("p", {}, "or as a table: ", ...(info.labelled ? [...link("labels.csv"), ", "] : []), ...link("marks.csv")),
    el("h2", { textContent: "These scores" }), el("p", {}, user(info.scores)), info.source ? el("p", { className: "faint" }, user(info.source)) : null,
    ...info.warnings.map((text) => el("p", { className: "caution", textContent: text })),
    S.sentence ? el("p", { textContent: S.sentence }) : null,
    el("h2", { textContent: "What the columns are" }),
    el("dl", {}, ...definitions())));
  dialog.showModal();
  dialog.scrollTop = 0;
}

function definitions() {
  const seen = new Set();
  return info.columns.filter(({ name, formula }) => {
    const score = name.split("@")[0];
    if (!formula || seen.has(score)) return false;
    seen.add(score);
    return true;
  }).flatMap(({ name, formula, when, hard }) => [el("dt", { textContent: name.split("@")[0] }), el("dd", { textContent: `${formula}. Hard is ${hard}. ${when ?? ""}` })]);
}

// ---------------------------------------------------------------- controls

function tab(name) {
  document.body.dataset.tab = name;
  for (const button of $("tabs").children) button.setAttribute("aria-pressed", button.dataset.tab === name);
  dirty();
  gallery.layout();
}
for (const button of $("tabs").children) button.addEventListener("click", () => tab(button.dataset.tab));

const numbers = info.columns.filter(({ kind }) => kind !== "text");
const means = numbers.filter(({ kind }) => kind !== "detail").map(({ name }) => name);
const others = numbers.filter(({ kind }) => kind === "detail").map(({ name }) => name);
const choices = (extra) => [...new Set([...extra, ...means, ...others])];

// Controls say what was asked for, `S` what is shown. What was asked for may come after what was asked for since, or not at
// all: then it is not taken, and the controls go back to what is shown. Whether it was taken.
async function change(controls, load, take) {
  const wanted = controls.map((name) => $(name).value);
  const isWanted = () => controls.every((name, at) => $(name).value === wanted[at]);
  let found;
  try {
    found = await load(...wanted);
  } catch (error) {
    if (!document.body.dataset.ready) throw error;
    if (isWanted()) {
      for (const name of controls) $(name).value = S[name];
      brief(`Not shown: ${error.message}`, true);
    }
    return false;
  }
  if (!isWanted()) return false;
  const before = controls.map((name) => S[name]);
  controls.forEach((name, at) => { S[name] = wanted[at]; });
  take(found, before);
  return true;
}

const axes = () => change(["x", "y", "h"], (...names) => Promise.all(names.map(column)), ([x, y, h], before) => {
  const asFloats = (values) => values instanceof Float32Array ? values : Float32Array.from(values);
  const isKept = map.x && S.x === before[0] && S.y === before[1];
  if (!isKept) { map.brush = null; $("unzoom").hidden = true; }
  map.take(asFloats(x), asFloats(y), isKept);
  if (S.h !== before[2]) hist.brush = null;
  hist.take(asFloats(h));
  $("hover").row = null;
});

const sorted = () => change(["sort"], (name) => Promise.all([
  words("order", { name }).then((buffer) => new Uint32Array(buffer)),
  known.get(name)?.kind === "text" ? null : column(name),
]), ([order, values]) => {
  Object.assign(S, { order, values });
  turned();
});

function turned() {
  const name = S.sort;
  const hard = known.get(name)?.kind === "whole" || known.get(name)?.kind === "text" ? ["Lowest first", "Highest first"] : ["Hardest first", "Easiest first"];
  $("reverse").textContent = hard[S.reversed ? 1 : 0];
  $("reverse").setAttribute("aria-pressed", S.reversed);
}

for (const name of ["x", "y", "h"]) {
  fill($(name), choices([S[name]]), S[name]);
  $(name).addEventListener("change", async () => { if (await axes()) settle(); });
}
fill($("sort"), [...new Set([info.by, info.suspicion, S.sort, ...means, ...others, ...info.columns.filter(({ kind }) => kind === "text").map(({ name }) => name)])], S.sort);
$("sort").addEventListener("change", async () => {
  if (!await sorted()) return;
  settle();
  if (example.isOpen) look(example.row);
  cost.ask();
});
$("reverse").addEventListener("click", () => { S.reversed = !S.reversed; turned(); settle(); });
$("size").addEventListener("input", () => { gallery.size = Number($("size").value); gallery.layout(); });
const COLOURS = Object.fromEntries([
  ...(hasLabels ? [["class", info.worst ? "worst label" : "class"]] : []),
  ...(hasPredicted ? [["predicted", "predicted"]] : []),
  ...(hasLabels && hasPredicted ? [["right", "right or not"]] : []),
  ["suspect", "suspects"], ...(info.truth ? [["truth", "known to be wrong"]] : []), ["kept", "kept or not"], ["mark", "marks"],
]);
if (!Object.hasOwn(COLOURS, S.colour)) S.colour = hasLabels && hasPredicted && classNames.length > 8 ? "right" : hasLabels ? "class" : "mark";
fill($("colour"), Object.keys(COLOURS), S.colour, (key) => COLOURS[key]);
$("colour").addEventListener("change", () => { S.colour = $("colour").value; if (S.colour === "kept" && !S.kept) keptAtFirst(); recolour(); remember(); });
const keptAtFirst = () => { if ($("cost").hidden) toggleCost(); };
$("zoom").addEventListener("click", () => { map.zoom(map.brush); $("unzoom").hidden = false; settle(); });
$("unzoom").addEventListener("click", () => { map.zoom(null); $("unzoom").hidden = true; settle(); });
function showAll() {
  map.brush = null; hist.brush = null;
  for (const facet of facets.facets) facet.chosen.clear();
  filtered();
  $("gallery").focus({ preventScroll: true });
}
$("clear").addEventListener("click", showAll);
$("undo").addEventListener("click", undo);
$("open-cost").addEventListener("click", toggleCost);
$("open-help").addEventListener("click", help);
for (const button of $("acts").querySelectorAll("[data-act]")) button.addEventListener("click", () => act(button.dataset.act));

// Search by id.
let searched = 0;
async function search(open) {
  const text = $("search").value.trim();
  const number = ++searched;
  const list = $("found");
  if (!text) { list.hidden = true; return; }
  let found;
  try { found = await get("find", { id: text }); } catch { return; }
  if (number !== searched) return;
  if (open && found.length) { list.hidden = true; show(found[0].row); return; }
  list.replaceChildren(...(found.length ? found.map(({ row, id }) => el("li", { role: "option" },
    el("button", { on: { click: () => { list.hidden = true; show(row); } } }, user(id), labelOf(row) ? el("span", { className: "faint" }, " ", user(labelOf(row))) : null)))
    : [el("li", { className: "faint", textContent: "no id begins like that" })]));
  list.hidden = false;
}
function show(row) {
  look(row);
  $("gallery").focus({ preventScroll: true });
}
$("search").addEventListener("input", () => search(false));
$("search").addEventListener("keydown", (event) => { if (event.key === "Enter") search(true); });
document.addEventListener("click", (event) => { if (!$("search-box").contains(event.target)) $("found").hidden = true; });

// Ranges by typing, for those who do not drag.
const rangeInputs = {};
function rangeBox() {
  const one = (key, title, read, write) => {
    const made = [0, 1].map((end) => el("input", {
      type: "number", step: "any", placeholder: end ? "to" : "from", "aria-label": `${title}, ${end ? "to" : "from"}`, data: { focus: `range-${key}-${end}` },
      on: { change: () => {
        const typed = rangeInputs[key].map((input) => input.value === "" ? NaN : Number(input.value));
        write(typed.every(Number.isNaN) ? null : typed);
        settle();
      } },
    }));
    rangeInputs[key] = made;
    const name = el("span", { className: "name" });
    rangeInputs[key].title = name;
    return el("div", { className: "range" }, name, ...made);
  };
  const filled = (typed, [low, high]) => typed && [Number.isNaN(typed[0]) ? low : typed[0], Number.isNaN(typed[1]) ? high : typed[1]];
  const part = (axis) => (typed) => {
    if (!typed) { map.brush = null; return; }
    const brush = map.brush ?? [...map.xs, ...map.ys];
    const domain = axis ? map.ys : map.xs;
    brush.splice(2 * axis, 2, ...filled(typed, domain));
    map.brush = brush;
  };
  return el("section", { className: "facet" }, el("h2", { textContent: "Ranges" }),
    one("x", "across", null, part(0)), one("y", "up", null, part(1)),
    one("h", "histogram", null, (typed) => { hist.brush = filled(typed, hist.domain); }));
}
facets.ranges = rangeBox();

function ranges() {
  const put = (key, name, range) => {
    const inputs = rangeInputs[key];
    inputs.title.textContent = name;
    inputs.forEach((input, end) => {
      if (document.activeElement !== input) input.value = range ? Number(range[end].toPrecision(4)) : "";
    });
  };
  put("x", S.x, map.brush && map.brush.slice(0, 2));
  put("y", S.y, map.brush && map.brush.slice(2));
  put("h", S.h, hist.brush);
}

function remember() {
  const state = { x: S.x, y: S.y, h: S.h, sort: S.sort, reversed: S.reversed, colour: S.colour, map: map.brush, hist: hist.brush,
    facets: Object.fromEntries(facets.facets.filter((facet) => facet.active).map((facet) => [facet.key, [...facet.chosen]])) };
  history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify(state))}`);
}

// ---------------------------------------------------------------- beginning

const markFacet = new Facet("mark", "Marks", S.marks, MARK_NAMES, (code) => code ? seriesVariable(MARK_SERIES[code]) : "var(--missing)");

// Filters of the address that nothing was found for yet: a part must not be taken for what was filtered.
const unfit = new Map(Object.entries(hash.facets ?? {}));

function restore(facet) {
  const codes = unfit.get(facet.key);
  if (!Array.isArray(codes) || !codes.every((code) => Number.isInteger(code) && code >= 0 && code < facet.names.length)) return;
  for (const code of codes) facet.chosen.add(code);
  unfit.delete(facet.key);
}

function tellUnfit() {
  if (unfit.size) brief(`Not filtered by ${[...unfit.keys()].join(", ")} any more: these scores do not have what was chosen there`, true);
}

// A filter by a column of whole numbers.
async function flags(name) {
  const key = `${COLUMN}${name}`;
  if (facets.facets.some((facet) => facet.key === key)) return;
  const values = await column(name);
  let most = 0;
  for (let i = 0; i < n; i++) if (values[i] > most) most = values[i];
  if (most > 9999) { brief(`${name} has too many values for a filter; take it as an axis`); return; }
  const isClass = name.startsWith("predicted");
  const names = most === 1 && !isClass ? ["no", "yes"] : Array.from({ length: most + 1 }, (_, code) => (isClass ? info.classes[code] : null) ?? String(code));
  const facet = new Facet(key, name, values, names);
  facets.facets.push(facet);
  restore(facet);
}

const range = (brush, length) => Array.isArray(brush) && brush.length === length && brush.every(Number.isFinite) ? brush : null;

async function begin() {
  // Of a long path what tells it from others; all of it is in the help.
  const name = info.name ?? info.scores.split(/[\\/]/).slice(-2).join("/");
  document.title = `${name} · datadiet`;
  $("name").replaceChildren(user(name));
  $("total").textContent = `${grouped(n)} examples`;
  // Somebody may choose something else meanwhile.
  const first = async (load) => { while (!await load()); };
  const worst = (predicted) => words("worst", { predicted }).then((buffer) => new Uint32Array(buffer));
  const [labels, guesses, truth, marks] = await Promise.all([
    info.worst ? worst(false) : info.labelled ? column("label") : null,
    info.worst ? worst(true) : info.predicted ? column(info.predicted) : null,
    info.truth ? words("truth").then((buffer) => new Uint8Array(buffer)) : null,
    get("marks", { since: 0 }), first(axes), first(sorted),
  ]);
  const largest = (values) => { let most = 0; for (let i = 0; i < n; i++) if (values[i] > most) most = values[i]; return most; };
  const most = labels ? largest(labels) : 0, mostGuessed = guesses ? largest(guesses) : 0;
  // A number such as 4294967295 stands for none: no name is made for each below it.
  const predicted = mostGuessed < MOST_CLASSES ? guesses : null;
  if (guesses && !predicted) brief(`${info.predicted} has numbers up to ${grouped(mostGuessed)}, which are no classes; it is left out`);
  S.labels = labels; S.predicted = predicted; S.truth = truth;
  const names = Array.from({ length: Math.max(classNames.length, most + 1, predicted ? mostGuessed + 1 : 0) }, (_, code) => className(code));
  facets.facets = [markFacet];
  if (labels && predicted) {
    const same = new Uint8Array(n);
    for (let i = 0; i < n; i++) same[i] = labels[i] === predicted[i] ? 0 : 1;
    facets.facets.push(new Facet("same", "Prediction", same, ["as labelled", "another class"], (code) => seriesVariable(code)));
  }
  if (truth) facets.facets.push(new Facet("truth", "Known labels", truth, ["right", "wrong"], (code) => seriesVariable(code ? 1 : 5), info.truth.name));
  if (labels) facets.facets.push(new Facet("label", info.worst ? "Label that looks wrong" : "Label", labels, names, seriesVariable));
  if (predicted) facets.facets.push(new Facet("predicted", "Predicted", predicted, names, seriesVariable));
  const more = info.columns.filter(({ name, kind }) => kind === "whole" && !["id", "label", "key", info.predicted].includes(name));
  if (more.length) {
    const select = el("select", { "aria-label": "Filter by another column", data: { focus: "more" }, on: { change: async () => {
        const name = select.value;
        select.value = "";
        if (!name) return;
        try { await flags(name); } catch (error) { brief(`No filter by ${name}: ${error.message}`, true); }
        drawFacets();
      } } },
      el("option", { value: "", textContent: "Filter by another column…" }), ...more.map(({ name }) => el("option", { value: name, textContent: name })));
    facets.more = el("section", { className: "facet" }, select);
  }
  facets.facets.forEach(restore);
  const columnsOf = [...unfit.keys()].filter((key) => key.startsWith(COLUMN)).map((key) => key.slice(COLUMN.length));
  for (const name of columnsOf) if (more.some((one) => one.name === name)) await flags(name);
  map.brush = range(hash.map, 4);
  hist.brush = range(hash.hist, 2);
  colourCodes();
  marking.take(marks);
  S.passCount = passing(facets.facets, S.pass);
  S.passed++;
  settle(true);
  if (S.colour === "kept") keptAtFirst();
  tab("map");
  $("gallery").focus({ preventScroll: true });
  document.body.dataset.ready = "yes";
  performance.mark("ready");
  suspects();
}

// After the first view: on large tables this takes a while.
async function suspects() {
  try {
    const found = await get("suspects");
    S.sentence = found.sentence;
    const codes = new Uint8Array(n);
    for (const row of found.rows) codes[row] = 1;
    S.suspects = codes;
    if (!found.rows.length) {
      facets.note = `Suspects: ${found.sentence}`;
      const option = $("colour").querySelector("[value=suspect]");
      Object.assign(option, { disabled: true, textContent: "suspects (nothing tells how many)", title: found.sentence });
      if (S.colour === "suspect") { S.colour = $("colour").value = hasLabels ? "class" : "mark"; recolour(); }
    }
    if (found.rows.length) {
      const facet = new Facet("suspect", "Suspects", codes, ["the others", "look wrong"], (code) => seriesVariable(code ? 1 : 5), found.sentence);
      facets.facets.splice(1, 0, facet);
      restore(facet);
    }
    if (S.colour === "suspect") colourCodes();
    gallery.mark();
    if (facets.facets.some((facet) => facet.key === "suspect" && facet.active)) filtered(); else settle(true);
    tellUnfit();
    document.body.dataset.suspects = "yes";
  } catch (error) {
    brief(`Suspects cannot be told: ${error.message}`);
  }
}

const redraw = () => { theme = palette(); colourCodes(); dirty(); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new ResizeObserver(dirty).observe($("plots"));
window.datadiet = { state: S, marking, chosen, map, hist, gallery, facets, frames, info, pictureOf, shown, NONE };
await begin();
