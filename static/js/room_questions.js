// One question at a time, by mouse or keys; answers go to the draft at once.
import { problemOf, send } from "./room_api.js";
import { Draft } from "./room_draft.js";

const SHORT = { "-3": "A 3", "-2": "A 2", "-1": "A 1", 0: "same", 1: "B 1", 2: "B 2", 3: "B 3", both_bad: "both bad", cannot_tell: "cannot tell" };

export class Questions {
  constructor({ draftUrl, submitUrl, beforeSubmit }) {
    this.form = document.getElementById("questions");
    this.panels = [...this.form.querySelectorAll("[data-question]")];
    this.steps = [...this.form.querySelectorAll("[data-step]")];
    this.draft = new Draft(draftUrl);
    this.submitUrl = submitUrl;
    this.beforeSubmit = beforeSubmit;
    this.#watch();
    this.#note();
    this.show(this.firstUnanswered < 0 ? this.panels.length - 1 : this.firstUnanswered);
  }

  get isShown() { return !this.form.hidden; }
  get isBegun() { return this.panels.some(answerOf); }
  get firstUnanswered() { return this.panels.findIndex((panel) => !answerOf(panel)); }
  get missing() { return this.panels.filter((panel) => !answerOf(panel)).map((panel) => panel.dataset.name); }

  open() {
    this.form.hidden = false;
    this.form.classList.add("opening");
  }

  show(index, { focus = false } = {}) {
    this.at = Math.min(Math.max(0, index), this.panels.length - 1);
    const isLast = this.at === this.panels.length - 1;
    this.panels.forEach((panel, position) => (panel.hidden = position !== this.at));
    this.steps.forEach((step, position) => {
      if (position === this.at) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    this.form.querySelector("[data-back]").disabled = this.at === 0;
    this.form.querySelector("[data-next]").hidden = isLast;
    this.form.querySelector(".question-hint").hidden = isLast;
    for (const button of this.form.querySelectorAll("[data-submit]")) button.hidden = !isLast;
    if (focus) this.#focusAnswer();
  }

  /** A digit, or x and u, answers the question that is shown and goes on. False if the key means nothing here. */
  answerByKey(key) {
    if (!this.isShown) return false;
    const input = this.panels[this.at].querySelector(`input[data-digit="${key}"]`);
    if (!input) return false;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    const held = this.form.contains(document.activeElement);
    if (this.at < this.panels.length - 1) this.show(this.at + 1, { focus: held });
    return true;
  }

  #watch() {
    this.form.addEventListener("change", ({ target }) => this.#changed(target));
    this.form.querySelector("#reason").addEventListener("input", ({ target }) => this.draft.change({ reason: target.value }, 800));
    this.form.querySelector("[data-back]").addEventListener("click", () => this.show(this.at - 1, { focus: true }));
    this.form.querySelector("[data-next]").addEventListener("click", () => this.show(this.at + 1, { focus: true }));
    for (const step of this.steps) step.addEventListener("click", () => this.show(Number(step.dataset.step), { focus: true }));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const isLast = this.at === this.panels.length - 1;
      if (isLast) this.submit(event.submitter?.dataset.submit !== "stop");
      else this.show(this.at + 1, { focus: true });
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
      const short = panel.dataset.question === "confidence" ? answer && `${answer} of 5` : SHORT[answer];
      step.querySelector("[data-step-answer]").textContent = short ?? "";
      step.classList.toggle("answered", Boolean(answer));
    });
  }

  #focusAnswer() {
    const panel = this.panels[this.at];
    (panel.querySelector("input:checked") ?? panel.querySelector("input")).focus({ preventScroll: true });
  }

  /** Submit, from any question. What is not answered is named and shown, without asking the server. */
  async submit(goOn = true) {
    if (this.missing.length) {
      this.#complain(`Still to answer: ${this.missing.join(", ")}.`);
      this.show(this.firstUnanswered, { focus: true });
      return;
    }
    const buttons = [...this.form.querySelectorAll("[data-submit]")];
    if (buttons[0].getAttribute("aria-busy") === "true") return;
    buttons.forEach((button) => button.setAttribute("aria-busy", "true"));
    this.#complain("");
    await this.beforeSubmit();
    const saved = await this.draft.flush();
    const answer = saved ? await send("POST", this.submitUrl, { go_on: goOn }) : null;
    if (answer?.ok) {
      location.assign(answer.data.next);
      return;
    }
    buttons.forEach((button) => button.removeAttribute("aria-busy"));
    this.#complain(answer ? problemOf(answer) : "Your last answers are not saved yet. Submit again when they are.");
  }

  #complain(text) {
    const problem = document.getElementById("submit-problem");
    problem.textContent = text;
    problem.hidden = !text;
  }
}

const answerOf = (panel) => panel.querySelector("input[type=radio]:checked")?.value;

function scoreOf(value) {
  return value === "both_bad" || value === "cannot_tell" ? { kind: value, value: null } : { kind: "scored", value: Number(value) };
}
