// What the player says: notes that pass, and, as long as it is so, why what plays now does not count.
import { say } from "./room_words.js";

const STAY_MS = 10000;
const REFUSED = { "faster than time": "refused_time", "out of order": "refused_order" }; // what the page cannot see by itself

export class PlayerNotes {
  #afterwards = ""; // said when it is over already: the tab was hidden, the server refused
  #timers = {};
  #volume = 1; // the last that could be heard
  #playedHidden = false;
  #title = document.title;

  /** sides: {left, right}; active() → the side in front; records: whether listening is recorded at all. */
  constructor({ sides, active, records }) {
    Object.assign(this, { active, records });
    this.text = document.querySelector("[data-player-note]");
    this.warning = document.querySelector("[data-not-counted]");
    this.remedy = document.querySelector("[data-count-again]");
    if (!records) return;
    this.remedy.addEventListener("click", () => this.#makeItCount());
    for (const { audio } of Object.values(sides)) {
      for (const event of ["volumechange", "ratechange"]) audio.addEventListener(event, () => this.show());
      audio.addEventListener("play", () => this.#look());
    }
    document.addEventListener("visibilitychange", () => this.#look());
  }

  /** A sentence that goes away by itself. */
  note(text) {
    this.text.textContent = text;
    this.#later("note", () => (this.text.textContent = ""));
  }

  /** Why the server did not count the last heartbeat. */
  refused(refusal) {
    if (REFUSED[refusal]) this.#sayAfterwards(say(REFUSED[refusal]));
  }

  show() {
    if (!this.records) return;
    const { audio } = this.active();
    if (audio.volume > 0) this.#volume = audio.volume;
    const now = reasonOf(audio);
    const text = now ? say(now, { rate: Math.round(audio.playbackRate * 100) / 100 }) : this.#afterwards;
    if (this.warning.textContent !== text) this.warning.textContent = text;
    this.remedy.hidden = !now;
    if (now) this.remedy.textContent = say(now === "rate" ? "normal_speed" : "sound_on");
  }

  #makeItCount() {
    const { audio } = this.active();
    audio.playbackRate = Math.min(1, audio.playbackRate);
    audio.muted = false;
    if (audio.volume === 0) audio.volume = this.#volume;
  }

  // A hidden tab can only speak by its title; the line in the player waits for whoever comes back.
  #look() {
    const isHidden = document.visibilityState === "hidden";
    if (isHidden && this.active().isPlaying) {
      this.#playedHidden = true;
      document.title = say("hidden_title");
    } else if (!isHidden && this.#playedHidden) {
      this.#playedHidden = false;
      document.title = this.#title;
      this.#sayAfterwards(say("hidden", { letter: this.active().letter }));
    }
  }

  #sayAfterwards(text) {
    this.#afterwards = text;
    this.show();
    this.#later("afterwards", () => {
      this.#afterwards = "";
      this.show();
    });
  }

  #later(name, act) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(act, STAY_MS);
  }
}

function reasonOf({ playbackRate, muted, volume }) {
  if (playbackRate > 1) return "rate";
  if (muted) return "muted";
  return volume === 0 ? "silent" : "";
}
