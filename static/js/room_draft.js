// Drafts: each change is kept in this browser at once and saved on the server a moment later. What could not be saved
// is tried again until it is, also after the page was closed; the newer change wins, answer by answer.
import { answersOf, bodyOf, catchUpWith, compare, deliver, KeptDraft, mayPass, problemOf, send } from "./room_store.js";

const PAUSE_MS = 300;
const RETRY_MS = 3000;
const LONGEST_RETRY_MS = 15000;
const CLOSED = ["submitted", "late", "skipped"];

export class Draft {
  #timer = 0;
  #failures = 0;
  #running = Promise.resolve(true);
  #beforeSubmit = null;

  /** `url` takes the changes; the rest stands in the page's draft-data (annotation/queries/drafts.py). */
  constructor(url) {
    const data = JSON.parse(document.getElementById("draft-data").textContent);
    this.url = url;
    this.urls = data.urls;
    this.words = data.words;
    this.kept = new KeptDraft(data.person, data.lease, data.urls);
    const { responseStart } = performance.getEntriesByType("navigation")[0]; // scripts start later, on a busy machine by seconds
    this.clock = performance.timeOrigin + responseStart - Date.parse(data.saved.now); // ahead of the server's
    this.there = answersOf(data.saved);
    this.status = document.getElementById("saved");
    this.#bringBack();
    this.#watch();
  }

  /** Any of scores {dimension: score or null}, confidence, reason, marks (the whole list). Saved after `pause` ms. */
  change({ scores, ...rest }, pause = PAUSE_MS) {
    const changes = { ...rest };
    for (const [key, score] of Object.entries(scores ?? {})) changes[`scores.${key}`] = score;
    const at = Date.now() - this.clock;
    for (const [name, value] of Object.entries(changes)) this.kept.change(name, value, { at, base: this.there.answers[name] });
    if (!this.#failures) this.status.textContent = this.words.saving;
    this.#later(pause);
  }

  /** What this browser has of an answer that differs from what came with the page, else undefined. */
  broughtBack(name) { return this.brought.includes(name) ? this.kept.read().answers[name]?.value : undefined; }

  /** Save now; resolves to true when nothing is left unsaved. */
  flush({ leaving = false } = {}) {
    clearTimeout(this.#timer);
    this.#running = this.#running.then(() => this.#save(leaving));
    return this.#running;
  }

  /**
   * Submit, once everything is saved. Without a connection it is kept, and sent when the server answers.
   * Resolves to what the server has against it, as a sentence; nothing where it was sent or is kept.
   */
  async submit(goOn, beforeSubmit) {
    this.#beforeSubmit = beforeSubmit;
    this.kept.keepSubmit({ go_on: goOn });
    return this.#submitKept();
  }

  async #submitKept() {
    await this.#beforeSubmit?.();
    if (await this.#submitWithAnswers()) return undefined;
    if (!(await this.flush())) {
      if (!this.#failures) this.kept.keepSubmit(null); // refused for good: submitting again would not mend it
      this.#showKeptSubmit();
      return this.#failures ? "" : this.status.textContent;
    }
    const answer = await send("POST", this.urls.submit, this.kept.submit ?? { go_on: false });
    if (answer.ok) {
      this.#leave(() => location.assign(answer.data.next));
      return undefined;
    }
    if (mayPass(answer)) this.#tryAgain();
    else this.kept.keepSubmit(null);
    this.#showKeptSubmit();
    return mayPass(answer) ? "" : problemOf(answer);
  }

  // The last answer is seldom saved when somebody submits: both in one request. Where that is refused, one after the
  // other, so that every answer is kept that can be.
  async #submitWithAnswers() {
    clearTimeout(this.#timer);
    await this.#running;
    const { submit, unsent } = this.kept;
    if (!submit || !unsent.length || this.#failures) return false;
    const answer = await send("POST", this.urls.submit, { ...submit, answers: bodyOf(unsent) });
    if (answer.ok) this.#leave(() => location.assign(answer.data.next));
    return answer.ok;
  }

  #watch() {
    addEventListener("pagehide", () => this.kept.unsent.length && this.flush({ leaving: true }));
    for (const event of ["online", "pageshow"]) addEventListener(event, () => this.#goOn());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#goOn());
    addEventListener("storage", ({ key, newValue }) => key === this.kept.key && this.#fromOtherTab(newValue));
    document.querySelector("[data-cancel-submit]")?.addEventListener("click", () => {
      this.kept.keepSubmit(null);
      this.#showKeptSubmit();
    });
  }

  #goOn() {
    if (this.kept.submit) this.#submitKept();
    else if (this.kept.unsent.length) this.flush();
  }

  #later(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#goOn(), pause);
  }

  #tryAgain() {
    this.#failures += 1;
    this.#later(Math.min(LONGEST_RETRY_MS, RETRY_MS * 1.5 ** (this.#failures - 1)));
  }

  async #save(leaving) {
    // After a time without the server, or in another tab, somebody may have answered meanwhile: look first.
    if (this.#failures && !leaving && !(await this.#lookAgain())) return false;
    const sending = this.kept.unsent;
    if (!sending.length) return true;
    let refused = "";
    const isAsked = await deliver(this.url, sending, (sent, data) => this.#isSaved(sent, data), (name, problem) => {
      this.kept.drop([name]);
      refused = problem;
    });
    if (!isAsked) return this.#isKept();
    if (refused) this.status.textContent = this.words.refused.replace("{problem}", () => refused);
    return !refused && !this.kept.unsent.length;
  }

  async #lookAgain() {
    const answer = await send("GET", this.url);
    if (!answer.ok) return this.#isKept();
    this.#failures = 0;
    if (CLOSED.includes(answer.data.state)) return this.#isClosed();
    this.there = answersOf(answer.data);
    this.#takeNewer(compare(this.kept.read().answers, this.there).stale);
    return true;
  }

  // Submitted: by us, if a submit is kept whose answer was lost (then it is sent again, and leads on), or elsewhere.
  #isClosed() {
    if (this.kept.submit) this.kept.settle(this.kept.unsent);
    else this.#leave(() => location.reload());
    return Boolean(this.kept.submit);
  }

  #isSaved(sent, { saved_at: savedAt }) {
    this.#failures = 0;
    this.there.savedAt = Date.parse(savedAt);
    this.kept.settle(sent, this.there.savedAt);
    for (const [name, { value }] of sent) this.there.answers[name] = value;
    if (!this.kept.unsent.length) this.status.textContent = this.words.saved;
  }

  #isKept() {
    this.status.textContent = this.words.kept;
    this.#tryAgain();
    return false;
  }

  /** At the start: what stands in the browser and not on the server is shown, and sent. */
  #bringBack() {
    const { answers, submit } = this.kept.read();
    const late = catchUpWith(answers, this.there);
    const { missing, stale } = compare(answers, this.there);
    this.brought = [...late, ...missing];
    this.kept.drop(stale);
    this.kept.settle(Object.entries(answers).filter(([name]) => !missing.includes(name)));
    for (const name of this.brought) showAnswer(name, answers[name].value);
    for (const name of missing) {
      this.kept.change(name, answers[name].value, { at: answers[name].at, base: answers[name].base });
    }
    if (missing.length) document.getElementById("brought-back").hidden = false;
    if (missing.length || submit) this.#later(0);
  }

  #fromOtherTab(text) {
    if (!text) return location.reload(); // submitted there, or signed out
    const { answers } = this.kept.read();
    this.#show(Object.entries(answers).map(([name, { value }]) => [name, value]));
    for (const [name, { value, sent }] of Object.entries(answers)) if (sent) this.there.answers[name] = value;
    if (this.kept.unsent.length) return undefined;
    this.#failures = 0;
    this.status.textContent = this.words.saved;
    document.dispatchEvent(new CustomEvent("earshot:answered", { detail: { status: 200 } })); // it does answer: there
    return undefined;
  }

  // Changed later elsewhere (another browser): theirs stands, and is shown.
  #takeNewer(names) {
    this.kept.drop(names);
    this.#show(names.map((name) => [name, this.there.answers[name] ?? null]));
  }

  #show(answers) {
    for (const [name, value] of answers) showAnswer(name, value);
    if (answers.length) document.dispatchEvent(new CustomEvent("earshot:answers", { detail: Object.fromEntries(answers) }));
  }

  #showKeptSubmit() {
    const notice = document.getElementById("submit-kept");
    if (!notice) return;
    notice.hidden = !this.kept.submit;
    if (!notice.hidden) notice.scrollIntoView({ block: "nearest" });
  }

  #leave(go) {
    clearTimeout(this.#timer);
    this.kept.remove();
    go();
  }
}

/** Put an answer into the form of the questions. Marks are their own part's business. */
function showAnswer(name, value) {
  const form = document.getElementById("questions");
  const reason = form.querySelector("#reason");
  if (name === "reason" && reason.value !== (value ?? "")) reason.value = value ?? "";
  if (name !== "confidence" && !name.startsWith("scores.")) return;
  const chosen = name === "confidence" ? value : value?.kind === "scored" ? value.value : value?.kind;
  for (const input of form.querySelectorAll(`input[name="${CSS.escape(name.replace("scores.", "score-"))}"]`))
    input.checked = input.value === String(chosen);
}
