// The listening room: two dialogues, one sound at a time, then the questions.
import { alignAxes, clockText } from "./lanes.js";
import { showToast } from "./toasts.js";
import { send } from "./room_store.js";
import { listenToKeys, Transport } from "./room_controls.js";
import { frontier, Heartbeats } from "./room_heartbeat.js";
import { Marks } from "./room_marks.js";
import { Questions } from "./room_questions.js";
import { startSafeguards } from "./room_safeguards.js";
import { sameTurn, Side } from "./room_side.js";
import { Gate, PlayerNotes, say } from "./room_words.js";

const LEAD_IN_SECONDS = 2; // a mark is put after what it means
const OTHER = { left: "right", right: "left" };

class Room {
  constructor(data) {
    this.data = data;
    this.root = document.getElementById("room");
    const records = data.policy !== "none";
    const options = { records, onSeek: (side, seconds) => this.seek(side, seconds), onFlag: (id) => this.marks.choose(id) };
    this.sides = {
      left: new Side("left", data.sides.left, options),
      right: new Side("right", data.sides.right, options),
    };
    this.active = data.first;
    this.#align();
    this.notes = new PlayerNotes({ sides: this.sides, active: () => this.side, records });
    this.gate = new Gate({ policy: data.policy, onOpen: () => this.#gateOpens(), onPlayMissing: () => this.playMissing() });
    this.heartbeats = new Heartbeats({
      url: data.heartbeat, sequence: data.state.last_sequence, sides: this.sides, activeSide: () => this.active,
      onState: (state) => this.setState(state), onTrouble: (answer, isLong) => this.#trouble(answer, isLong),
    });
    this.questions = new Questions({ draftUrl: data.draft, submitUrl: data.submit, beforeSubmit: () => this.heartbeats.flush() });
    this.marks = new Marks({
      marks: data.marks, sides: this.sides, active: () => this.side, draft: this.questions.draft,
      note: (...said) => this.notes.note(...said), hear: (side, seconds) => this.hear(side, seconds - LEAD_IN_SECONDS),
    });
    this.transport = new Transport(this);
    this.choose(data.first);
    this.setState(data.state);
    this.#watch();
    startSafeguards(this);
  }

  get side() { return this.sides[this.active]; }
  get other() { return this.sides[OTHER[this.active]]; }
  get isExpired() { return this.root.hasAttribute("data-expired"); }
  get isOrdered() { return this.data.policy === "enforced" && !this.gate.isOpen; }

  /** What the main button plays: the side in front, or the other one if that is what is still to be heard. */
  get next() {
    const misses = ({ state, audio }) => (state ? !state.is_enough : !audio.played.length);
    return this.side.audio.ended && !misses(this.side) && misses(this.other) ? this.other : this.side;
  }

  /** Bring a side to the front. The other one falls silent, and stays muted until it is chosen. */
  choose(name) {
    const other = this.sides[OTHER[name]].audio;
    this.active = name;
    if (other.paused) other.muted = true;
    else other.pause(); // muted when its last stretch was told, or that would count as unheard
    this.side.audio.muted = false;
    if (document.activeElement === this.other.bar) this.side.bar.focus({ preventScroll: true }); // arrows act on what is heard
    for (const side of Object.values(this.sides)) {
      side.root.toggleAttribute("data-active", side.name === name);
      side.root.querySelector("[data-choose]").setAttribute("aria-pressed", String(side.name === name));
    }
    this.transport.show();
    this.notes.show();
  }

  /** On the first listen the sides come in their order. */
  isLocked(name) {
    return this.isOrdered && name !== this.data.first && !this.sides[this.data.first].state?.is_enough;
  }

  play(name = this.active) {
    if (this.isExpired) return showToast(say("time_ran_out"));
    if (this.isLocked(name))
      return this.notes.note(say("side_locked", { first: this.sides[this.data.first].letter, second: this.sides[name].letter }));
    if (name !== this.active) this.choose(name);
    this.sides[OTHER[name]].audio.pause();
    if (this.side.audio.ended) this.side.seek(0);
    if (this.side.audio.error) this.#noSound();
    this.side.audio.play().then(() => this.other.fetchBeginning(), (error) => {
      if (error.name === "NotAllowedError") this.notes.note(say("press_again"));
    });
    return undefined;
  }

  #noSound() {
    this.notes.note(say("no_sound", { letter: this.side.letter }));
    this.side.root.querySelector("[data-sound-problem]").scrollIntoView({ block: "nearest" });
  }

  toggle() {
    if (this.side.isPlaying) this.side.audio.pause();
    else this.play(this.next.name);
  }

  /** Go to a moment; on the first listen no further than was heard. */
  seek(side, seconds) {
    if (this.isLocked(side.name)) return this.play(side.name);
    if (side.name !== this.active) this.choose(side.name);
    const limit = this.#limitOf(side);
    if (limit < side.duration && seconds > limit + 0.5) this.notes.note(say("in_order"));
    side.seek(Math.min(seconds, limit));
    this.transport.show();
  }

  // How far one may go on this side now.
  #limitOf(side) {
    if (!this.isOrdered || side.state?.is_enough) return side.duration;
    return Math.max(0, frontier(side.state?.missing ?? [[0, side.duration]], side.played.pending, side.duration));
  }

  step(turns) {
    const { side } = this;
    const index = side.turnIndex;
    const isInside = index >= 0 && side.now - side.turns[index].start > 1;
    const target = turns < 0 && isInside ? index : index + turns;
    if (target >= side.turns.length) return;
    this.seek(side, target < 0 ? 0 : side.turns[target].start);
  }

  /** Play this turn again from its start; between two turns, the one just heard. */
  repeat() {
    this.hear(this.side, this.side.turns[this.side.turnIndex]?.start ?? 0);
  }

  /** Play from a moment on, on either side. */
  hear(side, seconds) {
    if (this.isExpired || this.isLocked(side.name)) return this.play(side.name); // says why not
    this.seek(side, Math.max(0, seconds));
    this.play(side.name);
  }

  /** Play the same turn on the other side, or what comes nearest to it there, and say which it is. */
  compare() {
    const { side, other } = this;
    if (this.isExpired || this.isLocked(other.name)) return this.play(other.name); // says why not
    const { index, match } = sameTurn(side.turns, side.turnIndex, other.turns);
    const { start } = other.turns[index];
    const limit = this.#limitOf(other);
    const isAhead = start > limit + 0.5;
    const target = match === "beginning" ? 0 : Math.min(start, limit);
    this.hear(other, target);
    const words = { same: "same_turn", nearest: "nearest_turn", beginning: "no_turn_before" };
    const values = { letter: other.letter, turn: index + 1, now: clockText(target) };
    this.notes.note(say(isAhead ? "compare_in_order" : words[match], values));
  }

  mark(polarity) {
    if (!this.isExpired) this.marks.add(polarity);
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
    this.notes.refused(state.refusal);
    for (const side of Object.values(this.sides)) side.root.toggleAttribute("data-locked", this.isLocked(side.name));
    this.transport.show();
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

  // Said by the player, which is where one looks; the questions lie further down.
  #gateOpens() {
    const isSaid = (is) => this.root.toggleAttribute("data-opened", is);
    this.questions.open();
    this.root.querySelector("[data-gate-opened]").textContent = say("gate_opened");
    isSaid(true);
    this.questions.form.addEventListener("change", () => isSaid(false), { once: true });
    this.root.querySelector("[data-to-questions]").addEventListener("click", () => {
      isSaid(false);
      this.questions.goTo(this.questions.at, { focus: true });
    });
  }

  /** The time ran out: nothing counts any more until the pair is taken up again. */
  #expire() {
    if (this.isExpired) return;
    this.root.toggleAttribute("data-expired", true);
    for (const side of Object.values(this.sides)) side.audio.pause();
    for (const button of this.root.querySelectorAll("[data-choose]")) button.disabled = true;
    for (const part of this.root.querySelectorAll(".sides, .transport, .gate, .questions")) part.inert = true;
    this.questions.draft.flush();
    const notice = document.getElementById("expired");
    notice.querySelector("[data-answers-kept]").hidden = !this.questions.isBegun && !this.marks.isBegun;
    notice.hidden = false;
    notice.scrollIntoView({ block: "nearest" });
  }

  /** The key s. What keeps the judgment from being submitted is always said. */
  submit() {
    if (this.isExpired) return;
    if (this.questions.isShown) return this.questions.submit();
    const [first, second] = [this.data.first, OTHER[this.data.first]].map((name) => this.sides[name]).filter((side) => !side.state?.is_enough);
    const text = second ? say("nothing_to_submit_both", { first: first.letter, second: second.letter })
      : say("nothing_to_submit", { letter: first?.letter });
    this.notes.note(text);
  }

  #trouble(answer, isLong) {
    if (!answer) return;
    if (!isLong || !this.side.isPlaying) return;
    this.side.audio.pause();
    showToast(say("paused_offline"), { title: say(answer.status === 403 ? "signed_out" : "no_answer"), tone: "bad" });
  }

  #watch() {
    const channel = new BroadcastChannel("earshot-playing");
    channel.addEventListener("message", () => Object.values(this.sides).forEach((side) => side.audio.pause()));
    for (const side of Object.values(this.sides)) {
      side.audio.addEventListener("play", () => {
        if (side.name !== this.active) return this.#startedElsewhere(side);
        this.sides[OTHER[side.name]].audio.pause();
        channel.postMessage(side.name);
        this.transport.show();
        this.#follow(side);
      });
      side.audio.addEventListener("pause", () => {
        this.heartbeats.flush();
        side.audio.muted = side.name !== this.active;
        this.transport.show();
      });
      side.audio.addEventListener("seeked", () => this.heartbeats.flush());
      for (const event of ["volumechange", "ratechange"])
        side.audio.addEventListener(event, () => {
          this.heartbeats.flush(); // what was played until now sounded as it did before
          side.noteSound();
        });
      side.audio.addEventListener("error", () => this.#askWhy(side));
      side.audio.addEventListener("loadedmetadata", () => (side.hasAsked = false));
      side.audio.addEventListener("ended", () => this.#ended(side));
      side.audio.addEventListener("timeupdate", () => this.transport.show());
    }
    for (const button of this.root.querySelectorAll("[data-close-dialog]"))
      button.addEventListener("click", () => button.closest("dialog").close());
    this.root.querySelector("[data-dismiss]")?.addEventListener("click", ({ target }) => target.closest(".undo-line").remove());
    listenToKeys(this);
  }

  // A sound may be refused because the time ran out. Asked once: each answer keeps the lease.
  #askWhy(side) {
    if (!side.hasAsked) this.heartbeats.flush({ always: true });
    side.hasAsked = true;
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

  #ended(side) {
    this.heartbeats.flush();
    if (this.data.policy === "none" && this.data.transcript === "after_first_listen") this.#fetchWords(side, "?heard=1");
    this.transport.show();
  }

  #follow(side) {
    side.draw();
    if (side.isPlaying) requestAnimationFrame(() => this.#follow(side));
  }
}

new Room(JSON.parse(document.getElementById("room-data").textContent));
