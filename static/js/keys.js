// Keys a page declares in its HTML, and the sheet that lists them.
//   data-key="n" data-key-label="Next pair"          pressing n clicks (or focuses) the element
//   data-key-hint="Space" data-key-label="Play"      listed only: the page handles the key itself
//   data-key-group="Player"                          heading in the sheet, "This page" if absent
//   data-key-everywhere                              under "Everywhere", the last heading
import { storage } from "./storage.js";
import { gettext } from "./words.js";

const STORE = "earshot.single-keys";

export const keysEnabled = () => storage()?.getItem(STORE) !== "off";

/** True while the person is writing, choosing or answering a dialog: single keys then belong to that. */
export function isTyping(target = document.activeElement) {
  if (document.querySelector("dialog[open]")) return true;
  return Boolean(target?.closest?.("input:not([type=checkbox], [type=radio], [type=range], [type=button]), textarea, select, [contenteditable]"));
}

// What is inert does nothing now: an expired pair takes no keys.
const keyed = (selector) => [...document.querySelectorAll(selector)].filter((element) => !element.closest("[inert]"));

const isVisible = (element) => element.checkVisibility?.() ?? element.offsetParent !== null;

function press(element) {
  if (element.matches("input:not([type=checkbox], [type=radio], [type=submit]), select, textarea")) element.focus();
  else element.click();
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (!keysEnabled() && event.key !== "?") return;
  if (event.key === "?") {
    event.preventDefault();
    openSheet();
    return;
  }
  const match = keyed("[data-key]").find(
    (element) => element.dataset.key === event.key && isVisible(element) && !element.disabled);
  if (!match) return;
  event.preventDefault();
  press(match);
}

function openSheet() {
  openDialog(document.getElementById("key-sheet"));
}

/** Open a <dialog>; it hears "earshot:opening" just before, to fill itself with what is true now. */
export function openDialog(dialog) {
  if (!dialog || dialog.open) return;
  dialog.dispatchEvent(new Event("earshot:opening"));
  dialog.showModal();
}

function declaredKeys() {
  const groups = new Map();
  const everywhere = gettext("Everywhere");
  for (const element of keyed("[data-key], [data-key-hint]")) {
    const keys = element.dataset.keyHint ?? element.dataset.key;
    const label = element.dataset.keyLabel ?? element.textContent.trim();
    const group = element.dataset.keyGroup ?? ("keyEverywhere" in element.dataset ? everywhere : gettext("This page"));
    if (!groups.has(group)) groups.set(group, new Map());
    groups.get(group).set(keys, label);
  }
  return [...groups].sort(([a], [b]) => (a === everywhere) - (b === everywhere));
}

function fillSheet(list) {
  list.replaceChildren();
  for (const [group, keys] of declaredKeys()) {
    const rows = Object.assign(document.createElement("dl"), { className: "keys" });
    for (const [key, label] of keys) rows.append(...keyRow(key, label));
    list.append(Object.assign(document.createElement("h3"), { textContent: group }), rows);
  }
}

function keyRow(keys, label) {
  const term = document.createElement("dt");
  keys.split(" ").forEach((key) => {
    term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
  });
  return [term, Object.assign(document.createElement("dd"), { textContent: label })];
}

export function startKeys() {
  document.addEventListener("keydown", onKey);
  const sheet = document.getElementById("key-sheet");
  const list = sheet?.querySelector("[data-key-list]");
  const enabled = sheet?.querySelector("[data-keys-enabled]");
  if (!list || !enabled) return;
  enabled.checked = keysEnabled();
  enabled.addEventListener("change", () => storage()?.setItem(STORE, enabled.checked ? "on" : "off"));
  sheet.addEventListener("earshot:opening", () => fillSheet(list));
}
