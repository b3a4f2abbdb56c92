// What the room says: its sentences in the reader's language (annotation/views/room_words.py keeps them), the notes of
// the player, and what is still to be heard.
const STAY_MS = 10000;
const REFUSED = { "faster than time": "refused_time", "out of order": "refused_order" }; // what the page cannot see by itself
const MOST_NAMED = 6; // turns

const words = JSON.parse(document.getElementById("room-words")?.textContent ?? "{}");

/** The sentence of this key, with {name} replaced by values.name. */
export const say = (key, values = {}) =>
  (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** Notes that pass, and, as long as it is so, why what plays now does not count. */
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

  /** A sentence that goes away by itself; `isSeen`: it stands somewhere else, too, and is only spoken. */
  note(text, { isSeen = false } = {}) {
    this.text.classList.toggle("visually-hidden", isSeen);
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

/** What is still to be heard, per side and turn; opens the questions the moment it was enough. */
export class Gate {
  constructor({ policy, onOpen, onPlayMissing }) {
    this.root = document.getElementById("gate");
    this.policy = policy;
    this.isOpen = document.getElementById("room").dataset.gate === "open";
    this.onOpen = onOpen;
    this.root?.querySelector("[data-go-missing]").addEventListener("click", onPlayMissing);
  }

  show({ gate_open: isOpen, sides }) {
    for (const [name, side] of Object.entries(sides)) this.#showSide(name, side);
    if (this.root) {
      const begun = Object.values(sides).some((side) => side.heard.length);
      this.root.querySelector("[data-go-missing]").hidden = isOpen || !begun;
      this.root.hidden = isOpen && this.policy === "enforced";
    }
    if (isOpen && !this.isOpen) {
      this.isOpen = true;
      document.getElementById("room").dataset.gate = "open";
      this.onOpen();
    }
  }

  #showSide(name, side) {
    const share = Math.floor(side.coverage * 100);
    document.querySelector(`#side-${name} [data-heard]`).textContent = side.is_enough ? say("heard") : side.heard.length ? say("heard_share", { share }) : "";
    const row = this.root?.querySelector(`[data-gate-side=${name}]`);
    if (!row) return;
    row.querySelector("progress").value = side.is_enough ? 1 : side.coverage;
    row.querySelector("[data-share]").textContent = side.is_enough ? say("heard") : say("share", { share });
    row.querySelector("[data-missing]").textContent = side.is_enough ? "" : missingText(side);
  }
}

export function missingText({ heard, missing_turns: missing }) {
  if (!heard.length) return say("not_begun");
  if (!missing.length) return say("moment_missing");
  const turns = missing.slice(0, MOST_NAMED).join(", ");
  const more = missing.length - MOST_NAMED;
  if (more > 0) return say("more_turns_missing", { turns, more });
  return say(missing.length > 1 ? "turns_missing" : "turn_missing", { turns });
}
