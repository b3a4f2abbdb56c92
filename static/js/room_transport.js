// The buttons of the player, and what stands on them: one transport for both sides.
import { say } from "./room_words.js";

export class Transport {
  constructor(room) {
    this.room = room;
    this.root = room.root;
    this.buttons = this.root.querySelectorAll("[data-choose]");
    const press = (selector, act) => this.root.querySelector(selector).addEventListener("click", act);
    press("[data-play]", () => room.toggle());
    press("[data-previous-turn]", () => room.step(-1));
    press("[data-next-turn]", () => room.step(1));
    press("[data-repeat-turn]", () => room.repeat());
    press("[data-compare]", () => room.compare());
    for (const side of Object.values(room.sides))
      side.root.querySelector("[data-choose]").addEventListener("click", () => room.chooseAndPlay(side.name));
  }

  show() {
    const { side, other } = this.room;
    this.#write("[data-play-word]", say(side.isPlaying ? "pause" : "play", { letter: side.letter }));
    this.#write("[data-compare-letter]", other.letter);
    this.root.querySelector("[data-compare-letter]").className = `side ${other.letter.toLowerCase()}`;
    for (const each of [side, other])
      this.#write(`#side-${each.name} [data-choose-label]`, say(each.isPlaying ? "pause_side" : "listen_to", { letter: each.letter }));
    this.#showMainButton();
  }

  // One filled button: Play until both were heard or an answer was given, then the next question.
  #showMainButton() {
    const { data, sides, questions } = this.room;
    const heard = data.policy !== "none" && Object.values(sides).every((side) => side.state?.is_enough);
    const isAnswering = Boolean(questions?.isShown && (heard || questions.isBegun));
    this.root.querySelector("[data-play]").classList.toggle("secondary", isAnswering);
    this.root.querySelector("[data-next]").classList.toggle("secondary", !isAnswering);
  }

  #write(selector, text) {
    const element = this.root.querySelector(selector);
    if (element.textContent !== text) element.textContent = text;
  }
}
