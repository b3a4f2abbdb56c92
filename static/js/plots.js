// Plots that the server drew: "PNG" paints the SVG file on a canvas, "t" opens the numbers of all plots.
import { gettext } from "./words.js";

const SCALE = 2; // pixels of the PNG per pixel of the SVG

async function savePng(button) {
  const image = new Image();
  image.src = button.dataset.png;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.naturalWidth * SCALE, height: image.naturalHeight * SCALE });
  const paint = canvas.getContext("2d");
  paint.fillStyle = "#ffffff";
  paint.fillRect(0, 0, canvas.width, canvas.height);
  paint.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: button.dataset.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function mount(root) {
  for (const button of root.querySelectorAll("[data-png]")) {
    button.hidden = false;
    button.addEventListener("click", () => savePng(button));
  }
}

// Declared once, so that the key sheet lists it.
function declareKey() {
  const all = Object.assign(document.createElement("button"), { type: "button", className: "quiet visually-hidden", textContent: gettext("Show the numbers of all plots") });
  all.dataset.key = "t";
  all.dataset.keyLabel = gettext("Numbers of the plots as tables");
  all.addEventListener("click", () => {
    const found = [...document.querySelectorAll("[data-plot-numbers]")];
    const opens = found.some((each) => !each.open);
    for (const each of found) each.open = opens;
  });
  document.getElementById("main").append(all);
}

mount(document);
declareKey();
document.addEventListener("htmx:load", (event) => mount(event.detail.elt));
