// The steps before the first pair: sounds, one at a time; the answers open when each was heard to its end.
// All words stand in the page: #sound-words, and data-* of the buttons.

const words = document.getElementById("sound-words")?.dataset ?? {};

class Sound {
  constructor(button, onHeard) {
    this.button = button;
    this.state = button.parentElement.querySelector("[data-sound-state]");
    this.progress = button.parentElement.querySelector("progress");
    this.onHeard = onHeard;
    this.heard = false;
    this.audio = new Audio(button.dataset.sound);
    this.audio.preload = "auto";
    this.audio.addEventListener("timeupdate", () => this.#showTime());
    this.audio.addEventListener("waiting", () => this.#say(words.loading));
    this.audio.addEventListener("playing", () => this.#say(words.playing));
    this.audio.addEventListener("ended", () => this.#end());
  }

  get isPlaying() { return !this.audio.paused && !this.audio.ended; }

  async play() {
    if (this.audio.error) this.audio.load();
    this.audio.currentTime = 0;
    this.button.setAttribute("aria-pressed", "true");
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name === "AbortError") return; // stopped before it began
      this.stop();
      this.#say(words.failed);
    }
  }

  stop() {
    this.audio.pause();
    this.button.setAttribute("aria-pressed", "false");
    this.progress.value = this.heard ? 1 : 0;
    this.#say(this.heard ? words.heard : "");
  }

  #showTime() {
    if (this.isPlaying && this.audio.duration) this.progress.value = this.audio.currentTime / this.audio.duration;
  }

  #end() {
    this.heard = true;
    this.stop();
    this.onHeard();
  }

  #say(text = "") { this.state.textContent = text; }
}

function start() {
  const answers = document.querySelector("[data-answers]");
  const hint = document.querySelector("[data-first-listen]");
  const openAnswers = () => {
    if (!answers || !sounds.every((sound) => sound.heard)) return;
    const opens = answers.disabled;
    answers.disabled = false;
    hint.hidden = true;
    if (opens) answers.querySelector("input[inputmode]")?.focus();
  };
  const sounds = [...document.querySelectorAll("[data-sound]")].map((button) => new Sound(button, openAnswers));
  const channel = new BroadcastChannel("earshot-playing"); // what plays in another tab falls silent, and so do we
  channel.addEventListener("message", () => sounds.forEach((sound) => sound.stop()));
  for (const sound of sounds) {
    sound.button.setAttribute("aria-pressed", "false");
    sound.button.addEventListener("click", () => {
      const starts = !sound.isPlaying;
      sounds.forEach((each) => each.isPlaying && each.stop());
      if (!starts) return;
      channel.postMessage("entry");
      sound.play();
    });
  }
  if (answers && sounds.length) {
    answers.disabled = true;
    hint.hidden = false;
  }
}

start();
