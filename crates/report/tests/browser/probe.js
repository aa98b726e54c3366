// Touches the page as a reader would and tells the console what it saw.
"use strict";

addEventListener("load", async () => {
  const all = (root, selector) => Array.from(root.querySelectorAll(selector));
  const root = document.documentElement;
  const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const shown = (element) => element.checkVisibility();

  const seen = {
    ready: root.dataset.ready,
    width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    hurt: window.hurt,
    overflow: root.scrollWidth - root.clientWidth,
    scripts: document.scripts.length,
    pictures: document.images.length,
  };

  // Every picture decodes, those further down too.
  const decodes = Array.from(document.images, (image) => {
    image.loading = "eager";
    return image.decode().then(() => 0, () => 1);
  });
  seen.broken_pictures = (await Promise.all(decodes)).reduce((sum, one) => sum + one, 0);

  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
  seen.luminance = (0.21 * red + 0.72 * green + 0.07 * blue) / 255;

  // Labels along axes and beside lines, which must not lie over each other.
  seen.clashes = [];
  seen.outside = [];
  for (const svg of all(document, ".figure .chart[tabindex]").filter(shown)) {
    const frame = svg.getBoundingClientRect();
    const labels = all(svg, ".axes text, .names text").map((label) => [label, label.getBoundingClientRect()]);
    labels.forEach(([label, box], index) => {
      for (const [other, its] of labels.slice(index + 1)) {
        const apart = box.right <= its.left || its.right <= box.left || box.bottom - 3 <= its.top || its.bottom - 3 <= box.top;
        if (!apart) seen.clashes.push(`${label.textContent} / ${other.textContent}`);
      }
    });
    for (const label of all(svg, "text").filter((text) => shown(text) && !text.closest(".surroundings"))) {
      const box = label.getBoundingClientRect();
      const inside = box.left >= frame.left - 2 && box.right <= frame.right + 2 && box.top >= frame.top - 2 && box.bottom <= frame.bottom + 2;
      if (!inside) seen.outside.push(`${label.textContent}: ${box.left} to ${box.right} in ${frame.left} to ${frame.right}`);
    }
  }

  const xml = (text) => text.replaceAll("\u0001", "\ufffd");
  const marks = (svg) => all(svg, ".mark[data-series]").map(({ dataset }) => ({ ...dataset }));
  const cell = (one) => xml(one.dataset.value ?? one.textContent);
  seen.figures = all(document, ".figure").map((figure) => {
    const tables = all(figure, ".numbers table");
    const rows = all(tables[0], "thead tr").concat(...tables.map((table) => all(table, "tbody tr")));
    return {
      kind: figure.dataset.kind,
      shown: all(figure, ".chart[tabindex]").filter(shown).map((svg) => svg.getAttribute("class").split(" ")[1]),
      wide: marks(figure.querySelector(".chart.wide")),
      narrow: marks(figure.querySelector(".chart.narrow")),
      table: rows.map((row) => Array.from(row.cells, cell)),
    };
  });

  // The first figure: a series off and on, the tooltip by pointer and by keys, files.
  const figure = document.querySelector(".figure");
  const svg = all(figure, ".chart[tabindex]").find(shown);
  const button = figure.querySelector(".legend button");
  const counts = () => {
    const visible = all(svg, ".mark[data-series]").filter(shown);
    const mine = visible.filter((mark) => mark.dataset.key === button.dataset.key);
    return [mine.length, visible.length - mine.length];
  };
  const pressed = () => button.getAttribute("aria-pressed");
  seen.toggle = { before: counts(), pressed: [pressed()] };
  button.click();
  seen.toggle.off = counts();
  seen.toggle.pressed.push(pressed());
  button.click();
  seen.toggle.after = counts();
  seen.toggle.pressed.push(pressed());

  const tooltip = document.getElementById("tooltip");
  const lines = () => all(tooltip, "*").map((line) => `${line.className}: ${line.textContent}`).join("\n");
  const key = (name) => svg.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  svg.scrollIntoView({ block: "center", behavior: "instant" });
  await new Promise((done) => setTimeout(done, 300));
  seen.tooltip = { hidden_at_first: tooltip.hidden };
  const box = all(svg, ".mark[data-series]")[1].getBoundingClientRect();
  const place = { clientX: box.x + box.width / 2 + 1, clientY: box.y + box.height / 2 + 1 };
  svg.dispatchEvent(new PointerEvent("pointermove", { ...place, bubbles: true, pointerType: "mouse" }));
  seen.tooltip.pointed = lines();
  const its = tooltip.getBoundingClientRect();
  seen.tooltip.inside = its.left >= 0 && its.right <= innerWidth && its.top >= 0 && its.bottom <= innerHeight && its.width > 50;
  key("ArrowRight");
  seen.tooltip.moved = lines();
  key("ArrowDown");
  seen.tooltip.other_series = lines().replaceAll("\n", " ").replace(/tooltip-row s\d is-current: (\S+?)(\d)/, "is-current: $1$2");
  key("Escape");
  seen.tooltip.hidden_at_last = tooltip.hidden;

  // Files: what would be downloaded is looked at instead.
  const blobs = [];
  seen.saved = { names: [] };
  URL.createObjectURL = (blob) => (blobs.push(blob), "#");
  const named = new Promise((done) => {
    HTMLAnchorElement.prototype.click = function () {
      seen.saved.names.push(this.download);
      if (seen.saved.names.length === 3) done();
    };
  });
  for (const kind of ["svg", "png", "csv"]) {
    const before = seen.saved.names.length;
    figure.querySelector(`[data-save=${kind}]`).click();
    while (seen.saved.names.length === before) await new Promise((done) => setTimeout(done, 20));
  }
  await named;
  seen.saved.svg = await blobs[0].text();
  seen.saved.csv = await blobs[2].text();
  seen.saved.png = base64(new Uint8Array(await blobs[1].arrayBuffer()));
  console.log(`seen:${base64(new TextEncoder().encode(JSON.stringify(seen)))}:seen`);
});
