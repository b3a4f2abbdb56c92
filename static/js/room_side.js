// One side of the room: its sound, its picture, its turns.
import { clockText, drawLanes, fetchPeaks, timeAt } from "./lanes.js";
import { PlayedStretches, union } from "./room_stretches.js";

const LETTERS = { left: "A", right: "B" };

export class Side {
  #stalls = { stalls: 0, seconds: 0 };
  #stalledSince = null;
  #line = -1;

  constructor(name, data, { records, onSeek }) {
    this.name = name;
    this.letter = LETTERS[name];
    this.root = document.getElementById(`side-${name}`);
    this.audio = this.root.querySelector("audio");
    this.canvas = this.root.querySelector("canvas");
    this.bar = this.root.querySelector("[data-seek-bar]");
    this.list = this.root.querySelector("[data-turns]");
    this.records = records;
    this.onSeek = onSeek;
    this.duration = data.duration;
    this.turns = data.turns;
    this.hasText = data.has_text;
    this.turnsUrl = data.turns_url;
    this.state = null; // what the server says was heard
    this.played = new PlayedStretches(this.audio);
    this.scene = { turns: data.turns, duration: data.duration, playhead: 0, heard: records ? [] : undefined };
    this.#watch();
    this.#listTurns();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    document.addEventListener("earshot:theme", () => this.draw());
    fetchPeaks(data.peaks).then((peaks) => {
      this.scene.peaks = peaks;
      this.draw();
    }, () => this.#complain("The waveform did not load; the sound is not touched by that. Reload the page to see it."));
  }

  get now() { return this.audio.currentTime; }
  get isPlaying() { return !this.audio.paused && !this.audio.ended; }
  get turnIndex() { return this.turns.findLastIndex((turn) => turn.start <= this.now + 0.02); }

  seek(seconds) {
    this.played.end();
    const target = Math.min(Math.max(0, seconds), this.duration);
    this.audio.currentTime = target;
    if (this.isPlaying && !this.audio.seeking) this.played.begin();
    this.draw(target);
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

  setTurns({ turns, has_text: hasText }) {
    if (!hasText || this.hasText) return;
    this.hasText = true;
    turns.forEach((turn, index) => (this.turns[index].text = turn.text));
    this.#listTurns();
    this.draw();
  }

  /** Everything that moves with the sound. */
  draw(at = this.now) {
    if (this.records) this.scene.heard = union([...(this.state?.heard ?? []), ...halfSeconds(this.played.pending)]);
    this.scene.playhead = at;
    drawLanes(this.canvas, this.scene);
    this.root.querySelector("[data-clock]").textContent = `${clockText(at)} of ${clockText(this.duration)}`;
    const index = this.turns.findLastIndex((turn) => turn.start <= at + 0.02);
    const turn = this.turns[index];
    this.bar.setAttribute("aria-valuemax", Math.round(this.duration));
    this.bar.setAttribute("aria-valuenow", Math.round(at));
    this.bar.setAttribute("aria-valuetext", `${clockText(at)} of ${clockText(this.duration)}${turn ? `, turn ${index + 1}, ${turn.speaker}` : ""}`);
    this.#mark(turn && at < turn.end ? index : -1);
  }

  #mark(index) {
    if (index === this.#line) return;
    this.#line = index;
    [...this.list.children].forEach((line, position) => {
      if (position === index) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    });
    const line = this.list.children[index];
    if (line && this.list.scrollHeight > this.list.clientHeight)
      this.list.scrollTop = line.offsetTop - this.list.offsetTop - this.list.clientHeight / 3;
  }

  #listTurns() {
    this.#line = -1;
    this.list.replaceChildren(...this.turns.map((turn, index) => this.#turnLine(turn, index)));
  }

  #turnLine(turn, index) {
    const line = document.createElement("li");
    line.className = `turn ${turn.role}`;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "turn-go" });
    button.append(cell("visually-hidden", `Turn ${index + 1}, `), cell("num soft", clockText(turn.start)), cell("turn-speaker", turn.speaker));
    button.addEventListener("click", () => this.onSeek(this, turn.start));
    line.append(button);
    if (turn.text) line.append(Object.assign(document.createElement("p"), { textContent: turn.text }));
    return line;
  }

  #watch() {
    const { audio } = this;
    for (const event of ["seeked", "pause", "ended", "loadedmetadata"]) audio.addEventListener(event, () => this.draw());
    audio.addEventListener("timeupdate", () => this.draw());
    audio.addEventListener("waiting", () => {
      if (!audio.seeking && audio.played.length) this.#stalledSince ??= performance.now();
    });
    audio.addEventListener("playing", () => this.#endStall());
    audio.addEventListener("error", () => this.#complain("The sound does not load. Your answers are kept; reload the page, or skip the pair and say so."));
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
