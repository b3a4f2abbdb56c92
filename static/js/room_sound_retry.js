// A sound that does not load, or breaks off: says what is safe, and begins again where it stopped, without a reload.

const LONGEST_WAIT_MS = 8000;

export class SoundRetry {
  #at = 0; // seconds: the last moment that was reached
  #wasPlaying = false;
  #failed = false;
  #waiting = 0;

  /** `audio` of the side whose element is `root`; `play` plays it as its button does. */
  constructor(root, audio, play) {
    Object.assign(this, { audio, play, notice: root.querySelector("[data-sound-problem]") });
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
