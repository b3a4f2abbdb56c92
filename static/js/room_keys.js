// The room's own keys; those that press a button stand on the button (keys.js).
import { isTyping, keysEnabled } from "./keys.js";

const STEP_SECONDS = 5;

export function listenToKeys(room) {
  document.addEventListener("keydown", (event) => onKey(room, event));
}

function onKey(room, event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const bar = event.target.closest?.("[data-seek-bar]");
  if (!keysEnabled() && !bar) return;
  const isRadio = event.target.matches?.("input[type=radio]");
  if (isRadio && event.key.startsWith("Arrow")) return; // the radio group's own keys
  if (event.key === " " && event.target.closest?.("button, a, summary")) return;
  if (event.key === " " && isRadio && !event.target.checked) return;
  const action = actionOf(room, event, bar ? room.sides[bar.closest("[data-side]").dataset.side] : room.side);
  if (action ? action() !== false : !room.isExpired && room.questions.answerByKey(event.key)) event.preventDefault();
}

function actionOf(room, { key, repeat }, side) {
  const once = (act) => () => (repeat ? undefined : act()); // held down, it is still one mark
  return {
    " ": () => room.toggle(),
    ArrowLeft: () => room.seek(side, side.now - STEP_SECONDS),
    ArrowRight: () => room.seek(side, side.now + STEP_SECONDS),
    ArrowUp: () => room.step(-1),
    ArrowDown: () => room.step(1),
    Home: () => room.seek(side, 0),
    End: () => room.seek(side, side.duration - 0.01),
    "+": once(() => room.mark("good")),
    "=": once(() => room.mark("good")), // the same key without Shift
    "-": once(() => room.mark("bad")),
    d: () => room.marks.nextDimension(),
    Escape: () => room.marks.done(),
    s: () => room.submit(),
  }[key];
}
