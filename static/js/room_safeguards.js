// What keeps the room going when something around it fails, and what makes the next pair ready.
import { send } from "./room_store.js";

const LONGEST_WAIT_MS = 8000;

export function startSafeguards(room) {
  watchConnection();
  for (const side of Object.values(room.sides)) new SoundRetry(side.root, side.audio, () => room.play(side.name));
  reserveAhead(room.questions.draft.urls.ahead);
}

// Says, calmly and in one line, that the server does not answer or that the person is signed out; until it is over.
function watchConnection() {
  const bar = (name) => document.getElementById(name);
  document.addEventListener("earshot:answered", ({ detail: { status } }) => {
    bar("signed-out").hidden = status !== 403;
    bar("server-silent").hidden = !(navigator.onLine && (status === 0 || status >= 500)); // offline, another bar says so
  });
  addEventListener("offline", () => (bar("server-silent").hidden = true));
}

// The next pair is reserved when the questions open (where they are open from the start: at the first answer), once
// nothing else wants the line.
function reserveAhead(url) {
  const form = document.getElementById("questions");
  const ask = () => {
    const go = () => send("POST", url);
    if ("requestIdleCallback" in globalThis) requestIdleCallback(go, { timeout: 5000 });
    else setTimeout(go, 1000);
  };
  if (!form.hidden) {
    form.addEventListener("change", ask, { once: true });
    return;
  }
  const opening = new MutationObserver(() => {
    if (form.hidden) return;
    opening.disconnect();
    ask();
  });
  opening.observe(form, { attributes: true, attributeFilter: ["hidden"] });
}

// A sound that does not load, or breaks off: says what is safe, and begins again where it stopped, without a reload.
class SoundRetry {
  #at = 0; // seconds: the last moment that was reached
  #wasPlaying = false;
  #failed = false;
  #waiting = 0;

  /** `audio` of the side whose element is `root`; `play` plays it as its button does. */
  constructor(root, audio, play) {
    Object.assign(this, { root, audio, play, notice: root.querySelector("[data-sound-problem]") });
    audio.addEventListener("timeupdate", () => audio.error || (this.#at = audio.currentTime));
    audio.addEventListener("play", () => (this.#wasPlaying = true));
    audio.addEventListener("pause", () => audio.error || (this.#wasPlaying = false));
    audio.addEventListener("error", () => this.#fails());
    audio.addEventListener("loadedmetadata", () => this.#isBack());
    this.notice.querySelector("[data-try-sound-again]").addEventListener("click", () => this.again());
    addEventListener("online", () => this.#failed && this.again());
    document.addEventListener("earshot:answered", ({ detail: { status } }) => this.#failed && status === 200 && this.#soon());
    if (audio.error) this.#fails(); // before this script was there
  }

  /** Load anew; where it was playing it plays on. */
  again() {
    if (this.audio.currentTime > 0) this.#at = this.audio.currentTime;
    this.notice.setAttribute("aria-busy", "true");
    this.audio.load();
  }

  #fails() {
    this.#failed = true;
    this.notice.hidden = false;
    this.notice.removeAttribute("aria-busy");
    if (this.root.hasAttribute("data-active")) this.notice.scrollIntoView({ block: "nearest" });
  }

  #isBack() {
    if (!this.#failed) return;
    this.#failed = false;
    this.notice.hidden = true;
    this.notice.removeAttribute("aria-busy");
    this.audio.currentTime = this.#at;
    if (this.#wasPlaying) this.play();
  }

  // The server answers again, so the sound may too; not more often than this, as answers come every few seconds.
  #soon() {
    if (this.#waiting) return;
    this.#waiting = setTimeout(() => {
      this.#waiting = 0;
      if (this.#failed) this.again();
    }, LONGEST_WAIT_MS);
  }
}
