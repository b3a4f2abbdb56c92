// A pair whose time ran out: its complete answers are sent as a late judgment.
import { problemOf, send } from "./room_store.js";

const button = document.querySelector("[data-submit-late]");
const problem = document.getElementById("submit-problem");

button.addEventListener("click", async () => {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  problem.hidden = true;
  const answer = await send("POST", button.dataset.submitLate, { go_on: false });
  if (answer.ok) return location.assign(answer.data.next);
  button.removeAttribute("aria-busy");
  problem.textContent = problemOf(answer);
  problem.hidden = false;
});
