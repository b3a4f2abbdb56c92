// The rubric editor: move a dimension by its buttons, hear the examples of the questions in the preview.
import { startExamples } from "./room_examples.js";
import { gettext, interpolate } from "./words.js";

const form = document.querySelector("[data-rubric]");

const rows = () => [...form.querySelectorAll(".rubric-row")].filter((row) => row.dataset.dimension);

/** Places follow the order on the page, from 1; overall is always last, whatever its place says. */
function numberRows() {
  rows().forEach((row, index) => (row.querySelector("[name$=-position]").value = index + 1));
}

function move(button) {
  const row = button.closest(".rubric-row");
  const others = rows().filter((each) => each.dataset.dimension !== "overall");
  const place = others.indexOf(row) + Number(button.dataset.move);
  const told = form.querySelector("[data-moved]");
  if (place < 0 || place >= others.length) {
    told.textContent = gettext("It cannot move further.");
    return;
  }
  if (place > others.indexOf(row)) others[place].after(row);
  else others[place].before(row);
  numberRows();
  button.focus();
  const name = row.querySelector("[name$=-name]").value;
  told.textContent = interpolate(gettext("%(name)s is number %(place)s now."), { name, place: place + 1 });
  form.dispatchEvent(new CustomEvent("rubric:moved"));
}

if (form) {
  for (const buttons of form.querySelectorAll("[data-move-buttons]")) buttons.hidden = false;
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (button) move(button);
  });
}
startExamples(document);
document.addEventListener("htmx:load", (event) => event.detail.elt.id === "rubric-preview" && startExamples(event.detail.elt));
