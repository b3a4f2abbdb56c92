// What is still to be heard, per side and turn; opens the questions the moment it was enough.

const REFUSALS = {
  rate: "Not counted: the sound played faster than it was spoken.",
  muted: "Not counted: the sound was muted.",
  hidden: "Not counted: this tab was not in front. Keep it open and visible while you listen.",
  "faster than time": "Not counted: more was reported than time had passed. Play it again.",
};

export class Gate {
  constructor({ policy, onOpen, onPlayMissing }) {
    this.root = document.getElementById("gate");
    this.policy = policy;
    this.isOpen = document.getElementById("room").dataset.gate === "open";
    this.onOpen = onOpen;
    this.root?.querySelector("[data-go-missing]").addEventListener("click", onPlayMissing);
  }

  show({ gate_open: isOpen, sides, refusal }) {
    for (const [name, side] of Object.entries(sides)) this.#showSide(name, side);
    if (this.root) {
      this.root.querySelector("[data-gate-problem]").textContent = REFUSALS[refusal] ?? "";
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
    document.querySelector(`#side-${name} [data-heard]`).textContent = side.is_enough ? "heard" : side.heard.length ? `${share} % heard` : "";
    const row = this.root?.querySelector(`[data-gate-side=${name}]`);
    if (!row) return;
    row.querySelector("progress").value = side.is_enough ? 1 : side.coverage;
    row.querySelector("[data-share]").textContent = side.is_enough ? "heard" : `${share} %`;
    row.querySelector("[data-missing]").textContent = side.is_enough ? "" : missingText(side);
  }
}

export function missingText({ heard, missing_turns: turns }) {
  if (!heard.length) return "not begun";
  if (!turns.length) return "a moment is missing";
  const named = turns.slice(0, 6).join(", ");
  const rest = turns.length - 6;
  return `missing: turn${turns.length > 1 ? "s" : ""} ${named}${rest > 0 ? ` and ${rest} more` : ""}`;
}
