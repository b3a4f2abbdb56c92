// What keeps the room going when something around it fails, and what makes the next pair ready.
import { send } from "./room_api.js";
import { SoundRetry } from "./room_sound_retry.js";

export function startSafeguards(room) {
  watchConnection();
  for (const side of Object.values(room.sides)) new SoundRetry(side.root, side.audio, () => room.play(side.name));
  reserveAhead(room.questions.draft.urls.ahead);
}

// Says, calmly and in one line, that the server does not answer or that the person is signed out; until it is over.
function watchConnection() {
  const bar = (name) => document.getElementById(name);
  document.addEventListener("earshot:answered", ({ detail: { status } }) => {
    bar("signed-out").hidden = status !== 403;
    bar("server-silent").hidden = !(navigator.onLine && (status === 0 || status >= 500)); // offline, another bar says so
  });
  addEventListener("offline", () => (bar("server-silent").hidden = true));
}

// The next pair is reserved when the questions open (where they are open from the start: at the first answer), once
// nothing else wants the line.
function reserveAhead(url) {
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
