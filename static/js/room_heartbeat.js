// Stretches of a dialogue, [from, to] in seconds (what was played, heard, missing), and heartbeats: what was played, told
// to the server in numbered messages, one after the other, none twice.
import { mayPass, send } from "./room_store.js";

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

export function union(stretches) {
  const merged = [];
  for (const [start, end] of [...stretches].sort((a, b) => a[0] - b[0])) {
    if (end <= start) continue;
    const last = merged.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

/** What was passed over: missing stretches before the last moment of `heard` (a union), without what it has. */
export function holesIn(missing, heard, least = 0.1) {
  const last = heard.at(-1)?.[1] ?? 0;
  const holes = [];
  for (const [start, end] of missing) {
    let at = start;
    for (const [from, to] of [...heard, [last, last]]) {
      const until = Math.min(from, end);
      if (until - at > least) holes.push([at, until]);
      at = Math.max(at, to);
    }
  }
  return holes;
}

/** How far the first listen has come: the first missing second that was not played since either. */
export function frontier(missing, played, duration, slack = 0.3) {
  const since = union(played);
  for (const [start, end] of missing) {
    let at = start;
    for (const [from, to] of since) if (from <= at + slack && to > at) at = to;
    if (at < end - slack) return at;
  }
  return duration;
}

/** Watches an audio element and writes down what it plays; never more than the clock on the wall allows. */
export class PlayedStretches {
  #open = null;
  #done = [];
  #at = 0; // performance.now() of the last look

  constructor(audio) {
    this.audio = audio;
    audio.addEventListener("playing", () => this.begin());
    audio.addEventListener("timeupdate", () => this.look());
    audio.addEventListener("pause", () => this.end());
    audio.addEventListener("waiting", () => this.end());
    audio.addEventListener("ended", () => this.end());
    audio.addEventListener("seeking", () => this.drop());
  }

  begin() {
    this.drop();
    this.#open = [this.audio.currentTime, this.audio.currentTime];
    this.#at = performance.now();
  }

  look() {
    if (!this.#open) return;
    const now = performance.now();
    const reached = this.audio.currentTime;
    const most = ((now - this.#at) / 1000) * this.audio.playbackRate + 0.4;
    if (reached < this.#open[1] || reached - this.#open[1] > most) this.drop();
    else this.#open[1] = reached;
    this.#at = now;
  }

  end() {
    this.look();
    this.drop();
  }

  /** Close without looking: the position has jumped already. */
  drop() {
    if (this.#open && this.#open[1] > this.#open[0]) this.#done.push(this.#open);
    this.#open = null;
  }

  /** What was played and not yet taken, the running stretch included. */
  get pending() {
    return this.#open ? [...this.#done, this.#open] : this.#done;
  }

  /** Hand over what was played since the last time; a running stretch goes on from here. */
  take() {
    this.look();
    const taken = this.pending.filter(([start, end]) => end > start).map((stretch) => [...stretch]);
    this.#done = [];
    if (this.#open) this.#open = [this.#open[1], this.#open[1]];
    return taken;
  }
}
