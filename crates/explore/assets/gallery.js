// The gallery: only what is on the screen is in the page, however many examples there are.

import { get, pictureOf } from "./api.js";
import { MARK_NAMES, el, shown, user } from "./bits.js";

// Browsers do not scroll further than this many pixels.
const TALLEST = 8_000_000;
const TILES = [56, 84, 128, 200];
const CAPTION = 34;
// Between tiles, in pixels: as it is wanted, and how far it gives way.
const GAP = 10, GAP_LEAST = 2, GAP_MOST = 24;
const ROOM_FOR_TEXTS = 20_000;
const TEXT_ROW = [59, 77, 113, 167]; // two, three, five, eight lines

export class Gallery {
  constructor(element, room, view) {
    Object.assign(this, { element, room, view });
    this.list = new Uint32Array(0);
    this.cursor = 0;
    this.picked = new Set();
    this.size = 1;
    this.tiles = new Map(); // place in the list → element
    this.texts = new Map(); // row → { id, text }
    this.wanted = new Set();
    element.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(element);
    element.addEventListener("click", (event) => {
      const place = this.placeOf(event.target);
      if (place === null) return;
      if (event.shiftKey) this.pickTo(place);
      else if (event.ctrlKey || event.metaKey) this.pick(place);
      else this.view.open(this.list[place]);
    });
    element.addEventListener("keydown", (event) => this.key(event));
  }

  placeOf(target) {
    const tile = target.closest?.(".tile");
    return tile ? Number(tile.dataset.place) : null;
  }

  get row() { return this.list.length ? this.list[this.cursor] : null; }

  // Another list, from its beginning; with `stay` the cursor stays on its example, or where that was.
  take(list, stay) {
    const row = this.row;
    this.list = list;
    const again = !stay || row === null ? -1 : this.nearCursor(row);
    this.cursor = again >= 0 ? again : stay ? Math.min(this.cursor, Math.max(0, list.length - 1)) : 0;
    if (!stay) this.element.scrollTop = 0;
    for (const [place, tile] of this.tiles) {
      if (list[place] !== tile.row) { tile.remove(); this.tiles.delete(place); }
    }
    this.measure();
    this.draw();
  }

  nearCursor(row) {
    for (let i = Math.max(0, this.cursor - 2000); i < Math.min(this.list.length, this.cursor + 2000); i++) {
      if (this.list[i] === row) return i;
    }
    return this.list.indexOf(row);
  }

  // Another size: all is laid out again, from the row on that was the first.
  layout() {
    const first = this.tileHeight ? Math.round(this.offset / this.tileHeight) * this.across : 0;
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.measure();
    if (this.full <= TALLEST) this.element.scrollTop = Math.floor(first / this.across) * this.tileHeight;
    this.draw();
  }

  measure() {
    const wide = this.view.contents !== "pictures";
    const width = this.element.clientWidth - 2;
    if (wide) {
      this.across = 1;
      this.tileWidth = width;
      this.tileHeight = TEXT_ROW[this.size];
      if (this.view.contents === "ids") this.tileHeight = 40;
    } else {
      const side = TILES[this.size];
      this.across = Math.max(1, Math.floor(width / (side + GAP)));
      this.tileWidth = Math.floor(width / this.across);
      this.tileHeight = side + CAPTION + GAP;
      // Whole rows fill the height, where that leaves the gaps between them about as they are.
      const rows = Math.floor(this.element.clientHeight / (side + CAPTION + GAP_LEAST));
      const high = Math.floor(this.element.clientHeight / rows);
      if (high <= side + CAPTION + GAP_MOST) this.tileHeight = high;
    }
    this.rows = Math.ceil(this.list.length / this.across);
    this.full = this.rows * this.tileHeight;
    this.tall = Math.min(this.full, TALLEST);
    this.room.style.height = `${this.tall}px`;
  }

  // The scrolled pixels, where all tiles are below each other.
  get offset() {
    const high = this.element.clientHeight, top = this.element.scrollTop;
    if (this.full <= TALLEST) return top;
    return top / Math.max(1, this.tall - high) * (this.full - high);
  }

  draw() {
    const high = this.element.clientHeight;
    const offset = this.offset;
    const first = Math.max(0, Math.floor(offset / this.tileHeight) - 1);
    const last = Math.min(this.rows, Math.ceil((offset + high) / this.tileHeight) + 1);
    const [from, to] = [first * this.across, Math.min(this.list.length, last * this.across)];
    for (const [place, tile] of this.tiles) {
      if (place < from || place >= to) { tile.remove(); this.tiles.delete(place); }
    }
    const shift = this.element.scrollTop - offset;
    for (let place = from; place < to; place++) {
      let tile = this.tiles.get(place);
      if (!tile) {
        tile = this.tile(place);
        this.tiles.set(place, tile);
        this.room.append(tile);
      }
      const x = (place % this.across) * this.tileWidth;
      const y = Math.floor(place / this.across) * this.tileHeight + shift;
      tile.style.transform = `translate(${x}px, ${y}px)`;
    }
    this.mark();
    if (this.view.contents !== "pictures") this.fetchTexts();
  }

  tile(place) {
    const row = this.list[place];
    const { view } = this;
    const tile = el("div", { className: `tile ${view.contents}`, role: "option", id: `tile-${place}` });
    tile.dataset.place = place;
    tile.row = row;
    tile.style.width = `${this.tileWidth}px`;
    tile.style.height = `${this.tileHeight}px`;
    if (view.contents === "pictures") {
      const picture = el("img", { alt: "", draggable: false, decoding: "async", src: pictureOf(row) });
      picture.style.height = `${TILES[this.size]}px`;
      if (view.small) picture.classList.add("small");
      tile.append(picture);
    } else {
      const known = this.texts.get(row);
      tile.append(el("div", { className: "text" }, known ? user(known.text ?? known.id) : "…"));
      if (!known) this.wanted.add(row);
    }
    const caption = el("div", { className: "caption" });
    if (view.contents === "texts") caption.append(el("span", { className: "id" }, user(this.texts.get(row)?.id ?? "")), " ");
    const words = view.labelOf(row);
    if (words) caption.append(user(words));
    const predicted = view.predictedOf(row);
    if (predicted !== null && predicted !== words) {
      caption.append(el("span", { className: "to" }, " → ", user(predicted)));
    }
    tile.append(caption, el("div", { className: "score" }));
    tile.append(el("span", { className: "badge" }));
    return tile;
  }

  // Cursor, what is picked, marks, the value in the sorted column: what changes without another tile.
  mark() {
    const { view } = this;
    for (const [place, tile] of this.tiles) {
      const row = this.list[place];
      const mark = view.markOf(row);
      const right = view.rightOf(row);
      const value = `${view.sort} ${shown(view.valueOf(row))}`;
      const key = `${mark}/${right}/${value}`;
      tile.classList.toggle("cursor", place === this.cursor);
      tile.classList.toggle("picked", this.picked.has(row));
      tile.classList.toggle("suspect", view.isSuspect(row));
      tile.setAttribute("aria-selected", this.picked.has(row) || place === this.cursor);
      if (tile.dataset.mark === key) continue;
      tile.dataset.mark = key;
      tile.dataset.verdict = mark;
      tile.querySelector(".score").textContent = shown(view.valueOf(row));
      const badge = tile.querySelector(".badge");
      badge.textContent = mark ? MARK_NAMES[mark] : "";
      const old = tile.querySelector(".right");
      old?.remove();
      if (right !== null) tile.querySelector(".caption").append(el("span", { className: "right" }, " ✎ ", user(right)));
      // What somebody says is right stands in the place of what networks say.
      const to = tile.querySelector(".to");
      if (to) to.hidden = right !== null;
      const predicted = view.predictedOf(row);
      tile.setAttribute("aria-label", [view.labelOf(row), predicted === null ? null : `predicted ${predicted}`,
        value, mark ? MARK_NAMES[mark] : null, right === null ? null : `right: ${right}`]
        .filter(Boolean).join(", "));
    }
    if (this.list.length) this.element.setAttribute("aria-activedescendant", `tile-${this.cursor}`);
  }

  async fetchTexts() {
    if (this.wanted.size === 0 || this.fetching) return;
    this.fetching = true;
    // Those on the screen only: others were scrolled past.
    const visible = new Set([...this.tiles.keys()].map((place) => this.list[place]));
    const rows = [...this.wanted].filter((row) => visible.has(row)).slice(0, 500);
    this.wanted.clear();
    try {
      if (rows.length) {
        if (this.texts.size > ROOM_FOR_TEXTS) this.texts.clear();
        for (const one of await get("rows", { rows: rows.join(",") })) this.texts.set(one.row, one);
        for (const [place, tile] of this.tiles) {
          const known = this.texts.get(this.list[place]);
          const text = tile.querySelector(".text");
          if (known && text && text.textContent === "…") {
            text.replaceChildren(user(known.text ?? known.id));
            tile.querySelector(".id")?.replaceChildren(user(known.id));
          }
        }
      }
    } finally {
      this.fetching = false;
    }
    if (this.wanted.size) this.fetchTexts();
  }

  moveTo(place) {
    if (!this.list.length) return;
    this.cursor = Math.min(Math.max(0, place), this.list.length - 1);
    const y = Math.floor(this.cursor / this.across) * this.tileHeight;
    const high = this.element.clientHeight;
    const offset = this.offset;
    let wanted = offset;
    if (y < offset) wanted = y;
    else if (y + this.tileHeight > offset + high) wanted = y + this.tileHeight - high;
    if (wanted !== offset) {
      this.element.scrollTop = this.full <= TALLEST ? wanted
        : wanted / Math.max(1, this.full - high) * (this.tall - high);
    }
    this.draw();
    this.view.moved(this.row);
  }

  pick(place) {
    const row = this.list[place];
    if (!this.picked.delete(row)) this.picked.add(row);
    this.moveTo(place);
    this.view.pickedChanged();
  }

  pickTo(place) {
    const [from, to] = [Math.min(this.cursor, place), Math.max(this.cursor, place)];
    for (let at = from; at <= to; at++) this.picked.add(this.list[at]);
    this.moveTo(place);
    this.view.pickedChanged();
  }

  pickAll() {
    for (const row of this.list) this.picked.add(row);
    this.mark();
    this.view.pickedChanged();
  }

  pickNone() {
    this.picked.clear();
    this.mark();
    this.view.pickedChanged();
  }

  // What an act is on: what is picked, else the example under the cursor.
  get chosen() {
    if (this.picked.size) return [...this.picked];
    return this.row === null ? [] : [this.row];
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.tileHeight)) * this.across;
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.across, ArrowDown: this.across,
      PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity,
    };
    if (event.key in steps) {
      const to = Math.min(Math.max(0, this.cursor + steps[event.key]), this.list.length - 1);
      if (event.shiftKey) this.pickTo(to); else this.moveTo(to);
    } else if (event.key === "Enter") {
      if (this.row !== null) this.view.open(this.row);
    } else if (event.key === " " || event.key === "x") {
      if (this.row !== null) this.pick(this.cursor);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
