// Marks on a turn: put by one key while listening, then given a dimension and a word. All of them go to the draft at every change.
import { clockText } from "./axis.js";
import { say } from "./room_words.js";

const MOST_MARKS = 200;
const SAME_MOMENT_SECONDS = 0.3; // pressing twice at one place is one mark
const NOTE_PAUSE_MS = 800;
const MOST_UNDO = 50;

export class Marks {
  #list = []; // { id, side, turn, seconds, polarity, dimension, note }
  #chosen = null; // id of the mark in the bar
  #past = []; // the list before each change
  #lastChange = "";
  #nextId = 1;
  #cameFrom = null; // where the keyboard was before it went into the bar; nothing: nowhere, and single keys work
  #isFromList = false;

  /** marks: as the page brought them; sides: {left, right}; active() → the side in front; hear(side, seconds). */
  constructor({ marks, sides, active, draft, note, hear }) {
    Object.assign(this, { sides, active, draft, note, hear });
    this.bar = document.getElementById("mark-bar");
    this.word = document.getElementById("mark-note");
    this.dimensions = [...this.bar.querySelectorAll("[name=mark-dimension]")];
    this.undoButton = document.querySelector("[data-mark-undo]");
    this.#watch();
    this.replace(draft.broughtBack("marks") ?? marks);
  }

  /** Show these marks, as they come from a draft. */
  replace(marks) {
    if (JSON.stringify(marks) === JSON.stringify(this.#plain)) return;
    this.#list = marks.map((mark) => ({ ...mark, id: this.#nextId++ }));
    this.#past = [];
    this.#chosen = null;
    this.#show();
  }

  add(polarity) {
    const side = this.active();
    if (!side.wasPlayed) return this.note(say("mark_unheard", { letter: side.letter }));
    const here = this.#list.find((mark) => mark.side === side.name && mark.polarity === polarity
      && Math.abs(mark.seconds - side.now) < SAME_MOMENT_SECONDS);
    if (here) return this.choose(here.id);
    if (this.#list.length >= MOST_MARKS) return this.note(say("most_marks", { most: MOST_MARKS }));
    const moment = this.#moment(side, side.now);
    const mark = { id: this.#nextId++, side: side.name, ...moment, polarity, dimension: "", note: "" };
    this.#change("", [...this.#list, mark]);
    this.choose(mark.id);
    this.note(say("mark_set", this.#wordsOf(mark)), { isSeen: true });
  }

  /** Bring a mark into the bar; `focus` also brings the keyboard there, and unfolds what a phone folds. */
  choose(id, { focus = false } = {}) {
    this.#chosen = id;
    this.bar.toggleAttribute("data-open", focus);
    this.#lastChange = "";
    this.#show();
    if (focus) (this.dimensions.find((each) => each.checked) ?? this.dimensions[0]).focus({ preventScroll: true });
  }

  /** The key d: the next dimension, and after the last one none. */
  nextDimension() {
    if (!this.#mark) return this.note(say("no_mark"));
    const at = this.dimensions.findIndex((each) => each.value === this.#mark.dimension);
    this.#edit({ dimension: this.dimensions[(at + 1) % this.dimensions.length].value });
    this.note(this.#dimensionName(this.#mark) || say("no_dimension_now"));
  }

  undo() {
    const before = this.#past.pop();
    if (!before) return this.note(say("nothing_to_undo"));
    this.#lastChange = "";
    this.#list = before;
    if (!this.#mark) this.#chosen = null;
    this.#save();
    this.#show();
    this.note(say("mark_undone"));
  }

  /** Close the bar; the keyboard goes back to where it came from. */
  done() {
    if (!this.#mark) return false;
    const chosen = this.#chosen;
    this.#close(() => (this.#isFromList ? this.#lineOf(chosen) : this.#cameFrom));
    return true;
  }

  #close(back) {
    const held = this.bar.contains(document.activeElement);
    this.#chosen = null;
    this.#lastChange = "";
    if (held) document.activeElement.blur();
    this.#show();
    if (held) back()?.focus({ preventScroll: true });
  }

  get isBegun() { return this.#list.length > 0; }

  get #plain() {
    return [...this.#list].sort((one, other) => one.seconds - other.seconds).map(({ id, ...mark }) => mark);
  }

  get #mark() { return this.#list.find(({ id }) => id === this.#chosen); }

  #moment(side, at) {
    const seconds = Math.round(Math.min(Math.max(0, at), side.duration) * 100) / 100;
    return { turn: Math.max(0, side.turnAt(seconds)), seconds };
  }

  #edit(fields, pause) {
    const kind = "note" in fields ? `note of ${this.#chosen}` : "";
    this.#change(kind, this.#list.map((mark) => (mark.id === this.#chosen ? { ...mark, ...fields } : mark)), pause);
    this.#show();
  }

  // Letters typed one after the other are one change to undo.
  #change(kind, list, pause) {
    if (!kind || kind !== this.#lastChange) this.#past = [...this.#past, this.#list].slice(-MOST_UNDO);
    this.#lastChange = kind;
    this.#list = list;
    this.#save(pause);
  }

  #save(pause) {
    this.draft.change({ marks: this.#plain }, pause);
  }

  #move(seconds) {
    const mark = this.#mark;
    this.#edit(this.#moment(this.sides[mark.side], mark.seconds + seconds));
  }

  #delete() {
    const mark = this.#mark;
    this.#change("", this.#list.filter((each) => each !== mark));
    this.#close(() => this.#cameFrom && this.undoButton);
    this.note(say("mark_deleted", this.#wordsOf(mark)));
  }

  #watch() {
    const press = (name, act) => this.bar.querySelector(`[data-mark-${name}]`).addEventListener("click", act);
    press("earlier", () => this.#move(-1));
    press("later", () => this.#move(1));
    press("turn-over", () => this.#edit({ polarity: this.#mark.polarity === "good" ? "bad" : "good" }));
    press("hear", () => this.hear(this.sides[this.#mark.side], this.#mark.seconds));
    press("delete", () => this.#delete());
    press("more", () => this.choose(this.#chosen, { focus: true }));
    press("done", () => this.done());
    for (const polarity of ["good", "bad"])
      document.querySelector(`[data-mark-${polarity}]`).addEventListener("click", () => this.add(polarity));
    this.undoButton.addEventListener("click", () => this.undo());
    this.bar.addEventListener("change", ({ target }) => target.type === "radio" && this.#edit({ dimension: target.value }));
    this.word.addEventListener("input", () => this.#edit({ note: this.word.value }, NOTE_PAUSE_MS));
    this.bar.addEventListener("keydown", (event) => this.#onKey(event));
    this.bar.addEventListener("focusin", ({ target, relatedTarget }) => {
      if (target.closest(".mark-part")) this.bar.toggleAttribute("data-open", true);
      if (this.bar.contains(relatedTarget)) return;
      this.#cameFrom = relatedTarget;
      this.#isFromList = Boolean(relatedTarget?.closest("[data-marks]")); // its lines are made anew at every change
    });
    // Another tab of this pair, or another browser, changed them.
    document.addEventListener("earshot:answers", ({ detail }) => "marks" in detail && this.replace(detail.marks ?? []));
  }

  #onKey(event) {
    if (event.isComposing) return; // Enter then chooses a character
    const isEnter = event.key === "Enter" && event.target === this.word;
    if (event.key !== "Escape" && !isEnter) return;
    event.preventDefault();
    this.done();
  }

  #show() {
    const mark = this.#mark;
    this.bar.hidden = !mark;
    this.undoButton.hidden = !this.#past.length;
    if (mark) this.#showBar(mark);
    for (const side of Object.values(this.sides)) this.#showSide(side);
  }

  #showBar(mark) {
    const { polarity, ...place } = this.#wordsOf(mark);
    this.bar.querySelector("[data-mark-flag]").className = `flag ${mark.polarity}`;
    this.bar.querySelector("[data-mark-polarity]").textContent = polarity;
    this.bar.querySelector("[data-mark-place]").textContent = say("mark_place", place);
    this.bar.querySelector("[data-mark-turn-over]").textContent = say(mark.polarity === "good" ? "make_bad" : "make_good");
    for (const each of this.dimensions) each.checked = each.value === mark.dimension;
    if (this.word.value !== mark.note) this.word.value = mark.note;
  }

  #showSide(side) {
    const marks = this.#list.filter((mark) => mark.side === side.name).sort((one, other) => one.seconds - other.seconds);
    side.setFlags(marks.map(({ id, seconds, polarity, dimension }) => ({
      id, time: seconds, polarity, isChosen: id === this.#chosen, letter: this.#dimensionName({ dimension }).slice(0, 1),
    })));
    const list = side.root.querySelector("[data-marks]");
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.mark : null;
    list.replaceChildren(...marks.map((mark) => this.#line(mark)));
    list.parentElement.hidden = !marks.length;
    if (focused) this.#lineOf(focused)?.focus({ preventScroll: true });
  }

  #line(mark) {
    const { polarity, now, turn } = this.#wordsOf(mark);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "mark-go" });
    button.dataset.mark = mark.id;
    if (mark.id === this.#chosen) button.setAttribute("aria-current", "true");
    button.append(span(`flag ${mark.polarity}`), span("num", say("mark_line", { polarity, now, turn })));
    const rest = [this.#dimensionName(mark), mark.note].filter(Boolean).join(": ");
    if (rest) button.append(span("soft", rest));
    button.addEventListener("click", () => this.choose(mark.id, { focus: true }));
    const line = document.createElement("li");
    line.append(button);
    return line;
  }

  #lineOf(id) { return document.querySelector(`[data-marks] [data-mark="${id}"]`); }

  #dimensionName({ dimension }) {
    return dimension ? this.dimensions.find((each) => each.value === dimension)?.parentElement.textContent.trim() ?? "" : "";
  }

  #wordsOf(mark) {
    return {
      polarity: say(mark.polarity === "good" ? "mark_good" : "mark_bad"), now: clockText(mark.seconds),
      letter: this.sides[mark.side].letter, turn: mark.turn + 1,
    };
  }
}

const span = (className, textContent = "") => Object.assign(document.createElement("span"), { className, textContent });
