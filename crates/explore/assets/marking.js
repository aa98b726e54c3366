// Marks: shown at the key press, saved one after the other in the order of the keys, taken back where saving fails.

import { post } from "./api.js";
import { MARKS } from "./bits.js";

export class Marking {
  // `marks` and `right` are what is shown of every example. `view` hears what is shown anew (`changed`), what was saved
  // (`saved`) and what was not (`failed`).
  constructor(marks, right, view) {
    Object.assign(this, { marks, right, view });
    this.known = { marks: marks.slice(), right: right.slice() }; // as the server has it
    this.waiting = []; // shown, and not saved yet
    this.own = []; // what this window did and can take back
    this.version = 0;
    this.last = null; // what this person did last, in whatever window
    this.busy = false;
  }

  get canUndo() { return this.own.length > 0 || this.last !== null; }

  // `label` is the right class of all; `labels` has one for each.
  mark(rows, name, label, labels = null) {
    const act = {
      rows, body: { rows, mark: name, label, labels }, acts: null,
      marks: new Uint8Array(rows.length).fill(name === null ? 0 : MARKS.indexOf(name)),
      right: labels ? Int32Array.from(labels) : new Int32Array(rows.length).fill(label ?? -1),
      before: { marks: Uint8Array.from(rows, (row) => this.marks[row]), right: Int32Array.from(rows, (row) => this.right[row]) },
    };
    this.own.push(act);
    this.add(act);
  }

  // Takes back what this window did last; where it did nothing, as after it was loaded again, what this person did last.
  // The rows of which that is known.
  undo() {
    if (!this.canUndo) return [];
    const act = this.own.pop() ?? null;
    // What somebody else said since is not shown otherwise.
    const places = act ? [...act.rows.keys()].filter((at) => this.marks[act.rows[at]] === act.marks[at] && this.right[act.rows[at]] === act.right[at]) : [];
    this.add({
      rows: places.map((at) => act.rows[at]), undoes: act, isUndo: true,
      marks: places.map((at) => act.before.marks[at]), right: places.map((at) => act.before.right[at]),
    });
    return act ? act.rows : [];
  }

  add(one) {
    this.waiting.push(one);
    this.show(one);
    this.view.changed();
    this.save();
  }

  show({ rows, marks, right }) {
    for (let at = 0; at < rows.length; at++) { this.marks[rows[at]] = marks[at]; this.right[rows[at]] = right[at]; }
  }

  async save() {
    if (this.busy) return;
    this.busy = true;
    while (this.waiting.length) {
      const one = this.waiting[0];
      try {
        const found = await this.send(one);
        this.waiting.shift();
        if (found) this.take(found, one.rows);
        if (found) this.view.saved(one, found.more);
      } catch (error) {
        // What came after it was done in the belief that it is there.
        const lost = this.waiting.splice(0);
        this.own = this.own.filter((act) => !lost.includes(act));
        for (const { undoes } of lost.toReversed()) if (undoes?.acts) this.own.push(undoes);
        this.refresh(lost.flatMap(({ rows }) => rows));
        this.view.failed(error, lost);
      }
    }
    this.busy = false;
  }

  async send(one) {
    if (!one.isUndo) {
      const found = await post("mark", { since: this.version }, one.body);
      one.acts = found.more.acts;
      return found;
    }
    const acts = one.undoes ? one.undoes.acts : this.last && [this.last];
    return acts ? post("undo", { since: this.version }, { acts }) : null;
  }

  // Takes what is new; `rows` are shown as it says even where it says nothing of them.
  take(news, rows = []) {
    // An older answer that was overtaken says nothing that is not known.
    if (news.version < this.version) { this.refresh(rows); return; }
    this.version = news.version;
    if (news.rows.length) this.last = news.last;
    news.rows.forEach((row, at) => {
      this.known.marks[row] = news.marks[at];
      this.known.right[row] = news.labels[at] ?? -1;
    });
    this.refresh([...news.rows, ...rows], news.rows.length > 0);
  }

  refresh(rows, told = false) {
    const { marks, right, known } = this;
    const before = rows.map((row) => [marks[row], right[row]]);
    for (const row of rows) { marks[row] = known.marks[row]; right[row] = known.right[row]; }
    for (const one of this.waiting) this.show(one);
    if (told || rows.some((row, at) => marks[row] !== before[at][0] || right[row] !== before[at][1])) this.view.changed();
  }
}
