// Short messages at the lower edge. The server sends one with the header  HX-Trigger: {"toast": {"text": "Saved."}}.

import { gettext } from "./words.js";

const STAY_MS = 6000;

/** Show `text`, with an optional bold first line. Bad news stays until it is closed. */
export function showToast(text, { title = "", tone = "" } = {}) {
  const region = document.getElementById("toasts");
  if (!region) return;
  const repeated = [...region.children].find((toast) => toast.dataset.text === title + text);
  repeated?.remove();
  const toast = document.createElement("div");
  toast.className = `toast ${tone}`;
  toast.dataset.text = title + text;
  if (title) toast.append(Object.assign(document.createElement("strong"), { textContent: title }));
  toast.append(Object.assign(document.createElement("span"), { textContent: text }));
  const close = Object.assign(document.createElement("button"), { type: "button", className: "quiet small", textContent: gettext("Close") });
  close.addEventListener("click", () => toast.remove());
  toast.append(close);
  region.append(toast);
  while (region.children.length > 3) region.firstElementChild.remove();
  if (tone !== "bad") dismissLater(toast);
}

// A toast that is read (pointer or focus on it) does not vanish under the reader.
function dismissLater(toast) {
  setTimeout(() => {
    if (toast.matches(":hover, :focus-within")) dismissLater(toast);
    else toast.remove();
  }, STAY_MS);
}

export function startToasts() {
  document.addEventListener("toast", (event) => {
    const { text, title, tone } = event.detail ?? {};
    if (text) showToast(text, { title, tone });
  });
}
