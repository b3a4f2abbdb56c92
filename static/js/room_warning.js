// The content warning: until it is answered the room behind it is inert.
import { storage } from "./storage.js";

const dialog = document.getElementById("content-warning");
const store = `earshot.warned.${dialog.dataset.lease}`;
let isAnswered = storage()?.getItem(store);

if (!isAnswered) {
  dialog.showModal();
  // Some browsers close on a second Escape.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => isAnswered || dialog.showModal());
  dialog.querySelector("[data-listen]").addEventListener("click", () => {
    isAnswered = true;
    dialog.close();
    try { storage()?.setItem(store, "listen"); } catch { /* full */ }
  });
}
