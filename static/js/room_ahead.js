// The next pair is reserved once this one is being judged, when nothing else wants the line any more.
import { send } from "./room_api.js";

/** Ask for it when the questions open; where they are open from the start, at the first answer. */
export function reserveAhead(url) {
  const form = document.getElementById("questions");
  const ask = () => {
    const go = () => send("POST", url);
    if ("requestIdleCallback" in globalThis) requestIdleCallback(go, { timeout: 5000 });
    else setTimeout(go, 1000);
  };
  if (!form.hidden) {
    form.addEventListener("change", ask, { once: true });
    return;
  }
  const opening = new MutationObserver(() => {
    if (form.hidden) return;
    opening.disconnect();
    ask();
  });
  opening.observe(form, { attributes: true, attributeFilter: ["hidden"] });
}
