// Heartbeats: what was played, told to the server in numbered messages, one after the other, none twice.
import { mayPass, send } from "./room_api.js";

const BEAT_MS = 5000;
const IDLE_MS = 30000; // nothing plays: only to keep the lease
const ABSENT_MS = 10 * 60000; // nobody is there: let the lease end
const MOST_WAITING_SECONDS = 12; // the server credits at most 15 s at once
const SETTLED_MS = 1000;
const CLOSED = ["submitted", "late", "skipped"];

const rounded = (seconds) => Math.round(seconds * 1000) / 1000;

export class Heartbeats {
  #queue = [];
  #tried = new WeakSet(); // beats that were sent once without an answer: the server may have them
  #sending = false;
  #visible = document.visibilityState === "visible";
  #lastSent = performance.now();
  #lastAct = performance.now();
  #stopped = false;
  #left = false;

  /** sides: {left, right} with audio, played, takeStalls(). onState(answer), onTrouble(answer or null). */
  constructor({ url, sequence, sides, activeSide, onState, onTrouble }) {
    Object.assign(this, { url, sequence, sides, activeSide, onState, onTrouble });
    setInterval(() => this.#tick(), BEAT_MS);
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => (this.#lastAct = performance.now()), true);
    document.addEventListener("visibilitychange", () => {
      this.flush(); // what was played until now was played under the visibility before
      this.#visible = document.visibilityState === "visible";
    });
    addEventListener("pagehide", () => {
      this.flush({ leaving: true });
      this.#left = true; // a visibilitychange follows: its beat could overtake the last real one
    });
    addEventListener("pageshow", () => (this.#left = false));
    // The last heartbeat of the page before a reload may have come after this page was made: ask how things stand.
    const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
    if (isReload) setTimeout(() => this.flush({ always: true }), SETTLED_MS);
  }

  /** Send what was played since the last heartbeat. */
  flush({ leaving = false, always = false } = {}) {
    if (this.#left) return undefined;
    for (const [name, side] of Object.entries(this.sides)) {
      const played = side.played.take().map(([start, end]) => [rounded(start), rounded(end)]);
      const { stalls, seconds } = side.takeStalls();
      if (played.length || stalls || (always && name === this.activeSide())) this.#queue.push(this.#beat(name, side, played, stalls, seconds));
    }
    if (!leaving) return this.#send();
    for (const beat of this.#queue.splice(0)) send("POST", this.url, { ...beat, sequence: this.#next(beat) });
    return undefined;
  }

  get waitingSeconds() {
    return this.#queue.flatMap((beat) => beat.played).reduce((sum, [start, end]) => sum + end - start, 0);
  }

  #beat(name, { audio, sound }, played, stalls, seconds) {
    return {
      side: name, played, media_time: rounded(audio.currentTime), ...sound, visible: this.#visible, stalls, stalled_seconds: rounded(seconds),
    };
  }

  #tick() {
    if (this.#stopped) return;
    const now = performance.now();
    const idle = now - this.#lastSent > IDLE_MS && now - this.#lastAct < ABSENT_MS;
    this.flush({ always: idle });
  }

  // A beat keeps its number when it has to be sent again, so that the server knows it.
  #next(beat) {
    beat.sequence ??= this.sequence += 1;
    return beat.sequence;
  }

  async #send() {
    if (this.#sending || this.#stopped) return;
    this.#sending = true;
    while (this.#queue.length) {
      const beat = this.#queue[0];
      const answer = await send("POST", this.url, { ...beat, sequence: this.#next(beat) });
      this.#lastSent = performance.now();
      if (!this.#understood(beat, answer)) break;
    }
    this.#sending = false;
  }

  #understood(beat, answer) {
    if (mayPass(answer)) {
      this.#tried.add(beat);
      this.onTrouble(answer, this.waitingSeconds > MOST_WAITING_SECONDS);
      return false;
    }
    const { accepted, last_sequence: last, state } = answer.data;
    if (answer.ok && !accepted && state === "live" && !this.#tried.has(beat) && last >= beat.sequence) {
      // Another tab of this pair has used the number. One that was sent before keeps it: it may have been counted.
      this.sequence = last;
      delete beat.sequence;
      return true;
    }
    // Submitted or skipped elsewhere: the page says so. Here, it is leaving already.
    if (CLOSED.includes(state)) setTimeout(() => location.reload(), 2000);
    this.#queue.shift();
    this.onTrouble(null, false);
    if (answer.ok) this.onState(answer.data);
    if (answer.ok && state !== "live") this.#stopped = true;
    return true;
  }
}
