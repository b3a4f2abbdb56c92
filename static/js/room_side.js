// One side of the room: its sound, its picture, its turns.
import { clockText, drawLanes, fetchPeaks, markAt, timeAt } from "./lanes.js";
import { PlayedStretches, holesIn, union } from "./room_heartbeat.js";
import { say } from "./room_words.js";

const LETTERS = { left: "A", right: "B" };
const LINES_AT_ONCE = 40; // of the turns' list: the first are seen at once, the others come without holding anything up
const BETWEEN_LINES_MS = 20;

export class Side {
  #stalls = { stalls: 0, seconds: 0 };
  #stalledSince = null;
  #line = -1; // of the list: the playing turn
  #said = ""; // where the sound stands, in words

  /** onSeek(side, seconds): somebody wants to go there; onFlag(id): a mark's flag was pressed. */
  constructor(name, data, { records, onSeek, onFlag }) {
    this.name = name;
    this.letter = LETTERS[name];
    this.root = document.getElementById(`side-${name}`);
    this.audio = this.root.querySelector("audio");
    this.canvas = this.root.querySelector("canvas");
    this.bar = this.root.querySelector("[data-seek-bar]");
    this.list = this.root.querySelector("[data-turns]");
    this.records = records;
    this.onSeek = onSeek;
    this.onFlag = onFlag;
    this.duration = data.duration;
    this.turns = data.turns;
    this.hasText = data.has_text;
    this.turnsUrl = data.turns_url;
    this.state = null; // what the server says was heard
    this.noteSound();
    this.played = new PlayedStretches(this.audio);
    this.scene = { turns: data.turns, duration: data.duration, playhead: 0, heard: records ? [] : undefined, marks: [], isNumbered: true };
    this.#watch();
    this.#writeLines();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    document.addEventListener("earshot:theme", () => this.draw());
    fetchPeaks(data.peaks).then((peaks) => {
      this.scene.peaks = peaks;
      this.draw();
    }, () => this.#complain(say("no_waveform")));
  }

  get now() { return this.audio.currentTime; }
  get isPlaying() { return !this.audio.paused && !this.audio.ended; }
  get wasPlayed() { return this.audio.played.length > 0 || this.state?.heard.length > 0; }
  get turnIndex() { return this.turnAt(this.now); }

  /** The turn that last began; −1 before the first. */
  turnAt(seconds) { return this.turns.findLastIndex((turn) => turn.start <= seconds + 0.02); }

  seek(seconds) {
    this.played.end();
    const target = Math.min(Math.max(0, seconds), this.duration);
    this.audio.currentTime = target;
    if (this.isPlaying && !this.audio.seeking) this.played.begin();
    this.draw(target);
  }

  /** How it sounds from now on; what was played before was told with how it sounded then. */
  noteSound() {
    const { playbackRate: rate, volume, muted } = this.audio;
    this.sound = { rate, volume, muted };
  }

  takeStalls() {
    const taken = this.#stalls;
    this.#stalls = { stalls: 0, seconds: 0 };
    return taken;
  }

  setState(state) {
    this.state = state;
    this.draw();
  }

  /** Marks as flags above the lanes: [{id, time, polarity, letter, isChosen}]. */
  setFlags(flags) {
    this.scene.marks = flags;
    this.draw();
  }

  setTurns({ turns, has_text: hasText }) {
    if (!hasText || this.hasText) return;
    this.hasText = true;
    turns.forEach((turn, index) => (this.turns[index].text = turn.text));
    this.#writeLines();
  }

  /** Everything that moves with the sound. */
  draw(at = this.now) {
    if (this.records) {
      this.scene.heard = union([...(this.state?.heard ?? []), ...halfSeconds(this.played.pending)]);
      this.scene.missing = holesIn(this.state?.missing ?? [], this.scene.heard);
    }
    this.scene.playhead = at;
    drawLanes(this.canvas, this.scene);
    const index = this.turnAt(at);
    const turn = this.turns[index];
    this.#say(at, index);
    this.#follow(turn && at < turn.end ? index : -1);
  }

  // Only what changed is written: the page would be laid out anew at every frame.
  #say(at, index) {
    const clock = { now: clockText(at), all: clockText(this.duration) };
    const turn = this.turns[index];
    const text = turn ? say("position", { ...clock, turn: index + 1, speaker: turn.speaker }) : say("clock", clock);
    if (text === this.#said) return;
    this.#said = text;
    this.root.querySelector("[data-clock]").textContent = say("clock", clock);
    this.bar.setAttribute("aria-valuemax", Math.round(this.duration));
    this.bar.setAttribute("aria-valuenow", Math.round(at));
    this.bar.setAttribute("aria-valuetext", text);
  }

  // The list scrolls to the playing turn; the page stays where it is.
  #follow(index, isMoved = false) {
    if (index === this.#line && !isMoved) return;
    const line = this.list.children[index];
    this.#line = line ? index : -1; // one that is not written yet is looked for again
    this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    line?.setAttribute("aria-current", "true");
    if (line && this.list.scrollHeight > this.list.clientHeight)
      this.list.scrollTop = line.offsetTop - this.list.offsetTop - this.list.clientHeight / 3;
  }

  // Half an hour has 300 turns: their lines are written in pieces, and their words are added once they may be read.
  #writeLines(from = 0) {
    const to = Math.min(from + LINES_AT_ONCE, this.turns.length);
    for (let index = from; index < to; index += 1) {
      const { text } = this.turns[index];
      const line = this.list.children[index] ?? this.list.appendChild(this.#turnLine(index));
      if (text && line.children.length === 1) line.append(Object.assign(document.createElement("p"), { textContent: text }));
    }
    if (to < this.turns.length) setTimeout(() => this.#writeLines(to), BETWEEN_LINES_MS);
    else this.#follow(this.#line, true);
  }

  #turnLine(index) {
    const turn = this.turns[index];
    const line = document.createElement("li");
    line.className = `turn ${turn.role}`;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "turn-go" });
    const number = cell("num soft turn-number", index + 1);
    number.ariaHidden = "true";
    button.append(number, cell("visually-hidden", `${say("turn", { turn: index + 1 })}, `), cell("num soft", clockText(turn.start)), cell("turn-speaker", turn.speaker));
    button.addEventListener("click", () => this.onSeek(this, turn.start));
    line.append(button);
    return line;
  }

  /** Fetch the beginning of the sound, where the page left that for later. */
  fetchBeginning() {
    if (this.audio.preload === "none") this.audio.preload = "metadata";
  }

  #watch() {
    const { audio } = this;
    for (const sign of ["pointerenter", "focusin"]) this.root.addEventListener(sign, () => this.fetchBeginning(), { once: true });
    for (const event of ["seeked", "pause", "ended", "loadedmetadata"]) audio.addEventListener(event, () => this.draw());
    audio.addEventListener("timeupdate", () => this.draw());
    audio.addEventListener("waiting", () => {
      if (!audio.seeking && audio.played.length) this.#stalledSince ??= performance.now();
    });
    audio.addEventListener("playing", () => this.#endStall());
    this.bar.addEventListener("pointerdown", (event) => this.#drag(event));
  }

  #endStall() {
    if (this.#stalledSince === null) return;
    const seconds = (performance.now() - this.#stalledSince) / 1000;
    this.#stalledSince = null;
    if (seconds < 0.05) return;
    this.#stalls.stalls += 1;
    this.#stalls.seconds += seconds;
  }

  #drag(event) {
    if (event.button !== 0) return;
    const flag = markAt(this.canvas, event.clientX, event.clientY);
    if (flag) return this.onFlag(flag.id);
    const go = ({ clientX }) => this.onSeek(this, timeAt(this.canvas, clientX) ?? 0);
    this.bar.setPointerCapture(event.pointerId);
    this.bar.addEventListener("pointermove", go);
    this.bar.addEventListener("lostpointercapture", () => this.bar.removeEventListener("pointermove", go), { once: true });
    go(event);
  }

  #complain(text) {
    const problem = this.root.querySelector("[data-problem]");
    problem.textContent = text;
    problem.hidden = false;
  }
}

const cell = (className, textContent) => Object.assign(document.createElement("span"), { className, textContent });

// The picture is painted anew only when its spans change: twice a second is enough.
const halfSeconds = (stretches) => stretches.map(([start, end]) => [start, end - (end % 0.5) || end]).filter(([start, end]) => end > start);

const placesOf = (turns, number) => turns.flatMap((turn, index) => (turn.scenario_turn === number ? [index] : []));

/**
 * The same moment of the scenario on the other side: { index, match }.
 * match: "same" (of several turns in one scenario turn, the same place), "nearest" (the scenario turn before it),
 * or "beginning" (the other side has nothing that early).
 */
export function sameTurn(turns, index, others) {
  const here = Math.max(0, index);
  const number = turns[here].scenario_turn;
  const there = placesOf(others, number);
  if (there.length) {
    const place = placesOf(turns, number).indexOf(here);
    return { index: there[Math.min(place, there.length - 1)], match: "same" };
  }
  const before = others.map((turn) => turn.scenario_turn).filter((other) => other < number);
  if (!before.length) return { index: 0, match: "beginning" };
  return { index: placesOf(others, Math.max(...before))[0], match: "nearest" };
}
