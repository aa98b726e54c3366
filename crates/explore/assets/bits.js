// Small things: elements, numbers, colours. Text of users goes into text nodes only.

export const $ = (id) => document.getElementById(id);

// An element; `bdi` for text of users, so that right-to-left text does not turn what stands around it.
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name in made && name !== "list" && name !== "role") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const user = (text) => el("bdi", { textContent: text });

export const grouped = (number) => number.toLocaleString("en-US");

export function shown(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 0.001 || size >= 100000) ? value.toExponential(2)
    : size >= 100 ? value.toFixed(1) : value.toFixed(3);
  return text.replace("-", "−");
}

// Words as a line for a shell.
export const shell = (words) => words.map((word) => /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`).join(" ");

export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

const SERIES = 8;
// The second eight classes have the colours of the first, mixed with the colour of text: this share is left.
const SHARE = 0.5;
export const MARKS = ["", "wrong", "drop", "keep", "unsure"];
export const MARK_NAMES = ["unmarked", "wrong label", "drop", "keep", "unsure"];

// Colours of the theme as numbers: red, green, blue.
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const texts = {};
  const colour = (name) => {
    const text = style.getPropertyValue(`--${name}`).trim();
    return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  };
  const series = Array.from({ length: SERIES }, (_, index) => colour(`series-${index}`));
  const ink = colour("ink");
  const mixed = (series) => series.map((channel, at) => Math.round(SHARE * channel + (1 - SHARE) * ink[at]));
  return {
    classes: [...series, ...series.map(mixed)],
    series, ink, faint: colour("faint"), rule: colour("rule"), surface: colour("surface"),
    accent: colour("accent"), warning: colour("warning"), missing: colour("missing"),
    text: (name) => texts[name] ??= style.getPropertyValue(`--${name}`).trim(),
  };
}
export const seriesOf = (number) => number % (2 * SERIES);
export function seriesVariable(number) {
  const variable = `var(--series-${number % SERIES})`;
  return seriesOf(number) < SERIES ? variable : `color-mix(in srgb, ${variable} ${100 * SHARE}%, var(--ink))`;
}
// Of marks: wrong orange, drop brown, keep green, unsure blue.
export const MARK_SERIES = [6, 1, 7, 2, 5];

export function fill(select, names, chosen, label = (name) => name) {
  select.replaceChildren(...names.map((name) => el("option", { value: name, textContent: label(name) })));
  select.value = chosen;
}
