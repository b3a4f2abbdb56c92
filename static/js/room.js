// The listening room: two dialogues, one sound at a time, then the questions.
import { alignAxes, clockText } from "./lanes.js";
import { isTyping, keysEnabled } from "./keys.js";
import { showToast } from "./toasts.js";
import { send } from "./room_api.js";
import { Gate } from "./room_gate.js";
import { Heartbeats } from "./room_heartbeat.js";
import { Questions } from "./room_questions.js";
import { Side } from "./room_side.js";
import { frontier } from "./room_stretches.js";

const STEP_SECONDS = 5;
const OTHER = { left: "right", right: "left" };

class Room {
  constructor(data) {
    this.data = data;
    this.root = document.getElementById("room");
    const records = data.policy !== "none";
    const options = { records, onSeek: (side, seconds) => this.seek(side, seconds) };
    this.sides = {
      left: new Side("left", data.sides.left, options),
      right: new Side("right", data.sides.right, options),
    };
    this.#align();
    this.gate = new Gate({ policy: data.policy, onOpen: () => this.#gateOpens(), onPlayMissing: () => this.playMissing() });
    this.heartbeats = new Heartbeats({
      url: data.heartbeat, sequence: data.state.last_sequence, sides: this.sides, activeSide: () => this.active,
      onState: (state) => this.setState(state), onTrouble: (answer, isLong) => this.#trouble(answer, isLong),
    });
    this.questions = new Questions({ draftUrl: data.draft, submitUrl: data.submit, beforeSubmit: () => this.heartbeats.flush() });
    this.choose(data.first);
    this.setState(data.state);
    this.#watch();
  }

  get side() { return this.sides[this.active]; }
  get isExpired() { return this.root.hasAttribute("data-expired"); }
  get isOrdered() { return this.data.policy === "enforced" && !this.gate.isOpen; }

  /** Bring a side to the front. The other one falls silent, and stays muted until it is chosen. */
  choose(name) {
    const other = this.sides[OTHER[name]].audio;
    this.active = name;
    if (other.paused) other.muted = true;
    else other.pause(); // muted when its last stretch was told, or that would count as unheard
    this.sides[name].audio.muted = false;
    for (const side of Object.values(this.sides)) {
      side.root.toggleAttribute("data-active", side.name === name);
      side.root.querySelector("[data-choose]").setAttribute("aria-pressed", String(side.name === name));
    }
    this.#showTransport();
  }

  /** On the first listen the sides come in their order. */
  isLocked(name) {
    return this.isOrdered && name !== this.data.first && !this.sides[this.data.first].state?.is_enough;
  }

  play(name = this.active) {
    if (this.isExpired) {
      showToast("Your time for this pair ran out. Press Go on first.");
      return;
    }
    if (this.isLocked(name)) {
      showToast(`Hear ${this.sides[this.data.first].letter} to its end first, then ${this.sides[name].letter}.`);
      return;
    }
    if (name !== this.active) this.choose(name);
    this.sides[OTHER[name]].audio.pause();
    if (this.side.audio.ended) this.side.seek(0);
    this.side.audio.play().catch((error) => {
      if (error.name === "NotAllowedError") showToast("Press Play once more: the browser waits for your click.");
    });
  }

  toggle() {
    if (this.side.isPlaying) this.side.audio.pause();
    else this.play();
  }

  /** Go to a moment; on the first listen no further than was heard. */
  seek(side, seconds) {
    if (this.isLocked(side.name)) return this.play(side.name);
    if (side.name !== this.active) this.choose(side.name);
    let target = seconds;
    if (this.isOrdered && !side.state?.is_enough) {
      const limit = frontier(side.state?.missing ?? [[0, side.duration]], side.played.pending, side.duration);
      if (seconds > limit + 0.5) showToast("The first listen goes in order. You can go back freely; ahead opens when it was heard.");
      target = Math.min(seconds, Math.max(limit, 0));
    }
    side.seek(target);
    this.#showTransport();
  }

  step(turns) {
    const { side } = this;
    const index = side.turnIndex;
    const isInside = index >= 0 && side.now - side.turns[index].start > 1;
    const target = turns < 0 && isInside ? index : index + turns;
    if (target >= side.turns.length) return;
    this.seek(side, target < 0 ? 0 : side.turns[target].start);
  }

  playMissing() {
    const name = [this.data.first, OTHER[this.data.first]].find((each) => !this.sides[each].state?.is_enough);
    if (!name) return;
    const side = this.sides[name];
    this.choose(name);
    side.seek(Math.max(0, (side.state?.missing[0]?.[0] ?? 0) - 0.2));
    this.play(name);
  }

  setState(state) {
    if (state.state !== "live") this.#expire();
    for (const [name, side] of Object.entries(state.sides)) {
      this.sides[name].setState(side);
      if (side.is_enough && this.data.transcript === "after_first_listen") this.#fetchWords(this.sides[name]);
    }
    this.gate.show(state);
    for (const side of Object.values(this.sides)) side.root.toggleAttribute("data-locked", this.isLocked(side.name));
    this.#showTransport();
  }

  async #fetchWords(side, says = "") {
    if (side.hasText || side.asked) return;
    side.asked = true;
    const answer = await send("GET", `${side.turnsUrl}${says}`);
    side.asked = false;
    if (answer.ok) side.setTurns(answer.data);
  }

  #align() {
    const { left, right } = this.sides;
    [left.scene.axis, right.scene.axis] = alignAxes([left.scene, right.scene]);
  }

  // Said in the gate's own place: a toast would lie over the answers.
  #gateOpens() {
    this.questions.open();
    this.root.toggleAttribute("data-opened", true);
    this.root.querySelector("[data-gate-opened]").textContent = "You heard both. The questions are open.";
  }

  /** The time ran out: nothing counts any more until the pair is taken up again. */
  #expire() {
    if (this.isExpired) return;
    this.root.toggleAttribute("data-expired", true);
    for (const side of Object.values(this.sides)) side.audio.pause();
    for (const button of this.root.querySelectorAll("[data-choose]")) button.disabled = true;
    this.questions.draft.flush();
    const notice = document.getElementById("expired");
    notice.querySelector("[data-answers-kept]").hidden = !this.questions.isBegun;
    notice.hidden = false;
    notice.scrollIntoView({ block: "nearest" });
  }

  /** The key s. What keeps the judgment from being submitted is always said. */
  #submit() {
    if (this.isExpired) return;
    if (this.questions.isShown) this.questions.submit();
    else {
      const letters = [this.data.first, OTHER[this.data.first]].filter((name) => !this.sides[name].state?.is_enough)
        .map((name) => this.sides[name].letter);
      showToast(`Nothing to submit yet: hear ${letters.join(" and ")} to the end first, then answer.`);
    }
  }

  #trouble(answer, isLong) {
    if (!answer) return;
    if (!isLong || !this.side.isPlaying) return;
    this.side.audio.pause();
    showToast("The sound is paused, so that nothing you hear is lost. Play on when the connection is back.",
      { title: answer.status === 403 ? "You are signed out." : "The server does not answer.", tone: "bad" });
  }

  #watch() {
    const channel = new BroadcastChannel("earshot-playing");
    channel.addEventListener("message", () => Object.values(this.sides).forEach((side) => side.audio.pause()));
    for (const side of Object.values(this.sides)) {
      side.audio.addEventListener("play", () => {
        if (side.name !== this.active) return this.#startedElsewhere(side);
        this.sides[OTHER[side.name]].audio.pause();
        channel.postMessage(side.name);
        this.#showTransport();
        this.#follow(side);
      });
      side.audio.addEventListener("pause", () => {
        this.heartbeats.flush();
        side.audio.muted = side.name !== this.active;
        this.#showTransport();
      });
      side.audio.addEventListener("seeked", () => this.heartbeats.flush());
      side.audio.addEventListener("ended", () => this.#ended(side));
      side.audio.addEventListener("timeupdate", () => this.#showTransport());
      side.root.querySelector("[data-choose]").addEventListener("click", () => this.chooseAndPlay(side.name));
    }
    this.#button("[data-play]", () => this.toggle());
    this.#button("[data-previous-turn]", () => this.step(-1));
    this.#button("[data-next-turn]", () => this.step(1));
    this.#button("[data-switch]", () => this.chooseAndPlay(OTHER[this.active]));
    this.#button("[data-close-dialog]", ({ target }) => target.closest("dialog").close());
    document.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** A media key or the browser's own menu started the muted side: the page hears of it only afterwards. */
  #startedElsewhere(side) {
    side.audio.pause();
    this.play(side.name);
  }

  chooseAndPlay(name) {
    if (name === this.active && this.side.isPlaying) this.side.audio.pause();
    else this.play(name);
  }

  #button(selector, action) {
    this.root.querySelector(selector).addEventListener("click", action);
  }

  #ended(side) {
    this.heartbeats.flush();
    if (this.data.policy === "none" && this.data.transcript === "after_first_listen") this.#fetchWords(side, "?heard=1");
    this.#showTransport();
  }

  #follow(side) {
    side.draw();
    if (side.isPlaying) requestAnimationFrame(() => this.#follow(side));
  }

  #showTransport() {
    const { side } = this;
    const other = this.sides[OTHER[this.active]];
    const set = (selector, text) => {
      const element = this.root.querySelector(selector);
      if (element.textContent !== text) element.textContent = text;
    };
    set("[data-play-word]", `${side.isPlaying ? "Pause" : "Play"} ${side.letter}`);
    set("[data-now-letter]", side.letter);
    set("[data-now-clock]", `${clockText(side.now)} of ${clockText(side.duration)}`);
    set("[data-switch-letter]", other.letter);
    this.root.querySelector("[data-now-letter]").className = `side ${side.letter.toLowerCase()}`;
    this.root.querySelector("[data-switch-letter]").className = `side ${other.letter.toLowerCase()}`;
    this.#showMainButton();
    for (const each of Object.values(this.sides))
      each.root.querySelector("[data-choose-label]").textContent = `${each.isPlaying ? "Pause" : "Listen to"} ${each.letter}`;
  }

  // One filled button: Play until both were heard or an answer was given, then the next question.
  #showMainButton() {
    const heard = this.data.policy !== "none" && Object.values(this.sides).every((side) => side.state?.is_enough);
    const isAnswering = Boolean(this.questions?.isShown && (heard || this.questions.isBegun));
    this.root.querySelector("[data-play]").classList.toggle("secondary", isAnswering);
    this.root.querySelector("[data-next]").classList.toggle("secondary", !isAnswering);
  }

  #onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const bar = event.target.closest?.("[data-seek-bar]");
    if (!keysEnabled() && !bar) return;
    const isRadio = event.target.matches?.("input[type=radio]");
    if (isRadio && event.key.startsWith("Arrow")) return; // the radio group's own keys
    if (event.key === " " && event.target.closest?.("button, a, summary")) return;
    if (event.key === " " && isRadio && !event.target.checked) return;
    const action = this.#action(event.key, bar ? this.sides[bar.closest("[data-side]").dataset.side] : this.side);
    if (action ? action() !== false : !this.isExpired && this.questions.answerByKey(event.key)) event.preventDefault();
  }

  #action(key, side) {
    return {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(side, side.now - STEP_SECONDS),
      ArrowRight: () => this.seek(side, side.now + STEP_SECONDS),
      ArrowUp: () => this.step(-1),
      ArrowDown: () => this.step(1),
      Home: () => this.seek(side, 0),
      End: () => this.seek(side, side.duration - 0.01),
      s: () => this.#submit(),
    }[key];
  }
}

new Room(JSON.parse(document.getElementById("room-data").textContent));
