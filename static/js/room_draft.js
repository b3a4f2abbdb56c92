// Drafts: each change is saved a moment later; what could not be saved is tried again until it is.
import { problemOf, send } from "./room_api.js";

const PAUSE_MS = 300;
const RETRY_MS = 3000;

export class Draft {
  #changes = null;
  #timer = 0;
  #running = Promise.resolve(true);

  constructor(url) {
    this.url = url;
    this.status = document.getElementById("saved");
    addEventListener("pagehide", () => this.#changes && this.#save());
    addEventListener("online", () => this.flush());
  }

  change({ scores, ...rest }, pause = PAUSE_MS) {
    this.#changes ??= {};
    Object.assign(this.#changes, rest);
    if (scores) this.#changes.scores = { ...this.#changes.scores, ...scores };
    this.status.textContent = "Saving…";
    this.#later(pause);
  }

  /** Save now; resolves to true when nothing is left unsaved. */
  flush() {
    clearTimeout(this.#timer);
    if (this.#changes) this.#running = this.#running.then(() => this.#save());
    return this.#running.then(() => this.#changes === null);
  }

  #later(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), pause);
  }

  async #save() {
    if (!this.#changes) return true;
    const changes = this.#changes;
    this.#changes = null;
    const answer = await send("PATCH", this.url, changes);
    if (answer.ok) {
      if (!this.#changes) this.status.textContent = "Saved";
      return true;
    }
    this.status.textContent = `Not saved. ${problemOf(answer)}`;
    const mayPass = answer.status === 0 || answer.status >= 500 || answer.status === 403;
    if (!mayPass) return false;
    // What was changed meanwhile is newer than what failed.
    const { scores, ...rest } = this.#changes ?? {};
    this.#changes = { ...changes, ...rest };
    if (changes.scores || scores) this.#changes.scores = { ...changes.scores, ...scores };
    this.#later(RETRY_MS);
    return false;
  }
}
