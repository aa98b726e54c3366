// Lets the figures of a page answer: tooltips, series to switch on and off, files to save.
// Without it the page is complete, only still. All text is set as text, never as HTML.
"use strict";

(() => {
  const all = (root, selector) => Array.from(root.querySelectorAll(selector));

  function create(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // Six significant digits, whole numbers in full, as in the tables of the page.
  function readable(text) {
    const value = Number(text);
    const size = Math.abs(value);
    if (text === "" || !Number.isFinite(value)) return text || "–";
    const digits = Math.min(21, Math.max(6, Math.floor(Math.log10(size || 1)) + 1));
    const plain = size === 0 || (size >= 1e-4 && size < 1e15);
    return (plain
      ? value.toLocaleString("en", { maximumSignificantDigits: digits })
      : String(Number(value.toPrecision(6)))
    ).replaceAll("-", "−");
  }

  // ---- finding marks --------------------------------------------------------------------------

  const known = new WeakMap();

  // The marks of a drawing with their boxes, in its own coordinates.
  function marksOf(svg) {
    if (!known.has(svg)) {
      const marks = all(svg, ".mark[data-series]");
      known.set(svg, marks.map((mark) => ({ mark, box: mark.getBBox() })));
    }
    return known.get(svg).filter(({ mark }) => !mark.closest(".is-off"));
  }

  const kindOf = (svg) => svg.closest(".figure").dataset.kind;
  const middle = (box) => ({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
  const covers = (box, point) => point.x >= box.x && point.x <= box.x + box.width;

  // How far a mark is from a point; infinite if it is not meant.
  const distance = {
    lines(box, point) {
      const away = Math.hypot(middle(box).x - point.x, middle(box).y - point.y);
      return away < 48 ? away : Infinity;
    },
    histogram(box, point) {
      return covers(box, point) ? Math.abs(box.y - point.y) : Infinity;
    },
    heatmap(box, point) {
      const inside = covers(box, point) && point.y >= box.y && point.y <= box.y + box.height;
      return inside ? 0 : Infinity;
    },
  };

  function markAt(svg, event) {
    const point = new DOMPoint(event.clientX, event.clientY);
    const here = point.matrixTransform(svg.getScreenCTM().inverse());
    const measure = distance[kindOf(svg)];
    let best = { mark: null, away: Infinity };
    for (const { mark, box } of marksOf(svg)) {
      const away = measure(box, here);
      if (away < best.away) best = { mark, away };
    }
    return best.mark;
  }

  // ---- the tooltip ----------------------------------------------------------------------------

  const tooltip = document.getElementById("tooltip");
  let hit = null;

  function heading(mark, kind) {
    const { x, to, series } = mark.dataset;
    if (kind === "heatmap") return `${series} × ${x}`;
    const label = mark.closest(".figure").dataset.xLabel;
    const where = to === undefined ? readable(x) : `${readable(x)} to ${readable(to)}`;
    return label ? `${label}: ${where}` : where;
  }

  function valueOf({ y, low, high, count }) {
    let text = readable(y);
    if (low !== undefined || high !== undefined) {
      text += ` (${readable(low ?? y)} to ${readable(high ?? y)})`;
    }
    return count === undefined || count === y ? text : `${text} % (${readable(count)})`;
  }

  // The marks to tell of: those of all series at the same place.
  function peers(svg, mark, kind) {
    if (kind === "heatmap") return [mark];
    const same = marksOf(svg).map((one) => one.mark);
    return same.filter((one) => one.dataset.x === mark.dataset.x);
  }

  function row(mark, current, kind) {
    const colour = mark.parentNode.getAttribute("class").split(" ").find((name) => /^s\d/.test(name));
    const line = create("div", `tooltip-row ${colour ?? ""}${mark === current ? " is-current" : ""}`);
    if (kind !== "heatmap") {
      line.append(create("span", "tooltip-swatch"), create("span", "tooltip-name", mark.dataset.series));
    }
    line.append(create("span", "tooltip-value", valueOf(mark.dataset)));
    return line;
  }

  function show(svg, mark) {
    if (hit === mark) return;
    hide();
    hit = mark;
    hit.classList.add("is-hit");
    const kind = kindOf(svg);
    tooltip.replaceChildren(create("div", "tooltip-head", heading(mark, kind)));
    tooltip.append(...peers(svg, mark, kind).map((one) => row(one, mark, kind)));
    if (mark.dataset.note) tooltip.append(create("div", "tooltip-note", mark.dataset.note));
    tooltip.hidden = false;
    place(mark.getBoundingClientRect());
  }

  // Beside the mark where there is room, else above or below it; always inside the window.
  function place(target) {
    const { width, height } = tooltip.getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const gap = 14;
    let left = target.right + gap;
    let top = target.top + target.height / 2 - height / 2;
    if (left + width > clientWidth - 8) left = target.left - width - gap;
    if (left < 8) {
      left = target.left + target.width / 2 - width / 2;
      top = target.top - height - gap;
      if (top < 8) top = target.bottom + gap;
    }
    const clamp = (value, room) => Math.max(8, Math.min(value, room - 8));
    tooltip.style.left = `${clamp(left, clientWidth - width)}px`;
    tooltip.style.top = `${clamp(top, clientHeight - height)}px`;
  }

  function hide() {
    hit?.classList.remove("is-hit");
    hit = null;
    tooltip.hidden = true;
  }

  // ---- keys: left and right along a series, up and down between series ------------------------

  function step(svg, key) {
    const marks = marksOf(svg);
    const at = marks.findIndex(({ mark }) => mark === hit);
    if (at < 0) return marks[0]?.mark;
    const series = marks[at].mark.dataset.key;
    const side = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const next = marks[at + side]?.mark;
      return next?.dataset.key === series ? next : null;
    }
    const keys = [...new Set(marks.map(({ mark }) => mark.dataset.key))];
    const wanted = keys[keys.indexOf(series) + side];
    const x = middle(marks[at].box).x;
    const away = ({ box }) => Math.abs(middle(box).x - x);
    const others = marks.filter(({ mark }) => mark.dataset.key === wanted);
    return others.sort((one, other) => away(one) - away(other))[0]?.mark;
  }

  function onKey(event) {
    if (event.key === "Escape") return hide();
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const svg = event.currentTarget;
    const next = step(svg, event.key);
    if (next) show(svg, next);
  }

  // ---- switching series -----------------------------------------------------------------------

  function toggle(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    const parts = all(button.closest(".figure"), ".chart [data-key]");
    const mine = parts.filter((part) => part.dataset.key === button.dataset.key);
    mine.forEach((part) => part.classList.toggle("is-off", !on));
    hide();
  }

  // ---- saving ---------------------------------------------------------------------------------

  // The drawing as a file: light colours, with the title and the legend that the page hides.
  function drawing(figure) {
    const svg = figure.querySelector(".chart.wide").cloneNode(true);
    const view = svg.dataset.sheet;
    const [, , width, height] = view.split(" ");
    for (const { name } of Array.from(svg.attributes)) svg.removeAttribute(name);
    const attributes = { class: "chart", viewBox: view, width, height };
    Object.entries(attributes).forEach(([name, value]) => svg.setAttribute(name, value));
    all(svg, ".is-hit").forEach((mark) => mark.classList.remove("is-hit"));
    const style = document.createElementNS(svg.namespaceURI, "style");
    style.textContent = document.getElementById("file-style").content.textContent;
    svg.prepend(style);
    return { text: new XMLSerializer().serializeToString(svg), width, height };
  }

  async function picture(figure) {
    const { text, width, height } = drawing(figure);
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = create("canvas");
    [canvas.width, canvas.height] = [Math.ceil(width * 2), Math.ceil(height * 2)];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  }

  // The numbers in full, as RFC 4180 has them.
  function numbers(figure) {
    const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const value = (cell) => quote(cell.dataset.value ?? cell.textContent);
    const rows = all(figure, "table:first-of-type thead tr").slice(0, 1).concat(all(figure, "tbody tr"));
    return rows.map((row) => Array.from(row.cells, value).join(",")).join("\r\n") + "\r\n";
  }

  const files = {
    svg: (figure) => new Blob([drawing(figure).text], { type: "image/svg+xml" }),
    png: picture,
    csv: (figure) => new Blob([numbers(figure)], { type: "text/csv" }),
  };

  async function save(button) {
    const figure = button.closest(".figure");
    const kind = button.dataset.save;
    const link = create("a");
    link.href = URL.createObjectURL(await files[kind](figure));
    link.download = `${figure.id}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // ---- wiring ---------------------------------------------------------------------------------

  for (const svg of all(document, ".figure .chart[tabindex]")) {
    const point = (event) => {
      const mark = markAt(svg, event);
      if (mark) show(svg, mark);
      else hide();
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    svg.addEventListener("keydown", onKey);
    svg.addEventListener("blur", hide);
    svg.addEventListener("focus", () => {
      if (svg.matches(":focus-visible")) show(svg, marksOf(svg)[0]?.mark ?? null);
    });
  }
  for (const button of all(document, ".legend button")) {
    button.addEventListener("click", () => toggle(button));
  }
  for (const button of all(document, "[data-save]")) {
    button.addEventListener("click", () => save(button));
  }
  document.addEventListener("pointerdown", (event) => event.target.closest(".chart") || hide());
  document.addEventListener("scroll", hide, { passive: true, capture: true });
  // Paper cannot be unfolded.
  addEventListener("beforeprint", () => {
    for (const rest of all(document, ".block.table > details")) rest.open = true;
  });
  document.documentElement.dataset.ready = "yes";
})();
