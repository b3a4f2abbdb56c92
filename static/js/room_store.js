// JSON to and from the server (an answer that never came has status 0), and the draft as it is kept in this browser, so
// that a crashed tab, a dead server or a lost connection loses no answer.
// One entry per person and lease:
//   {touched, urls: {draft, submit}, answers: {name: {value, at, base, sent}}, submit: {go_on} or null}
// name   "scores.<dimension>", "confidence", "reason" or "marks"; a value of null is an answer taken back
// at     when it was changed: milliseconds of the server's clock
// base   what the server had, as far as was known, when it was changed
// sent   when the server saved it (milliseconds, its clock); true where only that it did is known; false if not yet
import { storage } from "./storage.js";
import { gettext } from "./words.js";

const MOST_KEEPALIVE_CHARACTERS = 20000; // browsers refuse more than 64 KiB, and a character takes up to 3 bytes
const PREFIX = "earshot:draft:";
const KEPT_MS = 7 * 24 * 3600 * 1000;

// Signing in changes the token: the cookie has the present one, the page the one of when it was loaded.
function token() {
  const cookie = document.cookie.split("; ").find((each) => each.startsWith("csrftoken="));
  return cookie?.slice("csrftoken=".length) ?? JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

/**
 * Requests outlive the page (keepalive), so what is sent while leaving still arrives.
 * Each outcome is told to the document as `earshot:answered` with its status.
 */
export async function send(method, url, body) {
  const answer = await ask(method, url, body === undefined ? undefined : JSON.stringify(body));
  document.dispatchEvent(new CustomEvent("earshot:answered", { detail: { status: answer.status } }));
  return answer;
}

async function ask(method, url, text) {
  try {
    const response = await fetch(url, {
      method, credentials: "same-origin", keepalive: (text?.length ?? 0) < MOST_KEEPALIVE_CHARACTERS, cache: "no-store",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token() },
      body: text,
    });
    const data = await response.json().catch(() => ({}));
    return { ok: response.ok, status: response.status, data };
  } catch {
    return { ok: false, status: 0, data: {} };
  }
}

/** Whether the same request may well succeed later: no connection, no server, or signed out (or in as another person). */
export const mayPass = ({ status }) => status === 0 || status >= 500 || status === 403 || status === 404 || status === 429;

/** Why something was not kept, as a sentence. */
export function problemOf({ status, data }) {
  if (status === 0) return gettext("The server does not answer. Your answers stay here, and saving is tried again.");
  if (status === 403) return gettext("You are signed out. Sign in in another tab; your answers stay here.");
  if (status >= 500) return gettext("The server could not do that. Your answers stay here, and saving is tried again.");
  return data.detail ?? gettext("The server refused this. Reload the page; saved answers are kept.");
}

export class KeptDraft {
  #memory = null; // where the browser gives no storage: at least as long as the page lives

  constructor(person, lease, urls) {
    this.key = `${PREFIX}${person}:${lease}`;
    this.urls = urls;
  }

  read() {
    const kept = parsed(storage()?.getItem(this.key)) ?? this.#memory;
    return kept ?? { touched: 0, urls: this.urls, answers: {}, submit: null };
  }

  get isEmpty() { return this.read().touched === 0; }
  get submit() { return this.read().submit; }
  get unsent() { return Object.entries(this.read().answers).filter(([, answer]) => !answer.sent); }

  change(name, value, { at, base }) {
    this.#update((entry) => {
      const before = entry.answers[name];
      entry.answers[name] = { value, at, base: before && !before.sent ? before.base : base ?? null, sent: false };
    });
  }

  /** These answers are on the server, unless they were changed again while they were on their way. */
  settle(sent, savedAt) {
    this.#update((entry) => {
      for (const [name, { at }] of sent) {
        const answer = entry.answers[name];
        if (answer?.at === at) answer.sent = savedAt ?? (answer.sent || true);
      }
    });
  }

  drop(names) {
    this.#update((entry) => names.forEach((name) => delete entry.answers[name]));
  }

  keepSubmit(submit) {
    this.#update((entry) => (entry.submit = submit));
  }

  remove() {
    this.#memory = null;
    storage()?.removeItem(this.key);
  }

  // Read anew before each change: another tab of the same pair writes here too.
  #update(change) {
    const entry = this.read();
    change(entry);
    entry.touched = Date.now();
    entry.urls = this.urls;
    this.#memory = entry;
    try {
      storage()?.setItem(this.key, JSON.stringify(entry));
    } catch {
      // Full or closed: the page still holds it.
    }
  }
}

/** This person's entries in this browser; those of last week are thrown away. */
export function keptDrafts(person) {
  const store = storage();
  if (!store) return [];
  const drafts = [];
  for (const key of Object.keys(store).filter((each) => each.startsWith(PREFIX))) {
    const entry = parsed(store.getItem(key));
    const [owner, lease] = key.slice(PREFIX.length).split(":");
    if (!entry || Date.now() - entry.touched > KEPT_MS) store.removeItem(key);
    else if (owner === String(person)) drafts.push(new KeptDraft(owner, lease, entry.urls));
  }
  return drafts;
}

/** What the page before saved while this one was on its way is not in it: adds that to `there`, and returns its names. */
export function catchUpWith(kept, there) {
  const late = Object.entries(kept).filter(([, { sent }]) => sent > (there.savedAt ?? 1)); // `true` is never later
  for (const [name, { value, sent }] of late) {
    there.answers[name] = value;
    there.savedAt = Math.max(there.savedAt, sent);
  }
  return late.map(([name]) => name);
}

/**
 * Which kept answers the server lacks and should get, and which of them are older than what it has.
 * There is one time for the whole draft on the server: a kept answer wins when it is newer than that, or when nobody
 * has changed this answer since.
 *   kept    {name: {value, at, base, sent}}
 *   there   {answers: {name: value}, savedAt: milliseconds, or null}
 * Returns {missing, stale}: lists of names.
 */
export function compare(kept, there) {
  const missing = [];
  const stale = [];
  for (const [name, { value, at, base, sent }] of Object.entries(kept)) {
    const theirs = there.answers[name] ?? null;
    if (same(theirs, value)) continue;
    const isUntouched = !sent && same(theirs, base);
    if (isUntouched || there.savedAt === null || at > there.savedAt) missing.push(name);
    else stale.push(name);
  }
  return { missing, stale };
}

/** The server's draft, {scores, confidence, reason, marks, saved_at, now}, as answers by name. */
export function answersOf({ scores, confidence, reason, marks, saved_at: savedAt }) {
  const answers = { confidence: confidence ?? null, reason: reason || null, marks: marks?.length ? marks : null };
  for (const [key, score] of Object.entries(scores ?? {})) answers[`scores.${key}`] = score;
  return { answers, savedAt: savedAt ? Date.parse(savedAt) : null };
}

/** Answers by name, [[name, {value}], …], as the server takes them. */
export function bodyOf(answers) {
  const body = {};
  for (const [name, { value }] of answers) {
    if (name.startsWith("scores.")) body.scores = { ...body.scores, [name.slice(7)]: value };
    else body[name] = value ?? EMPTY[name];
  }
  return body;
}

/**
 * Send answers, [[name, {value}], …]. Where the server refuses them, one by one: one must not keep the others from it.
 * Resolves to false when it cannot be asked now.
 */
export async function deliver(url, answers, onSaved, onRefused) {
  const answer = await send("PATCH", url, bodyOf(answers));
  if (answer.ok) onSaved(answers, answer.data);
  else if (mayPass(answer)) return false;
  else if (answers.length === 1) onRefused(answers[0][0], problemOf(answer));
  else for (const one of answers) if (!(await deliver(url, [one], onSaved, onRefused))) return false;
  return true;
}

const EMPTY = { reason: "", marks: [] };

const parsed = (text) => {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
};

// Text and keys in one order: the server and the page write {kind, value} differently.
const canonical = (value) =>
  JSON.stringify(value, (_key, each) =>
    each && typeof each === "object" && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort()) : each);
const isNothing = (value) => value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
const same = (one, other) => (isNothing(one) && isNothing(other)) || canonical(one) === canonical(other);
