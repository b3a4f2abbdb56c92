// What is still to be heard, per side and turn; opens the questions the moment it was enough.
import { say } from "./room_words.js";

const MOST_NAMED = 6; // turns

export class Gate {
  constructor({ policy, onOpen, onPlayMissing }) {
    this.root = document.getElementById("gate");
    this.policy = policy;
    this.isOpen = document.getElementById("room").dataset.gate === "open";
    this.onOpen = onOpen;
    this.root?.querySelector("[data-go-missing]").addEventListener("click", onPlayMissing);
  }

  show({ gate_open: isOpen, sides }) {
    for (const [name, side] of Object.entries(sides)) this.#showSide(name, side);
    if (this.root) {
      const begun = Object.values(sides).some((side) => side.heard.length);
      this.root.querySelector("[data-go-missing]").hidden = isOpen || !begun;
      this.root.hidden = isOpen && this.policy === "enforced";
    }
    if (isOpen && !this.isOpen) {
      this.isOpen = true;
      document.getElementById("room").dataset.gate = "open";
      this.onOpen();
    }
  }

  #showSide(name, side) {
    const share = Math.floor(side.coverage * 100);
    document.querySelector(`#side-${name} [data-heard]`).textContent = side.is_enough ? say("heard") : side.heard.length ? say("heard_share", { share }) : "";
    const row = this.root?.querySelector(`[data-gate-side=${name}]`);
    if (!row) return;
    row.querySelector("progress").value = side.is_enough ? 1 : side.coverage;
    row.querySelector("[data-share]").textContent = side.is_enough ? say("heard") : say("share", { share });
    row.querySelector("[data-missing]").textContent = side.is_enough ? "" : missingText(side);
  }
}

export function missingText({ heard, missing_turns: missing }) {
  if (!heard.length) return say("not_begun");
  if (!missing.length) return say("moment_missing");
  const turns = missing.slice(0, MOST_NAMED).join(", ");
  const more = missing.length - MOST_NAMED;
  if (more > 0) return say("more_turns_missing", { turns, more });
  return say(missing.length > 1 ? "turns_missing" : "turn_missing", { turns });
}
