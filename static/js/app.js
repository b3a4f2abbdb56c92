// What every page has: theme, keys, relative times, calm messages, questions before what cannot be undone.
import { openDialog, startKeys } from "./keys.js";
import { showToast, startToasts } from "./toasts.js";
import { gettext, interpolate, ngettext } from "./words.js";

/** Turn every <time data-relative> into "2 min ago"; the exact time stays in its title. */
export function relativeText(then, now = Date.now()) {
  const seconds = Math.round((now - then) / 1000);
  const size = Math.abs(seconds);
  if (size < 45) return gettext("just now");
  if (size >= 5184000) return new Date(then).toISOString().slice(0, 10);
  const past = seconds > 0;
  if (size < 5400) return counted(past ? gettext("%(count)s min ago") : gettext("in %(count)s min"), Math.max(1, Math.round(size / 60)));
  if (size < 129600) return counted(past ? gettext("%(count)s h ago") : gettext("in %(count)s h"), Math.round(size / 3600));
  const days = Math.round(size / 86400);
  return counted(past ? ngettext("%(count)s day ago", "%(count)s days ago", days) : ngettext("in %(count)s day", "in %(count)s days", days), days);
}

const counted = (words, count) => interpolate(words, { count });

function writeRelativeTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-relative]")) {
    const then = Date.parse(element.dateTime);
    if (Number.isNaN(then)) continue;
    const text = relativeText(then);
    if (element.textContent !== text) element.textContent = text;
  }
}

// The theme is a cookie, so the server writes it into <html> and no page flashes in the wrong one.
function startTheme() {
  const current = () => document.documentElement.dataset.theme ?? "system";
  const showChoice = () => {
    for (const button of document.querySelectorAll("[data-theme-choice] button"))
      button.setAttribute("aria-pressed", String(button.value === current()));
  };
  const choose = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const age = theme === "system" ? 0 : 31536000;
    document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax`;
    showChoice();
    document.dispatchEvent(new CustomEvent("earshot:theme"));
  };
  for (const group of document.querySelectorAll("[data-theme-choice]")) {
    group.hidden = false;
    group.addEventListener("click", (event) => event.target.value && choose(event.target.value));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new CustomEvent("earshot:theme")));
  showChoice();
}

function startOffline() {
  const bar = document.getElementById("offline");
  const show = () => bar && (bar.hidden = navigator.onLine);
  addEventListener("offline", show);
  addEventListener("online", () => {
    show();
    showToast(gettext("The connection is back."), { tone: "good" });
  });
  show();
}

const CALM = {
  400: [gettext("The page sent something the server could not read."), gettext("Nothing was changed. Reload the page and try again.")],
  403: [gettext("You may not do that."), gettext("Nothing was changed. If you think you should, ask an admin.")],
  404: [gettext("This is no longer here."), gettext("It may have been removed. Reload the page to see what is there now.")],
  409: [gettext("Someone was faster."), gettext("Nothing of yours was lost. Reload the page to see the present state.")],
  413: [gettext("That file is too large."), gettext("Nothing was stored. The upload page names the limit.")],
  429: [gettext("Too many requests."), gettext("Nothing was lost. Wait a minute and try again.")],
};

function startRequestErrors() {
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    const [title, text] = CALM[status] ?? [
      gettext("The server could not do that."),
      gettext("Nothing was changed. Try again; if it stays so, tell an admin what you did and when.")];
    showToast(text, { title, tone: "bad" });
  });
  const unreachable = () => {
    if (!navigator.onLine) return;
    showToast(gettext("What was saved is safe. Try again in a moment."), { title: gettext("The server does not answer."), tone: "bad" });
  };
  document.addEventListener("htmx:sendError", unreachable);
  document.addEventListener("htmx:timeout", unreachable);
}

// One dialog asks for all: hx-confirm="…" on htmx elements, data-confirm="…" on plain forms.
function ask(question, yes = gettext("Go on")) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("#confirm-text").textContent = question;
  dialog.querySelector("[data-confirm-yes]").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

function startQuestions() {
  document.addEventListener("htmx:confirm", async (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    if (await ask(event.detail.question, event.detail.elt.dataset.confirmYes)) event.detail.issueRequest(true);
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (!question || form.dataset.confirmed) return;
    event.preventDefault();
    if (!(await ask(question, form.dataset.confirmYes ?? event.submitter?.dataset.confirmYes))) return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(event.submitter ?? undefined);
    delete form.dataset.confirmed;
  }, true);
}

// A link that looks like a button is pressed like one.
function startLinkButtons() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches?.("a[role=button]")) return;
    event.preventDefault();
    event.target.click();
  });
}

function startDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open-dialog]");
    if (opener) openDialog(document.getElementById(opener.dataset.openDialog));
    if (event.target instanceof HTMLDialogElement && event.target.open) closeOutside(event);
  });
}

function closeOutside(event) {
  const box = event.target.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!inside) event.target.close("no");
}

// A pressed button answers at once and cannot be pressed twice; the page that comes back frees it.
function startBusyForms() {
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !event.submitter || event.target.method === "dialog") return;
    const { submitter } = event;
    if (event.target.hasAttribute("hx-post") || submitter.hasAttribute("hx-post")) return;
    submitter.setAttribute("aria-busy", "true");
    setTimeout(() => submitter.removeAttribute("aria-busy"), 4000);
  });
}

// What the server has of a person's drafts does not stay in this browser when they sign out.
function startSigningOut() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.signOut || form.dataset.ready) return;
    event.preventDefault();
    form.dataset.ready = "yes";
    const { catchUp, forgetSaved } = await import("./room_catch_up.js");
    await Promise.race([catchUp(form.dataset.signOut), new Promise((resolve) => setTimeout(resolve, 2000))]);
    forgetSaved(form.dataset.signOut);
    form.submit();
  });
}

async function drawLanesOn(root) {
  if (!root.querySelector("[data-lanes]")) return;
  const { mountLanes } = await import("./lanes_mount.js");
  for (const canvas of root.querySelectorAll("[data-lanes]")) mountLanes(canvas);
}

startTheme();
startKeys();
startToasts();
startOffline();
startRequestErrors();
startQuestions();
startDialogs();
startLinkButtons();
startBusyForms();
startSigningOut();
writeRelativeTimes();
drawLanesOn(document);
setInterval(writeRelativeTimes, 20000);
document.addEventListener("htmx:load", (event) => {
  writeRelativeTimes(event.detail.elt);
  drawLanesOn(event.detail.elt);
});
