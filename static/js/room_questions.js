// The questions, by mouse or keys; answers go to the draft at once. One after another, or together on one page.
import { Draft } from "./room_draft.js";
import { startExamples } from "./room_examples.js";

export class Questions {
  constructor({ draftUrl, submitUrl, beforeSubmit }) {
    this.form = document.getElementById("questions");
    this.words = JSON.parse(document.getElementById("question-words").textContent);
    this.isTogether = this.form.dataset.layout === "together";
    this.panels = [...this.form.querySelectorAll("[data-question]")];
    this.steps = [...this.form.querySelectorAll("[data-step]")];
    this.draft = new Draft(draftUrl);
    this.submitUrl = submitUrl;
    this.beforeSubmit = beforeSubmit;
    startExamples(this.form);
    this.#watch();
    this.#note();
    this.show(this.firstUnanswered < 0 ? this.last : this.firstUnanswered);
  }

  get isShown() { return !this.form.hidden; }
  get isBegun() { return this.panels.some(answerOf); }
  get last() { return this.panels.length - 1; }
  get firstUnanswered() { return this.panels.findIndex((panel) => !answerOf(panel)); }
  get missing() { return this.panels.filter((panel) => !answerOf(panel)).map((panel) => panel.dataset.name); }

  open() {
    this.form.hidden = false;
    this.form.classList.add("opening");
  }

  show(index, { focus = false } = {}) {
    this.at = Math.min(Math.max(0, index), this.last);
    const isLast = this.at === this.last;
    this.panels.forEach((panel, position) => {
      panel.hidden = !this.isTogether && position !== this.at;
      panel.toggleAttribute("data-current", position === this.at);
    });
    this.steps.forEach((step, position) => {
      if (position === this.at) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    this.#showStep(this.steps[this.at]);
    this.form.querySelector("[data-back]").disabled = this.at === 0;
    this.form.querySelector("[data-next]").hidden = this.isTogether || isLast;
    this.form.querySelector(".question-hint").hidden = !this.isTogether && isLast;
    for (const button of this.form.querySelectorAll("[data-submit]")) button.hidden = !this.isTogether && !isLast;
    if (focus) this.#focusAnswer();
  }

  // On a phone the steps are wider than the page; the page itself must not move for that.
  #showStep(step) {
    const list = step.closest(".steps");
    list.scrollLeft += step.getBoundingClientRect().left - list.getBoundingClientRect().left - 16;
  }

  /** A digit, or x and u, answers and goes on; on one page , and . move. False if the key means nothing here. */
  answerByKey(key) {
    if (!this.isShown) return false;
    const step = this.isTogether && { ",": -1, ".": 1 }[key];
    if (step) {
      this.goTo(this.at + step, { focus: true });
      return true;
    }
    const at = this.#asked;
    const input = this.panels[at].querySelector(`input[data-digit="${key}"]`);
    if (!input) return false;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    const held = this.form.contains(document.activeElement);
    this.goTo(this.isTogether && !held ? this.#asked : at + 1, { focus: held });
    return true;
  }

  // Which question a key answers: the one that is shown; on one page the one in focus, else the first without an answer.
  get #asked() {
    if (!this.isTogether || this.#focused >= 0) return this.at;
    return this.firstUnanswered < 0 ? this.last : this.firstUnanswered;
  }

  get #focused() { return this.panels.findIndex((panel) => panel.contains(document.activeElement)); }

  /** Show a question and bring it into view. */
  goTo(index, options) {
    this.show(index, options);
    this.#reveal();
  }

  // All of it where there is room, else from its beginning. What lies over the page is scroll-padding in room.css.
  #reveal() {
    const part = this.isTogether ? this.panels[this.at] : this.form;
    part.scrollIntoView({ block: part.offsetHeight > innerHeight * 0.7 ? "start" : "nearest" });
  }

  #watch() {
    this.form.addEventListener("change", ({ target }) => this.#changed(target));
    document.addEventListener("earshot:answers", () => this.#note()); // another tab of this pair answered
    this.form.addEventListener("focusin", () => this.#focused >= 0 && this.#focused !== this.at && this.show(this.#focused));
    const reason = this.form.querySelector("#reason");
    reason.addEventListener("input", () => this.draft.change({ reason: reason.value }, 800));
    reason.addEventListener("keydown", ({ key, ctrlKey, metaKey, isComposing }) => {
      if (key === "Escape" && !isComposing) reason.blur();
      if (key === "Enter" && (ctrlKey || metaKey)) this.submit();
    });
    this.form.querySelector("[data-back]").addEventListener("click", () => this.goTo(this.at - 1, { focus: true }));
    this.form.querySelector("[data-next]").addEventListener("click", () => this.goTo(this.at + 1, { focus: true }));
    for (const step of this.steps) step.addEventListener("click", () => this.goTo(Number(step.dataset.step), { focus: true }));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const isEnter = document.activeElement.matches("input[type=radio]"); // Enter in a scale goes on, as . does
      const goesOn = this.at < this.last && (isEnter || !this.isTogether);
      if (goesOn) this.goTo(this.at + 1, { focus: true });
      else this.submit(event.submitter?.dataset.submit !== "stop");
    });
  }

  #changed(input) {
    if (input.type !== "radio") return;
    this.#complain("");
    if (input.name === "confidence") this.draft.change({ confidence: Number(input.value) });
    else this.draft.change({ scores: { [input.name.replace("score-", "")]: scoreOf(input.value) } });
    this.#note();
  }

  #note() {
    this.panels.forEach((panel, index) => {
      const answer = answerOf(panel);
      const step = this.steps[index];
      const isConfidence = panel.dataset.question === "confidence";
      const words = isConfidence ? answer && this.words.confidence.replace("{n}", answer)
        : this.words.answers[answer] ?? panel.querySelector(":checked ~ .words")?.textContent;
      step.querySelector("[data-step-answer]").textContent = step.title = words ?? "";
      step.classList.toggle("answered", Boolean(answer));
    });
    // On one page the button is always there; it calls when nothing is missing.
    if (this.isTogether) this.form.querySelector("[data-submit=next]").classList.toggle("secondary", this.missing.length > 0);
  }

  #focusAnswer() {
    const panel = this.panels[this.at];
    (panel.querySelector("input:checked") ?? panel.querySelector("input")).focus({ preventScroll: true });
  }

  /** Submit, from any question. What is not answered is named and shown, without asking the server. */
  async submit(goOn = true) {
    if (this.missing.length) {
      this.#complain(this.words.missing.replace("{names}", this.missing.join(", ")));
      this.goTo(this.firstUnanswered, { focus: true });
      return;
    }
    const buttons = [...this.form.querySelectorAll("[data-submit]")];
    if (buttons[0].getAttribute("aria-busy") === "true") return;
    buttons.forEach((button) => button.setAttribute("aria-busy", "true"));
    this.#complain("");
    const problem = await this.draft.submit(goOn, this.beforeSubmit);
    if (problem === undefined) return; // submitted: the next page is on its way
    buttons.forEach((button) => button.removeAttribute("aria-busy"));
    this.#complain(problem);
  }

  #complain(text) {
    const problem = document.getElementById("submit-problem");
    problem.textContent = text;
    problem.hidden = !text;
    if (text) this.#reveal();
  }
}

const answerOf = (panel) => panel.querySelector("input[type=radio]:checked")?.value;

function scoreOf(value) {
  return value === "both_bad" || value === "cannot_tell" ? { kind: value, value: null } : { kind: "scored", value: Number(value) };
}
