// Stretches of a dialogue, [from, to] in seconds: what was played, heard, missing.

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
