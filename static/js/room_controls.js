// The buttons of the player, what stands on them, and the room's own keys; those that press a button stand on the button
// (keys.js).
import { isTyping, keysEnabled } from "./keys.js";
import { say } from "./room_words.js";

const STEP_SECONDS = 5;

/** One transport for both sides. */
export class Transport {
  constructor(room) {
    this.room = room;
    this.root = room.root;
    this.buttons = this.root.querySelectorAll("[data-choose]");
    const press = (selector, act) => this.root.querySelector(selector).addEventListener("click", act);
    press("[data-play]", () => room.toggle());
    press("[data-previous-turn]", () => room.step(-1));
    press("[data-next-turn]", () => room.step(1));
    press("[data-back-5]", () => room.seek(room.side, room.side.now - STEP_SECONDS));
    press("[data-ahead-5]", () => room.seek(room.side, room.side.now + STEP_SECONDS));
    press("[data-repeat-turn]", () => room.repeat());
    press("[data-compare]", () => room.compare());
    for (const side of Object.values(room.sides))
      side.root.querySelector("[data-choose]").addEventListener("click", () => room.chooseAndPlay(side.name));
  }

  show() {
    const { side, other, next } = this.room;
    this.#write("[data-play-word]", say(side.isPlaying ? "pause" : "play", { letter: next.letter }));
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

export function listenToKeys(room) {
  document.addEventListener("keydown", (event) => onKey(room, event));
}

function onKey(room, event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const bar = event.target.closest?.("[data-seek-bar]");
  if (!keysEnabled() && !bar) return;
  const isRadio = event.target.matches?.("input[type=radio]");
  if (isRadio && event.key.startsWith("Arrow")) return; // the radio group's own keys
  if (event.key === " " && event.target.closest?.("button, a, summary")) return;
  if (event.key === " " && isRadio && !event.target.checked) return;
  const action = actionOf(room, event, bar ? room.sides[bar.closest("[data-side]").dataset.side] : room.side);
  if (action ? action() !== false : !room.isExpired && room.questions.answerByKey(event.key)) event.preventDefault();
}

function actionOf(room, { key, repeat }, side) {
  const once = (act) => () => (repeat ? undefined : act()); // held down, it is still one mark
  return {
    " ": () => room.toggle(),
    ArrowLeft: () => room.seek(side, side.now - STEP_SECONDS),
    ArrowRight: () => room.seek(side, side.now + STEP_SECONDS),
    ArrowUp: () => room.step(-1),
    ArrowDown: () => room.step(1),
    Home: () => room.seek(side, 0),
    End: () => room.seek(side, side.duration - 0.01),
    "+": once(() => room.mark("good")),
    "=": once(() => room.mark("good")), // the same key without Shift
    "-": once(() => room.mark("bad")),
    d: () => room.marks.nextDimension(),
    Escape: () => room.marks.done(),
    s: () => room.submit(),
  }[key];
}
