// Outside the room: sends what an earlier page could not (a crash, a dead server, a lost connection), and forgets what
// is done with. The page carries <… data-catch-up="person"> with a line to show when something was brought in, and
// <… data-catch-up-refused="… {problem}">, which says what the server did not take.
import { answersOf, compare, deliver, keptDrafts, mayPass, send } from "./room_store.js";
import { storage } from "./storage.js";

const CLOSED = ["submitted", "late", "skipped"];
const CAUGHT_UP = "earshot:caught-up"; // what was refused of it; empty where nothing was

/**
 * Send all that this person's browser has kept. Resolves to how many drafts brought something to the server; `tell`
 * gets a sentence for each answer that it refused for good, which is dropped, and keeps the submit back.
 */
export async function catchUp(person, tell = () => {}) {
  let brought = 0;
  for (const kept of keptDrafts(person)) brought += await sendOne(kept, tell);
  return brought;
}

/** Throw away what the server has; what it has not stays for its owner, who may sign in again. */
export function forgetSaved(person) {
  for (const kept of keptDrafts(person)) if (!kept.unsent.length && !kept.submit) kept.remove();
}

async function sendOne(kept, tell) {
  const answer = await send("GET", kept.urls.draft);
  if (!answer.ok || answer.data.state === "reserved") return 0; // a reserved pair takes answers once its room is open
  if (CLOSED.includes(answer.data.state)) return forget(kept);
  const { answers } = kept.read();
  const { missing, stale } = compare(answers, answersOf(answer.data));
  kept.drop(stale);
  const sending = Object.entries(answers).filter(([name]) => missing.includes(name));
  let saved = 0;
  const isAsked = !sending.length || await deliver(kept.urls.draft, sending, (sent) => (saved += sent.length), (name, problem) => {
    kept.drop([name]);
    kept.keepSubmit(null);
    tell(problem);
  });
  if (!isAsked) return 0;
  kept.settle(Object.entries(answers));
  return (kept.submit ? await submitOne(kept) : 0) || Number(saved > 0);
}

async function submitOne(kept) {
  const answer = await send("POST", kept.urls.submit, { go_on: false });
  if (answer.ok) kept.remove();
  else if (!mayPass(answer)) kept.keepSubmit(null); // the draft is on the server; its page says what is missing
  return Number(answer.ok);
}

function forget(kept) {
  kept.remove();
  return 0;
}

const place = document.querySelector("[data-catch-up]");
if (place) {
  const showRefused = (problems) => {
    const refused = document.querySelector("[data-catch-up-refused]");
    refused.hidden = !problems;
    refused.textContent = refused.dataset.catchUpRefused.replace("{problem}", () => problems);
  };
  const session = storage("sessionStorage");
  const sendKept = async () => {
    const problems = [];
    const brought = await catchUp(place.dataset.catchUp, (problem) => problems.push(problem));
    if (!brought) return problems.length && showRefused(problems.join(" "));
    session?.setItem(CAUGHT_UP, problems.join(" "));
    return location.reload(); // the page was made before the server had these answers
  };
  const before = session?.getItem(CAUGHT_UP) ?? null;
  place.hidden = before === null;
  if (before) showRefused(before);
  session?.removeItem(CAUGHT_UP);
  addEventListener("online", sendKept);
  sendKept();
}
